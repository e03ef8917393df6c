"""Softmax attention in blocks of queries, so that memory stays small at any length."""
import numpy as np

ROWS = 512  # queries at a time: 512 x 8192 logits are 16 MB


def attend(q, k, v, causal, scale):
    """softmax(scale q k^T) v for each head, with causal: query i sees the keys 0..i.

    q: (heads, n, d); k, v: (key heads, n, d), where query head h uses key head
    h // (heads / key heads). Returns (heads, n, d) in the type of q.
    """
    heads, n, _ = q.shape
    share = heads // k.shape[0]
    out = np.empty(q.shape[:2] + v.shape[2:], q.dtype)
    for h in range(heads):
        keys, values = k[h // share], v[h // share]
        for begin in range(0, n, ROWS):
            end = min(begin + ROWS, n)
            seen = end if causal else n
            logits = (q[h, begin:end] * q.dtype.type(scale)) @ keys[:seen].T
            if causal:
                # Only the last square of the block holds pairs with j > i.
                square = logits[:, begin:]
                square[np.triu_indices(end - begin, 1)] = -np.inf
            logits -= logits.max(axis=1, keepdims=True)
            np.exp(logits, out=logits)
            out[h, begin:end] = logits @ values[:seen] / logits.sum(axis=1, keepdims=True)
    return out


def split_heads(x, heads):
    """(n, heads d) to (heads, n, d)."""
    return np.ascontiguousarray(x.reshape(x.shape[0], heads, -1).transpose(1, 0, 2))


def join_heads(x):
    """(heads, n, d) to (n, heads d)."""
    return x.transpose(1, 0, 2).reshape(x.shape[1], -1)
