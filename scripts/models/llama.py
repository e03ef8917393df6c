"""Forward pass of a decoder of the Llama family over one text, from a GGUF file, in float32.

Layer: x += Wo attention(rope(Wq a), rope(Wk a), Wv a) with a = norm(x), then
x += Wdown (silu(Wgate b) * (Wup b)) with b = norm(x); norm is RMSNorm.
Sources: Touvron et al., LLaMA (arXiv 2302.13971); rotary embedding: Su et al. (arXiv 2104.09864);
shared key heads: Ainslie et al. (arXiv 2305.13245).
"""
from dataclasses import dataclass

import numpy as np

from attention import attend, join_heads, split_heads
from files import Failure

ROWS = 512  # tokens at a time where a wide intermediate would be large


@dataclass
class Shape:
    """The hyperparameters that the forward pass needs."""
    layers: int
    heads: int
    key_heads: int
    context: int
    rope_base: float
    rope_dims: int
    norm_eps: float


def shape_of(file):
    """From the metadata of a GGUF file; what this code does not do is refused."""
    kind = file.get("general.architecture")
    if kind != "llama":
        raise Failure(f"{file.path}: want architecture llama, got '{kind}'")
    other = [key for key in file.meta if key.startswith("llama.rope.scaling")]
    if other or "rope_freqs.weight" in file.table:
        raise Failure(f"{file.path}: scaled rotary embeddings are not supported")
    return Shape(layers=file.get("llama.block_count"),
                 heads=file.get("llama.attention.head_count"),
                 key_heads=file.get("llama.attention.head_count_kv"),
                 context=file.get("llama.context_length"),
                 rope_base=file.get("llama.rope.freq_base"),
                 rope_dims=file.get("llama.rope.dimension_count"),
                 norm_eps=file.get("llama.attention.layer_norm_rms_epsilon"))


def rms_norm(x, weight, eps):
    """Each row over its root mean square, then scaled by coordinate."""
    return x / np.sqrt(np.mean(x * x, axis=1, keepdims=True) + eps).astype(x.dtype) * weight


def rope(x, base, dims):
    """Rotary embedding of x (heads, n, d) in place: row i turns pair l of the first `dims`
    coordinates by the angle i base^(-2l / dims).

    The pairs are (2l, 2l + 1): for the architecture llama the converter to GGUF orders the rows of
    Wq and Wk so. Angles are computed in double, since i reaches thousands of radians.
    """
    angle = np.outer(np.arange(x.shape[1]), float(base) ** (-np.arange(0, dims, 2) / dims))
    cos, sin = np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)
    even, odd = x[..., 0:dims:2].copy(), x[..., 1:dims:2].copy()
    x[..., 0:dims:2] = even * cos - odd * sin
    x[..., 1:dims:2] = even * sin + odd * cos
    return x


def silu(x):
    return x / (1 + np.exp(-x))


def feed_forward(x, gate, up, down):
    out = np.empty((x.shape[0], down.shape[0]), x.dtype)
    for begin in range(0, x.shape[0], ROWS):
        part = x[begin:begin + ROWS]
        out[begin:begin + ROWS] = (silu(part @ gate.T) * (part @ up.T)) @ down.T
    return out


def layer_forward(x, weight, s, keep):
    """One layer on x (n, width), in place. weight(name) gives the layer's matrices; keep(q, k, v)
    sees queries and keys after the rotary embedding and the values: (heads, n, d)."""
    a = rms_norm(x, weight("attn_norm"), s.norm_eps)
    q = rope(split_heads(a @ weight("attn_q").T, s.heads), s.rope_base, s.rope_dims)
    k = rope(split_heads(a @ weight("attn_k").T, s.key_heads), s.rope_base, s.rope_dims)
    v = split_heads(a @ weight("attn_v").T, s.key_heads)
    keep(q, k, v)
    x += join_heads(attend(q, k, v, True, q.shape[2] ** -0.5)) @ weight("attn_output").T
    b = rms_norm(x, weight("ffn_norm"), s.norm_eps)
    x += feed_forward(b, weight("ffn_gate"), weight("ffn_up"), weight("ffn_down"))


def forward(file, ids, keep, progress=lambda layer: None):
    """Runs the tokens `ids` through the model; keep(layer, q, k, v) sees every layer.

    Returns the mean loss of predicting each token from those before it, in nats: the pass is right
    when the model makes sense of a text in its language. The weights of one layer are in memory at
    a time.
    """
    s = shape_of(file)
    if len(ids) > s.context:
        raise Failure(f"{file.path}: its context is {s.context} tokens, asked for {len(ids)}")
    embedding = file.tensor("token_embd.weight")
    x = embedding[ids]
    for layer in range(s.layers):
        progress(layer)
        layer_forward(x, lambda name, at=layer: file.tensor(f"blk.{at}.{name}.weight"), s,
                      lambda q, k, v, at=layer: keep(at, q, k, v))
    x = rms_norm(x, file.tensor("output_norm.weight"), s.norm_eps)
    # Models that share input and output embeddings store them once.
    output = file.tensor("output.weight") if "output.weight" in file.table else embedding
    return mean_loss(x, output, ids)


def mean_loss(x, output, ids):
    total = 0.0
    for begin in range(0, len(ids) - 1, ROWS):
        end = min(begin + ROWS, len(ids) - 1)
        logits = x[begin:end] @ output.T
        top = logits.max(axis=1)
        log_sum = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
        total += float(np.sum(log_sum - logits[np.arange(end - begin), ids[begin + 1:end + 1]]))
    return total / (len(ids) - 1)
