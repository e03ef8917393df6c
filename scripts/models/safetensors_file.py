"""Read float32 tensors from a safetensors file: a length, a table in JSON, then the data."""
import json
import struct

import numpy as np

from files import Failure


class SafetensorsFile:
    """tensor(name): that tensor in float32."""

    def __init__(self, path):
        self.path = path
        self.bytes = np.memmap(path, dtype="u1", mode="r")
        size = struct.unpack("<Q", self.bytes[:8].tobytes())[0]
        if 8 + size > self.bytes.size:
            raise Failure(f"{path}: want a safetensors file")
        self.table = json.loads(self.bytes[8:8 + size].tobytes())
        self.start = 8 + size

    def tensor(self, name):
        entry = self.table.get(name)
        if entry is None:
            raise Failure(f"{self.path}: no tensor '{name}'")
        if entry["dtype"] != "F32":
            raise Failure(f"{self.path}: {name}: want type F32, got {entry['dtype']}")
        begin, end = entry["data_offsets"]
        raw = np.array(self.bytes[self.start + begin:self.start + end])
        return raw.view("<f4").reshape(entry["shape"])
