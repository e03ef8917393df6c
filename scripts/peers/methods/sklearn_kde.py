"""scikit-learn's KernelDensity: a kd-tree or ball tree over the keys, both sides in one thread, x = 1 only.

score_samples gives log((2 pi)^(-d/2) sigma^(-d) / n_k sum_j K_ij), from which y_i = sum_j K_ij follows.
"""
import math

import numpy as np

from method import Method

RTOL = 0.1


def load(threads):
    import sklearn
    return f"scikit-learn {sklearn.__version__}, one thread, it has no more"


def rejects(p):
    if p.matrix != "gauss" or p.causal:
        return "sums of the full Gaussian kernel only"
    return None if np.all(p.x == 1) else "x = 1 only"


def prepare_with(tree):
    def prepare(p):
        from sklearn.neighbors import KernelDensity
        fitted = KernelDensity(bandwidth=p.sigma, algorithm=tree, kernel="gaussian", rtol=RTOL).fit(p.k)
        n_k, d = p.k.shape
        return fitted, p.q, math.log(n_k) + d * math.log(p.sigma * math.sqrt(2 * math.pi))
    return prepare


def apply(state, x):
    fitted, q, log_factor = state
    return np.exp(fitted.score_samples(q) + log_factor)[:, None]


METHODS = [Method("sklearn-kde", f"tree={tree},rtol={RTOL}", "each sum within rtol of itself", load, rejects,
                  prepare_with(tree), apply, x_type=np.float64) for tree in ("kd_tree", "ball_tree")]
