"""Write problems in the layout of docs/data.md, the same bytes for the same arrays."""
import hashlib
import io

import h5py

from files import whole


def write_problem(out, name, arrays, attributes, chunks):
    """Group `name` of the open file with q, k, v, the attributes, and the sha256 of the arrays."""
    group = out.create_group(name)
    digest = hashlib.sha256()
    for key, array in zip("qkv", arrays):
        group.create_dataset(key, data=array, chunks=chunks, compression=9, shuffle=True,
                             fletcher32=True, track_times=False)
        digest.update(array.tobytes())
    for key, value in attributes.items():
        group.attrs[key] = value
    group.attrs["sha256"] = digest.hexdigest()


def write_file(path, recipe, problems):
    """problems: (name, (q, k, v), attributes, chunks) each; `recipe`: what they were made from."""
    # In memory first: libhdf5 crashes when the disk fills up while it writes.
    image = io.BytesIO()
    with h5py.File(image, "w") as out:
        out.attrs["recipe"] = recipe
        for problem in problems:
            write_problem(out, *problem)
    with whole(path) as temporary, open(temporary, "wb") as out:
        out.write(image.getbuffer())


def recipe_of(path):
    """What the file at `path` was made from, or None where no such file says so."""
    try:
        with h5py.File(path, "r") as f:
            return f.attrs.get("recipe")
    except OSError:
        return None
