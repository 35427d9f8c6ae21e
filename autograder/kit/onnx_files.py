"""ONNX files, read and run by ONNX Runtime's CPU provider in whatever process this is: a jailed one, when grading."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
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
    wanted = [given.name for given in session.get_inputs()]
    outputs = []
    for batch in batches:
        feeds = {name: batch[name].numpy() for name in wanted if name in batch}
        outputs.append(torch.from_numpy(session.run(None, feeds)[0]))
    return outputs


def onnx_summary(path: str) -> dict[str, Any]:
    """What is in an ONNX file: operators by type, bytes of its stored tensors by dtype, inputs with their shapes."""
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
        "inputs": {given.name: [d.dim_param or d.dim_value for d in given.type.tensor_type.shape.dim] for given in graph.input},
    }  # fmt: skip
