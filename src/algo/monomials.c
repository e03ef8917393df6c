/* algo/monomials.c - see monomials.h. */
#include "algo/monomials.h"

#include <math.h>

#include "base/mem.h"

size_t kmv_monomials_count(size_t d, size_t degree)
{
    double count = 1;

    for (size_t t = 1; t <= degree; t++)
        count = count * (double)(d + t) / (double)t;
    return count <= KMV_FEATURES_MAX ? (size_t)(count + 0.5) : SIZE_MAX;
}

static void rows(const void *map, kmv_role role, size_t first, size_t count, float *out,
                 float *scale)
{
    const kmv_monomials *m = map;
    const kmv_scaled *u = kmv_feature_points_of(&m->points, role);
    const size_t features = m->map.features;
    const float *half = role == KMV_QUERIES ? m->points.q_half : m->points.k_half;

    for (size_t i = 0; i < count; i++) {
        const float *x = u->x + (first + i) * u->ld;
        float *row = out + i * features;

        row[0] = 1;
        for (size_t f = 1; f < features; f++)
            row[f] = row[m->parent[f]] * x[m->along[f]] * m->factor[f];
        scale[i] = m->gauss              ? -half[first + i]
                   : role == KMV_QUERIES ? 0
                                         : m->points.tilt[first + i];
    }
}

/* Degree by degree: a feature of degree t takes a coordinate that is not below its parent's last
 * one, so that every multi-index comes once. */
static void make_tables(kmv_monomials *m, size_t d)
{
    size_t begin = 0, end = 1, used = 1;

    m->parent[0] = m->along[0] = 0;
    for (size_t t = 1; t <= m->degree; t++, begin = end, end = used) {
        for (size_t f = begin; f < end; f++) {
            for (size_t l = f > 0 ? m->along[f] : 0; l < d; l++, used++) {
                size_t exponent = 1;

                for (size_t a = f; a > 0 && m->along[a] == l; a = m->parent[a])
                    exponent++;
                m->parent[used] = (uint32_t)f;
                m->along[used] = (uint32_t)l;
                m->factor[used] = (float)(1 / sqrt((double)exponent));
            }
        }
    }
}

kmv_status kmv_monomials_init(kmv_monomials *m, const kmv_problem *problem, size_t degree,
                              kmv_cost *cost, kmv_error *err)
{
    const size_t d = problem->q->d, count = kmv_monomials_count(d, degree);
    kmv_status st;

    *m = (kmv_monomials){.degree = degree, .gauss = problem->matrix == KMV_GAUSS};
    m->map = (kmv_feature_map){
        .map = m, .features = count, .factor = 1, .flops = 2 * (double)count, .rows = rows};
    if ((st = kmv_feature_points_init(&m->points, problem,
                                      m->gauss ? KMV_CENTRE_BOTH : KMV_CENTRE_EACH, cost, err)) !=
        KMV_OK)
        goto out;
    st = KMV_ENOMEM;
    if ((m->parent = kmv_alloc(count, sizeof *m->parent, "monomials", err)) == NULL ||
        (m->along = kmv_alloc(count, sizeof *m->along, "monomials", err)) == NULL ||
        (m->factor = kmv_alloc(count, sizeof *m->factor, "monomials", err)) == NULL)
        goto out;
    make_tables(m, d);
    return KMV_OK;
out:
    kmv_monomials_clear(m);
    return st;
}

void kmv_monomials_clear(kmv_monomials *m)
{
    if (m == NULL)
        return;
    kmv_feature_points_clear(&m->points);
    kmv_free(m->parent);
    kmv_free(m->along);
    kmv_free(m->factor);
    *m = (kmv_monomials){0};
}

double kmv_monomials_remainder(double bound, size_t degree)
{
    double term = exp(bound);

    for (size_t t = 1; t <= degree + 1; t++)
        term *= bound / (double)t;
    return term;
}
