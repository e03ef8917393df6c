"""What an outside program has to say and to do to stand in the table.

A file of methods/ has a list METHODS of these. The library behind a method is imported in load(), in a process of its
own, so that one which is missing or crashes takes nothing else with it.
"""
import dataclasses
import importlib
import os
import pkgutil
from typing import Any, Callable, Optional

import numpy as np


@dataclasses.dataclass
class Problem:
    """q: n_q x d, k: n_k x d, float64; x: n_k x r (softmax: the values). y = A x with
    gauss:   A_ij = exp(-|q_i - k_j|^2 / (2 sigma^2))
    softmax: A_ij = exp(q_i.k_j / sigma^2) / sum_l exp(q_i.k_l / sigma^2)
    where a causal matrix has no entries with j > i + n_k - n_q."""
    q: np.ndarray
    k: np.ndarray
    x: np.ndarray
    sigma: float
    matrix: str
    causal: bool

    @property
    def scale(self):
        return 1 / self.sigma**2


@dataclasses.dataclass
class Method:
    name: str  # in the column algo
    options: str  # in the column algo_opts
    guarantee: str  # in the column plan
    load: Callable[[int], str]  # load(threads): import, set the threads; the versions
    rejects: Callable[[Problem], Optional[str]]  # why it does not do this problem, or None
    prepare: Callable[[Problem], Any]  # all that can be done before x is known; timed
    apply: Callable[[Any, np.ndarray], np.ndarray]  # one product; timed
    x_type: Any = np.float32  # x comes in this type; y may come in any
    # Seconds of set-up that this process paid in an earlier prepare() and that another process would pay again (a
    # compilation); they are added to the time of every preparation but the one that paid them.
    once: Callable[[Any], float] = lambda state: 0.0


def softmax_only(problem):
    """For attention of libraries, whose causal masks begin at the first key."""
    if problem.matrix != "softmax":
        return "attention only"
    if problem.causal and len(problem.q) != len(problem.k):
        return "its causal mask is aligned at the start: as many queries as keys only"
    return None


def find_all():
    """Every method of methods/, in the order of file names; nothing heavy is imported."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "methods")
    found = []
    for module in sorted(pkgutil.iter_modules([folder]), key=lambda m: m.name):
        found += importlib.import_module("methods." + module.name).METHODS
    return found


def label(method):
    return method.name + (":" + method.options if method.options else "")
