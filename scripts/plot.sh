#!/bin/sh
# plot.sh TEMPLATE AGGDIR OUTBASE: render OUTBASE.svg, .pdf and .png from the curves in AGGDIR.
# gnuplot exits 0 when a file or a column is missing and only warns, so anything it says is an
# error here: one line on stderr, exit 1, no output touched.
set -u
if [ $# -ne 3 ]; then
    echo "plot.sh: want TEMPLATE AGGDIR OUTBASE" >&2
    exit 2
fi
template=$1 agg=$2 base=$3
plots=$(dirname "$template")
for file in "$template" "$agg/series.gp" "$plots/style.gp"; do
    if [ ! -r "$file" ]; then
        echo "plot.sh: $file: no such file" >&2
        exit 1
    fi
done
if ! command -v gnuplot >/dev/null; then
    echo "plot.sh: gnuplot is not installed" >&2
    exit 1
fi
said=$(mktemp) || exit 1
trap 'rm -f "$said" "$base.svg.tmp" "$base.pdf.tmp" "$base.png.tmp"' EXIT
quoted() { printf "%s" "$1" | sed "s/'/''/g"; }
for format in svg pdf png; do
    # A machine without a locale has one for ASCII, in which gnuplot misses the degree sign and says so.
    # -d: no settings of the user's own. Messages of the font library are not gnuplot's.
    LC_ALL=C.UTF-8 gnuplot -d -e "DIR='$(quoted "$agg")'; PLOTS='$(quoted "$plots")'; \
FORMAT='$format'; OUT='$(quoted "$base.$format.tmp")'" "$template" >"$said" 2>&1 </dev/null
    rc=$?
    # An axis over a single value is widened, and gnuplot says so: that is no fault of the data.
    complaint=$(grep -v -e '^Fontconfig' -e 'Warning: empty [xy] range \[.*\], adjusting to' -e '^[[:space:]]*$' -e '^[[:space:]]*^' "$said" | tr '\n' ' ')
    if [ $rc -ne 0 ] || [ -n "$complaint" ] || [ ! -s "$base.$format.tmp" ]; then
        echo "plot.sh: $template: gnuplot: ${complaint:-exit code $rc}" >&2
        exit 1
    fi
done
# Version and date have no place in a figure: the same curves give the same bytes.
sed -i -e 's/Produced by GNUPLOT [0-9a-z. ]*/Drawn by gnuplot/' "$base.svg.tmp"
LC_ALL=C sed -i -e '/CreationDate (D:/s/D:[0-9]\{14\}/D:20000101000000/' "$base.pdf.tmp"
for format in svg pdf png; do
    mv "$base.$format.tmp" "$base.$format" || exit 1
done
