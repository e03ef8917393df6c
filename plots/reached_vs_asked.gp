# reached_vs_asked: error reached against error asked; below the thin line the promise is kept, and
# where a grey line is below it too, answering 0 (softmax: the mean of V) would keep it.
YS = 1
LEVEL_LINES = 1
EQUAL_LINE = 1
key_text(i, c) = LABEL[i]
load PLOTS."/style.gp"
set multiplot
set xlabel "error asked, {/Symbol e}"
do for [p = 1:PANELS] {
    eval CELL(p, 1, "error reached ".ERROR)
    plot x with lines linetype 101, \
        for [l = LEVEL_FIRST[p]:LEVEL_LAST[p]] LEVEL[l] with lines linetype LEVEL_TYPE[l], \
        for [i = FIRST[p]:LAST[p]] CURVE(i) \
        using "eps":"err_l2_med":"err_l2_lo":"err_l2_hi" with yerrorlines \
        linecolor rgb rgb(i) pointtype mark(i) dashtype dash(i) linewidth 1.2
}
load PLOTS."/page.gp"
