"""OpenVINO's ScaledDotProductAttention on the CPU, one head; in bfloat16 on the matrix unit where there is one."""
import numpy as np

from method import Method, softmax_only

threads_asked = 1


def load(threads):
    global threads_asked
    import openvino
    threads_asked = threads
    return f"openvino {openvino.__version__}, {threads} threads"


def prepare_as(precision):
    def prepare(p):
        import openvino
        from openvino import opset13
        q, k, v = (opset13.parameter((1, 1) + a.shape, np.float32) for a in (p.q, p.k, p.x))
        zero = opset13.constant(np.zeros((1, 1), np.float32))
        scale = opset13.constant(np.float32(p.scale))
        if p.causal:
            y = opset13.scaled_dot_product_attention(q, k, v, zero, scale, causal=True)
        else:
            y = opset13.scaled_dot_product_attention(q, k, v, zero, scale)
        compiled = openvino.Core().compile_model(
            openvino.Model([y], [q, k, v]), "CPU",
            {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads_asked, "NUM_STREAMS": 1,
             "PERFORMANCE_HINT": "LATENCY"})
        return compiled.create_infer_request(), np.float32(p.q)[None, None], np.float32(p.k)[None, None]
    return prepare


def apply(state, x):
    request, q, k = state
    return np.array(request.infer([q, k, x[None, None]])[0][0, 0])


METHODS = [Method("openvino-sdpa", f"type={name}", f"all pairs in {name}", load, softmax_only,
                  prepare_as("f32" if name == "float32" else "bf16"), apply) for name in ("float32", "bfloat16")]
