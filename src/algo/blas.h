/* algo/blas.h - OpenBLAS as a part of threads that are ours. */
#ifndef KMV_ALGO_BLAS_H
#define KMV_ALGO_BLAS_H

/** Let OpenBLAS compute in the thread that calls it, and say how many of `threads` threads may call
 *  it at once: all, but only one in a build without threads, which hands out its work buffers
 *  without locking. */
int kmv_blas_threads(int threads);

#endif
