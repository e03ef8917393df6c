# error_vs_pairs: error against the share of the kernel entries that were evaluated, counts that no noise of
# the machine touches; grey lines are the errors of answering 0 and, for softmax, the mean of V.
YS = 1
LEVEL_LINES = 1
key_text(i, c) = LABEL[i]
load PLOTS."/style.gp"
set multiplot
set xlabel "pairs evaluated, as a share of all"
do for [p = 1:PANELS] {
    eval CELL(p, 1, "error ".ERROR)
    plot for [l = LEVEL_FIRST[p]:LEVEL_LAST[p]] LEVEL[l] with lines linetype LEVEL_TYPE[l], \
        for [i = FIRST[p]:LAST[p]] CURVE(i) using "pairs_frac":"err_l2_med":"err_l2_lo":"err_l2_hi" \
        with yerrorlines linecolor rgb rgb(i) pointtype mark(i) dashtype dash(i) linewidth 1.2
}
load PLOTS."/page.gp"
