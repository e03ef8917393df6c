"""Errors of a result against the reference, as kmv defines them (docs/experiments.md)."""
import numpy as np


def real(value):
    return "" if not np.isfinite(value) else f"{value:.12g}"


def ratio(a, b):
    return a / b if b > 0 else np.nan


def floors(spec, x, reference):
    """What answering 0, and for softmax the (prefix) mean, would miss."""
    size = np.linalg.norm(x)
    cells = {"null_err": real(ratio(np.linalg.norm(reference), size))}
    if spec.matrix == "softmax":
        n_q, n_k = len(reference), len(x)
        mean = x.mean(axis=0)
        if spec.causal:
            mean = (np.cumsum(x, axis=0) / np.arange(1, n_k + 1)[:, None])[n_k - n_q:]
        cells["mean_err"] = real(ratio(np.linalg.norm(reference - mean), size))
    return cells


def errors(x, reference, y):
    """Cells of the row, or a reason why there is nothing to judge."""
    if y.shape != reference.shape:
        return None, f"its result is {y.shape}, want {reference.shape}"
    if not np.all(np.isfinite(y)):
        return None, "its result is not finite"
    missed = np.linalg.norm(y - reference)
    err = real(ratio(missed, np.linalg.norm(x)))
    rows = np.linalg.norm(reference, axis=1)
    of_rows = np.linalg.norm(y - reference, axis=1)[rows > 0] / rows[rows > 0]
    cells = {"err_l2": err, "err_lo": err, "err_hi": err, "err_kind": "full",
             "err_rel": real(ratio(missed, np.linalg.norm(reference))), "y_sum": real(y.sum())}
    if len(of_rows) > 0:
        for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0)):
            cells["row_err_" + name] = real(np.quantile(of_rows, share))
    return cells, ""
