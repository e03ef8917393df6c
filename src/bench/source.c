/* bench/source.c - see source.h. */
#include "bench/source.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/option.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/str.h"
#include "data/h5io.h"
#include "data/synth.h"

static int names(const kmv_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], name) == 0)
            return 1;
    }
    return 0;
}

static int is_used(const kmv_config *c, const char *name)
{
    int used = 0;

    for (size_t i = 0; i < c->n_sweeps; i++)
        used |= names(&c->sweeps[i].dataset, name);
    for (size_t i = 0; i < c->n_measures; i++)
        used |= names(&c->measures[i].dataset, name);
    return used;
}

static size_t default_of(const kmv_generator *g, const char *option)
{
    const kmv_option *o = kmv_option_find(g->options, option);
    size_t value = 0;

    if (o != NULL)
        (void)kmv_parse_size(o->initial, &value);
    return value;
}

/* The count given for an option in "a=1,b=2"; 0 without. */
static size_t given(const char *options, const char *name)
{
    const size_t length = strlen(name);
    size_t value = 0;

    for (const char *at = options; at != NULL && *at != '\0'; at = strchr(at, ',')) {
        char text[32] = "";

        at += *at == ',';
        if (strncmp(at, name, length) != 0 || at[length] != '=')
            continue;
        snprintf(text, sizeof text, "%.*s", (int)strcspn(at + length + 1, ","), at + length + 1);
        (void)kmv_parse_size(text, &value);
    }
    return value;
}

static void fill_generator(const kmv_config_dataset *d, kmv_source *s)
{
    const kmv_generator *g = kmv_generator_find(d->generator);

    kmv_copy_text(s->name, sizeof s->name, d->name);
    kmv_copy_text(s->generator, sizeof s->generator, d->generator);
    kmv_copy_text(s->options, sizeof s->options, d->options);
    s->layer = s->head = -1;
    s->n_q = default_of(g, "n");
    s->n_k = given(s->options, "n_k");
    s->d = default_of(g, "d");
}

/* "NAME" when the address names one problem, else "NAME:" and what the listed address adds. */
static kmv_status fill_file(const kmv_config_dataset *d, const char *address, int several,
                            kmv_source *s, kmv_error *err)
{
    const size_t prefix = strlen(d->address);
    kmv_h5_summary summary;
    kmv_status st;
    int used;

    if (several && strncmp(address, d->address, prefix) == 0 && address[prefix] != '\0')
        used = snprintf(s->name, sizeof s->name, "%s:%s", d->name,
                        address + prefix + (address[prefix] == ':'));
    else
        used = snprintf(s->name, sizeof s->name, "%s", d->name);
    if ((size_t)used >= sizeof s->name || !kmv_copy_text(s->address, sizeof s->address, address))
        return kmv_fail(err, KMV_EINVAL, "%.200s: name too long", address);
    if ((st = kmv_h5_summarise(address, &summary, err)) != KMV_OK)
        return st;
    s->heads = summary.heads;
    s->n_q = summary.n_q / summary.heads;
    s->n_k = summary.n_k;
    s->d = summary.d;
    s->layer = summary.layer;
    s->head = summary.head;
    return KMV_OK;
}

static kmv_status file_is_there(const kmv_config *c, const kmv_config_dataset *d, kmv_error *err)
{
    char path[512];
    char *colon;

    kmv_copy_text(path, sizeof path, d->address);
    if (access(path, R_OK) == 0)
        return KMV_OK;
    if ((colon = strrchr(path, ':')) != NULL)
        *colon = '\0';
    if (access(path, R_OK) == 0)
        return KMV_OK;
    return kmv_fail(err, KMV_EIO, "%s:%zu: [dataset %s]: %s is not there%s%s", c->path, d->line,
                    d->name, path, *d->made_by != '\0' ? "; made by: " : "", d->made_by);
}

static kmv_status add_file(const kmv_config *c, const kmv_config_dataset *d, kmv_source **sources,
                           size_t *count, kmv_error *err)
{
    kmv_source *larger = NULL;
    char **list = NULL;
    size_t found = 0;
    kmv_status st;

    if ((st = file_is_there(c, d, err)) != KMV_OK ||
        (st = kmv_h5_list(d->address, &list, &found, err)) != KMV_OK)
        return st;
    if ((larger = kmv_alloc(*count + found, sizeof *larger, "data sets", err)) == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    if (*count > 0)
        memcpy(larger, *sources, *count * sizeof *larger);
    for (size_t i = 0; st == KMV_OK && i < found; i++)
        st = fill_file(d, list[i], found > 1, &larger[*count + i], err);
    if (st != KMV_OK)
        goto out;
    kmv_free(*sources);
    *sources = larger;
    *count += found;
    larger = NULL;
out:
    kmv_free(larger);
    kmv_free(list);
    return st;
}

kmv_status kmv_sources_make(const kmv_config *config, kmv_source **sources, size_t *count,
                            kmv_error *err)
{
    size_t used = 0, room = 0;
    kmv_source *out;
    kmv_status st = KMV_OK;

    /* Generators first, since their number is known; the order of sources decides nothing. */
    for (size_t i = 0; i < config->n_datasets; i++)
        room += *config->datasets[i].generator != '\0';
    if ((out = kmv_alloc(room, sizeof *out, "data sets", err)) == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < config->n_datasets; i++) {
        if (*config->datasets[i].generator != '\0')
            fill_generator(&config->datasets[i], &out[used++]);
    }
    for (size_t i = 0; st == KMV_OK && i < config->n_datasets; i++) {
        const kmv_config_dataset *d = &config->datasets[i];

        if (*d->generator == '\0' && is_used(config, d->name))
            st = add_file(config, d, &out, &used, err);
    }
    if (st != KMV_OK) {
        kmv_free(out);
        return st;
    }
    *sources = out;
    *count = used;
    return KMV_OK;
}

int kmv_source_matches(const kmv_source *source, const char *name)
{
    const size_t length = strlen(name);

    return strncmp(source->name, name, length) == 0 &&
           (source->name[length] == '\0' || source->name[length] == ':');
}

kmv_status kmv_source_load(const kmv_case_problem *problem, uint64_t seed, kmv_dataset *out,
                           kmv_error *err)
{
    const kmv_source *s = problem->source;
    char options[640];
    kmv_status st;

    if (*s->address != '\0') {
        if ((st = kmv_dataset_read(s->address, 0, out, err)) != KMV_OK)
            return st;
    } else {
        snprintf(options, sizeof options, "n=%zu,d=%zu%s%s", problem->n, problem->d,
                 *s->options != '\0' ? "," : "", s->options);
        if ((st = kmv_generate(s->generator, options, kmv_stream_key(seed, problem->data_key, 0),
                               out, err)) != KMV_OK)
            return st;
    }
    kmv_copy_text(out->name, sizeof out->name, s->name);
    return KMV_OK;
}
