/* gauss/join_body.h - the one template of all join kernels; included once by each join_<isa>.c
 * after its vec_<isa>_body.h, ROWS (queries at a time), VECS (groups at a time) and NAME,
 * NAME_TEXT. A group is one vector of keys. */
#include <math.h>
#include <string.h>

#include "gauss/join.h"

#define UNROLL     _Pragma("GCC unroll 16")
#define EACH(i, n) UNROLL for (size_t i = 0; i < (n); i++)
#define ALWAYS     static inline __attribute__((always_inline))

/* acc += q k over all dimensions, `vecs` groups at k. */
ALWAYS void dots_of(const float *const *q, const float *k, size_t d, const size_t vecs,
                    vec acc[ROWS][VECS])
{
    const float *row[ROWS];

    EACH(i, ROWS)
    row[i] = q[i];
    for (size_t l = 0; l < d; l++, k += VL) {
        vec key[VECS];

        EACH(v, vecs)
        key[v] = v_load(k + v * d * VL);
        EACH(i, ROWS)
        {
            const vec query = v_set1(row[i][l]);

            EACH(v, vecs)
            v_add_product(acc[i][v], query, key[v]);
        }
    }
}

/* sum[c][i] += the groups from `group` on, `vecs` of them. */
ALWAYS void join_groups(const kmv_join_call *call, size_t group, const size_t vecs,
                        vec sum[KMV_JOIN_COLUMNS][ROWS])
{
    const size_t first = group * VL;
    const int clipped = call->clip < INFINITY;
    const vec clip = v_set1(call->clip);
    vec e[ROWS][VECS], p[ROWS][VECS];

    EACH(i, ROWS)
    EACH(v, vecs)
    e[i][v] = v_add(v_load(call->b + first + v * VL), v_set1(call->a[i]));
    dots_of(call->q, call->k + first * call->d, call->d, vecs, e);
    EACH(i, ROWS)
    EACH(v, vecs)
    p[i][v] = v_exp2(e[i][v]);
    for (size_t t = 0; t < call->earlier; t++) {
        EACH(v, vecs)
        {
            const ints code = vi_load(call->key_code[t] + first + v * VL);

            EACH(i, ROWS)
            p[i][v] =
                v_where_differ(p[i][v], code, vi_set1(call->code[t][i]), vi_set1(call->mask[t][i]));
        }
    }
    for (size_t c = 0; c < call->columns; c++) {
        const float *light = call->light + c * call->ldw + first;
        const float *heavy = clipped ? call->heavy + c * call->ldw + first : light;

        EACH(v, vecs)
        {
            const vec below = v_load(light + v * VL), above = v_load(heavy + v * VL);

            EACH(i, ROWS)
            sum[c][i] = v_fma(p[i][v], clipped ? v_where_above(e[i][v], clip, above, below) : below,
                              sum[c][i]);
        }
    }
}

static void join(const kmv_join_call *call)
{
    const mode saved = mode_enter();
    vec sum[KMV_JOIN_COLUMNS][ROWS];
    size_t group = 0;

    for (size_t c = 0; c < call->columns; c++) {
        EACH(i, ROWS)
        sum[c][i] = v_set1(0);
    }
    for (; group + VECS <= call->groups; group += VECS)
        join_groups(call, group, VECS, sum);
    for (; group < call->groups; group++)
        join_groups(call, group, 1, sum);
    for (size_t c = 0; c < call->columns; c++) {
        EACH(i, ROWS)
        call->y[c * ROWS + i] = v_sum(sum[c][i]);
    }
    mode_leave(saved);
}

static void dots(const float *const *q, const float *k, size_t groups, size_t d, float *out)
{
    const size_t ld = groups * VL;

    for (size_t group = 0; group < groups; group++, k += d * VL, out += VL) {
        vec acc[ROWS][VECS];

        EACH(i, ROWS)
        acc[i][0] = v_set1(0);
        dots_of(q, k, d, 1, acc);
        EACH(i, ROWS)
        v_store(out + i * ld, acc[i][0]);
    }
}

/* Loops of fixed length over integers, for the compiler to vectorise. */
ALWAYS void signs_of(const float *product, const uint32_t lanes, uint32_t bits, size_t wild,
                     uint32_t *code, uint32_t *sure)
{
    uint32_t raw[KMV_JOIN_BITS], size[KMV_JOIN_BITS], word = 0;

    memcpy(raw, product, lanes * sizeof *raw);
    for (uint32_t l = 0; l < lanes; l++)
        word |= (raw[l] >> 31 == 0 || raw[l] == 0x80000000u ? 1u : 0u) << l;
    *sure = (uint32_t)(((uint64_t)1 << bits) - 1);
    *code = word & *sure;
    if (wild == 0)
        return;
    /* |product| in the order of its bits, with the number of the bit in the last five. */
    for (uint32_t l = 0; l < lanes; l++)
        size[l] = l < bits ? (raw[l] & 0x7fffffe0u) | l : UINT32_MAX;
    for (size_t w = 0; w < wild; w++) {
        uint32_t least = UINT32_MAX;

        for (size_t l = 0; l < lanes; l++)
            least = size[l] < least ? size[l] : least;
        for (size_t l = 0; l < lanes; l++)
            size[l] = size[l] == least ? UINT32_MAX : size[l];
        *sure &= ~(1u << (least & 31));
    }
}

static void signs(const float *product, size_t bits, size_t wild, uint32_t *code, uint32_t *sure)
{
    if (bits <= 16)
        signs_of(product, 16, (uint32_t)bits, wild, code, sure);
    else
        signs_of(product, KMV_JOIN_BITS, (uint32_t)bits, wild, code, sure);
}

static void pack(const float *const *row, size_t d, float *k)
{
    for (size_t l = 0; l < d; l++) {
        for (size_t s = 0; s < VL; s++)
            k[l * VL + s] = row[s][l];
    }
}

const kmv_join_kernel NAME = {.name = NAME_TEXT,
                              .rows = ROWS,
                              .width = VL,
                              .join = join,
                              .dots = dots,
                              .signs = signs,
                              .pack = pack};
