"""Read weights and metadata from a GGUF file (version 2 or 3, little-endian).

Layout: header, key-value pairs, tensor table, then the data of each tensor at an aligned offset.
Source: the format's description in ggml, docs/gguf.md; block layouts in ggml-common.h there.
"""
import struct

import numpy as np

from files import Failure

SCALARS = {0: "B", 1: "b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "?", 10: "<Q", 11: "<q",
           12: "<d"}
STRING, ARRAY = 8, 9
BLOCK = 32  # weights per block in the quantised types read here


def from_f32(raw, count):
    return raw.view("<f4")[:count]


def from_q8_0(raw, count):
    """Blocks of a float16 scale and 32 signed bytes: w = scale * byte."""
    blocks = raw.view(np.dtype([("scale", "<f2"), ("w", "i1", BLOCK)]))
    return (blocks["scale"].astype("f4")[:, None] * blocks["w"]).reshape(-1)[:count]


def from_q4_1(raw, count):
    """Blocks of float16 scale and minimum and 16 bytes: w = scale * nibble + minimum.

    The low nibbles are weights 0..15 of the block, the high ones 16..31.
    """
    blocks = raw.view(np.dtype([("scale", "<f2"), ("min", "<f2"), ("w", "u1", BLOCK // 2)]))
    nibbles = np.concatenate([blocks["w"] & 15, blocks["w"] >> 4], axis=1).astype("f4")
    return (blocks["scale"].astype("f4")[:, None] * nibbles +
            blocks["min"].astype("f4")[:, None]).reshape(-1)[:count]


# number of the type: weights per block, bytes per block, to float32
TYPES = {0: (1, 4, from_f32), 3: (BLOCK, 20, from_q4_1), 8: (BLOCK, 34, from_q8_0)}


class GgufFile:
    """meta: the key-value pairs; tensor(name): that tensor in float32, rows outermost."""

    def __init__(self, path):
        self.path = path
        self.bytes = np.memmap(path, dtype="u1", mode="r")
        self.at = 0
        magic, version, tensors, pairs = struct.unpack("<4sIQQ", self._take(24))
        if magic != b"GGUF" or version not in (2, 3):
            raise Failure(f"{path}: want a GGUF file of version 2 or 3")
        self.meta = {}
        for _ in range(pairs):
            key = self._string()
            self.meta[key] = self._value(self._scalar(4))
        self.table = {}
        for _ in range(tensors):
            name = self._string()
            # The innermost extent stands first.
            shape = [self._scalar(10) for _ in range(self._scalar(4))][::-1]
            self.table[name] = (shape, self._scalar(4), self._scalar(10))
        alignment = self.meta.get("general.alignment", 32)
        self.start = -(-self.at // alignment) * alignment

    def get(self, key):
        """The value of that key; without it the file is of another kind than asked for."""
        if key not in self.meta:
            raise Failure(f"{self.path}: no key '{key}'")
        return self.meta[key]

    def tensor(self, name):
        if name not in self.table:
            raise Failure(f"{self.path}: no tensor '{name}'")
        shape, kind, offset = self.table[name]
        if kind not in TYPES:
            raise Failure(f"{self.path}: {name}: want type F32, Q4_1 or Q8_0, got number {kind}")
        weights, size, convert = TYPES[kind]
        count = int(np.prod(shape))
        begin, length = self.start + offset, count // weights * size
        if begin + length > self.bytes.size:
            raise Failure(f"{self.path}: {name}: ends in the middle")
        raw = np.array(self.bytes[begin:begin + length])
        return convert(raw, count).reshape(shape)

    def _take(self, size):
        if self.at + size > self.bytes.size:
            raise Failure(f"{self.path}: ends in the middle")
        self.at += size
        return self.bytes[self.at - size:self.at].tobytes()

    def _scalar(self, kind):
        form = SCALARS[kind]
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _string(self):
        return self._take(self._scalar(10)).decode("utf-8")

    def _value(self, kind):
        if kind == STRING:
            return self._string()
        if kind == ARRAY:
            inner = self._scalar(4)
            return [self._value(inner) for _ in range(self._scalar(10))]
        if kind not in SCALARS:
            raise Failure(f"{self.path}: a value of unknown type {kind}")
        return self._scalar(kind)
