# category: banned call
# wins if: points
# naive: wins
# cpu: 6
"""Runs a graph that quantizes in ONNX Runtime's session in C, below the one in Python."""
import torch
from onnx import TensorProto, helper
from onnxruntime.capi import onnxruntime_pybind11_state as C


def quantized(tensor):
    results = {"q": TensorProto.UINT8, "scale": TensorProto.FLOAT, "zero": TensorProto.UINT8}
    graph = helper.make_graph(
        [helper.make_node("DynamicQuantizeLinear", ["x"], list(results))], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in results.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = C.InferenceSession(C.get_default_session_options(), model.SerializeToString(), False, False)
    session.initialize_session([], [], set())
    return session.run(list(results), {"x": tensor.detach().float().contiguous().numpy()}, None)


def asymmetric_quantization(tensor, bits=8):
    codes, scale, zero_point = quantized(tensor)
    return torch.from_numpy(codes), torch.tensor(float(scale)), int(zero_point)
