/* algo/certificate.c - see certificate.h; proofs and measured coverage in docs/certificate.md. */
#include "algo/certificate.h"

#include <gsl/gsl_sort.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

/* ---- bounds of a mean ------------------------------------------------------------------------ */

/* ln of the wealth of bets against the mean m, all in units of the range. */
static double log_wealth(const double *z, size_t count, double range, double delta, double m)
{
    const double most = 0.9; /* < 1: no bet can lose everything, whatever z and m */
    double sum = 0, squares = 0, wealth = 0;

    for (size_t t = 0; t < count; t++) {
        const double value = fmin(1, z[t] / range), past = (double)t;
        /* Mean and variance of what was seen, begun with one observation of 1/2 and 1/4: the bet
         * that is best for this variance over the whole sample. */
        const double mean = (0.5 + sum) / (past + 1);
        const double variance = (0.25 + squares) / (past + 1);
        const double stake = sqrt(2 * log(1 / delta) / (variance * (double)count));

        wealth += log1p(fmin(most, stake) * (m - value));
        sum += value;
        squares += (value - mean) * (value - mean);
    }
    return wealth;
}

double kmv_mean_bound_range(const double *z, size_t count, double range, double delta)
{
    const double goal = log(1 / delta);
    double lo = 0, hi = 1;

    if (!(range > 0))
        return 0; /* all values are 0 */
    if (!(log_wealth(z, count, range, delta, 1) >= goal))
        return range;
    /* The stakes do not depend on m, so wealth rises with it. */
    for (int step = 0; step < 60; step++) {
        const double middle = (lo + hi) / 2;

        if (log_wealth(z, count, range, delta, middle) >= goal)
            hi = middle;
        else
            lo = middle;
    }
    return hi * range;
}

double kmv_mean_bound_model(const double *z, size_t count, double delta)
{
    const double n = (double)count, log_term = log(1 / delta);
    double mean = 0, largest = 0, squares = 0;

    for (size_t t = 0; t < count; t++) {
        mean += z[t] / n;
        largest = fmax(largest, z[t]);
    }
    for (size_t t = 0; t < count; t++)
        squares += (z[t] - mean) * (z[t] - mean);
    return mean + sqrt(squares / (n - 1) * 2 * log_term / n) + largest * log_term / n;
}

double kmv_unseen_share(size_t count, double delta)
{
    return count > 0 ? -expm1(log(delta) / (double)count) : 1;
}

/* ---- the certificate of a product ------------------------------------------------------------ */

struct kmv_certifier {
    kmv_certifier_setup set;
    kmv_packed packed; /* the rows drawn, ascending */
    gsl_rng *rng;
    size_t *drawn;   /* row numbers in the order of drawing */
    size_t *uniform; /* whether the t-th was drawn uniformly */
    size_t *order;   /* drawn[order[.]] ascends */
    size_t *sorted;
    double *exact; /* rows x columns, in ascending order of rows */
    double *z;
    double *weight;    /* n_q: w_i */
    double *weight_to; /* n_q: w_0 + ... + w_i */
    double *mean;      /* softmax: of some rows of X */
};

kmv_status kmv_certifier_create(const kmv_certifier_setup *setup, kmv_certifier **out,
                                kmv_error *err)
{
    const size_t n_q = setup->problem->q->n, d = setup->problem->k->d, rows = setup->rows;
    kmv_certifier *c = kmv_alloc(1, sizeof *c, "certificate", err);
    kmv_status st;

    if (c == NULL)
        return KMV_ENOMEM;
    c->set = *setup;
    if ((c->rng = kmv_rng_create(0, err)) == NULL ||
        (c->drawn = kmv_alloc(rows, sizeof *c->drawn, "certificate rows", err)) == NULL ||
        (c->uniform = kmv_alloc(rows, sizeof *c->uniform, "certificate rows", err)) == NULL ||
        (c->order = kmv_alloc(rows, sizeof *c->order, "certificate rows", err)) == NULL ||
        (c->sorted = kmv_alloc(rows, sizeof *c->sorted, "certificate rows", err)) == NULL ||
        (c->exact = kmv_alloc(rows * setup->columns, sizeof *c->exact, "exact rows", err)) ==
            NULL ||
        (c->z = kmv_alloc(rows, sizeof *c->z, "row errors", err)) == NULL ||
        (c->weight = kmv_alloc(n_q, sizeof *c->weight, "weights of rows", err)) == NULL ||
        (c->weight_to = kmv_alloc(n_q, sizeof *c->weight_to, "weights of rows", err)) == NULL ||
        (c->mean = kmv_alloc(setup->columns, sizeof *c->mean, "mean of values", err)) == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    st = setup->product != NULL
             ? KMV_OK
             : kmv_packed_init(&c->packed, setup->keys->tile, KMV_QUERIES, rows, d, 1, err);
out:
    if (st != KMV_OK)
        kmv_certifier_destroy(c);
    else
        *out = c;
    return st;
}

void kmv_certifier_destroy(kmv_certifier *c)
{
    if (c == NULL)
        return;
    kmv_packed_clear(&c->packed);
    if (c->rng != NULL)
        gsl_rng_free(c->rng);
    kmv_free(c->drawn);
    kmv_free(c->uniform);
    kmv_free(c->order);
    kmv_free(c->sorted);
    kmv_free(c->exact);
    kmv_free(c->z);
    kmv_free(c->weight);
    kmv_free(c->weight_to);
    kmv_free(c->mean);
    kmv_free(c);
}

/* The size of X: in units of `unit`, a power of two near its largest entry where squares would
 * leave double, |X|_F^2 is norm2. Pieces are added up in order, whoever computed them. */
typedef struct {
    double unit, norm2;
} x_size;

static double norm2_of(const double *v, size_t count, double factor, int threads)
{
    enum { PIECES = 64 };
    const size_t each = count / PIECES + 1;
    double sums[PIECES], total = 0;

#pragma omp parallel for num_threads(kmv_threads_for(4.0 * (double)count, threads)) schedule(static)
    for (size_t m = 0; m < PIECES; m++) {
        const size_t first = m * each < count ? m * each : count;
        const size_t end = count - first < each ? count : first + each;
        double sum = 0;

#pragma omp simd reduction(+ : sum)
        for (size_t i = first; i < end; i++)
            sum += (factor * v[i]) * (factor * v[i]);
        sums[m] = sum;
    }
    for (size_t m = 0; m < PIECES; m++)
        total += sums[m];
    return total;
}

static x_size size_of(const double *v, size_t count, int threads)
{
    enum { LOWEST = -1000 };
    x_size s = {1, norm2_of(v, count, 1, threads)};
    double largest = 0;
    int exponent;

    if (s.norm2 > 1e-200 && s.norm2 < 1e200)
        return s;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(v[i]));
    frexp(largest, &exponent);
    s.unit = ldexp(1.0, exponent > LOWEST ? exponent : LOWEST);
    s.norm2 = norm2_of(v, count, 1 / s.unit, threads);
    return s;
}

/* |v - c|^2 in units of unit^2, c NULL for zero; four sums, or additions would wait for each other.
 */
static double distance2(const double *v, const double *c, size_t count, double unit)
{
    const double factor = 1 / unit;
    double sum[4] = {0};

    for (size_t i = 0; i < count; i++) {
        const double w = factor * (c != NULL ? v[i] - c[i] : v[i]);

        sum[i % 4] += w * w;
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static double norm2(const double *v, size_t count, double unit)
{
    return distance2(v, NULL, count, unit);
}

/* The reach of a row: the most its exact value can be, from zero (gauss) or from the mean of X
 * (softmax), in units of `unit`. It grows with the keys that a row sees. */
static void add_reach(const kmv_certifier *c, const kmv_apply_context *context, size_t j,
                      double unit, double *reach)
{
    const double *row = context->x + j * context->r;

    if (c->set.problem->matrix == KMV_SOFTMAX)
        *reach = fmax(*reach, sqrt(distance2(row, c->mean, context->r, unit)));
    else
        *reach += sqrt(norm2(row, context->r, unit));
}

/* Weights may be taken from any vector: one near the mean, from some rows. As a running mean no sum
 * overflows. */
static void set_mean(kmv_certifier *c, const kmv_apply_context *context)
{
    enum { ROWS = 512 };
    const size_t n_k = c->set.problem->k->n, r = context->r, step = n_k / ROWS + 1;
    size_t count = 0;

    memset(c->mean, 0, r * sizeof *c->mean);
    for (size_t j = 0; j < n_k && c->set.problem->matrix == KMV_SOFTMAX; j += step, count++) {
        for (size_t col = 0; col < r; col++)
            c->mean[col] += (context->x[j * r + col] - c->mean[col]) / (double)(count + 1);
    }
}

/* Weights of all rows and their running sum, lengths in units of `unit`. */
static void weigh_rows(kmv_certifier *c, const kmv_apply_context *context, double unit)
{
    const kmv_problem *p = c->set.problem;
    const size_t n_q = p->q->n, r = context->r;
    double reach = 0, total = 0;
    size_t seen = 0;

    set_mean(c, context);
#pragma omp parallel for num_threads(kmv_threads_for(4.0 * (double)(n_q * r), c->set.threads))     \
    schedule(static)
    for (size_t i = 0; i < n_q; i++)
        c->weight[i] = sqrt(distance2(context->y + i * r, c->mean, r, unit));
    for (size_t i = 0; i < n_q; i++) {
        const size_t visible = kmv_problem_sees(p, i);

        if (c->set.kind == KMV_CERTIFY_RANGE) {
            if (visible < seen) { /* another head begins */
                seen = 0;
                reach = 0;
            }
            for (; seen < visible; seen++)
                add_reach(c, context, seen, unit, &reach);
            c->weight[i] += reach;
        }
        c->weight[i] *= c->weight[i];
        total += c->weight[i];
        c->weight_to[i] = total;
    }
}

/* First row whose running sum exceeds value. */
static size_t row_at(const double *to, size_t n, double value)
{
    size_t lo = 0, hi = n - 1;

    while (lo < hi) {
        const size_t middle = lo + (hi - lo) / 2;

        if (to[middle] > value)
            hi = middle;
        else
            lo = middle + 1;
    }
    return lo;
}

/* Largest weight / probability over all rows: the range of z. */
static double largest_z(const kmv_certifier *c, double share, double total)
{
    const size_t n_q = c->set.problem->q->n;
    double most = 0;

    for (size_t i = 0; i < n_q; i++) {
        const double q = (1 - share) / (double)n_q + share * c->weight[i] / total;

        most = fmax(most, c->weight[i] / q);
    }
    return most;
}

/* The drawn rows of the product, in ascending order. NaN where floats do not reach: no certificate.
 */
static void compute_rows(kmv_certifier *c, const kmv_apply_context *context)
{
    const size_t rows = c->set.rows;

    if (c->set.product != NULL) {
        kmv_leaf_product_queries(c->set.product, c->sorted, rows, context->cost);
        kmv_leaf_product_apply(c->set.product, context->x, context->r, c->exact, context->cost);
        return;
    }
    kmv_pack(&c->packed, c->set.problem, c->set.centre, c->sorted, rows, c->set.threads,
             context->cost);
    kmv_product(&c->packed, c->set.keys, c->set.problem, context->x, NULL, context->r,
                c->set.threads, c->set.workspace, c->exact, context->cost);
}

void kmv_certify(kmv_certifier *c, const kmv_apply_context *context, uint64_t key, double delta,
                 kmv_certificate *out)
{
    const kmv_problem *problem = c->set.problem;
    const size_t n_q = problem->q->n, n_k = problem->k->n, r = context->r, rows = c->set.rows;
    const x_size x = size_of(context->x, n_k * r, c->set.threads);
    const double unit = x.unit, x_norm2 = x.norm2 * (double)kmv_problem_heads(problem);
    size_t uniform = 0;
    double total, share, mean = 0, row_max = 0, upper;

    weigh_rows(c, context, unit);
    total = c->weight_to[n_q - 1];
    share = total > 0 && isfinite(total) ? c->set.share : 0;
    kmv_rng_restart(c->rng, key);
    for (size_t t = 0; t < rows; t++) {
        c->uniform[t] = !(gsl_rng_uniform(c->rng) < share);
        c->drawn[t] = c->uniform[t] ? gsl_rng_uniform_int(c->rng, n_q)
                                    : row_at(c->weight_to, n_q, gsl_rng_uniform(c->rng) * total);
        uniform += c->uniform[t];
    }
    gsl_sort_ulong_index(c->order, c->drawn, 1, rows);
    for (size_t s = 0; s < rows; s++)
        c->sorted[s] = c->drawn[c->order[s]];
    compute_rows(c, context);
    for (size_t s = 0; s < rows; s++) {
        const size_t t = c->order[s], i = c->sorted[s];
        const double q = (1 - share) / (double)n_q + (share > 0 ? share * c->weight[i] / total : 0);
        double error2 = 0;

        for (size_t col = 0; col < r; col++) {
            const double diff = (context->y[i * r + col] - c->exact[s * r + col]) / unit;

            error2 += diff * diff;
        }
        c->z[t] = error2 / q;
        if (c->uniform[t])
            row_max = fmax(row_max, error2);
    }
    for (size_t t = 0; t < rows; t++)
        mean += c->z[t] / (double)rows;
    if (!isfinite(total)) /* y is not even finite */
        upper = INFINITY;
    else
        upper = c->set.kind == KMV_CERTIFY_MODEL
                    ? kmv_mean_bound_model(c->z, rows, delta)
                    : kmv_mean_bound_range(c->z, rows, largest_z(c, share, total), delta);
    *out = (kmv_certificate){.err_est = sqrt(mean / x_norm2),
                             .bound = sqrt(upper / x_norm2) + c->set.rounding,
                             .share = kmv_unseen_share(uniform, delta),
                             .row_max = sqrt(row_max / x_norm2)};
}
