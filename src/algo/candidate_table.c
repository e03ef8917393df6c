/* algo/candidate_table.c - the only list of the candidates of `auto`; see candidate.h. */
#include "algo/candidate.h"

extern const kmv_candidate kmv_candidate_importance, kmv_candidate_probe, kmv_candidate_leaves,
    kmv_candidate_lsh;

const kmv_candidate *const kmv_candidate_table[] = {
    &kmv_candidate_importance, //
    &kmv_candidate_probe,      //
    &kmv_candidate_leaves,     //
    &kmv_candidate_lsh,        //
    NULL,
};

kmv_status kmv_candidate_take_draft(const kmv_problem *problem, const kmv_prepare_context *context,
                                    const kmv_pilot *pilot, void *draft, void **state,
                                    kmv_error *err)
{
    (void)problem;
    (void)context;
    (void)pilot;
    (void)err;
    *state = draft;
    return KMV_OK;
}
