/* `hyper`: exact where blocks or triangles are whole, masked keys never seen. */
#include "check.h"

#include <string.h>

#include "attention.h"

/* One block holds every key, so that the sample is left out altogether. */
static void one_block(void **state)
{
    (void)state;
    attention_check_exact("hyper", "block=400,samples=0", KMV_SOFTMAX, 0, 1);
    attention_check_exact("hyper", "block=400,samples=50", KMV_SOFTMAX, 0, 1);
    attention_check_exact("hyper", "block=400,samples=50,draw=values", KMV_SOFTMAX, 0, 1);
}

/* One triangle; and halves down to one query whose rectangles are one block each. */
static void causal_halving(void **state)
{
    (void)state;
    attention_check_exact("hyper", "block=400,base=400", KMV_SOFTMAX, 1, 0);
    attention_check_exact("hyper", "block=400,base=17,samples=0", KMV_SOFTMAX, 1, 0);
    attention_check_exact("hyper", "block=400,base=1,samples=9", KMV_SOFTMAX, 1, 0);
}

static void repeatable(void **state)
{
    (void)state;
    attention_check_repeatable("hyper", "block=16,samples=20", KMV_SOFTMAX, 0, 1);
    attention_check_repeatable("hyper", "block=16,samples=20,draw=values,centred=yes", KMV_SOFTMAX,
                               0, 1);
    attention_check_repeatable("hyper", "block=16,samples=20,base=30", KMV_SOFTMAX, 1, 1);
    /* Nothing is drawn here, but hashes order the keys of a block, hence how sums are rounded. */
    attention_check_repeatable("hyper", "base=400", KMV_SOFTMAX, 1, 1);
}

/* 1000 is the unit: float digits of 1 / 1000. */
static void masked_keys_do_not_count(void **state)
{
    (void)state;
    attention_check_masked("hyper", "base=10,block=8,samples=6", 90, 100, 1000, 1e-4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_block),
        cmocka_unit_test(causal_halving),
        cmocka_unit_test(repeatable),
        cmocka_unit_test(masked_keys_do_not_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
