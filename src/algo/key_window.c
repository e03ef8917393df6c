/* algo/key_window.c - see key_window.h. */
#include "algo/key_window.h"

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

kmv_key_ranges kmv_key_window_of(const kmv_problem *problem, kmv_key_window w, size_t i)
{
    const size_t n_k = problem->k->n, before = w.window > 0 ? (w.window - 1) / 2 : 0;
    const int placed = problem->causal || w.window > 0; /* else n_q may exceed n_k */
    const size_t place = placed ? i + n_k - problem->q->n : 0;
    const size_t seen = problem->causal ? place + 1 : n_k;
    const size_t last = problem->causal ? seen : most(place, before) - before + w.window;
    const size_t end = least(last, n_k), first = end - least(end, w.window);
    kmv_key_ranges out = {.sinks = least(w.sinks, seen)};

    out.first = most(first, out.sinks);
    out.end = most(end, out.first);
    return out;
}

const char *kmv_key_window_rejects(const kmv_problem *problem, kmv_key_window w)
{
    if (!problem->causal && w.window > 0 && problem->q->n > problem->k->n)
        return "full attention with more queries than keys has no window around a query";
    return NULL;
}
