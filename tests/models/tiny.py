"""Model files with small random weights, and the same models written out in float64 loops."""
import json
import math
import struct

import numpy as np

LLAMA = {"llama.block_count": 2, "llama.attention.head_count": 4,
         "llama.attention.head_count_kv": 2,
         "llama.context_length": 64, "llama.embedding_length": 16, "llama.vocab_size": 11,
         "llama.rope.dimension_count": 4, "llama.rope.freq_base": 100.0,
         "llama.attention.layer_norm_rms_epsilon": 0.015625}
WIDTH, HEADS, KEY_HEADS, D, WIDE, WORDS = 16, 4, 2, 4, 24, 11
BERT = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute",
        "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 32,
        "layer_norm_eps": 0.0078125}


def llama_weights(rng):
    def draw(*shape):
        return rng.normal(0, shape[-1] ** -0.5, shape).astype("f4")

    weights = {"token_embd.weight": draw(WORDS, WIDTH) * 4, "output_norm.weight": 1 + draw(WIDTH)}
    for layer in range(LLAMA["llama.block_count"]):
        for name, shape in (("attn_norm", (WIDTH,)), ("ffn_norm", (WIDTH,)),
                            ("attn_q", (WIDTH, WIDTH)), ("attn_k", (KEY_HEADS * D, WIDTH)),
                            ("attn_v", (KEY_HEADS * D, WIDTH)), ("attn_output", (WIDTH, WIDTH)),
                            ("ffn_gate", (WIDE, WIDTH)), ("ffn_up", (WIDE, WIDTH)),
                            ("ffn_down", (WIDTH, WIDE))):
            weights[f"blk.{layer}.{name}.weight"] = draw(*shape) + (len(shape) == 1)
    return weights


def bert_weights(rng):
    def draw(*shape):
        return rng.normal(0, shape[-1] ** -0.5, shape).astype("f4")

    weights = {f"embeddings.{name}_embeddings.weight": draw(rows, WIDTH) for name, rows in
               (("word", WORDS), ("position", BERT["max_position_embeddings"]), ("token_type", 2))}
    norms, shapes = ["embeddings.LayerNorm"], {}
    for layer in range(BERT["num_hidden_layers"]):
        at = f"encoder.layer.{layer}"
        norms += [f"{at}.attention.output.LayerNorm", f"{at}.output.LayerNorm"]
        for name in ("attention.self.query", "attention.self.key", "attention.self.value",
                     "attention.output.dense"):
            shapes[f"{at}.{name}"] = (WIDTH, WIDTH)
        shapes[f"{at}.intermediate.dense"] = (WIDE, WIDTH)
        shapes[f"{at}.output.dense"] = (WIDTH, WIDE)
    for name in norms:
        weights[f"{name}.weight"], weights[f"{name}.bias"] = 1 + draw(WIDTH), draw(WIDTH)
    for name, shape in shapes.items():
        weights[f"{name}.weight"], weights[f"{name}.bias"] = draw(*shape), draw(shape[0])
    return weights


def write_gguf(path, meta, tensors):
    """tensors: arrays (stored as float32), or (type number, shape, bytes) as they are."""
    def text(s):
        return struct.pack("<Q", len(s.encode())) + s.encode()

    def value(v):
        if isinstance(v, bool):
            return struct.pack("<I?", 7, v)
        if isinstance(v, int):
            return struct.pack("<II", 4, v)
        if isinstance(v, float):
            return struct.pack("<If", 6, v)
        if isinstance(v, str):
            return struct.pack("<I", 8) + text(v)
        return struct.pack("<IIQ", 9, 8, len(v)) + b"".join(map(text, v))

    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(meta))
    for key, v in meta.items():
        head += text(key) + value(v)
    data = b""
    for name, t in tensors.items():
        kind, shape, raw = t if isinstance(t, tuple) else (0, t.shape, t.tobytes())
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], kind,
                                         len(data))
        data += raw + bytes(-len(raw) % 32)
    with open(path, "wb") as out:
        out.write(head + bytes(-len(head) % 32) + data)


def write_safetensors(path, tensors):
    table, data = {}, b""
    for name, t in tensors.items():
        table[name] = {"dtype": "F32", "shape": t.shape, "data_offsets": [len(data),
                                                                          len(data) + t.nbytes]}
        data += t.tobytes()
    head = json.dumps(table).encode()
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(head)) + head + data)


def softmax_row(q, keys, values, scale):
    """One query's attention over lists of keys and values."""
    weights = [math.exp(scale * float(np.dot(q, k))) for k in keys]
    return sum(w * v for w, v in zip(weights, values)) / sum(weights)


def llama_loops(w, ids):
    """Token by token, head by head: queries, keys, values of each layer and the mean loss."""
    w = {name: t.astype("f8") for name, t in w.items()}
    eps = LLAMA["llama.attention.layer_norm_rms_epsilon"]

    def norm(x, weight):
        return x / math.sqrt(sum(c * c for c in x) / len(x) + eps) * weight

    def turned(x, position):
        y = x.copy()
        for l in range(D // 2):
            a = position * LLAMA["llama.rope.freq_base"] ** (-2 * l / D)
            z = complex(x[2 * l], x[2 * l + 1]) * complex(math.cos(a), math.sin(a))
            y[2 * l], y[2 * l + 1] = z.real, z.imag
        return y

    layers = LLAMA["llama.block_count"]
    seen = [[np.zeros((heads, len(ids), D)) for heads in (HEADS, KEY_HEADS, KEY_HEADS)]
            for _ in range(layers)]
    loss = 0.0
    for i, token in enumerate(ids):
        x = w["token_embd.weight"][token].copy()
        for layer in range(layers):
            def weight(name, at=layer):
                return w[f"blk.{at}.{name}.weight"]

            q, k, v = seen[layer]
            a = norm(x, weight("attn_norm"))
            for h in range(HEADS):
                q[h, i] = turned(weight("attn_q")[h * D:(h + 1) * D] @ a, i)
            for h in range(KEY_HEADS):
                k[h, i] = turned(weight("attn_k")[h * D:(h + 1) * D] @ a, i)
                v[h, i] = weight("attn_v")[h * D:(h + 1) * D] @ a
            mixed = [softmax_row(q[h, i], k[h // 2, :i + 1], v[h // 2, :i + 1], D ** -0.5)
                     for h in range(HEADS)]
            x += weight("attn_output") @ np.concatenate(mixed)
            b = norm(x, weight("ffn_norm"))
            gate = weight("ffn_gate") @ b
            x += weight("ffn_down") @ (gate / (1 + np.exp(-gate)) * (weight("ffn_up") @ b))
        if i + 1 < len(ids):
            logits = w["token_embd.weight"] @ norm(x, w["output_norm.weight"])
            loss -= math.log(math.exp(logits[ids[i + 1]]) / sum(math.exp(c) for c in logits))
    return seen, loss / (len(ids) - 1)


def bert_loops(w, ids):
    """Layer by layer, head by head, query by query: queries, keys, values of each layer."""
    w = {name: t.astype("f8") for name, t in w.items()}

    def norm(x, name):
        rows = [(row - row.mean()) / math.sqrt(row.var() + BERT["layer_norm_eps"]) for row in x]
        return np.array(rows) * w[f"{name}.weight"] + w[f"{name}.bias"]

    def dense(x, name):
        return np.array([w[f"{name}.weight"] @ row + w[f"{name}.bias"] for row in x])

    x = norm([w["embeddings.word_embeddings.weight"][token] +
              w["embeddings.position_embeddings.weight"][i] +
              w["embeddings.token_type_embeddings.weight"][0] for i, token in enumerate(ids)],
             "embeddings.LayerNorm")
    seen = []
    for layer in range(BERT["num_hidden_layers"]):
        at = f"encoder.layer.{layer}"
        q, k, v = (dense(x, f"{at}.attention.self.{name}") for name in ("query", "key", "value"))
        heads = [slice(h * D, (h + 1) * D) for h in range(HEADS)]
        seen.append([np.array([y[:, h] for h in heads]) for y in (q, k, v)])
        mixed = np.array([np.concatenate([softmax_row(row[h], k[:, h], v[:, h], D ** -0.5)
                                          for h in heads]) for row in q])
        x = norm(x + dense(mixed, f"{at}.attention.output.dense"),
                 f"{at}.attention.output.LayerNorm")
        wide = [[c * 0.5 * math.erfc(-c / math.sqrt(2)) for c in row]
                for row in dense(x, f"{at}.intermediate.dense")]
        x = norm(x + dense(wide, f"{at}.output.dense"), f"{at}.output.LayerNorm")
    return seen
