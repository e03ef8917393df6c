/* gauss/join_portable.c - the join kernel for any CPU. */
#include "gauss/vec_portable_body.h"

#define NAME      kmv_join_portable
#define NAME_TEXT "portable"
#define ROWS      4
#define VECS      2

#include "gauss/join_body.h"
