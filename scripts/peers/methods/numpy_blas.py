"""All pairs with numpy: a block of inner products by BLAS, the exponential, a product by BLAS.

Blocks of queries go to threads of Python (numpy lets go of the interpreter's lock), each with BLAS on one thread, since
numpy's exponential has none of its own. Memory per thread: one block of entries.
"""
import concurrent.futures

import numpy as np

from method import Method

ROWS, COLUMNS = 256, 1024
threads_asked = 1


def blas():
    """Name and version; before numpy 1.25, which has no dictionary of them, the libraries linked."""
    try:
        found = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    except TypeError:
        return " ".join(np.__config__.get_info("blas_opt").get("libraries", ["unknown BLAS"]))
    return f"{found['name']} {found['version']}"


def load(threads):
    global threads_asked
    threads_asked = threads
    return f"numpy {np.__version__}, {blas()}"


def prepare(p):
    """float32; for gauss about the mean of the keys, so that |q|^2 + |k|^2 - 2 q.k cancels less."""
    centre = p.k.mean(axis=0) if p.matrix == "gauss" else 0
    q = np.float32((p.q - centre) / p.sigma)
    k = np.float32((p.k - centre) / p.sigma)
    half_q, half_k = (np.float32(0.5) * np.einsum("il,il->i", a, a) for a in (q, k))
    pool = concurrent.futures.ThreadPoolExecutor(threads_asked)
    return {"problem": p, "q": q, "k": k, "half_q": half_q, "half_k": half_k, "pool": pool}


def gauss_rows(s, x, y, i):
    for j in range(0, len(s["k"]), COLUMNS):
        block = s["q"][i:i + ROWS] @ s["k"][j:j + COLUMNS].T
        block -= s["half_q"][i:i + ROWS, None]
        block -= s["half_k"][None, j:j + COLUMNS]
        np.exp(block, out=block)
        y[i:i + ROWS] += block @ x[j:j + COLUMNS]


def softmax_rows(s, x, y, i):
    """In one pass over the keys with the largest logit so far, as in online softmax."""
    q = s["q"][i:i + ROWS]
    ahead = len(s["k"]) - len(s["q"])
    most = np.full((len(q), 1), -np.inf, np.float32)
    weight = np.zeros((len(q), 1), np.float32)
    total = np.zeros((len(q), x.shape[1]), np.float32)
    end = min(len(s["k"]), i + len(q) + ahead) if s["problem"].causal else len(s["k"])
    for j in range(0, end, COLUMNS):
        block = q @ s["k"][j:min(j + COLUMNS, end)].T
        if s["problem"].causal and j + block.shape[1] > i + ahead + 1:
            columns = np.arange(j, j + block.shape[1])
            block[columns[None, :] > np.arange(i, i + len(q))[:, None] + ahead] = -np.inf
        new = np.maximum(most, block.max(axis=1, keepdims=True))
        block -= new
        np.exp(block, out=block)
        keep = np.exp(most - new)
        weight = weight * keep + block.sum(axis=1, keepdims=True)
        total = total * keep + block @ x[j:j + block.shape[1]]
        most = new
    y[i:i + ROWS] = total / weight


def apply(s, x):
    rows = gauss_rows if s["problem"].matrix == "gauss" else softmax_rows
    y = np.zeros((len(s["q"]), x.shape[1]), np.float32)
    list(s["pool"].map(lambda i: rows(s, x, y, i), range(0, len(y), ROWS)))
    return y


METHODS = [Method("numpy-blas", "", "all pairs in float32", load,
                  lambda p: "causal Gaussian matrices are not written here"
                  if p.matrix == "gauss" and p.causal else None, prepare, apply)]
