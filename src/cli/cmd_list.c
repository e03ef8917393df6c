/* cli/cmd_list.c - `kmv list`: algorithms, generators, instruction sets, metrics, kinds of figures.
 */
#include <string.h>

#include "algo/algo.h"
#include "base/option.h"
#include "base/status.h"
#include "bench/figure.h"
#include "bench/record.h"
#include "cli/commands.h"
#include "data/synth.h"
#include "gauss/tile.h"

static void list_options(const kmv_option *table, FILE *out)
{
    for (const kmv_option *o = table; o != NULL && o->name != NULL; o++) {
        char domain[256];

        kmv_option_domain(o, domain, sizeof domain);
        fprintf(out, "    %-14s %s; %s (default %s)\n", o->name, o->help, domain, o->initial);
    }
}

static void list_algos(FILE *out)
{
    static const struct {
        unsigned flag;
        const char *word;
    } words[] = {{KMV_CAN_GAUSS, "gauss"},     {KMV_CAN_SOFTMAX, "softmax"},
                 {KMV_CAN_CAUSAL, "causal"},   {KMV_CAN_COLUMNS, "r>1"},
                 {KMV_CAN_SIGNED, "signed-x"}, {KMV_CAN_HEADS, "heads"},
                 {KMV_USES_EPS, "uses-eps"},   {KMV_IS_RANDOM, "random"}};
    const kmv_algo *a;

    for (size_t i = 0; (a = kmv_algo_at(i)) != NULL; i++) {
        fprintf(out, "%s - %s\n    does:     ", a->name, a->summary);
        for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
            if (a->flags & words[w].flag)
                fprintf(out, " %s", words[w].word);
        }
        fprintf(out, "\n    guarantee: %s\n    source:    %s\n", a->guarantee, a->source);
        list_options(a->options, out);
    }
}

static void list_generators(FILE *out)
{
    const kmv_generator *g;

    for (size_t i = 0; (g = kmv_generator_at(i)) != NULL; i++) {
        fprintf(out, "%s - %s\n    source:    %s\n", g->name, g->summary, g->source);
        list_options(g->options, out);
    }
}

static void list_isas(FILE *out)
{
    const kmv_tile *t;

    for (size_t i = 0; (t = kmv_tile_at(i)) != NULL; i++)
        fprintf(out, "%-10s %s%s%s\n", t->name, t->summary,
                t->can_run() ? "" : " (not on this machine)",
                t == kmv_tile_best() ? " (default)" : "");
}

static void list_metrics(FILE *out)
{
    for (const kmv_column *c = kmv_record_schema.columns; c->name != NULL; c++)
        fprintf(out, "%-14s %s%s%s%s\n", c->name, c->help, c->unit[0] != '\0' ? " [" : "", c->unit,
                c->unit[0] != '\0' ? "]" : "");
}

static void list_figures(FILE *out)
{
    for (const kmv_figure_kind *k = kmv_figure_kinds; k->name != NULL; k++)
        fprintf(out, "%-18s %s\n", k->name, k->summary);
}

static const struct {
    const char *name;
    void (*print)(FILE *out);
} topics[] = {
    {"algos", list_algos},     {"generators", list_generators}, {"isas", list_isas},
    {"metrics", list_metrics}, {"figures", list_figures},
};

static kmv_status run(kmv_cli *cli, const kmv_args *args, int *exit_code, kmv_error *err)
{
    const char *wanted = args->n_positional > 0 ? args->positional[0] : NULL;
    int found = 0;

    (void)exit_code;
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        if (wanted != NULL && strcmp(wanted, topics[i].name) != 0)
            continue;
        if (wanted == NULL)
            fprintf(cli->out, "%s== %s\n", found ? "\n" : "", topics[i].name);
        topics[i].print(cli->out);
        found = 1;
    }
    if (!found)
        return kmv_fail(err, KMV_EINVAL,
                        "list: want algos, generators, isas, metrics or figures, got '%s'", wanted);
    return KMV_OK;
}

const kmv_command kmv_command_list = {
    .name = "list",
    .usage = "list [algos|generators|isas|metrics|figures]",
    .summary = "what there is, with options, defaults, guarantees and sources",
    .positional_max = 1,
    .run = run,
};
