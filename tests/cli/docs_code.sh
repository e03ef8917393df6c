# The algorithm that docs/add_an_algorithm.md shows compiles as it stands.
. "$ROOT/tests/cli/lib"
awk '/^```c$/ { on = !done; next } /^```$/ { if (on) done = 1; on = 0 } on' \
    "$ROOT/docs/add_an_algorithm.md" >algo_first.c
check "the example is there" grep -q "kmv_algo_first" algo_first.c
check "it declares what it uses" "${CC:-cc}" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wshadow \
    -Wconversion -Wstrict-prototypes -Werror -I"$ROOT/src" -c -o first.o algo_first.c
