# phases: set-up, which many products share, and one product, against n.
YS = 2
key_text(i, c) = LABEL[i]
load PLOTS."/style.gp"
set multiplot
set xlabel "number of points n"
do for [p = 1:PANELS] {
    eval CELL(p, 1, "set-up [s]")
    plot for [i = FIRST[p]:LAST[p]] CURVE(i) \
        using "n_q":"t_prepare_med_s":"t_prepare_lo_s":"t_prepare_hi_s" with yerrorlines \
        linecolor rgb rgb(i) pointtype mark(i) dashtype dash(i) linewidth 1.2
    eval CELL(p, 2, "one product [s]")
    plot for [i = FIRST[p]:LAST[p]] CURVE(i) \
        using "n_q":"t_apply_med_s":"t_apply_lo_s":"t_apply_hi_s" with yerrorlines \
        linecolor rgb rgb(i) pointtype mark(i) dashtype dash(i) linewidth 1.2
}
load PLOTS."/page.gp"
