"""What kmv itself says of a problem: the reference in float64, and rows of its methods by its own harness."""
import os
import shutil
import subprocess

import h5py


class Failed(Exception):
    """The line that kmv wrote."""


def call(arguments):
    done = subprocess.run(arguments, text=True, capture_output=True)
    if done.returncode not in (0, 1):
        raise Failed(done.stderr.strip() or f"{arguments[0]} ended with code {done.returncode}")
    return done.stdout


def columns(kmv):
    """Names of the columns of raw.tsv, in order."""
    return [line.split()[0] for line in call([kmv, "list", "metrics"]).splitlines()
            if line and not line[0].isspace()]


def x_word(spec, path):
    return "v" if spec.x_kind == "v" else path + ":x"


def reference(kmv, spec, path, out, threads):
    call([kmv, "apply", path + ":problem", "--algo", "exact-f64", "--matrix", spec.matrix, "--causal",
          "yes" if spec.causal else "no", "--x", x_word(spec, path), "-o", out + ":y", "--threads", str(threads), "-q"])
    with h5py.File(out) as f:
        return f["y"][()]


def repetition(kmv, spec, path, folder, o):
    """One repetition of each of kmv's methods, run and judged by `kmv run`: a list of rows, and provenance.tsv."""
    shutil.rmtree(folder, ignore_errors=True)
    config = folder + ".ini"
    names = [algo.partition(":")[0] for algo in o["algos"]]
    with open(config, "w") as f:
        f.write(f"[experiment]\nname = peers\nseed = {o['seed']}\nreps = 1\nmin_time = {o['min_time']}s\n"
                f"verify_pairs = 1000000000\nop_norm_pairs = 1\nlimit_time = {o['limit_s']}s\n"
                f"[dataset problem]\nfile = {path}:problem\n"
                f"[sweep]\ndataset = problem\nalgo = {', '.join(names)}\nmatrix = {spec.matrix}\n"
                f"causal = {'yes' if spec.causal else 'no'}\neps = {o['eps']}\nx = {x_word(spec, path)}\n")
        for name, _, options in (algo.partition(":") for algo in o["algos"]):
            if options:
                f.write(f"[algo {name}]\n" + options.replace(",", "\n") + "\n")
    call([kmv, "run", config, "-o", folder, "--threads", str(o["threads"]), "-q"])
    with open(os.path.join(folder, "raw.tsv")) as f:
        lines = [line.rstrip("\n").split("\t") for line in f]
    with open(os.path.join(folder, "provenance.tsv")) as f:
        facts = dict(line.rstrip("\n").split("\t", 1) for line in f if "\t" in line)
    return [dict(zip(lines[0], cells)) for cells in lines[1:]], facts
