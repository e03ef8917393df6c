/* data/h5_address.h - FILE, FILE:GROUP, FILE:GROUP#head, FILE:GROUP#layer,head; #kN for the query
 * heads of key head N together. */
#ifndef KMV_DATA_H5_ADDRESS_H
#define KMV_DATA_H5_ADDRESS_H

#include "kmv.h"

enum { KMV_ADDRESS_SIZE = 512 };

typedef struct {
    char path[KMV_ADDRESS_SIZE];
    char object[KMV_ADDRESS_SIZE]; /* what stands behind the colon; "" when there is none */
} kmv_address;

/**
 * Split an address. Paths may hold colons, so what exists decides: the whole text when it is a
 * file, else the longest part before a ':' that is one. KMV_EIO when there is no such file or it
 * cannot be read, KMV_EINVAL when it is not a regular file or the address is longer than 511 bytes.
 */
kmv_status kmv_address_parse(const char *address, kmv_address *out, kmv_error *err);

/** What stands behind '#'. */
typedef struct {
    int numbers; /* 0: nothing, 1: a head, 2: a layer, too */
    size_t layer, head;
    int shared; /* head is the number of a key head, for all query heads that use it */
} kmv_head_index;

/** Split "GROUP#h", "GROUP#l,h", "GROUP#kN" or "GROUP#l,kN": *group_length characters of object are
 *  the group. index is changed only where there is such a suffix. */
int kmv_address_index(const char *object, size_t *group_length, kmv_head_index *index);

/** File name without folder and without its last extension, at most size - 1 bytes; returns 1 when
 *  all of it fitted. */
int kmv_address_stem(const char *path, char *stem, size_t size);

#endif
