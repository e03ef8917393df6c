#!/bin/sh
# scripts/reliability_table.sh RESULTS/raw.tsv - is eps met? A Markdown table by method and kind of x:
# for each n and eps how many runs met eps, of how many, and the largest err_l2 / eps. Runs that were
# not ok for another reason count as not met.
set -eu
[ $# -eq 1 ] && [ -r "$1" ] || { echo "usage: $0 RESULTS/raw.tsv" >&2; exit 2; }
awk -F'\t' '
    NR == 1 { for (c = 1; c <= NF; c++) col[$c] = c; next }
    $col["algo"] ~ /^(null|exact)/ || $col["eps"] == "" { next }
    {
        row = $col["algo"] " | " $col["x_kind"]
        at = sprintf("%9d", $col["n_q"]) " " $col["eps"]
        rows[row]; columns[at]; runs[row, at]++
        error = $col["err_l2"] == "" ? "inf" : $col["err_l2"] / $col["eps"]
        met[row, at] += error != "inf" && error <= 1
        if (error == "inf" || error > worst[row, at]) worst[row, at] = error
    }
    END {
        for (at in columns) name[++n] = at
        for (i = 2; i <= n; i++) {
            t = name[i]
            for (j = i - 1; j >= 1 && name[j] > t; j--) name[j + 1] = name[j]
            name[j + 1] = t
        }
        head = "| method | x |"; rule = "|---|---|"
        for (i = 1; i <= n; i++) {
            split(name[i], part, " ")
            head = head " n = " part[1] ", " part[2] " |"; rule = rule "---|"
        }
        print head; print rule
        sort = "sort"
        for (row in rows) {
            line = "| " row " |"
            for (i = 1; i <= n; i++)
                line = line (runs[row, name[i]] ? sprintf(" %d/%d, %.2f |", met[row, name[i]],
                    runs[row, name[i]], worst[row, name[i]]) : " |")
            print line | sort
        }
        close(sort)
    }' "$1"
