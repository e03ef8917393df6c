#!/bin/sh
# scripts/regret_table.sh RESULTS/raw.tsv - what planning costs and misses. For every problem, x and
# eps: the median time (preparation and one product) of auto over that of the fastest algorithm whose
# median error met eps, auto among them. A Markdown table by data set and by n: cases, median and
# 95th percentile of that regret and of the time of auto over that of exact, and how many percent of
# the runs of auto met eps.
set -eu
[ $# -eq 1 ] && [ -r "$1" ] || { echo "usage: $0 RESULTS/raw.tsv" >&2; exit 2; }
awk -F'\t' '
    NR == 1 { for (c = 1; c <= NF; c++) col[$c] = c; next }
    $col["algo"] ~ /^null/ || $col["err_l2"] == "" { next }
    {
        problem = $col["dataset"] " " $col["n_q"] " " $col["sigma_spec"] " " $col["x_kind"]
        plan = problem " " $col["eps"] " " $col["algo"]
        if ($col["algo"] == "exact") plan = problem " all exact"
        else { cases[problem, $col["eps"]] = problem; epses[problem, $col["eps"]] = $col["eps"] }
        n = ++runs[plan]
        time[plan, n] = $col["t_prepare_s"] + $col["t_apply_s"]
        error[plan, n] = $col["err_l2"]
    }
    function sorted(v, key, n,    i, j, t) {
        for (i = 1; i <= n; i++) w[i] = v[key, i]
        for (i = 2; i <= n; i++) {
            t = w[i]
            for (j = i - 1; j >= 1 && w[j] > t; j--) w[j + 1] = w[j]
            w[j + 1] = t
        }
    }
    function quantile(v, key, n, q,    at, low) {
        if (n == 0) return ""
        sorted(v, key, n)
        at = 1 + q * (n - 1); low = int(at)
        return low < n ? w[low] + (at - low) * (w[low + 1] - w[low]) : w[n]
    }
    function add(group, regret, slower, met, of,    n) {
        n = ++count[group]
        regrets[group, n] = regret; slowers[group, n] = slower
        mets[group] += met; ofs[group] += of
    }
    END {
        for (c in cases) {
            problem = cases[c]; eps = epses[c]
            auto = problem " " eps " auto"
            if (!runs[auto] || !runs[problem " all exact"]) continue
            mine = quantile(time, auto, runs[auto], 0.5)
            exact = quantile(time, problem " all exact", runs[problem " all exact"], 0.5)
            best = mine < exact ? mine : exact
            split("importance lsh probe", others, " ")
            for (o = 1; o <= 3; o++) {
                plan = problem " " eps " " others[o]
                if (runs[plan] && quantile(error, plan, runs[plan], 0.5) <= eps + 0) {
                    t = quantile(time, plan, runs[plan], 0.5)
                    best = t < best ? t : best
                }
            }
            met = 0
            for (i = 1; i <= runs[auto]; i++) met += error[auto, i] <= eps + 0
            split(problem, part, " ")
            add("0 all", mine / best, mine / exact, met, runs[auto])
            add("1 " part[1], mine / best, mine / exact, met, runs[auto])
            add(sprintf("2 n = %d", part[2]), mine / best, mine / exact, met, runs[auto])
            add("3 eps = " eps, mine / best, mine / exact, met, runs[auto])
        }
        print "| cases of | number | regret, median | regret, 95 % | over exact, median | over exact, 95 % | eps met % |"
        print "|---|---|---|---|---|---|---|"
        sort = "sort | sed \"s/^| [0-3] /| /\""
        for (g in count)
            printf "| %s | %d | %.2f | %.2f | %.2f | %.2f | %.1f |\n", g, count[g],
                quantile(regrets, g, count[g], 0.5), quantile(regrets, g, count[g], 0.95),
                quantile(slowers, g, count[g], 0.5), quantile(slowers, g, count[g], 0.95),
                100 * mets[g] / ofs[g] | sort
        close(sort)
    }' "$1"
