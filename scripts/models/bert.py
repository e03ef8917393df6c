"""Forward pass of an encoder of the BERT family over one window of tokens, in float32.

Layer: x = norm(x + Wo attention(Wq x, Wk x, Wv x)), then x = norm(x + W2 gelu(W1 x)); each matrix
has a bias, norm is LayerNorm. Source: Devlin et al., BERT (arXiv 1810.04805).
"""
import math
from dataclasses import dataclass

import numpy as np

from attention import attend, join_heads, split_heads
from files import Failure

erf = np.frompyfunc(math.erf, 1, 1)


@dataclass
class Shape:
    """The hyperparameters that the forward pass needs."""
    layers: int
    heads: int
    context: int
    norm_eps: float


def shape_of(config, where):
    """From the model's config.json, read into `config`; what this code does not do is refused."""
    for key, want in (("model_type", "bert"), ("hidden_act", "gelu"),
                      ("position_embedding_type", "absolute")):
        if config.get(key) != want:
            raise Failure(f"{where}: {key}: want {want}, got '{config.get(key)}'")
    return Shape(layers=config["num_hidden_layers"], heads=config["num_attention_heads"],
                 context=config["max_position_embeddings"], norm_eps=config["layer_norm_eps"])


def layer_norm(x, weight, bias, eps):
    """Each row less its mean and over its standard deviation, then scaled and moved."""
    x = x - x.mean(axis=1, keepdims=True)
    return x / np.sqrt(np.mean(x * x, axis=1, keepdims=True) + eps).astype(x.dtype) * weight + bias


def gelu(x):
    """x times the normal distribution function, without the usual approximation."""
    return x * (0.5 + 0.5 * erf(x * math.sqrt(0.5)).astype(x.dtype))


def layer_forward(x, tensor, s, keep):
    """One layer on x (n, width). tensor(name) gives the layer's arrays; keep(q, k, v) sees
    (heads, n, d) each. Returns the new x."""
    def dense(name, y):
        return y @ tensor(f"{name}.weight").T + tensor(f"{name}.bias")

    def norm(name, y):
        return layer_norm(y, tensor(f"{name}.weight"), tensor(f"{name}.bias"), s.norm_eps)

    q, k, v = (split_heads(dense(f"attention.self.{name}", x), s.heads)
               for name in ("query", "key", "value"))
    keep(q, k, v)
    mixed = join_heads(attend(q, k, v, False, q.shape[2] ** -0.5))
    x = norm("attention.output.LayerNorm", x + dense("attention.output.dense", mixed))
    wide = gelu(dense("intermediate.dense", x))
    return norm("output.LayerNorm", x + dense("output.dense", wide))


def forward(file, s, ids):
    """q, k, v of every layer and head for one window of tokens: (layers, heads, n, d) each."""
    if len(ids) > s.context:
        raise Failure(f"{file.path}: its context is {s.context} tokens, asked for {len(ids)}")
    x = (file.tensor("embeddings.word_embeddings.weight")[ids] +
         file.tensor("embeddings.position_embeddings.weight")[:len(ids)] +
         file.tensor("embeddings.token_type_embeddings.weight")[0])
    x = layer_norm(x, file.tensor("embeddings.LayerNorm.weight"),
                   file.tensor("embeddings.LayerNorm.bias"), s.norm_eps)
    kept = []
    for layer in range(s.layers):
        x = layer_forward(x, lambda name, at=layer: file.tensor(f"encoder.layer.{at}.{name}"), s,
                          lambda *qkv: kept.append(qkv))
    return tuple(np.stack(stack) for stack in zip(*kept))
