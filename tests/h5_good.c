/* tests/h5_good.c - files that are accepted (h5_files.h). */
#include "h5_files.h"

#include "h5_make.h"

void kmv_make_healthy_file(const char *path, const char *sha256)
{
    const hsize_t dims[2] = {N, D};
    const hid_t plist = chunked(N / 2, D);
    const frame f = begin(path);

    MUST(H5Pset_shuffle(plist));
    MUST(H5Pset_deflate(plist, 6));
    MUST(H5Pset_fletcher32(plist));
    put(f.g, "q", H5T_IEEE_F32LE, 2, dims, plist);
    put(f.g, "k", H5T_IEEE_F64BE, 2, dims, H5P_DEFAULT);
    put(f.g, "v", H5T_IEEE_F32LE, 2, dims, plist);
    put_number(f.g, "sigma", 2.0);
    put_number(f.g, "scale", 0.25);
    put_number(f.g, "causal", 1.0);
    put_text(f.g, "model", "a model");
    if (sha256 != NULL)
        put_text(f.g, "sha256", sha256);
    H5Pclose(plist);
    end(f);
}

/* Two rows of float16 in the order of bytes given by type: 1, -2, 65504 (largest), 2^-24 (least).
 */
static void put_float16(hid_t file, const char *name, int big_endian)
{
    static const unsigned short bits[4] = {0x3c00, 0xc000, 0x7bff, 0x0001};
    const hsize_t dims[2] = {2, 2};
    const hid_t type = must(H5Tcopy(H5T_IEEE_F32LE)), g = new_group(file, name);
    const hid_t space = must(H5Screate_simple(2, dims, NULL));
    unsigned char bytes[8];

    MUST(H5Tset_fields(type, 15, 10, 5, 0, 10));
    MUST(H5Tset_size(type, 2));
    MUST(H5Tset_ebias(type, 15));
    MUST(H5Tset_order(type, big_endian ? H5T_ORDER_BE : H5T_ORDER_LE));
    for (int i = 0; i < 4; i++) {
        bytes[2 * i + !big_endian] = (unsigned char)(bits[i] >> 8);
        bytes[2 * i + big_endian] = (unsigned char)(bits[i] & 255);
    }
    for (int i = 0; i < 2; i++) {
        const hid_t set = must(H5Dcreate2(g, i == 0 ? "query" : "key", type, space, H5P_DEFAULT,
                                          H5P_DEFAULT, H5P_DEFAULT));

        MUST(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes));
        H5Dclose(set);
    }
    H5Sclose(space);
    H5Gclose(g);
    H5Tclose(type);
}

static void put_typed(hid_t file, const char *name, hid_t type, hid_t plist)
{
    const hsize_t dims[2] = {N, D};
    const hid_t g = new_group(file, name);

    put(g, "q", type, 2, dims, plist);
    put(g, "k", type, 2, dims, plist);
    H5Gclose(g);
}

static void put_boolean(hid_t group, const char *name, signed char value)
{
    const hid_t type = must(H5Tenum_create(H5T_STD_I8LE)), space = must(H5Screate(H5S_SCALAR));
    const signed char values[2] = {0, 1};
    hid_t attr;

    MUST(H5Tenum_insert(type, "FALSE", &values[0]));
    MUST(H5Tenum_insert(type, "TRUE", &values[1]));
    attr = must(H5Acreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT));
    MUST(H5Awrite(attr, type, &value));
    H5Aclose(attr);
    H5Sclose(space);
    H5Tclose(type);
}

void kmv_make_layouts(const char *path)
{
    const hid_t file = new_file(path), compact = must(H5Pcreate(H5P_DATASET_CREATE));
    const hid_t chunks = chunked(3, 3); /* does not divide 8 x 4 */
    hid_t g;

    MUST(H5Pset_layout(compact, H5D_COMPACT));
    MUST(H5Pset_deflate(chunks, 1));
    put_float16(file, "f16le", 0);
    put_float16(file, "f16be", 1);
    put_typed(file, "f32be", H5T_IEEE_F32BE, H5P_DEFAULT);
    put_typed(file, "f64le", H5T_IEEE_F64LE, H5P_DEFAULT);
    put_typed(file, "f64be", H5T_IEEE_F64BE, compact);
    put_typed(file, "chunked", H5T_IEEE_F32LE, chunks);
    g = new_group(file, "one"); /* n = 1, d = 1 */
    put_2d(g, "q", 1, 1);
    put_2d(g, "k", 1, 1);
    put_boolean(g, "causal", 1);
    MUST(H5Lcreate_hard(file, "/", g, "circle", H5P_DEFAULT, H5P_DEFAULT));
    H5Gclose(g);
    g = new_group(file, "stack3"); /* 4 query heads share 2 key heads */
    put_nd(g, "q", 3, 4, N, D, 0);
    put_nd(g, "k", 3, 2, N + 1, D, 0);
    put_nd(g, "v", 3, 2, N + 1, 2, 0);
    H5Gclose(g);
    g = new_group(file, "stack#4"); /* a name with '#' */
    put_nd(g, "q", 4, 2, 2, N, D);
    put_nd(g, "k", 4, 2, 1, N, D);
    H5Gclose(g);
    H5Pclose(compact);
    H5Pclose(chunks);
    MUST(H5Fclose(file));
}
