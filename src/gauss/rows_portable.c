/* gauss/rows_portable.c - the row kernel for any CPU. */
#include "gauss/vec_portable_body.h"

#define NAME      kmv_row_kernel_portable
#define NAME_TEXT "portable"

#include "gauss/rows_body.h"
