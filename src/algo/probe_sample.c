/* algo/probe_sample.c - see probe_sample.h. */
#include "algo/probe_sample.h"

#include <math.h>
#include <string.h>

#include "algo/column_sample.h"
#include "algo/probe_check.h"
#include "base/rng.h"

/* Of eps^2: columns with a larger part of |x|^2 are exact; a single missed entry that would add
 * more to the squared error gets weight 1. */
static const double FORCED = 0.25, JUMP = 0.0625;

/* What a sample must do; squares relative to |x|^2 but for x_norm2 itself. */
typedef struct {
    double x_norm2, unit; /* |x|^2 in units of unit^2 */
    double most, missed;  /* squared error allowed to sampling; predicted of the search */
} demand;

/* x2_j = |x_j|^2, in units of unit^2; returns their sum. */
static double load_x(kmv_probe *p, const kmv_apply_context *context, double unit)
{
    const size_t r = context->r;
    double total = 0;

    for (size_t j = 0; j < p->problem.k->n; j++) {
        double sum = 0;

        for (size_t c = 0; c < r; c++) {
            const double value = context->x[j * r + c] / unit;

            sum += value * value;
        }
        p->x2[j] = sum;
        total += sum;
    }
    return total;
}

/* Scores for p_j: mostly |x_j| c_j, the best; part by |x_j|^2 and by |x_j|, for which bounds hold
 * without knowing c_j. */
static void set_scores(kmv_probe *p, double x_norm2)
{
    const size_t n = p->problem.k->n;
    double sum_x = 0, sum_xc = 0;

    for (size_t j = 0; j < n; j++) {
        sum_x += sqrt(p->x2[j]);
        sum_xc += sqrt(p->x2[j] * (double)p->c2[j]);
    }
    for (size_t j = 0; j < n; j++) {
        p->score[j] = 0.15 * p->x2[j] / x_norm2 + 0.1 * sqrt(p->x2[j]) / sum_x;
        if (sum_xc > 0)
            p->score[j] += 0.75 * sqrt(p->x2[j] * (double)p->c2[j]) / sum_xc;
    }
}

static double variance(const kmv_probe *p)
{
    double sum = 0;

    for (size_t j = 0; j < p->problem.k->n; j++) {
        if (p->p[j] < 1 && p->x2[j] > 0)
            sum += p->x2[j] * (double)p->c2[j] * (1 / p->p[j] - 1);
    }
    return sum;
}

static void set_probabilities(kmv_probe *p, double m)
{
    kmv_sample_probabilities(p->score, p->problem.k->n, m, p->p);
    for (size_t j = 0; j < p->problem.k->n; j++)
        p->p[j] = kmv_probe_is_forced(p, j) ? 1 : p->p[j];
}

/* Probabilities for which V is about `target`: V falls at least like 1/m, so each step lands below
 * the target or close to it. */
static double solve_size(kmv_probe *p, double target)
{
    const double n = (double)p->problem.k->n;
    double m = 64;

    for (int step = 0; step < 8; step++) {
        double v;

        set_probabilities(p, m);
        v = variance(p);
        if (v <= target && (v >= 0.9 * target || m <= 64))
            break;
        if (!(target > 0) || m >= n) {
            m = n;
            set_probabilities(p, m);
            break;
        }
        m = fmin(n, fmax(64, 1.01 * m * v / target));
    }
    return m;
}

static void set_weights(kmv_probe *p, size_t count, double lambda)
{
    memset(p->in_s, 0, p->problem.k->n * sizeof *p->in_s);
    for (size_t s = 0; s < count; s++) {
        const size_t j = p->index[s];

        p->weight[s] = kmv_probe_is_forced(p, j) ? 1 : lambda / p->p[j];
        p->in_s[j] = p->weight[s];
    }
}

static double largest_of(const double *x, size_t n)
{
    double largest = 0;

    for (size_t j = 0; j < n; j++)
        largest = fmax(largest, fabs(x[j]));
    return largest;
}

/* S by p->p, with lambda = 1. */
static size_t draw(kmv_probe *p)
{
    const size_t count = kmv_sample_draw(p->p, p->problem.k->n, p->rng, p->index, p->weight);

    set_weights(p, count, 1);
    return count;
}

/* A sample for which V is predicted to be `target`, lambda fitted; drawn anew and larger as long as
 * the check rows say, two standard deviations included, that eps is missed. Where the light part
 * has heavy tails the prediction alone falls short. */
static size_t draw_fitted(kmv_probe *p, kmv_apply_context *context, const demand *want,
                          double *expected, double *left2)
{
    enum { DRAWS = 8 };
    const double n = (double)p->problem.k->n;
    size_t count = 0;

    for (int draws = 1;; draws++) {
        kmv_probe_residue after;
        double grow;

        count = draw(p);
        kmv_probe_estimate(p, count, context);
        set_weights(p, count, kmv_probe_fit(p, context->r, want->x_norm2, want->unit, &after));
        *left2 = after.left + want->missed;
        if (p->options->samples > 0 || after.upper <= want->most || *expected >= n ||
            draws == DRAWS)
            break;
        grow = fmin(4, fmax(1.4, after.upper / want->most));
        *expected = fmin(n, *expected * grow);
        set_scores(p, want->x_norm2); /* p->score served as room */
        set_probabilities(p, *expected);
    }
    return count;
}

size_t kmv_probe_draw(kmv_probe *p, kmv_apply_context *context, double *expected)
{
    const kmv_probe_options *o = p->options;
    const size_t n = p->problem.k->n;
    const double unit = largest_of(context->x, n * context->r), eps2 = p->eps * p->eps;
    const double x_norm2 = load_x(p, context, unit);
    /* What a search is predicted to miss cannot be sampled away; at least a quarter of the error
     * asked for is left to what can. */
    const double missed =
        p->heavy != NULL ? p->forecast.missed2 * (double)p->problem.q->n / (double)n : 0;
    const double most = fmax(0.25 * eps2, eps2 - missed), safety = kmv_probe_safety(o);
    const double goal = most / (safety * safety);
    const demand want = {.x_norm2 = x_norm2, .unit = unit, .most = most, .missed = missed};
    double left2 = 0, target = goal;
    kmv_probe_residue b = {0};
    size_t count;

    p->forced2 = FORCED * eps2 * x_norm2;
    p->jump2 = JUMP * eps2 * x_norm2;
    for (size_t j = 0; j < n; j++)
        p->in_s[j] = kmv_probe_is_forced(p, j);
    if (o->shrink)
        b = kmv_probe_measure(p, x_norm2, unit, context);
    kmv_rng_restart(p->rng, context->key);
    *expected = 0;
    if (o->shrink && o->samples == 0 && b.upper <= goal) {
        memcpy(p->p, p->in_s, n * sizeof *p->p);
        left2 = b.left + missed;
        count = draw(p);
    } else {
        set_scores(p, x_norm2);
        *expected = (double)o->samples;
        if (o->shrink && o->samples == 0)
            target = b.upper * goal / (b.upper - goal);
        if (o->samples > 0)
            set_probabilities(p, *expected);
        else
            *expected = solve_size(p, x_norm2 * target);
        if (o->shrink) {
            count = draw_fitted(p, context, &want, expected, &left2);
        } else {
            left2 = variance(p) / x_norm2 + missed;
            count = draw(p);
        }
    }
    context->err_est = sqrt(left2);
    return count;
}
