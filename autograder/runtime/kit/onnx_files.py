"""ONNX files, read and run by ONNX Runtime's CPU provider in whatever process this is: a jailed one, when grading."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def onnx_logits(path: str, batches: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
    """The first output of an ONNX model on each batch; inputs by name, those that the model doesn't take left out."""
    import onnxruntime  # noqa: PLC0415 - only where an ONNX file is judged

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [graph_input.name for graph_input in session.get_inputs()]
    outputs = []
    for batch in batches:
        feeds = {name: batch[name].numpy() for name in names if name in batch}
        outputs.append(torch.from_numpy(session.run(None, feeds)[0]))
    return outputs


def onnx_summary(path: str) -> dict[str, Any]:
    """What is in an ONNX file: operators by type, bytes of its stored tensors by dtype, inputs with their shapes.

    "integer_weights": for every stored integer matrix behind a DequantizeLinear, and each operator that computes with
    it: "operator", its type; "elements"; "dtype"; "static", whether another input of that operator was quantized and
    dequantized with a stored scale; "pair_peak", the largest sum of two neighbouring products (see `_pair_peak`).
    """
    import onnx  # noqa: PLC0415

    graph = onnx.load(path, load_external_data=False).graph
    stored: Counter[str] = Counter()
    constants = [a.t for node in graph.node if node.op_type == "Constant" for a in node.attribute if a.HasField("t")]
    for tensor in [*graph.initializer, *constants]:
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        stored[str(kind)] += math.prod(tensor.dims) * kind.itemsize
    return {
        "operators": dict(Counter(node.op_type for node in graph.node)),
        "bytes": dict(stored),
        "integer_weights": _integer_weights(path),
        "inputs": {
            item.name: [d.dim_param or d.dim_value for d in item.type.tensor_type.shape.dim] for item in graph.input
        },
    }


def _integer_weights(path: str) -> list[dict[str, Any]]:
    import onnx  # noqa: PLC0415

    graph = _Graph(onnx.load(path).graph)
    return [entry for node in graph.nodes if node.op_type == "DequantizeLinear" for entry in graph.weights_of(node)]


_MOVES = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Expand", "Slice")


class _Graph:
    """A graph that can be asked who makes a value and who reads it."""

    def __init__(self, graph: Any) -> None:
        import onnx  # noqa: PLC0415

        self.nodes = list(graph.node)
        self.stored = {tensor.name: tensor for tensor in graph.initializer}
        for node in self.nodes:
            if node.op_type == "Constant":
                self.stored.update((node.output[0], a.t) for a in node.attribute if a.HasField("t"))
        self.maker = {name: node for node in self.nodes for name in node.output}
        self.array = onnx.numpy_helper.to_array

    def weights_of(self, node: Any) -> Iterator[dict[str, Any]]:
        """What is known of a DequantizeLinear's stored matrix, for each operator that computes with it."""
        tensor = self.stored.get(node.input[0])
        if tensor is None or len(tensor.dims) < 2:
            return
        values = torch.from_numpy(self.array(tensor).copy())
        for reader, name, turned in self._readers(node.output[0], False):
            gemm_turned = reader.op_type == "Gemm" and any(a.name == "transB" and a.i for a in reader.attribute)
            rows = values.mT if turned != gemm_turned else values
            yield {
                "operator": reader.op_type,
                "elements": values.numel(),
                "dtype": str(values.dtype).removeprefix("torch."),
                "static": any(self._is_static(other) for other in reader.input if other != name),
                "pair_peak": _pair_peak(rows),
            }

    def _readers(self, name: str, turned: bool) -> Iterator[tuple[Any, str, bool]]:
        """(operator, the name under which it reads the value, whether the matrix was transposed on the way)."""
        for node in self.nodes:
            if name in node.input:
                if node.op_type in _MOVES and node.output:
                    yield from self._readers(node.output[0], turned != (node.op_type == "Transpose"))
                else:
                    yield node, name, turned

    def _is_static(self, name: str) -> bool:
        """Whether a value was dequantized from one that is computed and quantized with a stored scale."""
        node = self.maker.get(name)
        while node is not None and node.op_type in _MOVES:
            node = self.maker.get(node.input[0])
        if node is None or node.op_type != "DequantizeLinear" or node.input[0] in self.stored:
            return False
        before = self.maker.get(node.input[0])
        while before is not None and before.op_type in _MOVES:
            before = self.maker.get(before.input[0])
        return before is not None and before.op_type == "QuantizeLinear" and before.input[1] in self.stored


def _pair_peak(weight: Tensor) -> int:
    """The largest |a·x + b·y| of neighbouring rows a, b of weight [in, out] and any x, y from 0 to 255.

    CPUs without VNNI multiply uint8 by int8 with an instruction (vpmaddubsw) that adds such a pair in 16 bits and
    stops at ±32767: codes of 8 bits reach 64770, codes of 7 bits 32640. uint8 weights take another instruction, which
    is exact.
    """
    wide = weight.reshape(-1, *weight.shape[-2:]).to(torch.int64)
    if wide.shape[1] % 2:
        wide = torch.cat((wide, torch.zeros_like(wide[:, :1])), dim=1)
    above, below = wide.clamp(min=0), (-wide).clamp(min=0)
    sums = [part[:, 0::2] + part[:, 1::2] for part in (above, below)]
    return 255 * max(int(part.max()) for part in sums)
