/* algo/lsh_prepare.c - `lsh` before any x: pilot, choice of tables, tables. */
#include <math.h>

#include "algo/lsh.h"
#include "base/mem.h"
#include "base/rng.h"

enum { LOOK_ROWS = 32 };

void kmv_lsh_destroy(kmv_lsh *s)
{
    if (s == NULL)
        return;
    kmv_hash_tables_destroy(s->tables);
    kmv_key_groups_clear(&s->sample);
    kmv_hash_input_clear(&s->in);
    kmv_lsh_survey_clear(&s->survey);
    kmv_lsh_rest_clear(&s->rest);
    if (s->rng != NULL)
        gsl_rng_free(s->rng);
    kmv_free(s->x2);
    kmv_free(s->score);
    kmv_free(s->p);
    kmv_free(s->c2);
    kmv_free(s->weight);
    kmv_free(s->index);
    kmv_free(s->light);
    kmv_free(s->heavy);
    kmv_free(s->bands);
    kmv_free(s->together);
    kmv_free(s);
}

/* The smallest entry that the plan looks at one by one: if all were as large, a thousand samples
 * would do. */
static float floor_of(const kmv_lsh *s)
{
    const double pairs = (double)s->in.q.n * (double)s->in.k.n;

    return (float)fmin(-2, fmax(-31, 0.5 * log2(1000 * s->target2 / pairs)));
}

/* The choice from few rows, by which a pilot in vain is spared: its cost. */
static kmv_status look(kmv_lsh *s, const kmv_prepare_context *context, double *cost, kmv_error *err)
{
    kmv_lsh_survey survey = {0};
    kmv_lsh_choice choice;
    kmv_status st = kmv_lsh_survey_init(&survey, &s->in, LOOK_ROWS, floor_of(s), s->rng, s->threads,
                                        context->cost, err);

    if (st != KMV_OK)
        return st;
    if ((st = kmv_lsh_choose(&survey, NULL, s->target2, &choice, err)) == KMV_OK)
        *cost = choice.cost;
    kmv_lsh_survey_clear(&survey);
    return st;
}

static kmv_status plan_tables(kmv_lsh *s, const kmv_prepare_context *context, kmv_error *err)
{
    kmv_lsh_choice fixed = {.tables = s->o->tables,
                            .shape = {.bits = s->o->bits, .wild = s->o->wild},
                            .clip = s->o->clip > 0    ? log2(s->o->clip)
                                    : s->o->clip == 0 ? INFINITY
                                                      : NAN};
    kmv_lsh_survey *survey = &s->survey;
    kmv_status st;

    if (s->o->pilot == 0) {
        s->choice = fixed;
        return KMV_OK;
    }
    if ((st = kmv_lsh_survey_init(survey, &s->in, s->o->pilot, floor_of(s), s->rng, s->threads,
                                  context->cost, err)) != KMV_OK)
        return st;
    st = kmv_lsh_choose(survey, s->o->tables > 0 ? &fixed : NULL, s->target2, &s->choice, err);
    if (st == KMV_OK && s->o->tables == 0 && s->o->clip >= 0) {
        fixed.tables = s->choice.tables;
        fixed.shape = s->choice.shape;
        st = kmv_lsh_choose(survey, &fixed, s->target2, &s->choice, err);
    }
    return st;
}

static kmv_status reserve(kmv_lsh *s, size_t r, kmv_error *err)
{
    const size_t n = s->problem->k->n, rows = s->rest.rows;

    if ((s->x2 = kmv_alloc(n, sizeof(double), "norms of x", err)) == NULL ||
        (s->score = kmv_alloc(n, sizeof(double), "scores", err)) == NULL ||
        (s->p = kmv_alloc(n, sizeof(double), "probabilities", err)) == NULL ||
        (s->c2 = kmv_alloc(n, sizeof(double), "column norms", err)) == NULL ||
        (s->weight = kmv_alloc(n, sizeof(double), "weights of the sample", err)) == NULL ||
        (s->index = kmv_alloc(n, sizeof(size_t), "sample", err)) == NULL ||
        (s->light = kmv_alloc(n * r, sizeof(double), "weights", err)) == NULL ||
        (s->heavy = kmv_alloc(n * r, sizeof(double), "weights", err)) == NULL ||
        (s->bands = kmv_alloc(KMV_LSH_LEVELS * rows * r, sizeof(double), "large entries", err)) ==
            NULL ||
        (s->together = kmv_alloc(KMV_LSH_LEVELS * r, sizeof(double), "large entries", err)) == NULL)
        return KMV_ENOMEM;
    return kmv_key_groups_init(&s->sample, &s->in, n < KMV_LSH_AT_ONCE ? n : KMV_LSH_AT_ONCE, err);
}

kmv_status kmv_lsh_plan(const kmv_problem *problem, const kmv_lsh_options *options,
                        const kmv_prepare_context *context, double most, kmv_lsh **out,
                        kmv_error *err)
{
    const kmv_settings *settings = context->settings;
    kmv_lsh *s = kmv_alloc(1, sizeof *s, "plan", err);
    kmv_status st = KMV_ENOMEM;
    double aim, cost = 0;

    if (s == NULL)
        return st;
    s->problem = problem;
    s->o = options;
    s->threads = context->threads;
    s->text = context->text;
    s->text_size = context->text_size;
    aim = settings->eps * (s->o->safety > 0 ? 1 / s->o->safety : sqrt(settings->delta));
    s->target2 = aim * aim;
    if ((s->rng = kmv_rng_create(context->key, err)) == NULL ||
        (st = kmv_hash_input_init(&s->in, problem, context->tile, fmin(0.01, settings->eps / 30),
                                  s->threads, context->cost, err)) != KMV_OK ||
        (most < INFINITY && (st = look(s, context, &cost, err)) != KMV_OK) ||
        (cost <= most && (st = plan_tables(s, context, err)) != KMV_OK) || cost > most) {
        kmv_lsh_destroy(s);
        *out = NULL;
        return st;
    }
    *out = s;
    return KMV_OK;
}

kmv_status kmv_lsh_build(kmv_lsh *s, size_t r, kmv_cost *cost, kmv_error *err)
{
    kmv_status st = KMV_OK;

    if (s->o->pilot > 0)
        st = kmv_lsh_rest_init(&s->rest, &s->survey, &s->choice, cost, err);
    kmv_lsh_survey_clear(&s->survey);
    if (st != KMV_OK ||
        (st = kmv_hash_tables_create(&s->in, s->choice.tables, s->choice.shape, r, s->rng,
                                     s->threads, &s->tables, cost, err)) != KMV_OK ||
        (st = kmv_lsh_rest_group(&s->rest, s->tables, err)) != KMV_OK)
        return st;
    s->joined = s->choice.tables;
    return reserve(s, r, err);
}
