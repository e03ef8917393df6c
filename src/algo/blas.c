/* algo/blas.c - see blas.h. */
#include "algo/blas.h"

#include <cblas.h>

enum { WITHOUT_THREADS = 0 }; /* as openblas_get_parallel says */

int kmv_blas_threads(int threads)
{
    /* A library with threads of its own would oversubscribe the cores. */
    openblas_set_num_threads(1);
    return openblas_get_parallel() == WITHOUT_THREADS ? 1 : threads;
}
