"""One method in a process of its own: worker.py LABEL THREADS, asked by peers.py through lines of JSON.

First line out: {"versions": ...}, or {"status": "skipped", "reason": ...} where it is not installed. Then for every line in, {"problem": FILE, "y": FILE, "min_time": s},
one line out: the times of one repetition, or {"status": ..., "reason": ...}. The result of the first product is written
to `y`. Whatever the library prints goes to standard error.
"""
import json
import os
import sys
import time

import h5py
import numpy as np

import method as methods

LONG = 20  # a first product that lasts as many min_time is the one timed: what a warm-up hides is little by then


def read_problem(path):
    with h5py.File(path) as f:
        g = f["problem"]
        x = f["x"] if "x" in f else g["v"]
        return methods.Problem(np.float64(g["q"]), np.float64(g["k"]), np.float64(x), float(g.attrs["sigma"]),
                               str(f.attrs["matrix"]), bool(f.attrs["causal"]))


def time_products(apply, state, x, first_s, min_time):
    """Mean of a batch that lasts min_time, batches doubling until one does; the first product is not counted."""
    if first_s >= LONG * min_time:
        return first_s, 1
    count = 1
    while True:
        start = time.perf_counter()
        for _ in range(count):
            apply(state, x)
        spent = time.perf_counter() - start
        if spent >= min_time:
            return spent / count, count
        count *= 2


def repetition(method, problem, asked):
    reason = method.rejects(problem)
    if reason:
        return {"status": "skipped", "reason": reason}
    x = np.ascontiguousarray(problem.x, dtype=method.x_type)
    start = time.perf_counter()
    state = method.prepare(problem)
    prepared = time.perf_counter()
    y = method.apply(state, x)
    first_s = time.perf_counter() - prepared
    with h5py.File(asked["y"], "w") as f:
        f["y"] = np.float64(y)
    apply_s, iters = time_products(method.apply, state, x, first_s, asked["min_time"])
    return {"status": "ok", "t_prepare_s": prepared - start + method.once(state), "t_apply_s": apply_s, "iters": iters}


def main(label, threads):
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    method = next(m for m in methods.find_all() if methods.label(m) == label)
    try:
        print(json.dumps({"versions": method.load(threads)}), file=out)
    except (ImportError, OSError) as e:
        print(json.dumps({"status": "skipped", "reason": f"not installed: {e}"}), file=out)
        return
    path = problem = None
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["problem"] != path:
            path, problem = asked["problem"], read_problem(asked["problem"])
        try:
            answer = repetition(method, problem, asked)
        except MemoryError as e:
            answer = {"status": "oom", "reason": str(e) or "out of memory"}
        except Exception as e:  # of a library: a result like any other
            answer = {"status": "error", "reason": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), file=out)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
