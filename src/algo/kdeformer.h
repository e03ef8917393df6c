/* algo/kdeformer.h - parts of `kdeformer`: densities that its sampling rests on, and the count of
 * its operations as its source does it.
 */
#ifndef KMV_ALGO_KDEFORMER_H
#define KMV_ALGO_KDEFORMER_H

#include "algo/block_attention.h"

/**
 * Estimates by kernel densities, each the sum over the points of the own block of `forward` exactly
 * and over the others from `draws` uniform draws with replacement (unbiased, n (block + draws)
 * entries; block and draws constant, that is linear in n):
 *     alpha_i    of  sum_j exp(l_ij)                     (n_q; its log2)
 *     column2_j  of  sum_i exp(2 l_ij) / alpha_i^2       (n_k), which is |P e_j|^2 for true alpha
 * The paper leaves open which density estimator is used and wants relative errors below 1; none is
 * proved for this one, which is that of near neighbours and a sample (Karppa, Aumueller & Pagh,
 * "DEANN", AISTATS 2022). q_order, k_order: what forward was made from. Cost 2 d flops per entry,
 * packing of both roles a second time. KMV_ENOMEM, KMV_ENOTSUP.
 */
kmv_status kmv_kdeformer_densities(const kmv_blocks *forward, const size_t *q_order,
                                   const size_t *k_order, const double *centre, size_t draws,
                                   uint64_t key, int threads, double *log2_alpha, double *column2,
                                   kmv_cost *cost, kmv_error *err);

/**
 * Multiply-adds of the practical form as the authors' count has them (a multiply-add is 1, an
 * exponential 0):
 *     2 n_q d bits          hashing; there as many keys as queries are hashed, whatever n_k is
 *     n_q block (d + r)     blocks: a query meets `block` keys
 *     n_k r^2               the Gram matrix of V, for its norm
 *     n_q samples (d + r)   the sample
 *     n_q samples           its mask
 * and of exact attention, n_q n_k (d + r). T2T-ViT, first layer, n = 3136, d = r = 64, blocks of
 * 32, 98 samples: 18.5 times fewer, which is what the function published with arXiv 2302.02451
 * gives and the paper prints. That function knows one width, 2 d; d + r in its place is a
 * generalisation made here. With it, BigGAN (4096 queries, 1024 keys, d = 64, r = 256, 7 planes,
 * blocks of 64, 128 samples) has 0.323e9 of 1.342e9, 4.16 times fewer, the numbers of the paper;
 * the function as published, with 2 d, would say about 7.8 for this shape.
 */
double kmv_kdeformer_count(size_t n_q, size_t n_k, size_t d, size_t r, size_t bits, size_t block,
                           size_t samples);
double kmv_exact_attention_count(size_t n_q, size_t n_k, size_t d, size_t r);

#endif
