"""The problems, each written to one HDF5 file that kmv and every worker read: what is compared is the same arrays.

Group `problem`: q, k, v and the attribute sigma; `/x` where x is not v; root attributes matrix and causal.
"""
import dataclasses
import os
import subprocess

import h5py
import numpy as np

PRODUCTS = {  # name: matrix, causal, center, kind of x
    "full": ("softmax", False, "none", "v"),
    "causal": ("softmax", True, "none", "v"),
    "ones": ("gauss", False, "match", "ones"),
    "gauss": ("gauss", False, "match", "gauss"),
}


@dataclasses.dataclass
class Spec:
    dataset: str
    address: str  # FILE:GROUP
    product: str  # key of PRODUCTS
    n: int  # the first n queries and keys; 0: all

    @property
    def matrix(self):
        return PRODUCTS[self.product][0]

    @property
    def causal(self):
        return PRODUCTS[self.product][1]

    @property
    def center(self):
        return PRODUCTS[self.product][2]

    @property
    def x_kind(self):
        return PRODUCTS[self.product][3]


class Unusable(Exception):
    """One line: what was wanted and what was found."""


def has_points(item):
    return isinstance(item, h5py.Group) and all(key in item and item[key].ndim == 2 for key in "qk")


def addresses_in(address):
    """FILE:GROUP itself, or for FILE that of every group with q and k as matrices."""
    path, _, group = address.partition(":")
    found = []
    try:
        with h5py.File(path) as f:
            if group:
                found += [address] if has_points(f.get(group)) else []
            else:
                f.visititems(lambda name, item: found.append(f"{path}:{name}") if has_points(item) else None)
    except OSError as e:
        raise Unusable(f"{path}: {e}")
    if not found:
        raise Unusable(f"{address}: want a group with q and k as matrices, found none")
    return found


def sigma_of(group, matrix):
    """As kmv has it: for softmax 1/sigma^2 stands for the attribute scale, which wins over sigma."""
    if matrix == "softmax" and "scale" in group.attrs:
        return float(group.attrs["scale"]) ** -0.5
    return float(group.attrs["sigma"]) if "sigma" in group.attrs else group["q"].shape[1] ** 0.25


def write(spec, path, seed):
    """The file of a problem; returns its facts as cells of a row."""
    source, group_name = spec.address.split(":", 1)
    with h5py.File(source) as f:
        group = f[group_name]
        rows = slice(0, spec.n or None)
        q, k = (np.float64(group[key][rows]) for key in "qk")
        v = np.float64(group["v"][rows]) if "v" in group else None
        sigma = sigma_of(group, spec.matrix)
        facts = {key: str(int(group.attrs[key])) for key in ("layer", "head") if key in group.attrs}
    if spec.x_kind == "v" and v is None:
        raise Unusable(f"{spec.address}: want v, found none")
    if spec.center == "match":
        k = k + (q.mean(axis=0) - k.mean(axis=0))
    if spec.x_kind == "ones":
        x = np.ones((len(k), 1))
    elif spec.x_kind == "gauss":
        x = np.random.default_rng(seed).standard_normal((len(k), 1))
    else:
        x = v
    with h5py.File(path, "w") as f:
        f.attrs["matrix"], f.attrs["causal"] = spec.matrix, spec.causal
        g = f.create_group("problem")
        g["q"], g["k"] = q, k
        g.attrs["sigma"] = sigma
        if spec.x_kind == "v":
            g["v"] = v
        else:
            f["x"] = x
    facts.update(dataset=spec.dataset, matrix=spec.matrix, causal="yes" if spec.causal else "no", center=spec.center,
                 n_q=str(len(q)), n_k=str(len(k)), d=str(q.shape[1]), r=str(x.shape[1]), sigma_spec="x1",
                 sigma=f"{sigma:.12g}", x_kind=spec.x_kind)
    return facts, x


def planted(kmv, n, work):
    """A planted synthetic problem by `kmv gen`, d = 64."""
    path = os.path.join(work, f"planted_{n}.h5")
    done = subprocess.run([kmv, "gen", "planted", f"n={n}", "d=64", "-o", path + ":planted", "-q"], text=True,
                          capture_output=True)
    if done.returncode != 0:
        raise Unusable(done.stderr.strip())
    return path + ":planted"
