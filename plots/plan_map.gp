# plan_map: a mark per plan of auto, in the colour of the method it chose, over bandwidth and eps.
YS = 1
NO_LINES = 1
key_text(i, c) = LABEL[i]
load PLOTS."/style.gp"
set multiplot
set xlabel "bandwidth {/Symbol s} [coordinates]"
do for [p = 1:PANELS] {
    eval CELL(p, 1, "error asked, {/Symbol e}")
    plot for [i = FIRST[p]:LAST[p]] CURVE(i) using "sigma":"eps" with points \
        linecolor rgb rgb(i) pointtype mark(i) pointsize 1.4
}
load PLOTS."/page.gp"
