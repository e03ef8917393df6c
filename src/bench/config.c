/* bench/config.c - see config.h. The sections of the INI file, each by a table of its keys. */
#include "bench/config.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/option.h"
#include "base/status.h"
#include "base/str.h"
#include "bench/claim.h"
#include "bench/config_check.h"
#include "bench/config_keys.h"
#include "bench/figure.h"
#include "bench/sigma.h"
#include "data/synth.h"

enum { SCRATCH = 512, ENTRIES_MAX = 32, FILE_MAX = 1 << 20 };

static const kmv_value_key experiment_keys[] = {
    KMV_VALUE(kmv_config, "name", KMV_VALUE_TEXT, name, 0, 0),
    KMV_VALUE(kmv_config, "title", KMV_VALUE_TEXT, title, 0, 0),
    KMV_VALUE(kmv_config, "seed", KMV_VALUE_SIZE, seed, 0, 1e18),
    KMV_VALUE(kmv_config, "reps", KMV_VALUE_SIZE, reps, 1, 1e6),
    KMV_VALUE(kmv_config, "min_time", KMV_VALUE_SECONDS, min_time_s, 0, 1e6),
    KMV_VALUE(kmv_config, "verify_rows", KMV_VALUE_SIZE, verify_rows, 2, 1e9),
    KMV_VALUE(kmv_config, "verify_pairs", KMV_VALUE_REAL, verify_pairs_max, 0, 1e18),
    KMV_VALUE(kmv_config, "op_norm_pairs", KMV_VALUE_REAL, op_norm_pairs_max, 0, 1e18),
    KMV_VALUE(kmv_config, "limit_time", KMV_VALUE_SECONDS, limit_time_s, 1e-3, 1e9),
    KMV_VALUE(kmv_config, "limit_memory", KMV_VALUE_BYTES, limit_memory_b, 1e6, 1e18),
    {0},
};

static const kmv_value_key measure_keys[] = {
    KMV_VALUE(kmv_config_measure, "drop_first", KMV_VALUE_SIZE, drop_first, 0, 1e9),
    KMV_VALUE(kmv_config_measure, "rows", KMV_VALUE_SIZE, rows, 2, 1e9),
    KMV_VALUE(kmv_config_measure, "op_norm", KMV_VALUE_BOOL, op_norm, 0, 0),
    {0},
};

static const kmv_list_key sweep_lists[] = {
    {"dataset", offsetof(kmv_config_sweep, dataset), NULL},
    {"algo", offsetof(kmv_config_sweep, algo), kmv_check_algo},
    {"matrix", offsetof(kmv_config_sweep, matrix), kmv_check_matrix},
    {"causal", offsetof(kmv_config_sweep, causal), kmv_check_causal},
    {"center", offsetof(kmv_config_sweep, center), kmv_check_center},
    {"n", offsetof(kmv_config_sweep, n), kmv_check_n},
    {"d", offsetof(kmv_config_sweep, d), kmv_check_count},
    {"sigma", offsetof(kmv_config_sweep, sigma), kmv_sigma_check},
    {"eps", offsetof(kmv_config_sweep, eps), kmv_check_eps},
    {"delta", offsetof(kmv_config_sweep, delta), kmv_check_delta},
    {"x", offsetof(kmv_config_sweep, x), kmv_check_x},
    {"threads", offsetof(kmv_config_sweep, threads), kmv_check_threads},
    {"isa", offsetof(kmv_config_sweep, isa), kmv_check_isa},
    {0},
};

static const kmv_list_key measure_lists[] = {
    {"dataset", offsetof(kmv_config_measure, dataset), NULL},
    {"matrix", offsetof(kmv_config_measure, matrix), kmv_check_measure_matrix},
    {"causal", offsetof(kmv_config_measure, causal), kmv_check_causal},
    {"center", offsetof(kmv_config_measure, center), kmv_check_center},
    {"n", offsetof(kmv_config_measure, n), kmv_check_n},
    {"sigma", offsetof(kmv_config_measure, sigma), kmv_sigma_check},
    {0},
};

/* ---- sections -------------------------------------------------------------------------------- */

static kmv_status take_experiment(kmv_config *c, const kmv_ini_section *s, kmv_error *err)
{
    kmv_status st = KMV_OK;

    if (*s->name != '\0')
        return kmv_section_fail(c, s, "want no name here (use name = ...)", err);
    for (size_t i = 0; st == KMV_OK && i < s->count; i++)
        st = kmv_entry_set(c, s, &s->entries[i], NULL, experiment_keys, c, err);
    return st;
}

static kmv_status generator_option(const kmv_config *c, const kmv_generator *g,
                                   const kmv_ini_entry *e, kmv_config_dataset *d, kmv_error *err)
{
    _Alignas(max_align_t) unsigned char scratch[SCRATCH];
    const size_t used = strlen(d->options);
    kmv_status st = KMV_OK;

    if (strcmp(e->key, "n") == 0 || strcmp(e->key, "d") == 0)
        st = kmv_fail(err, KMV_EINVAL, "want it in [sweep] or [measure], not in [dataset]");
    else if (g->options_size > sizeof scratch)
        st = kmv_fail(err, KMV_EINTERNAL, "options of %zu bytes", g->options_size);
    else
        st = kmv_option_set(g->options, scratch, e->key, e->value, err);
    if (st == KMV_OK &&
        (size_t)snprintf(d->options + used, sizeof d->options - used, "%s%s=%s",
                         used > 0 ? "," : "", e->key, e->value) >= sizeof d->options - used)
        st = kmv_fail(err, KMV_EINVAL, "want less than %zu characters of options",
                      sizeof d->options);
    return st == KMV_OK ? KMV_OK : kmv_entry_fail(c, e->line, e->key, st, err);
}

static const kmv_ini_entry *find_entry(const kmv_ini_section *s, const char *key)
{
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->entries[i].key, key) == 0)
            return &s->entries[i];
    }
    return NULL;
}

static kmv_status take_generator(const kmv_config *c, const kmv_ini_section *s,
                                 const kmv_ini_entry *named, kmv_config_dataset *d, kmv_error *err)
{
    const kmv_generator *g = kmv_generator_find(named->value);
    kmv_status st = KMV_OK;

    if (g == NULL) {
        st = kmv_check_generator(named->value, err);
        return kmv_entry_fail(c, named->line, named->key, st, err);
    }
    if (find_entry(s, "made_by") != NULL)
        return kmv_section_fail(c, s, "made_by belongs to a file, not to a generator", err);
    kmv_copy_text(d->generator, sizeof d->generator, g->name);
    for (size_t i = 0; st == KMV_OK && i < s->count; i++) {
        if (&s->entries[i] != named)
            st = generator_option(c, g, &s->entries[i], d, err);
    }
    return st;
}

static kmv_status take_dataset(kmv_config *c, const kmv_ini_section *s, kmv_error *err)
{
    static const kmv_value_key keys[] = {
        KMV_VALUE(kmv_config_dataset, "file", KMV_VALUE_TEXT, address, 0, 0),
        KMV_VALUE(kmv_config_dataset, "made_by", KMV_VALUE_TEXT, made_by, 0, 0),
        {0},
    };
    const kmv_ini_entry *generator = find_entry(s, "generator"), *file = find_entry(s, "file");
    kmv_config_dataset *d = &c->datasets[c->n_datasets++];
    kmv_status st = KMV_OK;

    d->line = s->line;
    kmv_copy_text(d->name, sizeof d->name, s->name);
    if (*s->name == '\0' || strcspn(s->name, " \t:,=") != strlen(s->name))
        return kmv_section_fail(c, s, "want a name without blanks and : , =", err);
    if ((generator != NULL) == (file != NULL))
        return kmv_section_fail(c, s, "want either file = ... or generator = ...", err);
    if (generator != NULL)
        return take_generator(c, s, generator, d, err);
    for (size_t i = 0; st == KMV_OK && i < s->count; i++)
        st = kmv_entry_set(c, s, &s->entries[i], NULL, keys, d, err);
    return st;
}

static kmv_status take_sweep(kmv_config *c, const kmv_ini_section *s, kmv_error *err)
{
    kmv_config_sweep *w = &c->sweeps[c->n_sweeps++];
    kmv_status st = KMV_OK;

    w->line = s->line;
    kmv_copy_text(w->name, sizeof w->name, s->name);
    for (size_t i = 0; st == KMV_OK && i < s->count; i++)
        st = kmv_entry_set(c, s, &s->entries[i], sweep_lists, NULL, w, err);
    if (st == KMV_OK && w->dataset.count == 0)
        st = kmv_section_fail(c, s, "want dataset = ...", err);
    if (st == KMV_OK && w->algo.count == 0)
        st = kmv_section_fail(c, s, "want algo = ...", err);
    return st;
}

static kmv_status take_measure(kmv_config *c, const kmv_ini_section *s, kmv_error *err)
{
    kmv_config_measure *m = &c->measures[c->n_measures++];
    kmv_status st = KMV_OK;

    m->line = s->line;
    kmv_copy_text(m->name, sizeof m->name, s->name);
    for (size_t i = 0; st == KMV_OK && i < s->count; i++) {
        const kmv_ini_entry *e = &s->entries[i];

        if (strcmp(e->key, "rows") == 0 && strcmp(e->value, "all") == 0)
            m->rows = 0;
        else
            st = kmv_entry_set(c, s, e, measure_lists, measure_keys, m, err);
    }
    if (st == KMV_OK && m->dataset.count == 0)
        st = kmv_section_fail(c, s, "want dataset = ...", err);
    return st;
}

/* `sweep` of an [algo] section: names of sweeps. */
static kmv_status take_algo_sweeps(const kmv_config *c, const kmv_ini_entry *e, kmv_list *list,
                                   kmv_error *err)
{
    kmv_status st = kmv_list_parse(e->value, list, err);

    list->line = e->line;
    for (size_t i = 0; st == KMV_OK && i < list->count; i++) {
        int known = 0;

        for (size_t k = 0; k < c->n_sweeps; k++)
            known |= strcmp(c->sweeps[k].name, list->items[i]) == 0;
        if (!known)
            st = kmv_fail(err, KMV_EINVAL, "want names of sweeps, there is no [sweep %s]",
                          list->items[i]);
    }
    return st;
}

static kmv_status take_algo(kmv_config *c, const kmv_ini_section *s, kmv_error *err)
{
    _Alignas(max_align_t) unsigned char scratch[SCRATCH];
    kmv_config_algo *a = &c->algos[c->n_algos++];
    char name[sizeof s->name], *label = name + strcspn(s->name, " \t");
    const kmv_algo *algo;
    kmv_status st = KMV_OK;

    a->line = s->line;
    kmv_copy_text(name, sizeof name, s->name);
    if (*label != '\0')
        *label++ = '\0';
    if ((algo = kmv_algo_find(name)) == NULL) {
        st = kmv_check_algo(name, err);
        return kmv_fail_prefix(err, st, "%s:%zu: [algo %s]", c->path, s->line, s->name);
    }
    if (!kmv_copy_text(a->name, sizeof a->name, name) ||
        !kmv_copy_text(a->label, sizeof a->label, kmv_trim(label)) || s->count > ENTRIES_MAX)
        return kmv_section_fail(c, s, "want a label of at most 31 characters and 32 options", err);
    for (size_t i = 0; st == KMV_OK && i < s->count; i++) {
        const kmv_ini_entry *e = &s->entries[i];
        kmv_list *values = &a->values[a->count];

        if (strcmp(e->key, "sweep") == 0) {
            st = take_algo_sweeps(c, e, &a->sweep, err);
        } else {
            kmv_copy_text(a->option[a->count++], sizeof a->option[0], e->key);
            st = kmv_list_parse(e->value, values, err);
            values->line = e->line;
        }
        for (size_t j = 0; st == KMV_OK && j < values->count; j++)
            st = kmv_option_set(kmv_algo_options(algo), scratch, e->key, values->items[j], err);
        if (st != KMV_OK)
            return kmv_entry_fail(c, e->line, e->key, st, err);
    }
    return st;
}

int kmv_config_overrides(const kmv_config_algo *a, const char *name, const char *sweep)
{
    if (strcmp(a->name, name) != 0)
        return 0;
    for (size_t i = 0; i < a->sweep.count; i++) {
        if (strcmp(a->sweep.items[i], sweep) == 0)
            return 1;
    }
    return a->sweep.count == 0;
}

static kmv_status check_figure(const kmv_config *c, const kmv_config_figure *f, kmv_error *err)
{
    kmv_error why = {""};
    kmv_status st = kmv_figure_check(f, &why);

    /* Its message begins with the line. */
    return st == KMV_OK ? KMV_OK : kmv_fail(err, st, "%s:%.900s", c->path, why.text);
}

static kmv_status take_figure(kmv_config *c, const kmv_ini_section *s, kmv_error *err)
{
    kmv_config_figure *f = &c->figures[c->n_figures++];

    f->line = s->line;
    kmv_copy_text(f->name, sizeof f->name, s->name);
    if (*s->name == '\0')
        return kmv_section_fail(c, s, "want a name: [figure NAME]", err);
    if (s->count > ENTRIES_MAX)
        return kmv_section_fail(c, s, "want at most 32 keys", err);
    for (; f->count < s->count; f->count++) {
        const kmv_ini_entry *e = &s->entries[f->count];
        kmv_config_entry *to = &f->entries[f->count];

        to->line = e->line;
        if (!kmv_copy_text(to->key, sizeof to->key, e->key) ||
            !kmv_copy_text(to->value, sizeof to->value, e->value))
            return kmv_fail(err, KMV_EINVAL, "%s:%zu: %s: want less than %zu characters", c->path,
                            e->line, e->key, sizeof to->value);
    }
    return check_figure(c, f, err);
}

/* "key=value, value, key=value": a term without = is a further value of the key before it. Each
 * entry gets the line of the whole. */
static kmv_status split_filter(const kmv_config *c, const char *key, size_t line, char *text,
                               kmv_config_entry *entries, size_t *count, kmv_error *err)
{
    char *rest = NULL;

    for (char *term = strtok_r(text, ",", &rest); term != NULL; term = strtok_r(NULL, ",", &rest)) {
        char *equals = strchr(term, '=');
        kmv_config_entry *e = &entries[*count];
        size_t used;

        if (equals == NULL && *count == 0)
            return kmv_fail(err, KMV_EINVAL, "%s:%zu: %s: want key=value, ..., got '%s'", c->path,
                            line, key, kmv_trim(term));
        if (equals == NULL) {
            e--;
            used = strlen(e->value);
            snprintf(e->value + used, sizeof e->value - used, ",%s", kmv_trim(term));
            continue;
        }
        if (*count == KMV_CLAIM_TERMS)
            return kmv_fail(err, KMV_EINVAL, "%s:%zu: %s: want at most %d terms", c->path, line,
                            key, KMV_CLAIM_TERMS);
        *equals = '\0';
        e->line = line;
        kmv_copy_text(e->key, sizeof e->key, kmv_trim(term));
        kmv_copy_text(e->value, sizeof e->value, kmv_trim(equals + 1));
        ++*count;
    }
    return KMV_OK;
}

static kmv_status take_claim(kmv_config *c, const kmv_ini_section *s, kmv_error *err)
{
    static const kmv_value_key keys[] = {
        KMV_VALUE(kmv_config_claim, "source", KMV_VALUE_TEXT, source, 0, 0),
        KMV_VALUE(kmv_config_claim, "text", KMV_VALUE_TEXT, text, 0, 0),
        KMV_VALUE(kmv_config_claim, "command", KMV_VALUE_TEXT, command, 0, 0),
        KMV_VALUE(kmv_config_claim, "note", KMV_VALUE_TEXT, note, 0, 0),
        KMV_VALUE(kmv_config_claim, "not_testable", KMV_VALUE_TEXT, not_testable, 0, 0),
        KMV_VALUE(kmv_config_claim, "column", KMV_VALUE_TEXT, column, 0, 0),
        KMV_VALUE(kmv_config_claim, "take", KMV_VALUE_TEXT, take, 0, 0),
        KMV_VALUE(kmv_config_claim, "want", KMV_VALUE_TEXT, want, 0, 0),
        KMV_VALUE(kmv_config_claim, "rows", KMV_VALUE_TEXT, rows_text, 0, 0),
        KMV_VALUE(kmv_config_claim, "per", KMV_VALUE_TEXT, per_text, 0, 0),
        {0},
    };
    kmv_config_claim *claim = &c->claims[c->n_claims++];
    kmv_error why = {""};
    kmv_status st = KMV_OK;

    claim->line = s->line;
    kmv_copy_text(claim->name, sizeof claim->name, s->name);
    if (*s->name == '\0')
        return kmv_section_fail(c, s, "want a name: [claim NAME]", err);
    for (size_t i = 0; st == KMV_OK && i < s->count; i++) {
        const kmv_ini_entry *e = &s->entries[i];
        char text[sizeof claim->rows_text];

        if ((st = kmv_entry_set(c, s, e, NULL, keys, claim, err)) != KMV_OK)
            return st;
        kmv_copy_text(text, sizeof text, e->value);
        if (strcmp(e->key, "rows") == 0)
            st = split_filter(c, e->key, e->line, text, claim->rows, &claim->n_rows, err);
        else if (strcmp(e->key, "per") == 0)
            st = split_filter(c, e->key, e->line, text, claim->per, &claim->n_per, err);
    }
    if (st == KMV_OK && (st = kmv_claim_check(claim, &why)) != KMV_OK)
        return kmv_fail(err, st, "%s:%.900s", c->path, why.text); /* it begins with the line */
    return st;
}

/* Data sets and sweeps come before what names them, wherever they stand in the file. */
static const struct {
    const char *kind;
    size_t array, size; /* offset of the array in kmv_config and size of its items; 0: none */
    kmv_status (*take)(kmv_config *c, const kmv_ini_section *s, kmv_error *err);
} section_kinds[] = {
    {"experiment", 0, 0, take_experiment},
    {"dataset", offsetof(kmv_config, datasets), sizeof(kmv_config_dataset), take_dataset},
    {"sweep", offsetof(kmv_config, sweeps), sizeof(kmv_config_sweep), take_sweep},
    {"algo", offsetof(kmv_config, algos), sizeof(kmv_config_algo), take_algo},
    {"measure", offsetof(kmv_config, measures), sizeof(kmv_config_measure), take_measure},
    {"figure", offsetof(kmv_config, figures), sizeof(kmv_config_figure), take_figure},
    {"claim", offsetof(kmv_config, claims), sizeof(kmv_config_claim), take_claim},
};
enum { N_KINDS = sizeof section_kinds / sizeof *section_kinds };

static kmv_status check_kinds(const kmv_config *c, const kmv_ini *ini, kmv_error *err)
{
    const char *names[N_KINDS], *near;

    for (size_t k = 0; k < N_KINDS; k++)
        names[k] = section_kinds[k].kind;
    for (size_t i = 0; i < ini->count; i++) {
        const kmv_ini_section *s = &ini->sections[i];
        size_t k = 0;

        while (k < N_KINDS && strcmp(s->kind, names[k]) != 0)
            k++;
        if (k < N_KINDS)
            continue;
        near = kmv_closest(s->kind, names, N_KINDS);
        return kmv_fail(
            err, KMV_EINVAL,
            "%s:%zu: [%s]: want experiment, dataset, sweep, measure, algo, figure or claim, "
            "got '%s'%s%s%s",
            c->path, s->line, s->kind, s->kind, near != NULL ? ", did you mean '" : "",
            near != NULL ? near : "", near != NULL ? "'?" : "");
    }
    return KMV_OK;
}

static kmv_status take_kind(kmv_config *c, const kmv_ini *ini, size_t kind, kmv_error *err)
{
    kmv_status st = KMV_OK;
    size_t count = 0;
    void *array;

    for (size_t i = 0; i < ini->count; i++)
        count += strcmp(ini->sections[i].kind, section_kinds[kind].kind) == 0;
    if (section_kinds[kind].size > 0) {
        array = kmv_alloc(count, section_kinds[kind].size, "configuration", err);
        if (array == NULL)
            return KMV_ENOMEM;
        memcpy((char *)c + section_kinds[kind].array, &array, sizeof array);
    }
    for (size_t i = 0; st == KMV_OK && i < ini->count; i++) {
        if (strcmp(ini->sections[i].kind, section_kinds[kind].kind) == 0)
            st = section_kinds[kind].take(c, &ini->sections[i], err);
    }
    return st;
}

/* ---- the file -------------------------------------------------------------------------------- */

static kmv_status read_text(const char *path, char **text, size_t *size, kmv_error *err)
{
    FILE *f = fopen(path, "rb");
    kmv_status st = KMV_OK;
    char *out = NULL;

    if (f == NULL)
        return kmv_fail(err, KMV_EIO, "%s: %s", path, strerror(errno));
    if ((out = kmv_alloc(FILE_MAX + 1, 1, "configuration", err)) == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    *size = fread(out, 1, FILE_MAX + 1, f);
    if (ferror(f)) {
        st = kmv_fail(err, KMV_EIO, "%s: cannot be read", path);
        goto out;
    }
    if (*size > FILE_MAX) {
        st = kmv_fail(err, KMV_EINVAL, "%s: want a configuration of at most 1 MB", path);
        goto out;
    }
    *text = out;
    out = NULL;
out:
    kmv_free(out);
    fclose(f);
    return st;
}

static void name_after_file(kmv_config *c)
{
    const char *slash = strrchr(c->path, '/');
    char *dot;

    kmv_copy_text(c->name, sizeof c->name, slash != NULL ? slash + 1 : c->path);
    if ((dot = strrchr(c->name, '.')) != NULL && dot != c->name)
        *dot = '\0';
}

kmv_status kmv_config_read(const char *path, kmv_config *config, kmv_error *err)
{
    kmv_config c = {.seed = 1,
                    .reps = 5,
                    .min_time_s = 0.1,
                    .verify_rows = 256,
                    .verify_pairs_max = 16777216,   /* n = 4096 */
                    .op_norm_pairs_max = 268435456, /* n = 16384 */
                    .limit_time_s = 600};
    kmv_ini ini = {0};
    kmv_status st;

    if (!kmv_copy_text(c.path, sizeof c.path, path))
        return kmv_fail(err, KMV_EINVAL, "%.60s...: path too long", path);
    if ((st = read_text(path, &c.text, &c.text_size, err)) != KMV_OK)
        return st;
    kmv_hash_bytes(c.text, c.text_size, c.hash);
    name_after_file(&c);
    if ((st = kmv_ini_parse(path, c.text, c.text_size, &ini, err)) != KMV_OK ||
        (st = check_kinds(&c, &ini, err)) != KMV_OK)
        goto out;
    for (size_t k = 0; st == KMV_OK && k < N_KINDS; k++)
        st = take_kind(&c, &ini, k, err);
    if (st == KMV_OK && c.n_sweeps == 0 && c.n_measures == 0)
        st = kmv_fail(err, KMV_EINVAL, "%s: want at least one [sweep] or [measure]", path);
    if (st == KMV_OK) {
        *config = c;
        c = (kmv_config){0};
    }
out:
    kmv_ini_clear(&ini);
    kmv_config_clear(&c);
    return st;
}

static void clear_lists(const kmv_list_key *keys, void *row)
{
    for (; keys->name != NULL; keys++)
        kmv_list_clear((kmv_list *)(void *)((char *)row + keys->offset));
}

void kmv_config_clear(kmv_config *c)
{
    for (size_t i = 0; i < c->n_sweeps; i++)
        clear_lists(sweep_lists, &c->sweeps[i]);
    for (size_t i = 0; i < c->n_measures; i++)
        clear_lists(measure_lists, &c->measures[i]);
    for (size_t i = 0; i < c->n_algos; i++) {
        kmv_list_clear(&c->algos[i].sweep);
        for (size_t j = 0; j < c->algos[i].count; j++)
            kmv_list_clear(&c->algos[i].values[j]);
    }
    kmv_free(c->datasets);
    kmv_free(c->sweeps);
    kmv_free(c->measures);
    kmv_free(c->algos);
    kmv_free(c->figures);
    kmv_free(c->claims);
    kmv_free(c->text);
    *c = (kmv_config){0};
}
