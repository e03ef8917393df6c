#!/usr/bin/env python3
"""A page of tables/methods.tsv: one table per kind of problem, a row per method, a column per eps.

usage: methods_table.py [--apply] DIR

A cell says how many times faster than exact the best setting is, set-up included (median over the data
sets where some setting meets eps, the least and the largest), and on how many of the data sets one
does; with --apply there follows the median without set-up, after a slash. "<" marks a best setting that is the cheapest of the sweep somewhere, ">" the dearest.
"""
import collections
import csv
import sys


def short(text):
    return "%.2g" % float(text) if float(text) < 10 else "%.3g" % float(text)


def cell(row, apply):
    if row is None:
        return ""
    problems, met = int(row["problems"]), int(row["met"])
    if problems == 0:
        return "trivial"
    if met == 0:
        return "- (0 of %d)" % problems
    low, high = short(row["speedup_total_lo"]), short(row["speedup_total_hi"])
    middle = short(row["speedup_total_med"])
    marks = ("<" if float(row["at_least"]) > 0 else "") + (">" if float(row["at_most"]) > 0 else "")
    spread = " (%s .. %s)" % (low, high) if met > 1 else ""
    without = " / " + short(row["speedup_apply_med"]) if apply else ""
    return "%s%s%s%s%s" % (middle, spread, without, ", %d of %d" % (met, problems),
                           " " + marks if marks else "")


def main(words):
    apply = "--apply" in words
    words = [w for w in words if w != "--apply"]
    if len(words) != 1 or words[0].startswith("-"):
        sys.stderr.write("methods_table.py: want the folder of a run\n")
        return 2
    with open(words[0] + "/tables/methods.tsv", newline="") as f:
        rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
    kinds = collections.OrderedDict()
    for r in rows:
        name = "%s%s, n_q = %s, n_k = %s, d = %s, x %s, %s thread%s" % (
            r["matrix"], ", causal" if r["causal"] == "yes" else "", r["n_q"], r["n_k"], r["d"],
            r["x_kind"], r["threads"], "" if r["threads"] == "1" else "s")
        kinds.setdefault(name, []).append(r)
    for name, those in kinds.items():
        epses = sorted({r["eps_judged"] for r in those}, key=lambda e: -float(e))
        methods = list(dict.fromkeys(r["algo"] for r in those))
        print("**%s**\n" % name)
        print("| method | settings, decades | " + " | ".join("eps " + e for e in epses) + " |")
        print("|---|---|" + "---|" * len(epses))
        for method in methods:
            mine = {r["eps_judged"]: r for r in those if r["algo"] == method}
            any_row = next((r for r in mine.values() if r["settings"]), None)
            tried = "%s, %.1f" % (any_row["settings"], float(any_row["decades"])) if any_row else ""
            print("| `%s` | %s | %s |" % (method, tried,
                                          " | ".join(cell(mine.get(e), apply) for e in epses)))
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
