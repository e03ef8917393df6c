# heat_map: speed-up over exact by layer and head; numbers say it, colours show it: blue slower, red
# faster, pale about as fast, in logarithms and alike in all panels.
YS = 1
NO_KEYS = 1
TEXT_LINE = "time of exact / time, set-up included; blue: slower, red: faster"
key_text(i, c) = ""
load PLOTS."/style.gp"
log2(x) = log(x) / log(2)
TOP = 1
do for [i = 1:SERIES] {
    stats CURVE(i) using (abs(log2(column("speedup_total_med")))) nooutput
    TOP = STATS_max > TOP ? STATS_max : TOP
}
set palette defined (-1 "#6BA3D6", 0 "#F7F7F7", 1 "#E08A70")
unset colorbox
set multiplot
set xlabel "head"
unset logscale
unset grid
do for [p = 1:PANELS] {
    eval CELL(p, 1, "layer")
    set cbrange [-TOP:TOP]
    i = FIRST[p]
    plot CURVE(i) using (column("head")):(column("layer")):(column("head") - 0.5):(column("head") + 0.5):\
        (column("layer") - 0.5):(column("layer") + 0.5):(log2(column("speedup_total_med"))) \
        with boxxyerror fillstyle solid 1.0 linecolor palette, \
        CURVE(i) using "head":"layer":(sprintf("%.2g", column("speedup_total_med"))) with labels
}
load PLOTS."/page.gp"
