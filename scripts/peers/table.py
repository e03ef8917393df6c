#!/usr/bin/env python3
"""The results of outside programs as Markdown: one table per product, medians over its problems.

usage: table.py DIR [--kmv PROGRAM] [--into FILE.md]

--into replaces what stands in FILE.md between the lines <!-- peers: begin --> and <!-- peers: end -->.
"""
import argparse
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BEGIN, END = "<!-- peers: begin -->", "<!-- peers: end -->"
PRODUCTS = {("softmax", "no"): "Attention, full", ("softmax", "yes"): "Attention, causal",
            ("gauss", "no"): "Gaussian", ("gauss", "yes"): "Gaussian, causal"}


def read_cases(kmv, folder):
    """One row per case, with the first eps it is judged by."""
    text = subprocess.run([kmv, "table", folder], check=True, text=True, capture_output=True).stdout
    lines = [line.split("\t") for line in text.splitlines()]
    cases = {}
    for cells in lines[1:]:
        row = dict(zip(lines[0], cells))
        cases.setdefault(row["case"], row)
    return list(cases.values())


def facts(folder):
    with open(os.path.join(folder, "provenance.tsv")) as f:
        return dict(line.rstrip("\n").split("\t", 1) for line in f)


def numbers(rows, name):
    return [float(row[name]) for row in rows if row[name] != ""]


def middle(rows, name, factor=1.0):
    found = numbers(rows, name)
    return f"{factor * statistics.median(found):.3g}" if found else "-"


def speed(rows, of):
    """Of exact's time over theirs the median of the medians, the lowest and the highest end of the intervals."""
    name = "speedup_" + of
    if not numbers(rows, name + "_med"):
        return "-"
    return (f"{middle(rows, name + '_med')} [{min(numbers(rows, name + '_lo')):.3g}, "
            f"{max(numbers(rows, name + '_hi')):.3g}]")


def floor(rows):
    """What answering 0, for attention the better of 0 and the mean of V, misses."""
    found = numbers(rows, "floor_err")
    return f"{min(found):.2g} to {max(found):.2g}" if found else "?"


def remark(rows):
    bad = {name: sum(int(row[name]) for row in rows) for name in ("fail_eps", "timeout", "oom", "error")}
    said = [f"{name} {count}" for name, count in bad.items() if count]
    reasons = list(dict.fromkeys(row["reason"] for row in rows if row["reason"] and int(row["error"])))
    return "; ".join(said + reasons)


def product_table(rows):
    methods = {}
    for row in rows:
        if int(row["skipped"]) < int(row["reps"]):
            methods.setdefault((row["algo"], row["algo_opts"]), []).append(row)
    order = sorted(methods, key=lambda m: statistics.median(numbers(methods[m], "t_apply_med_s") or [float("inf")]))
    lines = ["| method | options | runs | prepare, ms | apply, ms | speed, apply | speed, both | largest error "
             "| remark |", "|---|---|---:|---:|---:|---:|---:|---:|---|"]
    for name, options in order:
        r = methods[name, options]
        worst = numbers(r, "err_l2_max")
        cells = [name, options or "-", sum(int(row["ok"]) for row in r), middle(r, "t_prepare_med_s", 1e3),
                 middle(r, "t_apply_med_s", 1e3), speed(r, "apply"), speed(r, "total"),
                 f"{max(worst):.2g}" if worst else "-", remark(r) or "-"]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return lines


def markdown(kmv, folder):
    known = facts(folder)
    groups = {}
    for row in read_cases(kmv, folder):
        groups.setdefault((row["matrix"], row["causal"], row["x_kind"], int(row["n_q"]), row["d"]), []).append(row)
    lines = [f"By `{known.get('command', '?')}`, {known.get('threads', '?')} threads, on {known.get('cpu', '?')} "
             f"({known.get('isa', '?')}, kmv {known.get('commit', '?')}, {known.get('finished', '?')[:10]}).", ""]
    for key in sorted(groups, key=lambda g: (g[0] == "gauss", g[1], g[3], g[2])):
        matrix, causal, x, n, d = key
        names = list(dict.fromkeys(row["dataset"] for row in groups[key]))
        lines += [f"{PRODUCTS[matrix, causal]}{'' if x == 'v' else ', x = ' + x}, n = {n}, d = {d}; "
                  f"{', '.join(names)}; answering 0 {'or the mean of V ' if matrix == 'softmax' else ''}misses by "
                  f"{floor(groups[key])}:", ""] + product_table(groups[key]) + [""]
    lines += ["Versions: " + "; ".join(dict.fromkeys(
        f"{key.split(' ', 1)[1].split(':')[0]}: {value}" for key, value in known.items() if key.startswith("peer "))) +
        "."]
    return "\n".join(lines) + "\n"


def replace_between(path, text):
    with open(path) as f:
        whole = f.read()
    if whole.count(BEGIN) != 1 or whole.count(END) != 1 or whole.index(BEGIN) > whole.index(END):
        sys.exit(f"table.py: {path}: want one line {BEGIN} and, after it, one line {END}")
    head, rest = whole.split(BEGIN)
    with open(path + ".tmp", "w") as f:
        f.write(f"{head}{BEGIN}\n{text}{END}{rest.split(END)[1]}")
    os.replace(path + ".tmp", path)


def main():
    p = argparse.ArgumentParser(description="results of outside programs as Markdown")
    p.add_argument("folder", metavar="DIR")
    p.add_argument("--kmv", default=os.path.join(ROOT, "build", "kmv"))
    p.add_argument("--into", metavar="FILE.md")
    o = p.parse_args()
    text = markdown(o.kmv, o.folder)
    if o.into:
        replace_between(o.into, text)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
