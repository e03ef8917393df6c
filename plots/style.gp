# What every template shares. Given: FORMAT, OUT, DIR, PLOTS (by scripts/plot.sh) and YS, the number
# of y axes per panel, key_text(i, c), what the legend of column c says of curve i, FLOOR_LINE where
# the grey line of the trivial answer is drawn, and EQUAL_LINE where the line of equality is (by the
# template); LEVEL_LINES where lines across the panel are drawn for 0 and the mean; CROSS_STARS;
# NO_KEYS where no curve needs a legend; NO_LINES where its entries are marks alone; TEXT_LINE, a
# sentence for it. Ranges and tics come with the curves (series.gp). A figure is a grid: one
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

# Inches; a panel is as wide as a column of a journal, its text 9 points, of which a wide letter takes
# CHAR_W and an average one less.
PANEL_W = 3.4; PANEL_H = 2.75;
# A number fits into a cell of a map.
if (exists("CELL_ROWS")) {
    PANEL_H = 0.62 + 0.2 * CELL_ROWS > PANEL_H ? 0.62 + 0.2 * CELL_ROWS : PANEL_H
    PANEL_W = 1.07 + 0.5 * CELL_COLUMNS > PANEL_W ? 1.07 + 0.5 * CELL_COLUMNS : PANEL_W
}
LINE_H = 0.185; CHAR_W = 0.085
# What the legend says after the curves.
if (exists("NO_KEYS")) KEYS = 0
array EXTRA[6]; array EXTRA_KIND[6]
EXTRAS = 0
add_extra(text, kind) = sprintf("EXTRAS = EXTRAS + 1; EXTRA[EXTRAS] = '%s'; EXTRA_KIND[EXTRAS] = '%s'", text, kind)
if (exists("FLOOR_LINE")) eval add_extra(FLOOR, "floor")
if (exists("LEVEL_LINES")) eval add_extra("error of answering 0", "floor")
if (exists("LEVEL_LINES") && MEAN_LEVELS > 0) eval add_extra("error of answering the mean of V", "mean")
if (exists("CROSS_STARS") && CROSS_TEXT ne "") eval add_extra(CROSS_TEXT, "cross")
if (exists("TEXT_LINE")) eval add_extra(TEXT_LINE, "text")
if (exists("EQUAL_LINE")) eval add_extra("reached = asked", "equal")
if (BELOW_TEXT ne "") eval add_extra(BELOW_TEXT, "below")
ENTRIES = (OWN_KEYS ? MOST : KEYS) + EXTRAS
LONGEST = 0
do for [i = 1:EXTRAS] { LONGEST = strlen(EXTRA[i]) > LONGEST ? strlen(EXTRA[i]) : LONGEST }
do for [i = 1:SERIES] {
    LONGEST = strlen(key_text(i, 1)) > LONGEST ? strlen(key_text(i, 1)) : LONGEST
    LONGEST = OWN_KEYS && strlen(key_text(i, COLS)) > LONGEST ? strlen(key_text(i, COLS)) : LONGEST
}
ENTRY_W = 0.65 + CHAR_W * LONGEST
# A legend of its own must fit below its panel, and a title above.
if (OWN_KEYS) PANEL_W = ENTRY_W > PANEL_W ? ENTRY_W : PANEL_W
do for [p = 1:PANELS] {
    PANEL_W = 0.2 + CHAR_W * strlen(PANEL_TITLE[p]) > PANEL_W ? 0.2 + CHAR_W * strlen(PANEL_TITLE[p]) : PANEL_W
}
# A single panel does not stand alone beside a wide legend.
if (PANELS == 1 && 0.2 + ENTRY_W > COLS * PANEL_W) PANEL_W = 0.2 + ENTRY_W > 1.5 * COLS * PANEL_W ? 1.5 * PANEL_W : (0.2 + ENTRY_W) / COLS
W = COLS * PANEL_W
W = 0.2 + ENTRY_W > W ? 0.2 + ENTRY_W : W
KEY_COLS = OWN_KEYS ? 1 : int((W - 0.2) / ENTRY_W)
KEY_COLS = KEY_COLS < 1 ? 1 : (KEY_COLS > ENTRIES ? ENTRIES : KEY_COLS)
KEY_ROWS = int((ENTRIES + KEY_COLS - 1) / KEY_COLS)
# The title in lines that fit the page.
TITLE_LINES = TITLE eq "" ? 0 : 1
TITLE_TEXT = ""; LINE = ""
do for [i = 1:words(TITLE)] {
    if (LINE ne "" && CHAR_W * (strlen(LINE) + 1 + strlen(word(TITLE, i))) > W - 0.2) {
        TITLE_TEXT = TITLE_TEXT.LINE."\n"; LINE = ""; TITLE_LINES = TITLE_LINES + 1
    }
    LINE = LINE.(LINE eq "" ? "" : " ").word(TITLE, i)
}
TITLE_TEXT = TITLE_TEXT.LINE
TITLE_H = 0.24 * (TITLE_LINES > 0) + LINE_H * (TITLE_LINES > 1 ? TITLE_LINES - 1 : 0) \
    + (PANELS > 1 ? 0.2 : 0.0) + 0.14
KEY_H = LINE_H * KEY_ROWS + 0.06
H = TITLE_H + ROWS * PANEL_H + (BANDS - 1) * BAND_GAP + KEY_H
SIZE = FORMAT eq "pdf" ? sprintf("%.2fin,%.2fin", W, H) : FORMAT eq "svg" ? \
       sprintf("%.0f,%.0f", W * 96, H * 96) : sprintf("%.0f,%.0f", W * 200, H * 200)
if (FORMAT eq "svg") eval 'set terminal svg size '.SIZE.' font "DejaVu Sans,12" enhanced'
if (FORMAT eq "pdf") eval 'set terminal pdfcairo size '.SIZE.' font "DejaVu Sans,9" enhanced linewidth 1'
if (FORMAT eq "png") eval 'set terminal pngcairo size '.SIZE.' font "DejaVu Sans,9" enhanced fontscale 2.7 linewidth 2.5 pointscale 2.2'
set output OUT

# Edges of a cell as fractions of the page.
left(c) = ((c - 1) * PANEL_W + 0.85) / W
right(c) = (c * PANEL_W - 0.22) / W
gaps(r) = PANELS == 1 ? 0 : int((r - 1) / YS) * BAND_GAP
top(r) = 1 - (TITLE_H + (r - 1) * PANEL_H + gaps(r)) / H
bottom(r) = 1 - (TITLE_H + r * PANEL_H - 0.52 + gaps(r)) / H
# Move to the cell of panel p and y axis y: place, ranges, tics, marks at the lower edge for what lies
# below it. The label of the axis is a label of our own, since
# gnuplot pushes its one off the page when the tics are wide.
at(p, y) = (p - 1) * YS + y
CELL(p, y, text) = "unset label; unset arrow; ".BELOW[at(p, y)].(y == 1 ? CROSS_MARK[p] : "") \
    ."set xrange ".XRANGE[p]."; set xtics ".XTICS[p]."; " \
    ."set yrange ".YRANGE[at(p, y)]."; set ytics ".YTICS[at(p, y)]."; " \
    .sprintf("set lmargin at screen %.5f; set rmargin at screen %.5f; set tmargin at screen %.5f; set bmargin at screen %.5f; ", \
    left(col(p, y)), right(col(p, y)), top(row(p, y)), bottom(row(p, y))) \
    .(PANELS > 1 && y == 1 ? sprintf("set label 1 PANEL_TITLE[%d] at graph 0.5,1.07 center; ", p) : "") \
    .(PANELS == 1 || col(p, y) == 1 ? sprintf("set label 2 '%s' at screen %.5f, graph 0.5 center rotate by 90", text, left(col(p, y)) - 0.76 / W) : "")
CURVE(i) = DIR."/".FILE[i]

# Colours that stay apart for the colour-blind and, by their lightness, in grey; marks and dashes
# differ as well.
array RGB[8] = [0x000000, 0xD55E00, 0x332288, 0x2A9FD6, 0xE69F00, 0x882255, 0x117733, 0x6FD1B0]
array MARK[8] = [7, 4, 9, 6, 11, 12, 5, 8]
rgb(i) = RGB[1 + COLOUR[i] % 8]
mark(i) = MARK[1 + (COLOUR[i] + 3 * (COLOUR[i] / 8) + 3 * VARIANT[i]) % 8]
dash(i) = 1 + (COLOUR[i] / 8 + VARIANT[i]) % 5
set linetype 100 linecolor rgb 0x999999 dashtype 1 linewidth 1.0
set linetype 102 linecolor rgb 0x999999 dashtype 3 linewidth 1.4
set linetype 101 linecolor rgb 0x000000 dashtype 1 linewidth 0.6

set border 3 linewidth 0.8
set tics nomirror out scale 0.5
set grid xtics ytics linecolor rgb 0xDDDDDD linewidth 0.5 dashtype 1
set bars 0.5
set pointsize 0.5
set xlabel offset 0,0.4
unset key
set logscale xy
