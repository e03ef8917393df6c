#!/bin/sh
# scripts/certificate_table.sh RESULTS/raw.tsv - do certificates hold? A Markdown table by kind of
# bound, by half (planned, sabotaged: effort below 1) and by family: runs, how many percent of the
# bounds cover err_l2, medians of bound / err_l2 and err_est / err_l2, and how many percent meet eps.
# Runs without a bound, or with an error of rounding only (below 1e-5), are counted as exact.
set -eu
[ $# -eq 1 ] && [ -r "$1" ] || { echo "usage: $0 RESULTS/raw.tsv" >&2; exit 2; }
awk -F'\t' '
    NR == 1 { for (c = 1; c <= NF; c++) col[$c] = c; next }
    $col["algo"] != "auto" { next }
    $col["err_l2"] == "" { failed++; next }
    $col["bound"] == "" || !($col["err_l2"] > 1e-5) { exact++; next }
    {
        half = $col["algo_opts"] ~ /effort=0/ ? "sabotaged" : "planned"
        family[1] = "all"; family[2] = $col["dataset"]
        for (f = 1; f <= 2; f++) {
            key = $col["bound_kind"] " | " half " | " family[f]
            n = ++runs[key]
            covered[key] += $col["bound"] >= $col["err_l2"]
            met[key] += $col["err_l2"] <= $col["eps"]
            ratio[key, n] = $col["bound"] / $col["err_l2"]
            estimate[key, n] = $col["err_est"] / $col["err_l2"]
        }
    }
    function median(v, key, n,    i, j, t, w) {
        for (i = 1; i <= n; i++) w[i] = v[key, i]
        for (i = 2; i <= n; i++) {
            t = w[i]
            for (j = i - 1; j >= 1 && w[j] > t; j--) w[j + 1] = w[j]
            w[j + 1] = t
        }
        return n % 2 ? w[(n + 1) / 2] : (w[n / 2] + w[n / 2 + 1]) / 2
    }
    END {
        print "| bound | runs are | family | runs | covered % | bound / error | estimate / error | eps met % |"
        print "|---|---|---|---|---|---|---|---|"
        sort = "sort"
        for (key in runs)
            printf "| %s | %d | %.1f | %.3g | %.3g | %.1f |\n", key, runs[key],
                100 * covered[key] / runs[key], median(ratio, key, runs[key]),
                median(estimate, key, runs[key]), 100 * met[key] / runs[key] | sort
        close(sort)
        printf "\n%d runs were exact, %d have no error to compare with.\n", exact, failed
    }' "$1"
