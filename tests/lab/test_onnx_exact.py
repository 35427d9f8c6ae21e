"""INT8 through ONNX Runtime gives the right numbers: the reference's file against exact integer arithmetic.

CPUs without VNNI add two uint8 × int8 products in 16 bits, which saturate. Whether this CPU has VNNI or not, the file
must hold no weights with which that could happen, and what ONNX Runtime computes must be what integers say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from support import ROOT
from torch import Tensor

from autograder.grading.reference import reference_namespace
from autograder.lab import models

SLUG = "04_advanced_ptq"
READY = (ROOT / "solutions" / SLUG / "source.py").is_file() and (ROOT / "exercises" / SLUG / "exercise.toml").is_file()
pytestmark = pytest.mark.skipif(not READY, reason=f"{SLUG} is not written yet")
HALF_STEP = 1e-5  # of the largest output: ONNX Runtime scales integer sums in float32


@dataclass(frozen=True)
class Product:
    """One MatMul or Gemm of a QDQ file: its quantized input's name, and everything that integer arithmetic needs."""

    name: str
    quantized_input: str
    input_scale: float
    input_zero_point: int
    weight: Tensor  # int64 [in, out]
    weight_zero_point: Tensor  # int64, [1] or [out]
    weight_scale: Tensor  # float64, [1] or [out]

    def exact(self, codes: Tensor) -> Tensor:
        """The product of input codes [..., in] in integers, scaled in float64: [..., out]."""
        sums = (codes.long() - self.input_zero_point) @ (self.weight - self.weight_zero_point)
        return sums.double() * (self.input_scale * self.weight_scale)

    def without_vnni(self, codes: Tensor) -> Tensor:
        """The same, with neighbouring products added in 16 bits that saturate: what vpmaddubsw does. codes [rows, in]."""
        rows = torch.nn.functional.pad(codes.long(), (0, codes.shape[1] % 2)).unflatten(1, (-1, 2))
        columns = torch.nn.functional.pad(self.weight, (0, 0, 0, codes.shape[1] % 2)).unflatten(0, (-1, 2))
        pairs = torch.einsum("rkp,kpo->rko", rows.double(), columns.double())
        sums = pairs.clamp(-32768, 32767).sum(dim=1)
        sums -= self.input_zero_point * self.weight.sum(dim=0).double()
        return sums * (self.input_scale * self.weight_scale)


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tiny-bert, exported and quantized by the reference."""
    solution = reference_namespace(ROOT / "exercises" / SLUG, ROOT / "solutions" / SLUG)
    folder = tmp_path_factory.mktemp("onnx")
    shown = models.batches(models.load_batches("tiny-bert", "calibration", ROOT / "datasets"), 4, 8)
    solution["export_onnx"](
        models.load_model("tiny-bert", folder=ROOT / "datasets"), str(folder / "float.onnx"), shown[0]
    )
    solution["quantize_onnx"](str(folder / "float.onnx"), str(folder / "int8.onnx"), shown)
    return folder / "int8.onnx"


@pytest.fixture(scope="module")
def asked() -> dict[str, Any]:
    """Sixteen evaluation rows, as ONNX Runtime takes them."""
    rows = models.load_batches("tiny-bert", "evaluation", ROOT / "datasets")
    return {name: value.numpy() for name, value in models.batches(rows, 1, 16)[0].items()}


def products(path: Path) -> Iterator[Product]:
    """Every product of a computed, quantized input and a stored, quantized weight."""
    import onnx

    graph = onnx.load(path).graph
    stored = {tensor.name: torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    maker = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        sides = [maker.get(name) for name in node.input[:2]]
        if node.op_type not in ("MatMul", "Gemm") or any(s is None or s.op_type != "DequantizeLinear" for s in sides):
            continue
        left, right = sides
        if right.input[0] in stored and left.input[0] not in stored:
            turned = node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute)
            weight = stored[right.input[0]].long()
            yield Product(
                node.name,
                left.input[0],
                float(stored[left.input[1]]),
                int(stored[left.input[2]]),
                weight.T if turned else weight,
                stored[right.input[2]].long().reshape(-1),
                stored[right.input[1]].double().reshape(-1),
            )


def with_outputs(path: Path, names: list[str]) -> Any:
    """A session of the file that also gives these values."""
    import onnx
    import onnxruntime

    model = onnx.load(path)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def alone(product: Product, codes: Tensor) -> Tensor:
    """What ONNX Runtime's fused kernel makes of the product: uint8 codes [rows, in] to float32 [rows, out]."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    signed = int(product.weight.min()) < 0
    kind = torch.int8 if signed else torch.uint8
    zero = product.weight_zero_point.to(kind)
    per_channel = product.weight_scale.numel() > 1
    constants = {
        "xs": torch.tensor(product.input_scale),
        "xz": torch.tensor(product.input_zero_point, dtype=torch.uint8),
        "w": product.weight.to(kind),
        "ws": product.weight_scale.float(),
        "wz": zero,
    }
    if not per_channel:
        constants |= {"ws": constants["ws"].reshape(()), "wz": zero[0]}
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "xs", "xz"], ["xf"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wf"], **({"axis": 1} if per_channel else {})),
        helper.make_node("MatMul", ["xf", "wf"], ["y"]),
    ]
    ends = (("x", TensorProto.UINT8, codes.shape[1]), ("y", TensorProto.FLOAT, product.weight.shape[1]))
    values = [helper.make_tensor_value_info(name, kind_, ["rows", width]) for name, kind_, width in ends]
    held = [numpy_helper.from_array(value.contiguous().numpy(), name) for name, value in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "product", values[:1], values[1:], held),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"x": codes.numpy()})[0])


def hardest(product: Product) -> Tensor:
    """Codes that make the sums of one output channel as large as they get, of either sign: uint8 [2, in]."""
    column = product.weight[:, product.weight.abs().sum(dim=0).argmax()]
    return torch.stack((column > 0, column < 0)).to(torch.uint8) * 255


def near(found: Tensor, wanted: Tensor) -> bool:
    return bool((found.double() - wanted).abs().max() <= HALF_STEP * wanted.abs().max())


def test_every_linear_layer_of_the_file_is_an_integer_product(quantized: Path) -> None:
    model = models.load_model("tiny-bert", folder=ROOT / "datasets")
    wanted = sorted(sorted(part.weight.shape) for part in model.modules() if isinstance(part, torch.nn.Linear))
    assert sorted(sorted(product.weight.shape) for product in products(quantized)) == wanted


def test_the_runtimes_numbers_are_those_of_exact_integers(quantized: Path, asked: dict[str, Any]) -> None:
    found = list(products(quantized))
    names = [product.quantized_input for product in found]
    codes = dict(zip(names, with_outputs(quantized, names).run(names, asked), strict=True))
    for product in found:
        real = torch.from_numpy(codes[product.quantized_input]).reshape(-1, len(product.weight))[:64]
        rows = torch.cat((real, hardest(product)))
        assert near(alone(product, rows), product.exact(rows)), product.name


def test_no_cpu_saturates_on_this_file(quantized: Path) -> None:
    for product in products(quantized):
        rows = hardest(product)
        assert torch.allclose(product.without_vnni(rows), product.exact(rows), rtol=1e-12, atol=0), product.name


def test_full_range_weights_would_saturate(quantized: Path) -> None:
    product = next(products(quantized))
    doubled = Product(**{**vars(product), "weight": (2 * product.weight).clamp(-127, 127)})
    rows = hardest(doubled)
    assert not near(doubled.without_vnni(rows), doubled.exact(rows))
