. "$ROOT/tests/cli/lib"
check doctor "$KMV" doctor
for name in version commit compiler flags cpu isas governor kernel hdf5 gsl openblas cores memory_b isa threads; do
    same "names $name" 1 "$(grep -c "^$name: ." out)"
done
check "forced isa" "$KMV" doctor --isa portable
same "is the one shown" "isa: portable" "$(grep '^isa: ' out)"
bad "unknown isa" 2 "avx1024" "$KMV" doctor --isa avx1024
check peak "$KMV" doctor --peak --threads 1 --isa portable
within "flops" "$(sed -n 's/^peak_flops: //p' out)" 1e7 1e14
within "bandwidth" "$(sed -n 's/^peak_bandwidth_b_per_s: //p' out)" 1e6 1e13
KMV_ISA=portable check "a lesser machine" "$KMV" doctor
same "has no more" "isas: portable" "$(grep '^isas: ' out)"
same "and takes that" "isa: portable" "$(grep '^isa: ' out)"
KMV_ISA=avx1024 bad "KMV_ISA of no machine" 2 "KMV_ISA in the environment: want portable, avx2, avx512 or amx, got 'avx1024'" \
    "$KMV" list isas
