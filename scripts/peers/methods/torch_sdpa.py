"""PyTorch's scaled_dot_product_attention on the CPU (blocks of queries and keys, nothing of size n^2)."""
import numpy as np

from method import Method, softmax_only


def load(threads):
    import torch
    torch.set_num_threads(threads)
    return f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {threads} threads"


def prepare_as(type_name):
    def prepare(p):
        import torch
        kind = getattr(torch, type_name)
        q, k = (torch.from_numpy(np.float32(a))[None, None].to(kind) for a in (p.q, p.k))
        return q, k, kind, p
    return prepare


def apply(state, x):
    import torch
    q, k, kind, p = state
    with torch.inference_mode():
        v = torch.from_numpy(x)[None, None].to(kind)
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=p.causal, scale=p.scale)
        return y[0, 0].float().numpy()


METHODS = [Method("torch-sdpa", f"type={name}", f"all pairs in {name}", load, softmax_only, prepare_as(name), apply)
           for name in ("float32", "bfloat16")]
