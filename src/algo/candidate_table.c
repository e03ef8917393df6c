/* algo/candidate_table.c - the only list of the candidates of `auto`. */
#include "algo/candidate.h"

extern const kmv_candidate kmv_candidate_importance, kmv_candidate_probe, kmv_candidate_leaves;

const kmv_candidate *const kmv_candidate_table[] = {
    &kmv_candidate_importance, //
    &kmv_candidate_probe,      //
    &kmv_candidate_leaves,     //
    NULL,
};
