/* algo/leaf_sample.c - see leaf_sample.h. */
#include "algo/leaf_sample.h"

#include <math.h>

enum { ROUNDS = 12 }; /* of the search for m */

static const double BY_PILOT = 0.85, BY_PRIOR = 0.1; /* shares of the mixture; the rest is even */
static const float ALONE = 4;                        /* times the other half's */
static const double MARGIN = 1.5;                    /* standard errors added to V */

/* What is summed up in float before it is added in double. */
enum { PIECE = 1024 };

/* out_j = sqrt(c_j v_j); returns their sum. v NULL: ones. */
static double take_roots(const float *c, const float *v, size_t n, float *out)
{
    double total = 0;

    for (size_t first = 0; first < n; first += PIECE) {
        const size_t end = first + PIECE < n ? first + PIECE : n;
        float sum = 0;

#pragma omp simd reduction(+ : sum)
        for (size_t j = first; j < end; j++) {
            const float root = sqrtf(v != NULL ? c[j] * v[j] : c[j]);

            out[j] = root;
            sum += root;
        }
        total += (double)sum;
    }
    return total;
}

static double sum_of_roots(const float *v, size_t n)
{
    double total = 0;

    for (size_t first = 0; first < n; first += PIECE) {
        const size_t end = first + PIECE < n ? first + PIECE : n;
        float sum = 0;

#pragma omp simd reduction(+ : sum)
        for (size_t j = first; j < end; j++)
            sum += sqrtf(v[j]);
        total += (double)sum;
    }
    return total;
}

static float share_of(double part, double sum)
{
    return sum > 0 ? (float)(part / sum) : 0;
}

/* Where one half of the pilot has far more of a column than the other, one entry of one row is all
 * that is known of it; elsewhere entries are many and small. */
static void set_entries(const kmv_leaf_sample *m)
{
    for (size_t h = 0; h < 2; h++) {
        const float *c2 = m->c2[h], *other = m->c2[1 - h];
        float *t = m->t[h];

#pragma omp simd
        for (size_t j = 0; j < m->n; j++) {
            const float t2 = m->per_row * (c2[j] - ALONE * other[j]);

            t[j] = sqrtf(t2 > 0 ? t2 < 1 ? t2 : 1 : 0);
        }
    }
}

void kmv_leaf_sample_set(const kmv_leaf_sample *m)
{
    const float *v = m->value2, *seen = m->seen;
    float *s0 = m->s[0], *s1 = m->s[1], *s2 = m->s[2];
    const float first = share_of(BY_PILOT, take_roots(m->c2[0], v, m->n, s0));
    const float second = share_of(BY_PILOT, take_roots(m->c2[1], v, m->n, s1));
    const float by_prior = share_of(BY_PRIOR, take_roots(m->prior2, v, m->n, s2));
    const float even =
        share_of(1 - BY_PILOT - BY_PRIOR, v != NULL ? sum_of_roots(v, m->n) : (double)m->n);

#pragma omp simd
    for (size_t j = 0; j < m->n; j++) {
        const float easy = seen != NULL ? 1 / sqrtf(seen[j]) : 1;
        const float base = by_prior * s2[j] + even * (v != NULL ? sqrtf(v[j]) : 1);
        const float a = first * s0[j], b = second * s1[j];

        s0[j] = easy * (base + a);
        s1[j] = easy * (base + b);
        s2[j] = easy * (base + 0.5f * (a + b));
    }
    set_entries(m);
}

/* Of an entry t of a row whose sum is 1, drawn with probability p: the expected squared error over
 * t^2. Drawn it becomes (t/p) / (t/p + 1 - t), which is at most 1, else 0. For small t that is
 * 1/p - 1. */
static inline float spread(float p, float t)
{
    const float ratio = (1 - t) * (1 - p) / (t + p * (1 - t));

    return p * ratio * ratio + 1 - p;
}

/* Over the columns with p = m s_j < 1: sums of their parts of V, of those squared, of c_j^2 v_j. */
typedef struct {
    double error, squares, whole;
} tally;

static void add_uncertain(const kmv_leaf_sample *x, size_t judge, float m, tally *sums)
{
    const float *v = x->value2, *c2 = x->c2[judge], *t = x->t[judge], *s = x->s[1 - judge];

    for (size_t first = 0; first < x->n; first += PIECE) {
        const size_t end = first + PIECE < x->n ? first + PIECE : x->n;
        float error = 0, squares = 0, whole = 0;

#pragma omp simd reduction(+ : error, squares, whole)
        for (size_t j = first; j < end; j++) {
            const float p = s[j] * m, a = v != NULL ? c2[j] * v[j] : c2[j];
            const float light = p < 1 ? a : 0;
            const float part = light > 0 ? light * spread(p, t[j]) : 0;

            error += part;
            squares += part * part;
            whole += light;
        }
        sums->error += (double)error;
        sums->squares += (double)squares;
        sums->whole += (double)whole;
    }
}

/* For small entries V + W = R / m, W the sum of c_j^2 v_j over the columns with p < 1, and R
 * changes slowly: that gives the next m, as long as it lies between those known to be too few and
 * too many. */
double kmv_leaf_sample_size(const kmv_leaf_sample *x, double target, double guess, double close,
                            double *doubt)
{
    double few = 0, many = INFINITY, m = guess > 1 ? guess : 1;

    *doubt = 0;
    for (int round = 0; round < ROUNDS; round++) {
        tally sums = {0};
        double next;

        add_uncertain(x, 0, (float)m, &sums);
        add_uncertain(x, 1, (float)m, &sums);
        /* Nothing is uncertain where every column that holds anything is drawn for certain. */
        *doubt = sums.error > 0 ? sqrt(sums.squares / x->stride) / sums.error : 0;
        next = m * (sums.error * (1 + MARGIN * *doubt) + sums.whole) /
               (2 * target / x->stride + sums.whole);
        if (fabs(next - m) <= close * m)
            return next;
        *(next > m ? &few : &many) = m;
        m = next > few && next < many ? next : sqrt(fmax(few, 1) * many);
    }
    return isfinite(many) ? many : m;
}

double kmv_leaf_sample_keys(const kmv_leaf_sample *x, double m)
{
    const float *s = x->s[2], *seen = x->seen;
    double keys = 0;

    for (size_t first = 0; first < x->n; first += PIECE) {
        const size_t end = first + PIECE < x->n ? first + PIECE : x->n;
        float sum = 0;

#pragma omp simd reduction(+ : sum)
        for (size_t j = first; j < end; j++) {
            const float wanted = (float)m * s[j], p = wanted < 1 ? wanted : 1;

            sum += seen != NULL ? p * seen[j] : p;
        }
        keys += (double)sum * x->stride;
    }
    return keys;
}
