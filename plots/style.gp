# What every template shares. Given: FORMAT, OUT, DIR, PLOTS (by scripts/plot.sh) and YS, the number
# of y axes per panel, key_text(i, c), what the legend of column c says of curve i, and, where
# the grey line of the trivial answer is drawn, FLOOR_LINE (by the template). A figure is a grid: one
# column per panel and one row per y axis; a figure with one panel puts its y axes side by side. Title and legend, which stands below the
# grid and covers nothing, are drawn at the end by page.gp.
load DIR."/series.gp"
set datafile separator tab
set datafile columnheaders
set datafile missing "?"
set encoding utf8

if (!exists("OWN_KEYS")) OWN_KEYS = SHARED_KEY ? 0 : 1
# More panels than fit beside each other go on in a further band of rows; panels with legends of
# their own stay in one, above them.
COLS = PANELS == 1 ? YS : (OWN_KEYS || PANELS <= 4 ? PANELS : 4)
BANDS = PANELS == 1 ? 1 : int((PANELS + COLS - 1) / COLS)
ROWS = PANELS == 1 ? 1 : YS * BANDS
col(p, y) = PANELS == 1 ? y : (p - 1) % COLS + 1
row(p, y) = PANELS == 1 ? 1 : int((p - 1) / COLS) * YS + y
BAND_GAP = 0.34 # room for the panels' titles

# Inches; a panel is as wide as a column of a journal, its text 9 points.
PANEL_W = 3.4; PANEL_H = 2.75; LINE_H = 0.175
EXTRA_TEXT = exists("FLOOR_LINE") ? FLOOR : ""
ENTRIES = (OWN_KEYS ? MOST : KEYS) + (EXTRA_TEXT eq "" ? 0 : 1)
LONGEST = strlen(EXTRA_TEXT)
do for [i = 1:SERIES] {
    LONGEST = strlen(key_text(i, 1)) > LONGEST ? strlen(key_text(i, 1)) : LONGEST
}
# A legend of its own must fit below its panel.
if (OWN_KEYS) PANEL_W = 0.65 + 0.08 * LONGEST > PANEL_W ? 0.65 + 0.08 * LONGEST : PANEL_W
KEY_COLS = OWN_KEYS ? 1 : int(COLS * PANEL_W / (0.65 + 0.078 * LONGEST))
KEY_COLS = KEY_COLS < 1 ? 1 : (KEY_COLS > ENTRIES ? ENTRIES : KEY_COLS)
KEY_ROWS = int((ENTRIES + KEY_COLS - 1) / KEY_COLS)
TITLE_H = (TITLE eq "" ? 0 : 0.24) + (PANELS > 1 ? 0.2 : 0.0) + 0.14
KEY_H = LINE_H * KEY_ROWS + 0.06
W = COLS * PANEL_W
W = 0.65 + 0.08 * LONGEST > W ? 0.65 + 0.08 * LONGEST : W
H = TITLE_H + ROWS * PANEL_H + (BANDS - 1) * BAND_GAP + KEY_H
SIZE = FORMAT eq "pdf" ? sprintf("%.2fin,%.2fin", W, H) : FORMAT eq "svg" ? \
       sprintf("%.0f,%.0f", W * 96, H * 96) : sprintf("%.0f,%.0f", W * 200, H * 200)
if (FORMAT eq "svg") eval 'set terminal svg size '.SIZE.' font "DejaVu Sans,12" enhanced'
if (FORMAT eq "pdf") eval 'set terminal pdfcairo size '.SIZE.' font "DejaVu Sans,9" enhanced linewidth 1'
if (FORMAT eq "png") eval 'set terminal pngcairo size '.SIZE.' font "DejaVu Sans,9" enhanced fontscale 2.7 linewidth 2.5 pointscale 2.2'
set output OUT

# Edges of a cell as fractions of the page.
left(c) = ((c - 1) * PANEL_W + 0.74) / W
right(c) = (c * PANEL_W - 0.22) / W
gaps(r) = PANELS == 1 ? 0 : int((r - 1) / YS) * BAND_GAP
top(r) = 1 - (TITLE_H + (r - 1) * PANEL_H + gaps(r)) / H
bottom(r) = 1 - (TITLE_H + r * PANEL_H - 0.52 + gaps(r)) / H
# Move to the cell of panel p and y axis y. The label of the axis is a label of our own, since
# gnuplot pushes its one off the page when the tics are wide.
CELL(p, y, text) = sprintf("set lmargin at screen %.5f; set rmargin at screen %.5f; set tmargin at screen %.5f; set bmargin at screen %.5f; ", \
    left(col(p, y)), right(col(p, y)), top(row(p, y)), bottom(row(p, y))) \
    .(PANELS > 1 && y == 1 ? sprintf("set label 1 PANEL_TITLE[%d] at graph 0.5,1.07 center; ", p) : "unset label 1; ") \
    .(PANELS == 1 || col(p, y) == 1 ? sprintf("set label 2 '%s' at screen %.5f, graph 0.5 center rotate by 90", text, left(col(p, y)) - 0.65 / W) : "unset label 2")
CURVE(i) = DIR."/".FILE[i]

# Colours that stay apart for the colour-blind and, by their lightness, in grey; marks and dashes
# differ as well.
array RGB[8] = [0x000000, 0xD55E00, 0x332288, 0x2A9FD6, 0xE69F00, 0x882255, 0x117733, 0x6FD1B0]
array MARK[8] = [7, 4, 9, 6, 11, 12, 5, 8]
rgb(i) = RGB[1 + COLOUR[i] % 8]
mark(i) = MARK[1 + (COLOUR[i] + 3 * VARIANT[i]) % 8]
dash(i) = 1 + (COLOUR[i] / 8 + VARIANT[i]) % 5
set linetype 100 linecolor rgb 0x999999 dashtype 1 linewidth 1.0

set border 3 linewidth 0.8
set tics nomirror out scale 0.5
set mxtics default
set grid xtics ytics linecolor rgb 0xDDDDDD linewidth 0.5 dashtype 1
set bars 0.5
set pointsize 0.5
set xlabel offset 0,0.4
unset key
set format y "10^{%L}"
set logscale xy
