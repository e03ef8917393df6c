/* tests/temp_folder.c - see temp_folder.h. */
#include "temp_folder.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"

static char folder[64];

int temp_folder_make(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/kmv_test_XXXXXX");
    return mkdtemp(folder) == NULL;
}

int temp_folder_remove(void **state)
{
    char command[96];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

const char *temp_folder(void)
{
    return folder;
}

const char *in_folder(const char *name)
{
    static char paths[4][256];
    static int at;
    char *p = paths[at++ % 4];

    snprintf(p, sizeof paths[0], "%s/%s", folder, name);
    return p;
}

size_t file_load(const char *path, unsigned char *bytes, size_t room)
{
    FILE *f = fopen(path, "rb");
    size_t size;

    assert_non_null(f);
    size = fread(bytes, 1, room, f);
    fclose(f);
    assert_true(size < room);
    return size;
}

void file_store(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}
