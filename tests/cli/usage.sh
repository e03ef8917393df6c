# Help, version, misspelt words, common options, exit codes, `kmv list`.
. "$ROOT/tests/cli/lib"

# -- help and version
check "help" "$KMV" --help
same "help begins with usage" "usage: kmv COMMAND ..." "$("$KMV" --help | head -n 1)"
check "help of a command" "$KMV" list --help
same "help of a command is its own" "usage: kmv list [algos|generators|isas|metrics|figures]" \
    "$("$KMV" list --help | head -n 1)"
same "help before the command" "$("$KMV" list --help)" "$("$KMV" --help list)"
# Every command of the list explains itself, and its help names what every command takes.
for command in $("$KMV" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
    "$KMV" "$command" --help >help 2>err
    rc=$?
    same "help of $command" "0 0 1" \
        "$rc $(wc -c <err) $(grep -c -- '^  --threads N' help)"
done
version=$(sed -n 's/^#define KMV_VERSION "\(.*\)"/\1/p' "$ROOT/src/kmv.h")
same "version" "kmv $version" "$("$KMV" --version)"
same "version wins over a command" "kmv $version" "$("$KMV" list --version)"

# -- words that are none: one line, exit code 2
bad "no command" 2 "kmv: want a command (see kmv --help)" "$KMV"
bad "only common options" 2 "want a command" "$KMV" -q --seed 3
bad "misspelt command" 2 "unknown command 'lst', did you mean 'list'?" "$KMV" lst
bad "unlike any command" 2 "unknown command 'frobnicate' (see kmv --help)" "$KMV" frobnicate
bad "newline in a word" 2 "unknown command 'a?b'" "$KMV" 'a
b'
bad "empty command" 2 "unknown command ''" "$KMV" ""
bad "unknown option" 2 "list: unknown option '--frobnicate'" "$KMV" list --frobnicate
bad "misspelt option" 2 "unknown option '--tread', did you mean '--threads'?" "$KMV" list --tread 2
bad "misspelt option before the command" 2 "did you mean '--strict'?" "$KMV" --strikt list
bad "misspelt option and no command" 2 "did you mean '--strict'?" "$KMV" --strikt
bad "option without its value" 2 "--threads: want a value (N)" "$KMV" list --threads
bad "option before an option" 2 "--threads: want a value (N)" "$KMV" list --threads -q
bad "value out of range" 2 "--threads: want an integer in [1, 4096], got '0'" "$KMV" list --threads 0
bad "negative value" 2 "--threads: want an integer in [1, 4096], got '-1'" "$KMV" list --threads -1
bad "value is no number" 2 "--seed: want an integer >= 0, got 'one'" "$KMV" list --seed=one
bad "value of a flag" 2 "--strict: takes no value" "$KMV" list --strict=yes
bad "one argument too many" 2 "list: unexpected argument 'isas'" "$KMV" list algos isas
bad "unknown topic" 2 "want algos, generators, isas, metrics or figures, got 'algo'" "$KMV" list algo
bad "option after --" 2 "list: unexpected argument '--seed'" "$KMV" list -- isas --seed

# -- common options stand anywhere
same "before the command" "$("$KMV" list isas)" "$("$KMV" --threads 2 -q list isas)"
same "with an equals sign" "$("$KMV" list isas)" "$("$KMV" --threads=2 list isas --seed=7)"
same "behind the command" "$("$KMV" list isas)" "$("$KMV" list -v isas --no-color)"

# -- a disk that is full is an error, whatever was printed
if [ -e /dev/full ]; then
    for words in "list" "--help" "--version" "list --help"; do
        # shellcheck disable=SC2086 # words
        "$KMV" $words >/dev/full 2>err
        same "$words to a full disk" "2 kmv: standard output cannot be written" "$? $(cat err)"
    done
fi

# -- list: what there is, each with its options, guarantee and source
check "list" "$KMV" list
same "list has its five parts" "algos generators isas metrics figures" \
    "$("$KMV" list | sed -n 's/^== //p' | tr '\n' ' ' | sed 's/ $//')"
"$KMV" list algos >algos
same "every algorithm has a guarantee" "$(grep -c '^[a-z]' algos)" "$(grep -c '^    guarantee: .' algos)"
same "every algorithm has a source" "$(grep -c '^[a-z]' algos)" "$(grep -c '^    source:    .' algos)"
for name in null exact exact-blas exact-f64 uniform importance paper lsh auto; do
    same "algorithm $name is listed" 1 "$(grep -c "^$name - " algos)"
done
"$KMV" list generators >generators
for name in planted iid sphere clusters sink dense; do
    same "generator $name is listed" 1 "$(grep -c "^$name - " generators)"
done
"$KMV" list isas >isas
for name in amx avx512 avx2 portable; do
    same "instruction set $name is listed" 1 "$(grep -c "^$name " isas)"
done
same "one of them is the default" 1 "$(grep -c '(default)' isas)"
"$KMV" list metrics >metrics
for name in case status sigma t_apply_s err_l2 null_err pairs_frac mem_peak_b; do
    same "metric $name is listed" 1 "$(grep -c "^$name " metrics)"
done
