/* base/clock.c: never goes back, and can be replaced. */
#include "check.h"

#include "base/clock.h"

static double fake_now;

static double fake(void)
{
    return fake_now;
}

static void never_goes_back(void **state)
{
    double before = kmv_now_s();

    (void)state;
    for (int i = 0; i < 10000; i++) {
        const double now = kmv_now_s();

        assert_true(now >= before);
        before = now;
    }
}

static void can_be_replaced(void **state)
{
    (void)state;
    kmv_clock_set(fake);
    fake_now = -3.5; /* no clock of a machine says so */
    CHECK_CLOSE(kmv_now_s(), -3.5, 0);
    kmv_clock_set(NULL);
    assert_true(kmv_now_s() > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_goes_back),
        cmocka_unit_test(can_be_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
