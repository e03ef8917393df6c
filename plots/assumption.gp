# assumption: tail/head and sum/n against n; in the legends the exponents fitted over n.
YS = 2
OWN_KEYS = 1
key_text(i, c) = LABEL[i].(PANELS > 1 ? ", tail/head".FIT1[i] : c == 2 ? FIT2[i] : FIT1[i])
load PLOTS."/style.gp"
array COLUMN[2] = ["tail_over_head", "sum_over_n"]
array NAME[2] = ["tail / head", "sum of entries / n"]
set multiplot
set xlabel "number of points n"
do for [p = 1:PANELS] {
    do for [y = 1:2] {
        eval CELL(p, y, NAME[y])
        plot for [i = FIRST[p]:LAST[p]] CURVE(i) \
            using "n_q":COLUMN[y]:COLUMN[y]."_lo":COLUMN[y]."_hi" with yerrorlines \
            linecolor rgb rgb(i) pointtype mark(i) dashtype dash(i) linewidth 1.2
    }
}
load PLOTS."/page.gp"
