"""ONNX Runtime's operator MultiHeadAttention on the CPU, one head; without mask it goes by blocks."""
import numpy as np

from method import Method, softmax_only

threads_asked = 1


def load(threads):
    global threads_asked
    import onnx
    import onnxruntime
    threads_asked = threads
    return f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}, {threads} threads"


def prepare(p):
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper
    shapes = {"q": p.q.shape, "k": p.k.shape, "v": p.x.shape, "y": (len(p.q), p.x.shape[1])}
    info = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, (1,) + shape)
            for name, shape in shapes.items()}
    node = helper.make_node("MultiHeadAttention", ["q", "k", "v"], ["y"], domain="com.microsoft", num_heads=1,
                            scale=p.scale, unidirectional=int(p.causal))
    graph = helper.make_graph([node], "attention", [info["q"], info["k"], info["v"]], [info["y"]])
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17),
                                                                  helper.make_opsetid("com.microsoft", 1)])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads_asked
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session, np.float32(p.q)[None], np.float32(p.k)[None]


def apply(state, x):
    session, q, k = state
    return session.run(["y"], {"q": q, "k": k, "v": x[None]})[0][0]


METHODS = [Method("onnxruntime-mha", "", "all pairs in float32", load, softmax_only, prepare, apply)]
