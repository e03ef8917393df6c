# kmv measure: rows, columns, known values, bad requests.
. "$ROOT/tests/cli/lib"

"$KMV" gen clusters n=20 d=3 count=1 spread=0 -o one.h5:same >/dev/null
"$KMV" gen planted n=2048 d=16 --seed 3 -o two.h5:planted >/dev/null
"$KMV" gen iid n=100 d=4 -o two.h5:iid >/dev/null
# cell FILE COLUMN ROW: one cell of a table.
cell() {
    awk -F'\t' -v c="$2" -v r="$3" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == c) k = i }
        NR == r + 1 { print $k }' "$1"
}

check "ties" "$KMV" measure one.h5:same -o ties.tsv
same "all entries are 1: sum/n" 20 "$(cell ties.tsv sum_over_n 1)"
same "all entries are 1: tail/head" 19 "$(cell ties.tsv tail_over_head 1)"
same "one size, no exponent" "" "$(cell ties.tsv alpha 1)"

check "planted, default sizes" "$KMV" measure two.h5:planted -o planted.tsv
same "powers of two and all" "512 1024 2048" "$(cut -f7 planted.tsv | sed 1d | xargs)"
within "planted sum/n" "$(cell planted.tsv sum_over_n 3)" 1.2 2.0
within "norm is at least the mean row sum" "$(cell planted.tsv op_norm 3)" \
    "$(cell planted.tsv sum_over_n 3)" 2048
within "exponent of sum/n" "$(cell planted.tsv alpha_sum 1)" 0 1.5
same "not NaN" 0 "$(grep -ci nan planted.tsv)"

check "whole file, columns" "$KMV" measure two.h5 --n all --columns dataset,n_q,sum_over_n -q \
    -o file.tsv
same "header" "dataset n_q sum_over_n" "$(head -1 file.tsv | xargs)"
same "problems in their order" "100 2048" "$(cut -f2 file.tsv | sed 1d | sort -n | xargs)"
"$KMV" measure two.h5:iid --matrix softmax --causal yes --n 50,all --columns sum_over_n,causal >s.tsv
within "rows of P sum to 1" "$(cell s.tsv sum_over_n 2)" 0.999999 1.000001
same "causal" yes "$(cell s.tsv causal 1)"
"$KMV" measure two.h5:iid --matrix rowmax --n all --columns max >m.tsv
same "largest of a row" 1 "$(cell m.tsv max 1)"
"$KMV" measure two.h5:iid --sigma 0.5,x2,sum:3 --n all --columns sigma_spec,sigma,sum_over_n >g.tsv
same "sigma as asked" "0.5 x2 sum:3" "$(cut -f1 g.tsv | sed 1d | xargs)"
within "sum:3" "$(cell g.tsv sum_over_n 3)" 2.999 3.001
within "x2" "$(cell g.tsv sigma 2)" 2.82842 2.82843
"$KMV" measure two.h5:planted --rows 256 --n all --columns rows,sum_over_n_lo,sum_over_n_hi >r.tsv
same "sampled rows" 256 "$(cell r.tsv rows 1)"
"$KMV" measure two.h5:planted --rows 1000 --columns n_q,rows >r.tsv
same "sizes below the rows sampled are left out" "1024 1000 2048 1000" "$(sed 1d r.tsv | xargs)"
"$KMV" measure two.h5:planted --n all --seed 9 --threads 1 --columns tail_over_head,op_norm >t1.tsv
"$KMV" measure two.h5:planted --n all --seed 9 --threads 2 --columns tail_over_head,op_norm >t2.tsv
same "threads do not matter" "$(cat t1.tsv)" "$(cat t2.tsv)"
"$KMV" measure two.h5:planted --n "geom(2^6,256,2)" --drop-first 3 --center match --columns n_q >d.tsv
same "range, first ones dropped" "61 125 253" "$(sed 1d d.tsv | xargs)"

bad "no such file" 2 "none.h5" "$KMV" measure none.h5
bad "no such group" 2 "none" "$KMV" measure two.h5:none
bad "n larger than the data" 2 "101" "$KMV" measure two.h5:iid --n 101
bad "n = 0" 2 "--n: want" "$KMV" measure two.h5:iid --n 0
bad "n is a word" 2 "--n: want" "$KMV" measure two.h5:iid --n some
bad "sigma = 0" 2 "sigma: want" "$KMV" measure two.h5:iid --sigma 0
bad "sigma < 0" 2 "sigma: want" "$KMV" measure two.h5:iid --sigma=-1
bad "sigma nan" 2 "sigma: want" "$KMV" measure two.h5:iid --sigma nan
bad "sum out of reach" 2 "sum:100" "$KMV" measure two.h5:iid --n all --sigma sum:100
bad "sum of softmax" 2 "gauss" "$KMV" measure two.h5:iid --sigma sum:1 --matrix softmax
bad "matrix" 2 "matrix: want" "$KMV" measure two.h5:iid --matrix gaus
bad "center" 2 "center: want" "$KMV" measure two.h5:iid --center both
bad "causal" 2 "--causal: want" "$KMV" measure two.h5:iid --causal maybe
bad "column" 2 "did you mean 'op_norm'" "$KMV" measure two.h5:iid --columns op_nrm
bad "rows" 2 "rows: want" "$KMV" measure two.h5:iid --rows 101 --n all
bad "rows = 0" 2 "--rows: want" "$KMV" measure two.h5:iid --rows 0
bad "drop-first" 2 "drop-first" "$KMV" measure two.h5:iid --drop-first 100
bad "isa" 2 "mmx" "$KMV" measure two.h5:iid --isa mmx
bad "no such folder" 2 "missing/t.tsv" "$KMV" measure two.h5:iid -o missing/t.tsv
bad "no problem named" 2 "an argument is missing" "$KMV" measure
"$KMV" measure two.h5:iid --n 101 -o torn.tsv 2>/dev/null
same "a failure leaves no file" "" "$(ls | grep torn)"
