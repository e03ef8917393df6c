#!/usr/bin/env python3
"""The tables of docs/attention.md out of a run.

usage: attention_table.py DIR                rows of DIR/raw.tsv: methods against exact, over heads
       attention_table.py --shared DIR       query heads of a key head together and apart

A speed-up is exact's time over the method's, preparation and one product, paired by repetition: the
median over the repetitions of a head, then over the heads where neither 0 nor the mean of V meets
eps. "certified" has the time of the certificate in it as well. "missed" counts runs whose error was
above eps or, of auto, above the bound that it gave.
"""
import collections
import csv
import os
import statistics
import sys


def rows_of(folder):
    if not os.path.isfile(folder + "/raw.tsv"):
        print("attention_table.py: %s: want a results folder, it has no raw.tsv" % folder,
              file=sys.stderr)
        sys.exit(2)
    with open(folder + "/raw.tsv", newline="") as f:
        return [r for r in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE)
                if r["t_prepare_s"] and r["status"] in ("ok", "fail_eps", "error")]


def number(text):
    return float(text) if text not in ("", "nan") else 0.0


def seconds(row, certified=False):
    time = float(row["t_prepare_s"]) + float(row["t_apply_s"])
    return time + number(row["t_certify_s"]) if certified else time


def by_case(rows):
    cases = collections.defaultdict(dict)
    for r in rows:
        key = (r["matrix"], r["causal"], r["sigma_spec"], r["algo"], r["eps"], r["dataset"])
        cases[key][r["rep"]] = r
    return cases


def speedups(cases, key, certified=False):
    exact = cases.get(key[:3] + ("exact", "") + key[5:], {})
    return [seconds(exact[rep]) / seconds(row, certified)
            for rep, row in cases[key].items() if rep in exact]


def methods(folder):
    cases = by_case(rows_of(folder))
    kinds = sorted({k[:5] for k in cases if k[3] in ("probe", "auto")},
                   key=lambda k: (k[0] != "softmax", k[1], k[2], k[3] != "probe", -float(k[4])))
    print("| matrix | mask | sigma | method | eps | heads | times faster | certified | pairs |"
          " err/eps | missed |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for kind in kinds:
        keys = [k for k in cases if k[:5] == kind]
        true = [k for k in keys if next(iter(cases[k].values()))["trivial"] != "yes"]
        rows = [r for k in keys for r in cases[k].values()]
        missed = sum(r["status"] != "ok" for r in rows)
        name = "| %s | %s | %s | `%s` | %s |" % (
            kind[0], "causal" if kind[1] == "yes" else "full", kind[2], kind[3], kind[4])
        if not true:
            print(name, "0 | - | - | - | - | %d of %d |" % (missed, len(rows)))
            continue
        middle = [statistics.median(speedups(cases, k)) for k in true]
        whole = statistics.median(statistics.median(speedups(cases, k, True)) for k in true)
        pairs = statistics.median(float(r["pairs_frac"]) for k in true for r in cases[k].values())
        error = statistics.median(statistics.median(float(r["err_l2"]) for r in cases[k].values())
                                  for k in true) / float(kind[4])
        print(name, "%d | %.3g (%.3g .. %.3g) | %s | %.0f %% | %.2f | %d of %d |" % (
            len(true), statistics.median(middle), min(middle), max(middle),
            "%.2g" % whole if kind[3] == "auto" else "-", 100 * pairs, error, missed, len(rows)))


def shared(folder):
    """Data sets NAME_kN are the heads of NAME whose numbers follow it in the configuration."""
    cases = by_case(rows_of(folder))
    order = list(dict.fromkeys(r["dataset"] for r in rows_of(folder)))
    print("| key head | mask | method | eps | exact, together | together | apart | apart / together |"
          " error together |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in sorted(n for n in order if "_k" in n):
        layer = name.split("_k")[0]
        per_key = [n for n in order if n.startswith(layer + "_") and "_k" not in n]
        for causal in ("no", "yes"):
            for method, eps in (("exact", ""), ("probe", "0.1"), ("probe", "0.03"), ("auto", "0.1"),
                                ("auto", "0.03")):
                key = ("softmax", causal, "x1", method, eps)
                one = cases[key + (name,)]
                exact = cases[("softmax", causal, "x1", "exact", "", name)]
                together = statistics.median(seconds(r) for r in one.values())
                apart = sum(statistics.median(seconds(r) for r in cases[key + (n,)].values())
                            for n in per_key)
                error = statistics.median(float(r["err_l2"]) for r in one.values())
                print("| %s | %s | `%s` | %s | %.1f ms | %.2f ms | %.2f ms | %.2f | %.2g |" % (
                    name, "causal" if causal == "yes" else "full", method, eps or "-",
                    1e3 * statistics.median(seconds(r) for r in exact.values()), 1e3 * together,
                    1e3 * apart, apart / together, error))


def main(words):
    if len(words) == 2 and words[0] == "--shared":
        shared(words[1])
    elif len(words) == 1 and not words[0].startswith("-"):
        methods(words[0])
    else:
        sys.stderr.write("attention_table.py: want DIR or --shared DIR\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
