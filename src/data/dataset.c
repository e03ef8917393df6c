/* data/dataset.c - see dataset.h. */
#include "data/dataset.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"

void kmv_dataset_clear(kmv_dataset *d)
{
    if (d == NULL)
        return;
    kmv_points_clear(&d->q);
    kmv_points_clear(&d->k);
    kmv_free(d->v);
    *d = (kmv_dataset){0};
}

kmv_status kmv_dataset_sigma(const kmv_dataset *d, kmv_matrix matrix, double *sigma, kmv_error *err)
{
    const double natural = sqrt(sqrt((double)d->q.d)); /* scale = 1/sqrt(d) = 1/sigma^2 */
    const int has_sigma = !isnan(d->sigma), has_scale = !isnan(d->scale);

    /* Attributes are written as decimal or float32 numbers by many hands: equal to 1e-5. */
    if (has_sigma && has_scale && !(fabs(d->scale * d->sigma * d->sigma - 1.0) <= 1e-5) &&
        matrix == KMV_SOFTMAX)
        return kmv_fail(err, KMV_EINVAL,
                        "attributes sigma %.9g and scale %.9g contradict each other, want "
                        "scale = 1/sigma^2 or --sigma",
                        d->sigma, d->scale);
    if (matrix == KMV_SOFTMAX && has_scale)
        *sigma = 1.0 / sqrt(d->scale);
    else
        *sigma = has_sigma ? d->sigma : natural;
    return KMV_OK;
}

static const char *const center_names[] = {"none", "keys", "match"};

kmv_status kmv_center_parse(const char *text, kmv_center *center, kmv_error *err)
{
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, center_names[i]) == 0) {
            *center = (kmv_center)i;
            return KMV_OK;
        }
    }
    return kmv_fail(err, KMV_EINVAL, "center: want none, keys or match, got '%s'", text);
}

const char *kmv_center_name(kmv_center center)
{
    return center_names[center];
}

/* Rows first .. first + n - 1 as a view. */
static kmv_points rows_of(const kmv_points *p, size_t first, size_t n)
{
    kmv_points view = *p;

    view.x += first * p->ld;
    view.n = n;
    view.owned = 0;
    return view;
}

/* Mean of p without its origin, compensated (Neumaier) because n may be large and values of one
 * sign: the shift must not depend on how many rows there are. */
static void mean(const kmv_points *p, double *out)
{
    for (size_t l = 0; l < p->d; l++) {
        double sum = 0.0, lost = 0.0;

        for (size_t i = 0; i < p->n; i++) {
            const double v = (double)p->x[i * p->ld + l], next = sum + v;

            lost += fabs(sum) >= fabs(v) ? (sum - next) + v : (v - next) + sum;
            sum = next;
        }
        out[l] = (sum + lost) / (double)p->n;
    }
}

static kmv_status copy_origin(const kmv_points *p, double **origin, kmv_error *err)
{
    if ((*origin = kmv_alloc(p->d, sizeof **origin, "origin of a view", err)) == NULL)
        return KMV_ENOMEM;
    if (p->origin != NULL)
        memcpy(*origin, p->origin, p->d * sizeof **origin);
    return KMV_OK;
}

/* keys: the origin becomes minus the mean of the rest, so that the mean key is zero; match: what
 * makes the mean key the mean query. Either way only the origin of the keys changes. */
static kmv_status shift_keys(kmv_view *view, kmv_center center, kmv_error *err)
{
    const size_t d = view->k.d;
    double *means;

    if (center == KMV_CENTER_NONE)
        return KMV_OK;
    if ((means = kmv_alloc(2 * d, sizeof *means, "means", err)) == NULL)
        return KMV_ENOMEM;
    mean(&view->k, means);
    if (center == KMV_CENTER_MATCH)
        mean(&view->q, means + d);
    for (size_t l = 0; l < d; l++) {
        const double target = center == KMV_CENTER_MATCH ? view->q_origin[l] + means[d + l] : 0.0;

        view->k_origin[l] = target - means[l];
    }
    kmv_free(means);
    return KMV_OK;
}

static size_t heads_of(const kmv_dataset *d)
{
    return d->heads > 1 ? d->heads : 1;
}

/* Rows first .. first + n - 1 of every head, one after the other. */
static kmv_status rows_of_heads(const kmv_dataset *d, size_t first, size_t n, kmv_view *view,
                                kmv_error *err)
{
    const size_t heads = heads_of(d), length = d->q.n / heads;
    kmv_status st;

    if (n == length) {
        view->q = rows_of(&d->q, 0, d->q.n);
        return KMV_OK;
    }
    if (heads == 1) {
        view->q = rows_of(&d->q, first, n);
        return KMV_OK;
    }
    if ((st = kmv_points_init(&view->q_rows, heads * n, d->q.d, err)) != KMV_OK)
        return st;
    for (size_t h = 0; h < heads; h++)
        memcpy(view->q_rows.x + h * n * d->q.ld, d->q.x + (h * length + first) * d->q.ld,
               n * d->q.ld * sizeof(float));
    view->q = rows_of(&view->q_rows, 0, heads * n);
    return KMV_OK;
}

static kmv_status check_rows(const kmv_dataset *d, size_t n, size_t drop_first, kmv_error *err)
{
    const size_t length = d->q.n / heads_of(d);
    const size_t most = length > d->k.n ? length : d->k.n;
    const size_t least = length < d->k.n ? length : d->k.n;

    if (n > most)
        return kmv_fail(err, KMV_EINVAL, "want n <= %zu, got %zu", most, n);
    if (drop_first >= (n > 0 && n < least ? n : least))
        return kmv_fail(err, KMV_EINVAL, "want drop-first < %zu, got %zu",
                        n > 0 && n < least ? n : least, drop_first);
    return KMV_OK;
}

kmv_status kmv_view_init(kmv_view *view, const kmv_dataset *d, size_t n, size_t drop_first,
                         kmv_center center, kmv_error *err)
{
    const size_t length = d->q.n / heads_of(d);
    const size_t n_q = n > 0 && n < length ? n : length, n_k = n > 0 && n < d->k.n ? n : d->k.n;
    kmv_view new = {.heads = heads_of(d)};
    kmv_status st;

    if ((st = check_rows(d, n, drop_first, err)) != KMV_OK)
        return st;
    new.k = rows_of(&d->k, drop_first, n_k - drop_first);
    if ((st = rows_of_heads(d, drop_first, n_q - drop_first, &new, err)) != KMV_OK ||
        (st = copy_origin(&d->q, &new.q_origin, err)) != KMV_OK ||
        (st = copy_origin(&d->k, &new.k_origin, err)) != KMV_OK ||
        (st = shift_keys(&new, center, err)) != KMV_OK)
        goto out;
    new.q.origin = new.q_origin;
    new.k.origin = new.k_origin;
    new.v = d->v != NULL ? d->v + drop_first * d->r : NULL;
    new.r = d->r;
    *view = new;
    new = (kmv_view){0};
out:
    kmv_view_clear(&new);
    return st;
}

void kmv_view_clear(kmv_view *view)
{
    if (view == NULL)
        return;
    kmv_points_clear(&view->q_rows);
    kmv_free(view->q_origin);
    kmv_free(view->k_origin);
    *view = (kmv_view){0};
}
