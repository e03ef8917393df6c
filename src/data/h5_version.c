/* data/h5_version.c - which HDF5 is linked, see h5io.h. */
#include <hdf5.h>

#include "data/h5io.h"

#define TEXT(number)   #number
#define NUMBER(number) TEXT(number)

const char *kmv_h5_version(void)
{
    /* The library refuses to work with headers of another version, so these are its numbers. */
    return NUMBER(H5_VERS_MAJOR) "." NUMBER(H5_VERS_MINOR) "." NUMBER(H5_VERS_RELEASE);
}
