# error_by_position: error of the rows in each sixteenth of the positions (at its middle), scaled so that the root
# mean square of a curve is its err_l2; grey: the answers that cost nothing, over all rows.
YS = 1
LEVEL_LINES = 1
key_text(i, c) = LABEL[i]
load PLOTS."/style.gp"
set multiplot
set xlabel "position of the row"
do for [p = 1:PANELS] {
    eval CELL(p, 1, "error ".ERROR)
    plot for [l = LEVEL_FIRST[p]:LEVEL_LAST[p]] LEVEL[l] with lines linetype LEVEL_TYPE[l], \
        for [i = FIRST[p]:LAST[p]] CURVE(i) using "position":"err_position" with linespoints \
        linecolor rgb rgb(i) pointtype mark(i) dashtype dash(i) linewidth 1.2
}
load PLOTS."/page.gp"
