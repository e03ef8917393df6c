#!/usr/bin/env python3
"""Cut the samples in datasets/ out of larger files of attention heads (needs h5py).

usage: make_sample.py HEADS.h5 STACK.h5 OUT_FOLDER

HEADS.h5 holds one group per head (q, k, v: n x d): OUT_FOLDER/decoder.h5 gets the first N tokens of
some of them, which in a causal model is what N tokens alone give. STACK.h5 holds a group 'all' with
q, k, v of shape (layers, heads, n, d): OUT_FOLDER/encoder.h5 gets some layers and heads, as a stack.
Values and attributes are copied as they stand; each group gets the sha256 of its arrays, as kmv
computes it: the bytes of q, k, v in this order, row-major, in the file's type.
OUT_FOLDER/MANIFEST.tsv is written anew.
"""
import hashlib
import os
import sys

import h5py

N = 4096
HEADS = ["L00H1", "L03H1", "L06H3", "L09H8", "L15H3"]  # their character: datasets/README.md
STACK_LAYERS, STACK_HEADS = [0, 3], [0, 3, 6, 9]


def write(out, name, arrays, attributes, chunks):
    group = out.create_group(name)
    digest = hashlib.sha256()
    for key in "qkv":
        group.create_dataset(key, data=arrays[key], chunks=chunks, compression=9, shuffle=True,
                             fletcher32=True, track_times=False)
        digest.update(arrays[key].tobytes())
    for key, value in attributes.items():
        group.attrs[key] = value
    group.attrs["sha256"] = digest.hexdigest()


def manifest(folder, names):
    with open(os.path.join(folder, "MANIFEST.tsv"), "w") as out:
        out.write("path\tsha256\tbytes\torigin\n")
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                data = f.read()
            out.write(f"{name}\t{hashlib.sha256(data).hexdigest()}\t{len(data)}\t"
                      "scripts/make_sample.py HEADS.h5 STACK.h5 datasets\n")


def main(heads_path, stack_path, folder):
    with h5py.File(heads_path) as heads, \
            h5py.File(os.path.join(folder, "decoder.h5"), "w") as out:
        for name in HEADS:
            # A few columns to a chunk compress best: each has its own range of values.
            write(out, name, {key: heads[name][key][:N] for key in "qkv"}, heads[name].attrs,
                  (N, 8))
    with h5py.File(stack_path) as stack, h5py.File(os.path.join(folder, "encoder.h5"), "w") as out:
        group = stack["all"]
        arrays = {key: group[key][()][STACK_LAYERS][:, STACK_HEADS] for key in "qkv"}
        attributes = dict(group.attrs)
        attributes["source"] = (f"layers {STACK_LAYERS} and heads {STACK_HEADS}: " +
                                attributes["source"])
        write(out, "heads", arrays, attributes, (1, 1) + arrays["q"].shape[2:])
    manifest(folder, ["decoder.h5", "encoder.h5"])


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
