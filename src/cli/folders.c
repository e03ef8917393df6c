/* cli/folders.c - see folders.h. */
#include "cli/folders.h"

#include "base/mem.h"

kmv_status kmv_folders_read(const kmv_args *args, kmv_folders *out, kmv_error *err)
{
    kmv_folders f = {kmv_alloc(args->n_positional, sizeof *f.results, "results folders", err), 0};

    if (f.results == NULL)
        return KMV_ENOMEM;
    for (; f.count < args->n_positional; f.count++) {
        const kmv_status st = kmv_results_read(args->positional[f.count], &f.results[f.count], err);

        if (st != KMV_OK) {
            kmv_folders_clear(&f);
            return st;
        }
    }
    *out = f;
    return KMV_OK;
}

void kmv_folders_clear(kmv_folders *folders)
{
    for (size_t i = 0; i < folders->count; i++)
        kmv_results_clear(&folders->results[i]);
    kmv_free(folders->results);
    *folders = (kmv_folders){0};
}
