/* Scores of leaves and the plan made from them: shares and column norms against float64, the
 * threshold that was asked for, probabilities that meet their target. */
#include "softmax_points.h"

#include "algo/leaf_plan.h"
#include "algo/leaf_sample.h"

/* Divisible by twice the blocks of every unit, so that the pilot's halves are equally large. */
enum { N_Q = 768, N_K = 1100, D = 24 };

typedef struct {
    kmv_points q, k;
    kmv_problem problem;
    kmv_leaf_frame frame;
    kmv_leaf_set queries, keys;
    kmv_leaf_scores scores;
} fixture;

static void pack_and_score(fixture *f, int threads)
{
    kmv_cost cost = {0};
    kmv_error err;

    kmv_leaf_set_pack(&f->queries, &f->frame, &f->q, NULL, N_Q, 1, &cost);
    kmv_leaf_set_pack(&f->keys, &f->frame, &f->k, NULL, N_K, 1, &cost);
    kmv_leaf_scores_clear(&f->scores);
    CHECK_OK(kmv_leaf_scores_create(&f->scores, &f->problem, &f->frame, &f->queries, &f->keys,
                                    threads, &cost, &err));
}

static void start_with(fixture *f, const kmv_tile *t, int causal, int threads, double spread)
{
    const kmv_attend_unit u = kmv_attend_unit_of(t, D);
    kmv_error err;

    *f = (fixture){0};
    clusters(&f->q, N_Q, D, 12, spread, 0.3, 1, 5);
    clusters(&f->k, N_K, D, 12, spread, 0.3, 1, 5);
    f->problem = (kmv_problem){
        .q = &f->q, .k = &f->k, .matrix = KMV_SOFTMAX, .causal = causal, .sigma = 1.6};
    CHECK_OK(kmv_leaf_frame_init(&f->frame, &f->problem, &err));
    CHECK_OK(kmv_leaf_set_init(&f->queries, &u, 0, 2, N_Q, D, &err));
    CHECK_OK(kmv_leaf_set_init(&f->keys, &u, 1, 2, N_K, D, &err));
    pack_and_score(f, threads);
}

static void start(fixture *f, const kmv_tile *t, int causal, int threads)
{
    start_with(f, t, causal, threads, 1);
}

static void stop(fixture *f)
{
    kmv_leaf_scores_clear(&f->scores);
    kmv_leaf_set_clear(&f->queries);
    kmv_leaf_set_clear(&f->keys);
    kmv_leaf_frame_clear(&f->frame);
    kmv_points_clear(&f->q);
    kmv_points_clear(&f->k);
}

static kmv_leaf_plan plan_of(const fixture *f, double eps, double least_share, size_t rows,
                             int threads)
{
    kmv_leaf_plan plan = {0};
    kmv_cost cost = {0};
    kmv_error err;

    CHECK_OK(kmv_leaf_plan_create(&plan, &f->problem, &f->frame, &f->keys, &f->queries, &f->scores,
                                  eps, least_share, rows, threads, 11, &cost, &err));
    assert_true(plan.rows == rows || plan.rows == 2 * rows);
    if (f->problem.causal) /* leaves that no row of a group sees are left out */
        assert_true(cost.pairs > 0 && cost.pairs < (double)plan.rows * N_K);
    else
        CHECK_CLOSE(cost.pairs, (double)plan.rows * N_K, 0);
    return plan;
}

/* Two parts of bfloat16, or floats: coordinates err by 2^-18, logits here are below 15, so that
 * entries err by 15 3 2^-18 + .. < 3e-4, ratios by twice that. */
static const double SHARE_ERROR = 6e-4;

/* Shares by hand: softmax over the centroids a row sees part of, each row's square, their mean over
 * every second row. */
static void shares(void **state)
{
    const kmv_tile *t;

    (void)state;
    for (int variant = 0; (t = kmv_tile_at((size_t)variant / 2)) != NULL; variant++) {
        fixture f;
        size_t each, rows;
        double *logits;

        if (!t->can_run())
            continue;
        start(&f, t, variant % 2, 1);
        each = f.keys.each, rows = f.queries.each;
        logits = malloc(f.keys.count * sizeof *logits);
        for (size_t b = 0; b < f.scores.blocks; b += 5) {
            double *square = calloc(f.keys.count, sizeof *square);

            for (size_t i = b * rows + 1; i < (b + 1) * rows; i += 2) {
                const size_t seen = kmv_leaf_seen(&f.problem, i), leaves = (seen + each - 1) / each;
                double top = -INFINITY, sum = 0;

                assert_int_equal(seen, variant % 2 ? i + N_K - N_Q + 1 : N_K);
                for (size_t l = 0; l < leaves; l++) {
                    const size_t end = (l + 1) * each < N_K ? (l + 1) * each : N_K;

                    logits[l] = 0;
                    for (size_t j = l * each; j < end; j++)
                        logits[l] += logit(&f.problem, i, j) / (double)(end - l * each);
                    top = logits[l] > top ? logits[l] : top;
                }
                for (size_t l = 0; l < leaves; l++)
                    sum += exp(logits[l] - top);
                for (size_t l = 0; l < leaves; l++)
                    square[l] += pow(exp(logits[l] - top) / sum, 2) * 2 / (double)rows;
            }
            for (size_t l = 0; l < f.keys.count; l++)
                CHECK_CLOSE((double)f.scores.share[b * f.scores.ld + l], sqrt(square[l]),
                            SHARE_ERROR * sqrt(square[l]) + 1e-18);
            free(square);
        }
        free(logits);
        stop(&f);
    }
}

/* Gauss: the masses that centroids predict, root mean square over the rows that there are: the last
 * block is not full. Entries err by 3e-4 as above. */
static void masses_of_the_last_block(void **state)
{
    enum { LACKS = 5 };
    fixture f;
    kmv_cost cost = {0};
    kmv_error err;
    size_t each, last, rows;

    (void)state;
    start(&f, kmv_tile_best(), 0, 1);
    f.q.n = N_Q - LACKS;
    f.problem.matrix = KMV_GAUSS;
    kmv_leaf_frame_clear(&f.frame);
    CHECK_OK(kmv_leaf_frame_init(&f.frame, &f.problem, &err));
    kmv_leaf_set_pack(&f.queries, &f.frame, &f.q, NULL, f.q.n, 1, &cost);
    kmv_leaf_set_pack(&f.keys, &f.frame, &f.k, NULL, N_K, 1, &cost);
    kmv_leaf_scores_clear(&f.scores);
    CHECK_OK(kmv_leaf_scores_create(&f.scores, &f.problem, &f.frame, &f.queries, &f.keys, 1, &cost,
                                    &err));
    each = f.keys.each, rows = f.queries.each, last = f.scores.blocks - 1;
    for (size_t l = 0; l < N_K / each; l++) {
        double square = 0;

        for (size_t i = last * rows; i < f.q.n; i++) {
            double distance2 = 0;

            for (size_t c = 0; c < D; c++) {
                double centre = 0;

                for (size_t j = l * each; j < (l + 1) * each; j++)
                    centre += (double)f.k.x[j * f.k.ld + c] / (double)each;
                distance2 += pow((double)f.q.x[i * f.q.ld + c] - centre, 2);
            }
            square += pow((double)each * exp(-distance2 / (2 * 1.6 * 1.6)), 2) /
                      (double)(f.q.n - last * rows);
        }
        CHECK_CLOSE((double)f.scores.share[last * f.scores.ld + l], sqrt(square),
                    SHARE_ERROR * sqrt(square) + 1e-12);
    }
    stop(&f);
}

/* With every row in the pilot, c_j^2 is sum P_ij^2 over the light pairs, exactly but for rounding:
 * the halves count every row once each, doubled. And the threshold asked for is the one used. */
static void column_norms(void **state)
{
    static const double asked[] = {1e-9, 1e-3, 0.07, 0.26, 0.9, 2};
    double *c2 = malloc(N_K * sizeof *c2), *row = malloc(N_K * sizeof *row);

    (void)state;
    for (size_t m = 0; m < sizeof asked / sizeof *asked; m++) {
        const int causal = (int)m % 2;
        kmv_leaf_plan plan;
        double heavy = 0;
        fixture f;

        start(&f, kmv_tile_best(), causal, 1);
        plan = plan_of(&f, 0.1, asked[m], N_Q, 2);
        assert_true(plan.least_share == asked[m] && !plan.all);
        memset(c2, 0, N_K * sizeof *c2);
        for (size_t i = 0; i < N_Q; i++) {
            const size_t b = i / f.queries.each, seen = kmv_leaf_seen(&f.problem, i);
            const size_t partial = kmv_leaf_scores_partial(&f.problem, &f.queries, &f.keys, b);
            const size_t visible =
                kmv_leaf_scores_visible(&f.scores, &f.problem, &f.queries, &f.keys, b);
            double sum = 0;

            assert_true(partial <= seen / f.keys.each + 1 && visible * f.keys.each >= seen);
            for (size_t j = 0; j < seen; j++)
                sum += row[j] = exp(logit(&f.problem, i, j));
            for (size_t l = 0; l < visible; l++) {
                const int visits = kmv_leaf_plan_visits(&plan, &f.scores, b, l, partial);

                if (l < partial)
                    assert_int_equal(visits,
                                     (double)f.scores.share[b * f.scores.ld + l] >= asked[m]);
                else
                    assert_int_equal(visits, 1);
                heavy += visits ? (double)f.keys.each / N_Q : 0;
                for (size_t j = l * f.keys.each; j < (l + 1) * f.keys.each && !visits; j++)
                    if (j < seen)
                        c2[j] += pow(row[j] / sum, 2);
            }
        }
        CHECK_CLOSE(plan.heavy, heavy, 1e-9 * heavy + 1e-9);
        for (size_t j = 0; j < N_K; j++)
            CHECK_CLOSE((double)(plan.c2[0][j] + plan.c2[1][j]) / 2, c2[j],
                        4 * SHARE_ERROR * c2[j] + 1e-15);
        kmv_leaf_plan_clear(&plan);
        stop(&f);
    }
    free(c2);
    free(row);
}

/* A smaller error asks for more: leaves of smaller share, more keys; at last for everything. */
static void monotone(void **state)
{
    double least = 1, heavy = 0;
    kmv_leaf_plan plan, again;
    fixture f;

    (void)state;
    start(&f, kmv_tile_best(), 0, 2);
    for (double eps = 1.6; eps > 0.01; eps /= 2) {
        plan = plan_of(&f, eps, 0, 128, 1);
        again = plan_of(&f, eps, 0, 128, 2); /* the same bits from two threads */
        assert_true(plan.all || plan.least_share <= least);
        assert_true(plan.heavy >= heavy);
        least = plan.least_share;
        heavy = plan.heavy;
        assert_true(again.least_share == least && again.heavy == heavy && again.all == plan.all);
        assert_memory_equal(plan.c2[0], again.c2[0], N_K * sizeof(float));
        assert_memory_equal(plan.c2[1], again.c2[1], N_K * sizeof(float));
        assert_memory_equal(plan.prior2, again.prior2, N_K * sizeof(float));
        kmv_leaf_plan_clear(&plan);
        kmv_leaf_plan_clear(&again);
    }
    plan = plan_of(&f, 1e-7, 0, 128, 1);
    assert_true(plan.all);
    assert_int_equal(kmv_leaf_plan_visits(&plan, &f.scores, 0, 3, f.keys.count), 1);
    kmv_leaf_plan_clear(&plan);
    stop(&f);
}

/* Weights that are all about 1 / n_k: c_j^2 = n_q / n_k^2, so that m columns err by 1 / m of the
 * values' mean square in each row, and eps = 0.2 takes 25 n_q / n_k samples. Every leaf has about
 * the same small share, far above the least threshold; none needs a visit. */
static void flat(void **state)
{
    const kmv_tile *t;

    (void)state;
    for (size_t n = 0; (t = kmv_tile_at(n)) != NULL; n++) {
        kmv_leaf_plan plan;
        fixture f;

        if (!t->can_run())
            continue;
        start_with(&f, t, 0, 1, 0);
        plan = plan_of(&f, 0.2, 0, 128, 1);
        assert_true(!plan.all && plan.heavy == 0 && plan.rows == 128);
        CHECK_CLOSE(plan.sampled, 25.0 * N_Q / N_K, 5);
        kmv_leaf_plan_clear(&plan);
        stop(&f);
    }
}

/* One row in 30 looks for one key, among weights that are all alike otherwise: of 128 pilot rows
 * some 4 carry the error predicted, and as many rows again are computed. */
static void in_doubt(void **state)
{
    enum { EVERY = 30, KEY = 7 };
    uint32_t seed = 3;
    kmv_leaf_plan plan;
    fixture f;

    (void)state;
    start_with(&f, kmv_tile_best(), 0, 1, 0);
    plan = plan_of(&f, 0.2, 0, 128, 1);
    assert_true(!plan.all && plan.rows == 128);
    kmv_leaf_plan_clear(&plan);
    for (size_t i = 0; i < N_Q; i += EVERY) {
        float *key = f.k.x + i * KEY % N_K * f.k.ld, *query = f.q.x + i * f.q.ld;

        for (size_t l = 0; l < D; l++) { /* a logit above 20, of the leaf's centroid below 1 */
            key[l] += (float)(4 * draw(&seed));
            query[l] += 2 * key[l];
        }
    }
    pack_and_score(&f, 1);
    plan = plan_of(&f, 0.2, 0, 128, 1);
    assert_true(plan.rows == 256);
    kmv_leaf_plan_clear(&plan);
    stop(&f);
}

/* V, planned on one half and judged by the other, plus 1.5 of its standard errors where every
 * column's part counts as one observation. An entry t drawn with chance p is t/p of a row whose sum
 * it changes by as much; where the other half has less than a quarter of a column's c_j^2, what
 * exceeds four times that is one entry of one of the pilot's rows. score + h n holds the scores
 * planned on h; m is read off any p_j < 1, and taken `factor` times. */
static double judged(const kmv_leaf_plan *plan, const float *value2, const float *score,
                     const float *p, double factor)
{
    double m = 0, v = 0, squares = 0;

    for (size_t j = 0; j < N_K; j++)
        m = p[j] < 1 && p[j] > 0 ? factor * (double)p[j] / (double)score[2 * N_K + j] : m;
    for (size_t j = 0; j < N_K; j++) {
        for (size_t h = 0; h < 2; h++) {
            const double chance = m * (double)score[h * N_K + j];
            const double w = value2 != NULL ? (double)value2[j] : 1;
            const double c2 = (double)plan->c2[1 - h][j], other = (double)plan->c2[h][j];
            const double t2 = (c2 - 4 * other) * (double)plan->rows / 2 / N_Q;
            const double t = t2 > 1e-12 ? sqrt(fmin(t2, 1)) : 1e-6, drawn = t / chance;
            const double part = chance * pow(drawn / (drawn + 1 - t) - t, 2) + (1 - chance) * t * t;

            if (chance < 1 && w > 0) {
                v += c2 * w * part / (t * t) / 2;
                squares += pow(c2 * w * part / (t * t) / 2, 2);
            }
        }
    }
    return v + 1.5 * sqrt(squares);
}

static void probabilities(void **state)
{
    float *score = malloc(KMV_LEAF_PLAN_ROOM * N_K * sizeof *score), *p = malloc(N_K * sizeof *p);
    float *value2 = malloc(N_K * sizeof *value2);
    double before = 0;
    uint32_t seed = 1;
    kmv_leaf_plan plan;
    fixture f;

    (void)state;
    start(&f, kmv_tile_best(), 0, 1);
    plan = plan_of(&f, 0.1, 0.05, 128, 1);
    for (size_t j = 0; j < N_K; j++) /* among them values of nothing and one that outweighs all */
        value2[j] = j % 10 == 0 ? 0 : j == 77 ? 1e4f : (float)(draw(&seed) + 0.6);
    for (int given = 0; given < 2; given++) {
        before = 0;
        for (double eps = 0.5; eps > 0.01; eps /= 2) {
            const double target = eps * eps * (given ? 1e4 : N_K);
            const double sum =
                kmv_leaf_plan_probabilities(&plan, given ? value2 : NULL, target, score, p);
            double total = 0;

            for (size_t j = 0; j < N_K; j++) {
                assert_true(p[j] >= 0 && p[j] <= 1 && (given && value2[j] == 0) == (p[j] == 0));
                total += (double)p[j];
            }
            CHECK_CLOSE(total, sum, 1e-9 * sum);
            assert_true(sum >= before); /* a smaller target asks for more */
            before = sum;
            /* m is known to 1 %. V follows it, less closely where less than one column is wanted,
             * and more are then drawn anyway. */
            if (sum < N_K * 0.8) {
                const float *w = given ? value2 : NULL;
                const double v = judged(&plan, w, score, p, 1);

                CHECK_CLOSE(v, target, (sum >= 1 ? 0.03 : 0.05) * target);
                assert_true(v <= 1.03 * target);
                assert_true(sum < 1 || judged(&plan, w, score, p, 0.98) >= target);
                assert_true(sum < 1 || judged(&plan, w, score, p, 1.02) <= target);
            }
        }
    }
    memset(value2, 0, N_K * sizeof *value2); /* nothing to sample for */
    CHECK_CLOSE(kmv_leaf_plan_probabilities(&plan, value2, 1, score, p), 0, 0);
    kmv_leaf_plan_clear(&plan);
    stop(&f);
    free(score);
    free(p);
    free(value2);
}

/* Keys visited and sampled for these values, at the planned threshold alone or at the best. */
static double keys_for(kmv_leaf_plan *plan, const float *value2, double target, int only_planned,
                       float *score, float *p)
{
    const double planned = kmv_leaf_survey_threshold(&plan->survey, plan->planned);
    double sum;

    plan->survey.asked = only_planned ? planned : 0; /* what was asked for is all there is */
    sum = kmv_leaf_plan_probabilities(plan, value2, target, score, p);
    plan->survey.asked = 0;
    return plan->heavy + sum;
}

/* Values that lie in few columns want another threshold than even ones: never at more keys, at
 * times at far fewer. From a threshold much too large or too small the search comes near the one
 * that was planned for even values. */
static void fits_the_values(void **state)
{
    float *score = malloc(KMV_LEAF_PLAN_ROOM * N_K * sizeof *score), *p = malloc(N_K * sizeof *p);
    float *value2 = malloc(N_K * sizeof *value2);
    kmv_leaf_plan plan;
    double most = 0;
    fixture f;

    (void)state;
    start(&f, kmv_tile_best(), 0, 1);
    plan = plan_of(&f, 0.04, 0, 128, 1);
    assert_true(!plan.all && plan.planned > 0 && plan.planned < 5);
    for (size_t leaf = 0; leaf < 32; leaf++) {
        const double planned = kmv_leaf_survey_threshold(&plan.survey, plan.planned);
        double norm2 = 0, alone, best;

        for (size_t j = 0; j < N_K; j++) {
            value2[j] = j / 32 % 32 == leaf ? 1 : 1e-4f;
            norm2 += (double)value2[j];
        }
        alone = keys_for(&plan, value2, 0.0016 * norm2, 1, score, p);
        assert_true(plan.least_share == planned);
        best = keys_for(&plan, value2, 0.0016 * norm2, 0, score, p);
        assert_true(best <= alone);
        most = fmax(most, alone / best);
    }
    assert_true(most > 1.5);
    {
        const int planned = plan.planned;
        const double want = keys_for(&plan, NULL, 0.0016 * N_K, 1, score, p);

        plan.planned = 0;
        assert_true(keys_for(&plan, NULL, 0.0016 * N_K, 1, score, p) > 1.2 * want);
        assert_true(keys_for(&plan, NULL, 0.0016 * N_K, 0, score, p) < 1.1 * want);
        assert_true(plan.least_share < kmv_leaf_survey_threshold(&plan.survey, 0));
        plan.planned = 5; /* two thirds of all keys */
        assert_true(keys_for(&plan, NULL, 0.0016 * N_K, 1, score, p) > 1.2 * want);
        assert_true(keys_for(&plan, NULL, 0.0016 * N_K, 0, score, p) < 1.1 * want);
        plan.planned = planned;
    }
    kmv_leaf_plan_clear(&plan);
    stop(&f);
    free(score);
    free(p);
    free(value2);
}

/* 64 columns, of which half hold all, each as much by either half of the pilot: s_j = 0.85/32 +
 * 0.15/64 there, and with p = m s_j below 1 the 32 parts c^2 (1/p - 1) and their standard error,
 * 1/sqrt 64 of them, are c^2 = 1 each: 32 (1/p - 1) (1 + 1.5/8) = target. From any guess, those
 * among them at which every column is certain. */
static void any_guess(void **state)
{
    enum { COLUMNS = 64 };
    static const double guesses[] = {0, 1, 20, 300, 1e9};
    float c2[COLUMNS], ones[COLUMNS], room[KMV_LEAF_PLAN_ROOM][COLUMNS];
    kmv_leaf_sample x = {.n = COLUMNS,
                         .stride = 1,
                         .per_row = 0.01f,
                         .c2 = {c2, c2},
                         .prior2 = ones,
                         .s = {room[0], room[1], room[2]},
                         .t = {room[3], room[4]}};

    (void)state;
    for (size_t j = 0; j < COLUMNS; j++) {
        c2[j] = j % 2 == 0;
        ones[j] = 1;
    }
    kmv_leaf_sample_set(&x);
    for (size_t g = 0; g < sizeof guesses / sizeof *guesses; g++) {
        for (double target = 4; target < 400; target *= 3) {
            const double p = 1 / (1 + target / 38), s = 0.85 / 32 + 0.15 / 64;
            double doubt;

            CHECK_CLOSE(kmv_leaf_sample_size(&x, target, guesses[g], 1e-3, &doubt), p / s,
                        2e-3 * p / s);
            CHECK_CLOSE(doubt, 0.125, 1e-6);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares),       cmocka_unit_test(masses_of_the_last_block),
        cmocka_unit_test(column_norms), cmocka_unit_test(monotone),
        cmocka_unit_test(flat),         cmocka_unit_test(probabilities),
        cmocka_unit_test(in_doubt),     cmocka_unit_test(fits_the_values),
        cmocka_unit_test(any_guess),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
