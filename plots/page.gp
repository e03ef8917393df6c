# The end of a figure: an empty plot over the whole page, in inches, that carries title and legend.
set lmargin at screen 0; set rmargin at screen 1; set tmargin at screen 1; set bmargin at screen 0
unset border; unset tics; unset grid; unset xlabel; unset ylabel; unset label; unset arrow; unset logscale
set xrange [0:W]; set yrange [0:H]
if (TITLE ne "") set label 1 TITLE_TEXT at first W / 2.0, first H - 0.16 center
key_x(c, k) = OWN_KEYS ? (c - 1) * PANEL_W + 0.2 : 0.2 + (k / KEY_ROWS) * (W - 0.2) / KEY_COLS
key_y(k) = KEY_H - 0.04 - LINE_H * (k % KEY_ROWS + 0.5)
tag = 2
do for [c = 1:(OWN_KEYS ? COLS : 1)] {
    p = PANELS == 1 ? 1 : c
    n = OWN_KEYS ? LAST[p] - FIRST[p] + 1 : KEYS
    do for [k = 0:n - 1] {
        i = OWN_KEYS ? FIRST[p] + k : KEY[k + 1]
        if (!exists("NO_LINES")) {
            set arrow tag from key_x(c, k), key_y(k) to key_x(c, k) + 0.36, key_y(k) nohead \
                linecolor rgb rgb(i) dashtype dash(i) linewidth 1.2
        }
        set label tag "" at key_x(c, k) + 0.18, key_y(k) point pointtype mark(i) linecolor rgb rgb(i)
        set label tag + 1 key_text(i, c) at key_x(c, k) + 0.45, key_y(k) left
        tag = tag + 2
    }
    do for [e = 1:EXTRAS] {
        k = n + e - 1
        if (EXTRA_KIND[e] eq "below") {
            set label tag "" at key_x(c, k) + 0.18, key_y(k) point pointtype 10 pointsize 0.9 linecolor rgb 0x555555
        }
        if (EXTRA_KIND[e] eq "cross") {
            set label tag "" at key_x(c, k) + 0.18, key_y(k) point pointtype 3 pointsize 1.2 linecolor rgb 0x555555
        }
        if (EXTRA_KIND[e] ne "text" && EXTRA_KIND[e] ne "below") {
            set arrow tag from key_x(c, k), key_y(k) to key_x(c, k) + 0.36, key_y(k) nohead \
                linetype (EXTRA_KIND[e] eq "floor" ? 100 : EXTRA_KIND[e] eq "mean" ? 102 : 101)
        }
        set label tag + 1 EXTRA[e] at key_x(c, k) + (EXTRA_KIND[e] eq "text" ? 0.0 : 0.45), key_y(k) left
        tag = tag + 2
    }
}
plot NaN notitle
unset multiplot
