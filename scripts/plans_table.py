#!/usr/bin/env python3
"""What auto chose and gained, out of a run: for each data set and bandwidth a row, for each eps a cell.

usage: plans_table.py DIR N        rows of DIR/raw.tsv with n = N

A cell says how many times faster than exact auto was (set-up included, median over the repetitions of
the ratio in one repetition), which plan it took, and its largest error over eps. In brackets: where
answering 0 meets eps too.
"""
import collections
import csv
import os
import re
import statistics
import sys


def chosen(plan):
    found = re.match(r"(?:auto: )?([a-z0-9-]+)", plan)
    return found.group(1) if found else "?"


def main(words):
    if len(words) != 2 or not os.path.isfile(words[0] + "/raw.tsv") or not words[1].isdigit():
        sys.stderr.write("plans_table.py: want the folder of a run and an n of it\n")
        return 2
    exact, auto, null = {}, collections.defaultdict(list), {}
    with open(words[0] + "/raw.tsv", newline="") as f:
        for r in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE):
            if r["n_q"] != words[1] or r["status"] not in ("ok", "fail_eps") or not r["err_l2"]:
                continue
            problem = (r["dataset"], r["sigma_spec"], r["x_kind"])
            time = float(r["t_prepare_s"]) + float(r["t_apply_s"])
            if r["algo"] == "exact":
                exact[problem, r["rep"]] = time
            elif r["algo"] == "null":
                null[problem] = float(r["err_l2"])
            elif r["algo"] == "auto":
                auto[problem, r["eps"]].append((r["rep"], time, float(r["err_l2"]), r["plan"]))
    if not auto:
        sys.stderr.write("plans_table.py: no rows of auto with n = %s\n" % words[1])
        return 2
    epses = sorted({e for _, e in auto}, key=float, reverse=True)
    print("| data | sigma | x | " + " | ".join("eps %s" % e for e in epses) + " |")
    print("|---|---|---|" + "---|" * len(epses))
    for problem in sorted({p for p, _ in auto}, key=lambda p: (p[0], float(p[1].strip("sum:x")), p[2])):
        cells = []
        for eps in epses:
            rows = auto.get((problem, eps), [])
            ratios = [exact[problem, rep] / time for rep, time, _, _ in rows if (problem, rep) in exact]
            if not ratios:
                cells.append("")
                continue
            cell = "%.3g, %s, %.2f" % (statistics.median(ratios), chosen(rows[0][3]),
                                       max(e for _, _, e, _ in rows) / float(eps))
            trivial = null.get(problem, float("inf")) <= float(eps)
            cells.append("(%s)" % cell if trivial else cell)
        print("| %s | %s | %s | %s |" % (*problem, " | ".join(cells)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
