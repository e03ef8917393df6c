# plan_by_n: a mark per plan of auto, in the colour of the method it chose, over n and eps.
YS = 1
NO_LINES = 1
key_text(i, c) = LABEL[i]
load PLOTS."/style.gp"
set multiplot
set xlabel "number of points n"
do for [p = 1:PANELS] {
    eval CELL(p, 1, "error asked, {/Symbol e}")
    plot for [i = FIRST[p]:LAST[p]] CURVE(i) using "n_q":"eps" with points \
        linecolor rgb rgb(i) pointtype mark(i) pointsize 1.4
}
load PLOTS."/page.gp"
