/* tests/temp_folder.h - a folder of the test's own under /tmp, and whole files in it. */
#ifndef KMV_TESTS_TEMP_FOLDER_H
#define KMV_TESTS_TEMP_FOLDER_H

#include <stddef.h>

/** Set-up and tear-down for cmocka, of a group or of one test. */
int temp_folder_make(void **state);
int temp_folder_remove(void **state);

/** Its path. */
const char *temp_folder(void);

/** The path of a file in it; valid until the fourth call after this one. */
const char *in_folder(const char *name);

/** All bytes of a file that has fewer than `room`; returns how many. */
size_t file_load(const char *path, unsigned char *bytes, size_t room);

void file_store(const char *path, const void *bytes, size_t size);

#endif
