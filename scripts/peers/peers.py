#!/usr/bin/env python3
"""Outside programs beside kmv's own methods, in one table (needs numpy and h5py; run.sh installs the programs).

usage: peers.py -o DIR [options]; see --help

Every repetition runs each outside program and kmv's methods once, in random order, on the same arrays, with the same
number of threads. DIR/raw.tsv gets the columns of `kmv run`, so `kmv table`, `kmv report` and `kmv compare` read DIR.
docs/experiments.md says what is timed.
"""
import argparse
import datetime
import hashlib
import os
import random
import shlex
import sys

import h5py

import judge
import kmv_rows
import method as methods
import problems
from asking import Worker

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def parse(arguments):
    p = argparse.ArgumentParser(description="outside programs beside kmv's own methods, in one table")
    p.add_argument("-o", dest="folder", required=True, help="results folder, new")
    p.add_argument("--kmv", default=os.path.join(ROOT, "build", "kmv"), help="the program (default: build/kmv)")
    p.add_argument("--file", action="append", default=[], metavar="FILE[:GROUP]",
                   help="problems (default: L03H1, L09H8 and L15H3 of datasets/decoder.h5)")
    p.add_argument("--n", type=int, default=0, help="the first n queries and keys (default: all)")
    p.add_argument("--planted", type=int, default=None, metavar="N",
                   help="points of the planted problem, 0: none (default: 16384; none with --file)")
    p.add_argument("--products", default=",".join(problems.PRODUCTS),
                   help="of full, causal (attention), ones, gauss (kinds of x) (default: all)")
    p.add_argument("--peers", default="", help="names of outside programs (default: all)")
    p.add_argument("--algo", action="append", default=[], metavar="NAME[:opt=val,...]",
                   help="a method of kmv beside exact (default: auto:certify=none)")
    p.add_argument("--eps", default="0.1", help="error asked of those that use it (default: 0.1)")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="(default: all)")
    p.add_argument("--reps", type=int, default=5, help="repetitions (default: 5)")
    p.add_argument("--min-time", type=float, default=0.05, metavar="S",
                   help="products are repeated until they last this long (default: 0.05)")
    p.add_argument("--limit-time", type=float, default=30, metavar="S", help="of one repetition (default: 30)")
    p.add_argument("--budget", type=float, default=4, metavar="S",
                   help="a program that has spent this on one problem, its first repetition left out, gets no "
                        "further one (default: 4)")
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args(arguments)
    if o.planted is None:
        o.planted = 0 if o.file else 16384
    unknown = set(o.products.split(",")) - set(problems.PRODUCTS)
    if unknown:
        p.error(f"--products: want names of {','.join(problems.PRODUCTS)}, got '{sorted(unknown)[0]}'")
    if o.n < 0 or o.planted < 0 or o.threads < 1 or o.reps < 1 or not o.min_time >= 0 or not o.limit_time > 0:
        p.error("want --n, --planted, --min-time >= 0, --threads, --reps >= 1, --limit-time > 0")
    o.algo = ["exact"] + [a for a in o.algo or ["auto:certify=none"] if a != "exact"]
    return o


def chosen(names):
    found = methods.find_all()
    wanted = [name for name in names.split(",") if name]
    for name in wanted:
        if name not in [m.name for m in found]:
            raise problems.Unusable(f"--peers: want {', '.join(dict.fromkeys(m.name for m in found))}, got '{name}'")
    return [m for m in found if not wanted or m.name in wanted]


def plan_problems(o, work):
    sample = os.path.join(ROOT, "datasets", "decoder.h5")
    files = o.file or [f"{sample}:{head}" for head in ("L03H1", "L09H8", "L15H3")]
    addresses = [address for name in files for address in problems.addresses_in(name)]
    products = o.products.split(",")
    specs = [problems.Spec(address.partition(":")[2].strip("/"), address, product, o.n)
             for address in addresses for product in products]
    if o.planted:
        specs += [problems.Spec("planted", problems.planted(o.kmv, o.planted, work), product, 0)
                  for product in products if problems.PRODUCTS[product][3] != "v"]
    return specs


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def case_id(facts, algo, options, eps, threads):
    text = " ".join(f"{key}={facts[key]}" for key in sorted(facts))
    return hashlib.sha256(f"{text} algo={algo} opts={options} eps={eps} threads={threads}".encode()).hexdigest()[:16]


def plain(text):
    """As a cell of text: ASCII of at most 200 characters, backslashes doubled (tabs and line ends become spaces)."""
    return text.encode("ascii", "replace").decode()[:200].replace("\\", "\\\\")


class Table:
    """DIR/raw.tsv, a row on disk before the next begins."""

    def __init__(self, folder, columns):
        self.columns = columns
        self.file = open(os.path.join(folder, "raw.tsv"), "w")
        self.errors = 0
        self.put(dict(zip(columns, columns)))

    def put(self, cells):
        unknown = set(cells) - set(self.columns)
        if unknown:
            raise problems.Unusable(f"kmv has no column '{sorted(unknown)[0]}': another version than these scripts'")
        self.errors += cells.get("status") == "error"
        line = "\t".join(" ".join(str(cells.get(name, "")).split("\t")) for name in self.columns)
        self.file.write(" ".join(line.splitlines()) + "\n")
        self.file.flush()
        os.fsync(self.file.fileno())


class Session:
    def __init__(self, o, work):
        self.o, self.work = o, work
        self.workers = [Worker(m, o.threads, work) for m in chosen(o.peers)]
        self.facts = {}  # provenance.tsv of kmv's runs
        self.table = Table(o.folder, kmv_rows.columns(o.kmv))

    def kmv_repetition(self, spec, path, facts, rep):
        asked = {"seed": self.o.seed + rep, "min_time": self.o.min_time, "limit_s": self.o.limit_time,
                 "algos": self.o.algo, "eps": self.o.eps, "threads": self.o.threads}
        rows, self.facts = kmv_rows.repetition(self.o.kmv, spec, path, os.path.join(self.work, "run"), asked)
        for row in rows:
            row.update(facts, experiment="peers", rep=rep, sweep="",
                       case=case_id(facts, row["algo"], row["algo_opts"], row["eps"], self.o.threads))
            self.table.put(row)

    def peer_repetition(self, worker, path, facts, truth, rep):
        y_path = os.path.join(self.work, "y_peer.h5")
        row = dict(facts, experiment="peers", rep=rep, started=now(), algo=worker.method.name,
                   algo_opts=worker.method.options, threads=self.o.threads, seed=self.o.seed,
                   commit=self.facts.get("commit", ""), host=self.facts.get("cpu", ""),
                   case=case_id(facts, worker.method.name, worker.method.options, "", self.o.threads))
        answer = worker.ask(path, y_path, self.o.min_time, self.o.limit_time)
        row["plan"] = plain(f"{worker.method.guarantee} ({worker.versions})") if worker.versions else ""
        row.update(answer, reason=plain(answer.get("reason", "")))
        if row["status"] == "ok":
            spec, x, reference = truth
            with h5py.File(y_path) as f:
                cells, why = judge.errors(x, reference, f["y"][()])
            row.update(cells if cells is not None else {"status": "error", "reason": why},
                       **judge.floors(spec, x, reference))
            for key in ("t_prepare_s", "t_apply_s"):
                row[key] = judge.real(row[key])
        self.table.put(row)
        return row

    def problem(self, spec, name):
        path = os.path.join(self.work, name + ".h5")
        facts, x = problems.write(spec, path, self.o.seed)
        truth = (spec, x, kmv_rows.reference(self.o.kmv, spec, path, os.path.join(self.work, "y_f64.h5"),
                                             self.o.threads))
        spent = {worker: 0.0 for worker in self.workers}
        over = set()  # those that have their last row
        for rep in range(self.o.reps):
            turn = [None] + [w for w in self.workers if w not in over]
            random.Random(f"{self.o.seed} {name} {rep}").shuffle(turn)
            for worker in turn:
                if worker is None:
                    self.kmv_repetition(spec, path, facts, rep)
                    continue
                start = datetime.datetime.now()
                row = self.peer_repetition(worker, path, facts, truth, rep)
                if rep > 0:  # the first one may have loaded and compiled
                    spent[worker] += (datetime.datetime.now() - start).total_seconds()
                if row["status"] in ("skipped", "timeout", "oom") or spent[worker] > self.o.budget:
                    over.add(worker)
        os.remove(path)

    def provenance(self, command):
        facts = {"experiment": "peers", "title": "Outside programs beside kmv", "command": command}
        leave = set(facts) | {"config", "cases_sha256", "seed", "started"}
        facts.update((key, value) for key, value in self.facts.items() if key not in leave)
        facts["finished"] = now()
        for worker in self.workers:
            facts["peer " + worker.label] = worker.versions or (worker.unusable or {}).get("reason", "not asked")
        with open(os.path.join(self.o.folder, "provenance.tsv"), "w") as f:
            for key, value in facts.items():
                f.write(f"{key}\t{' '.join(str(value).split())}\n")


def run(o, command):
    if os.path.exists(os.path.join(o.folder, "raw.tsv")):
        raise problems.Unusable(f"{o.folder}: has results already, want a new folder")
    work = os.path.join(o.folder, "cache")
    os.makedirs(work, exist_ok=True)
    specs = plan_problems(o, work)
    session = Session(o, work)
    try:
        for i, spec in enumerate(specs):
            print(f"{i + 1}/{len(specs)} {spec.dataset} {spec.matrix} {spec.product}", file=sys.stderr)
            session.problem(spec, f"p{i}")
    finally:
        for worker in session.workers:
            worker.end()
        session.provenance(command)
    kmv_rows.call([o.kmv, "report", o.folder])
    return 1 if session.table.errors > 0 else 0


def main():
    o = parse(sys.argv[1:])
    try:
        return run(o, shlex.join(["scripts/peers/run.sh"] + sys.argv[1:]))
    except (problems.Unusable, kmv_rows.Failed, OSError) as e:
        print(f"peers: {e}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
