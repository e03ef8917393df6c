/* tests/h5_bad.c - files that must be refused (h5_files.h): each maker writes group "g" with one
 * thing wrong. */
#include "h5_files.h"

#include <math.h>

#include "h5_make.h"

static void overwrite(hid_t group, const char *name, hsize_t row, hsize_t column, double value)
{
    const hid_t set = must(H5Dopen2(group, name, H5P_DEFAULT)), space = must(H5Dget_space(set));
    const hsize_t at[2] = {row, column}, one[2] = {1, 1};
    const hid_t memory = must(H5Screate_simple(2, one, NULL));

    MUST(H5Sselect_hyperslab(space, H5S_SELECT_SET, at, NULL, one, NULL));
    MUST(H5Dwrite(set, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, &value));
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(set);
}

static void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");

    if (f == NULL || fwrite(bytes, 1, size, f) != size || fclose(f) != 0)
        abort();
}

/* ---- the cases ------------------------------------------------------------------------------- */

static void make_text(const char *path)
{
    write_bytes(path, "q,k,v\n1,2,3\n", 12);
}

static void make_empty(const char *path)
{
    write_bytes(path, "", 0);
}

static void make_signature_only(const char *path)
{
    write_bytes(path, "\211HDF\r\n\032\n", 8);
}

static void make_truncated(const char *path)
{
    char bytes[1 << 14];
    size_t size;
    FILE *f;

    kmv_make_healthy_file(path, NULL);
    if ((f = fopen(path, "rb")) == NULL)
        abort();
    size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    write_bytes(path, bytes, size / 2);
}

static void make_no_problem(const char *path)
{
    const frame f = begin(path);

    put_2d(f.g, "y", N, D);
    end(f);
}

static void make_only_q(const char *path)
{
    const frame f = begin(path);

    put_2d(f.g, "q", N, D);
    end(f);
}

static void make_both_names(const char *path)
{
    const frame f = begin_with_both(path);

    put_2d(f.g, "query", N, D);
    put_2d(f.g, "key", N, D);
    end(f);
}

static void make_soft_link(const char *path)
{
    const frame f = begin_with_k(path);

    MUST(H5Lcreate_soft("/g/k", f.g, "q", H5P_DEFAULT, H5P_DEFAULT));
    end(f);
}

static void make_soft_group(const char *path)
{
    const frame f = begin_with_both(path);

    MUST(H5Lcreate_soft("/g", f.file, "h", H5P_DEFAULT, H5P_DEFAULT));
    end(f);
}

static void make_dangling_link(const char *path)
{
    const frame f = begin_with_both(path);

    MUST(H5Lcreate_soft("/nowhere\nat all", f.g, "v", H5P_DEFAULT, H5P_DEFAULT));
    end(f);
}

static void make_external_link(const char *path)
{
    const frame f = begin_with_k(path);

    MUST(H5Lcreate_external("/etc/passwd", "/q", f.g, "q", H5P_DEFAULT, H5P_DEFAULT));
    end(f);
}

static void make_external_group(const char *path)
{
    const frame f = begin(path);

    MUST(H5Lcreate_external("other.h5", "/", f.file, "h", H5P_DEFAULT, H5P_DEFAULT));
    end(f);
}

static hid_t traverse_nothing(const char *name, hid_t group, const void *data, size_t size,
                              hid_t access_plist, hid_t transfer_plist)
{
    (void)name, (void)group, (void)data, (void)size, (void)access_plist, (void)transfer_plist;
    return -1;
}

static void make_user_link(const char *path)
{
    const H5L_class_t link = {.version = H5L_LINK_CLASS_T_VERS,
                              .id = (H5L_type_t)200,
                              .comment = "test",
                              .trav_func = traverse_nothing};
    const frame f = begin_with_k(path);

    MUST(H5Lregister(&link));
    MUST(H5Lcreate_ud(f.g, "q", (H5L_type_t)200, "", 0, H5P_DEFAULT, H5P_DEFAULT));
    end(f);
    MUST(H5Lunregister((H5L_type_t)200));
}

static void make_external_storage(const char *path)
{
    const hsize_t dims[2] = {N, D};
    const hid_t plist = must(H5Pcreate(H5P_DATASET_CREATE));
    const frame f = begin_with_k(path);
    const hid_t space = must(H5Screate_simple(2, dims, NULL));

    MUST(H5Pset_external(plist, "/etc/passwd", 0, H5F_UNLIMITED));
    H5Dclose(must(H5Dcreate2(f.g, "q", H5T_IEEE_F32LE, space, H5P_DEFAULT, plist, H5P_DEFAULT)));
    H5Sclose(space);
    H5Pclose(plist);
    end(f);
}

static void make_virtual(const char *path)
{
    const hsize_t dims[2] = {N, D};
    const hid_t plist = must(H5Pcreate(H5P_DATASET_CREATE));
    const frame f = begin_with_k(path);
    const hid_t space = must(H5Screate_simple(2, dims, NULL));

    MUST(H5Pset_virtual(plist, space, "other.h5", "/q", space));
    H5Dclose(must(H5Dcreate2(f.g, "q", H5T_IEEE_F32LE, space, H5P_DEFAULT, plist, H5P_DEFAULT)));
    H5Sclose(space);
    H5Pclose(plist);
    end(f);
}

static size_t pass_through(unsigned flags, size_t n_values, const unsigned *values, size_t bytes,
                           size_t *size, void **buffer)
{
    (void)flags, (void)n_values, (void)values, (void)size, (void)buffer;
    return bytes;
}

static void make_filter(const char *path)
{
    const H5Z_class2_t filter = {.version = H5Z_CLASS_T_VERS,
                                 .id = 32015,
                                 .encoder_present = 1,
                                 .decoder_present = 1,
                                 .name = "zstandard",
                                 .filter = pass_through};
    const hsize_t dims[2] = {N, D};
    const hid_t plist = chunked(N, D);
    const frame f = begin_with_k(path);

    MUST(H5Zregister(&filter));
    MUST(H5Pset_filter(plist, 32015, H5Z_FLAG_MANDATORY, 0, NULL));
    put(f.g, "q", H5T_IEEE_F32LE, 2, dims, plist);
    H5Pclose(plist);
    end(f);
    MUST(H5Zunregister(32015));
}

static void make_bomb(const char *path, hid_t plist)
{
    const hsize_t dims[2] = {(hsize_t)1 << 44, 64};
    const frame f = begin_with_k(path);

    put(f.g, "q", H5T_IEEE_F32LE, 2, dims, plist);
    H5Pclose(plist);
    end(f);
}

static void make_chunked_bomb(const char *path)
{
    const hid_t plist = chunked((hsize_t)1 << 22, 64);

    MUST(H5Pset_deflate(plist, 6));
    make_bomb(path, plist);
}

static void make_contiguous_bomb(const char *path)
{
    const hid_t plist = must(H5Pcreate(H5P_DATASET_CREATE));

    MUST(H5Pset_alloc_time(plist, H5D_ALLOC_TIME_LATE));
    make_bomb(path, plist);
}

/* Half of the chunks are there. */
static void make_holes(const char *path)
{
    const hsize_t dims[2] = {N, D}, at[2] = {0, 0}, half[2] = {N / 2, D};
    const float data[N / 2 * D] = {0};
    const hid_t plist = chunked(N / 2, D);
    const frame f = begin_with_k(path);
    const hid_t space = must(H5Screate_simple(2, dims, NULL));
    const hid_t memory = must(H5Screate_simple(2, half, NULL));
    hid_t set;

    MUST(H5Pset_deflate(plist, 6));
    set = must(H5Dcreate2(f.g, "q", H5T_IEEE_F32LE, space, H5P_DEFAULT, plist, H5P_DEFAULT));
    MUST(H5Sselect_hyperslab(space, H5S_SELECT_SET, at, NULL, half, NULL));
    MUST(H5Dwrite(set, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, data));
    H5Dclose(set);
    H5Sclose(memory);
    H5Sclose(space);
    H5Pclose(plist);
    end(f);
}

static void make_rank_1(const char *path)
{
    const frame f = begin_with_k(path);

    put_nd(f.g, "q", 1, N, 0, 0, 0);
    end(f);
}

static void make_rank_5(const char *path)
{
    const frame f = begin_with_k(path);

    put_nd(f.g, "q", 5, 1, 1, N, D);
    end(f);
}

static void make_ranks_differ(const char *path)
{
    const frame f = begin_with_k(path);

    put_nd(f.g, "q", 3, 1, N, D, 0);
    end(f);
}

static void make_of_type(const char *path, hid_t type)
{
    const hsize_t dims[2] = {N, D};
    const frame f = begin_with_k(path);

    put(f.g, "q", type, 2, dims, H5P_DEFAULT);
    end(f);
}

static void make_integers(const char *path)
{
    make_of_type(path, H5T_STD_I32LE);
}

static void make_strings(const char *path)
{
    make_of_type(path, H5T_C_S1);
}

static void make_compounds(const char *path)
{
    const hid_t type = must(H5Tcreate(H5T_COMPOUND, 4));

    MUST(H5Tinsert(type, "x", 0, H5T_IEEE_F32LE));
    make_of_type(path, type);
    H5Tclose(type);
}

/* 8 exponent and 7 mantissa bits: two bytes, but no float16. */
static void make_bfloat16(const char *path)
{
    const hid_t type = must(H5Tcopy(H5T_IEEE_F32LE));

    MUST(H5Tset_fields(type, 15, 7, 8, 0, 7));
    MUST(H5Tset_size(type, 2));
    MUST(H5Tset_ebias(type, 127));
    make_of_type(path, type);
    H5Tclose(type);
}

static void make_nan(const char *path)
{
    const frame f = begin_with_both(path);

    overwrite(f.g, "q", 3, 2, (double)NAN);
    overwrite(f.g, "q", 5, 0, (double)NAN);
    end(f);
}

static void make_inf(const char *path)
{
    const frame f = begin_with_both(path);

    overwrite(f.g, "k", 7, 3, -(double)INFINITY);
    end(f);
}

static void make_nan_in_v(const char *path)
{
    const frame f = begin_with_both(path);

    put_2d(f.g, "v", N, 1);
    overwrite(f.g, "v", 6, 0, (double)NAN);
    end(f);
}

static void make_no_rows(const char *path)
{
    const frame f = begin_with_k(path);

    put_2d(f.g, "q", 0, D);
    end(f);
}

static void make_no_columns(const char *path)
{
    const frame f = begin_with_k(path);

    put_2d(f.g, "q", N, 0);
    end(f);
}

static void make_other_d(const char *path)
{
    const frame f = begin_with_k(path);

    put_2d(f.g, "q", N, D + 1);
    end(f);
}

static void make_other_rows_in_v(const char *path)
{
    const frame f = begin_with_both(path);

    put_2d(f.g, "v", N - 1, D);
    end(f);
}

static void make_heads(const char *path)
{
    const frame f = begin(path);

    put_nd(f.g, "q", 3, 5, N, D, 0);
    put_nd(f.g, "k", 3, 2, N, D, 0);
    end(f);
}

static void make_heads_of_v(const char *path)
{
    const frame f = begin(path);

    put_nd(f.g, "q", 3, 4, N, D, 0);
    put_nd(f.g, "k", 3, 2, N, D, 0);
    put_nd(f.g, "v", 3, 4, N, D, 0);
    end(f);
}

static void make_layers(const char *path)
{
    const frame f = begin(path);

    put_nd(f.g, "q", 4, 2, 2, N, D);
    put_nd(f.g, "k", 4, 3, 2, N, D);
    end(f);
}

static void make_stack(const char *path)
{
    const frame f = begin(path);

    put_nd(f.g, "q", 3, 4, N, D, 0);
    put_nd(f.g, "k", 3, 2, N, D, 0);
    end(f);
}

static void make_sigma(const char *path)
{
    const frame f = begin_with_both(path);

    put_number(f.g, "sigma", -1.0);
    end(f);
}

static void make_sigma_nan(const char *path)
{
    const frame f = begin_with_both(path);

    put_number(f.g, "sigma", (double)NAN);
    end(f);
}

static void make_sigma_text(const char *path)
{
    const frame f = begin_with_both(path);

    put_text(f.g, "sigma", "1.0");
    end(f);
}

static void make_causal(const char *path)
{
    const frame f = begin_with_both(path);

    put_number(f.g, "causal", 0.5);
    end(f);
}

static void make_model_number(const char *path)
{
    const frame f = begin_with_both(path);

    put_number(f.g, "model", 1.0);
    end(f);
}

static void make_hash(const char *path)
{
    const frame f = begin_with_both(path);

    put_text(f.g, "sha256", "0000000000000000000000000000000000000000000000000000000000000000");
    end(f);
}

static void make_hash_of_stack(const char *path)
{
    const frame f = begin(path);

    put_nd(f.g, "q", 3, 2, N, D, 0);
    put_nd(f.g, "k", 3, 2, N, D, 0);
    put_text(f.g, "sha256", "0000000000000000000000000000000000000000000000000000000000000000");
    end(f);
}

static void make_control_name(const char *path)
{
    const frame f = begin_with_both(path);

    H5Gclose(new_group(f.file, "two\nlines\033[2J"));
    end(f);
}

static void make_deep(const char *path)
{
    const frame f = begin(path);
    hid_t here = new_group(f.file, "deep");

    for (int i = 0; i < 40; i++) {
        const hid_t next = new_group(here, "deep");

        H5Gclose(here);
        here = next;
    }
    H5Gclose(here);
    end(f);
}

const kmv_bad_file kmv_bad_files[] = {
    {"text", "", KMV_EFORMAT, "want an HDF5 file", make_text},
    {"empty", "", KMV_EFORMAT, "want an HDF5 file", make_empty},
    {"signature_only", "", KMV_EFORMAT, "not a readable HDF5 file", make_signature_only},
    {"truncated", "", KMV_EFORMAT, "not a readable HDF5 file", make_truncated},
    {"no_problem", "", KMV_EFORMAT, "want groups with datasets q and k", make_no_problem},
    {"no_problem_in_group", "g", KMV_EFORMAT, "with datasets q and k", make_no_problem},
    {"only_q", "g", KMV_EFORMAT, "found only 'q'", make_only_q},
    {"both_names", "g", KMV_EFORMAT, "found both", make_both_names},
    {"is_dataset", "g/y", KMV_EFORMAT, "found another object", make_no_problem},
    {"below_dataset", "g/y/z", KMV_EFORMAT, "'g/y' is no group", make_no_problem},
    {"soft_link", "g", KMV_EFORMAT, "found a soft link", make_soft_link},
    {"soft_group", "h", KMV_EFORMAT, "found a soft link", make_soft_group},
    {"soft_in_list", "", KMV_EFORMAT, "found a soft link", make_soft_group},
    {"dangling_link", "g", KMV_EFORMAT, "found a soft link", make_dangling_link},
    {"external_link", "g", KMV_EFORMAT, "found an external link", make_external_link},
    {"external_group", "h/g", KMV_EFORMAT, "found an external link", make_external_group},
    {"user_link", "g", KMV_EFORMAT, "found a user-defined link", make_user_link},
    {"external_storage", "g", KMV_EFORMAT, "found external storage", make_external_storage},
    {"virtual", "g", KMV_EFORMAT, "found a virtual dataset", make_virtual},
    {"filter", "g", KMV_EFORMAT, "found filter 32015 'zstandard'", make_filter},
    {"chunked_bomb", "g", KMV_EFORMAT, "declares 4503599627370496 bytes", make_chunked_bomb},
    {"contiguous_bomb", "g", KMV_EFORMAT, "declares 4503599627370496 bytes", make_contiguous_bomb},
    {"holes", "g", KMV_EFORMAT, "want all 2 chunks stored, found 1", make_holes},
    {"rank_1", "g", KMV_EFORMAT, "want 2 to 4 dimensions, found 1", make_rank_1},
    {"rank_5", "g", KMV_EFORMAT, "want 2 to 4 dimensions, found 5", make_rank_5},
    {"ranks_differ", "g", KMV_EINVAL, "found q 1 x 8 x 4, k 8 x 4", make_ranks_differ},
    {"integers", "g", KMV_EFORMAT, "found integers", make_integers},
    {"strings", "g", KMV_EFORMAT, "found strings", make_strings},
    {"compounds", "g", KMV_EFORMAT, "found compounds", make_compounds},
    {"bfloat16", "g", KMV_EFORMAT, "found another float of 2 bytes", make_bfloat16},
    {"nan", "g", KMV_EINVAL, "q[3, 2]: want a finite number, found", make_nan},
    {"inf", "g", KMV_EINVAL, "k[7, 3]: want a finite number, found -inf", make_inf},
    {"nan_in_v", "g", KMV_EINVAL, "v[6, 0]: want a finite number, found", make_nan_in_v},
    {"no_rows", "g", KMV_EINVAL, "want extents >= 1, found 0 x 4", make_no_rows},
    {"no_columns", "g", KMV_EINVAL, "want extents >= 1, found 8 x 0", make_no_columns},
    {"other_d", "g", KMV_EINVAL, "found q 8 x 5, k 8 x 4", make_other_d},
    {"other_rows_in_v", "g", KMV_EINVAL, "found k 8 x 4, v 7 x 4", make_other_rows_in_v},
    {"heads", "g#0", KMV_EINVAL, "multiple of key heads, found 5 and 2", make_heads},
    {"heads_of_v", "g#0", KMV_EINVAL, "as many heads in v as in k", make_heads_of_v},
    {"layers", "g#0,0", KMV_EINVAL, "as many layers everywhere", make_layers},
    {"head_too_large", "g#4", KMV_EINVAL, "want a head below 4, found 4", make_stack},
    {"layer_of_heads", "g#0,0", KMV_EINVAL, "FILE:GROUP#head", make_stack},
    {"sigma", "g", KMV_EINVAL, "sigma: want a number > 0, found -1", make_sigma},
    {"sigma_nan", "g", KMV_EINVAL, "sigma: want a finite number", make_sigma_nan},
    {"sigma_text", "g", KMV_EFORMAT, "sigma: want a number", make_sigma_text},
    {"causal", "g", KMV_EINVAL, "causal: want an integer in [0, 1], found 0.5", make_causal},
    {"model_number", "g", KMV_EFORMAT, "model: want a text", make_model_number},
    {"hash", "g", KMV_EFORMAT, "attribute sha256 is 0000", make_hash},
    {"hash_of_stack", "g#1", KMV_EFORMAT, "attribute sha256 is 0000", make_hash_of_stack},
    {"control_name", "", KMV_EFORMAT, "control characters: 'two?lines?[2J'", make_control_name},
    {"deep", "", KMV_EFORMAT, "32 deep", make_deep},
    {0},
};
