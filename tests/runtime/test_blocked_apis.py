"""Ready-made quantizers are refused on every way to them; everything else is free; nothing is left behind."""

from __future__ import annotations

import copy
import functools
import importlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.ao.quantization import quantize_dynamic as taken_before_install

from autograder.runtime import blocked_apis
from autograder.runtime.simulated import device as simulated

X = torch.linspace(-1, 1, 12).reshape(3, 4)
SCALES, ZEROS = torch.full((3,), 0.1), torch.zeros(3, dtype=torch.int32)
KEY = torch._C.DispatchKey
aten = torch.ops.aten
SIMULATED = simulated.available()  # set up before any refusal, as in the grader


@pytest.fixture
def refused() -> Iterator[blocked_apis.BlockedApis]:
    with blocked_apis.install() as installed:
        blocked_apis.reset()
        yield installed
    blocked_apis.reset()


def observed(observer: Any) -> Any:
    observer(X)
    return observer.calculate_qparams()


def searched(observer: Any) -> Any:
    observer(X)
    return observer._non_linear_param_search()


def ao() -> Any:
    import torch.ao.quantization

    return torch.ao.quantization


def hooks() -> Any:
    return importlib.import_module("torch.distributed.algorithms.ddp_comm_hooks.quantization_hooks")


def conversions() -> Any:
    return importlib.import_module("torch.quantization._quantized_conversions")


def decompositions() -> Any:
    return importlib.import_module("torch._inductor.decomposition")


def integration(name: str) -> Any:
    return importlib.import_module(f"transformers.integrations.{name}")


READY_MADE: dict[str, tuple[Callable[[], Any], str]] = {  # what to call, and what the refusal calls it
    "per_tensor": (lambda: torch.quantize_per_tensor(X, 0.1, 0, torch.qint8), "torch.quantize_per_tensor"),
    "per_tensor_tensor_qparams": (
        lambda: torch.quantize_per_tensor(X, torch.tensor(0.1), torch.tensor(0), torch.qint8),
        "torch.quantize_per_tensor",
    ),
    "per_tensor_list": (
        lambda: torch.quantize_per_tensor([X], torch.tensor([0.1]), torch.tensor([0]), torch.qint8),
        "torch.quantize_per_tensor",
    ),
    "per_channel": (
        lambda: torch.quantize_per_channel(X, SCALES, ZEROS, 0, torch.qint8),
        "torch.quantize_per_channel",
    ),
    "dynamic": (
        lambda: torch.quantize_per_tensor_dynamic(X, torch.qint8, False),
        "torch.quantize_per_tensor_dynamic",
    ),
    "fake_per_tensor": (
        lambda: torch.fake_quantize_per_tensor_affine(X, 0.1, 0, -128, 127),
        "torch.fake_quantize_per_tensor_affine",
    ),
    "fake_tensor_qparams": (
        lambda: torch.fake_quantize_per_tensor_affine(X, SCALES[0], ZEROS[0], -128, 127),
        "torch.fake_quantize_per_tensor_affine",
    ),
    "fake_per_channel": (
        lambda: torch.fake_quantize_per_channel_affine(X, SCALES, ZEROS, 0, -128, 127),
        "torch.fake_quantize_per_channel_affine",
    ),
    "cachemask": (
        lambda: aten.fake_quantize_per_tensor_affine_cachemask(X, 0.1, 0, -128, 127),
        "torch.ops.aten.fake_quantize_per_tensor_affine_cachemask",
    ),
    "channel_cachemask": (
        lambda: aten.fake_quantize_per_channel_affine_cachemask(X, SCALES, ZEROS, 0, -128, 127),
        "torch.ops.aten.fake_quantize_per_channel_affine_cachemask",
    ),
    "learnable": (
        lambda: torch._fake_quantize_learnable_per_tensor_affine(X, SCALES[:1], torch.zeros(1), -128, 127),
        "torch._fake_quantize_learnable_per_tensor_affine",
    ),
    "fused_moving_average": (
        lambda: torch.fused_moving_avg_obs_fake_quant(
            X,
            *(torch.ones(1).long() for _ in range(2)),
            *(torch.ones(1) for _ in range(4)),
            0.1,
            -128,
            127,
            0,
        ),
        "torch.fused_moving_avg_obs_fake_quant",
    ),
    "choose_qparams": (lambda: torch._choose_qparams_per_tensor(X), "torch._choose_qparams_per_tensor"),
    "choose_qparams_optimized": (
        lambda: torch.choose_qparams_optimized(X.flatten(), 12, 10, 0.1, 8),
        "torch.choose_qparams_optimized",
    ),
    "make_quantized": (
        lambda: torch._make_per_tensor_quantized_tensor(X.to(torch.int8), 0.1, 0),
        "torch._make_per_tensor_quantized_tensor",
    ),
    "copy_into_quantized": (
        lambda: torch._empty_affine_quantized([3, 4], scale=0.1, zero_point=0, dtype=torch.qint8).copy_(X),
        "torch._empty_affine_quantized",
    ),
    "int4_pack": (
        lambda: torch._convert_weight_to_int4pack(torch.zeros(8, 8, dtype=torch.uint8), 2),
        "torch._convert_weight_to_int4pack",
    ),
    "int4_pack_cpu": (
        lambda: torch._convert_weight_to_int4pack_for_cpu(torch.zeros(16, 32, dtype=torch.int32), 1),
        "torch._convert_weight_to_int4pack_for_cpu",
    ),
    "int8_mm": (
        lambda: torch._weight_int8pack_mm(X.bfloat16(), X.to(torch.int8), SCALES.bfloat16()),
        "torch._weight_int8pack_mm",
    ),
    "dyn_quant": (
        lambda: torch._dyn_quant_pack_4bit_weight(X.to(torch.uint8), X, None, 4, 4, 3),
        "torch._dyn_quant_pack_4bit_weight",
    ),
    "prepack": (lambda: torch.ops.quantized.linear_prepack(X, None), "torch.ops.quantized.linear_prepack"),
    "embedding_prepack": (
        lambda: torch.ops.quantized.embedding_bag_byte_prepack(X),
        "torch.ops.quantized.embedding_bag_byte_prepack",
    ),
    "decomposed": (
        lambda: (
            __import__("torch.ao.quantization.fx._decomposed")
            and torch.ops.quantized_decomposed.quantize_per_tensor(X, 0.1, 0, -128, 127, torch.int8)
        ),
        "torch.ao.quantization.fx._decomposed.quantize_per_tensor",
    ),
    "decomposed_dequantize": (
        lambda: (
            __import__("torch.ao.quantization.fx._decomposed")
            and torch.ops.quantized_decomposed.dequantize_per_tensor(X.char(), 0.1, 0, -128, 127, torch.int8)
        ),
        "torch.ao.quantization.fx._decomposed.dequantize_per_tensor",
    ),
    "decomposed_choice": (
        lambda: (
            __import__("torch.ao.quantization.fx._decomposed")
            and torch.ops.quantized_decomposed.choose_qparams.tensor(X, -128, 127, 1e-6, torch.int8)
        ),
        "torch.ao.quantization.fx._decomposed.choose_qparams_tensor",
    ),
    "minmax_observer": (
        lambda: observed(ao().MinMaxObserver()),
        "torch.ao.quantization.observer.MinMaxObserver.calculate_qparams",
    ),
    "moving_average_observer": (
        lambda: observed(ao().MovingAverageMinMaxObserver()),
        "torch.ao.quantization.observer.MinMaxObserver.calculate_qparams",
    ),
    "channel_observer": (
        lambda: observed(ao().PerChannelMinMaxObserver()),
        "torch.ao.quantization.observer.PerChannelMinMaxObserver.calculate_qparams",
    ),
    "histogram_observer": (
        lambda: observed(ao().HistogramObserver()),
        "torch.ao.quantization.observer.HistogramObserver.calculate_qparams",
    ),
    "threshold_search": (
        lambda: searched(ao().HistogramObserver()),
        "torch.ao.quantization.observer.HistogramObserver._non_linear_param_search",
    ),
    "own_subclass_of_an_observer": (
        lambda: observed(type("Mine", (ao().MinMaxObserver,), {})()),
        "torch.ao.quantization.observer.MinMaxObserver.calculate_qparams",
    ),
    "protected_calculation": (
        lambda: ao().MinMaxObserver()._calculate_qparams(X.min(), X.max()),
        "torch.ao.quantization.observer.UniformQuantizationObserverBase._calculate_qparams",
    ),
    "determine_qparams": (
        lambda: ao().utils.determine_qparams(X.min(), X.max(), -128, 127, torch.qint8, torch.tensor([1e-6]), False),
        "torch.ao.quantization.utils.determine_qparams",
    ),
    "fake_quantize_module": (
        lambda: ao().FakeQuantize()(X),
        "torch.ao.quantization.fake_quantize.FakeQuantize.forward",
    ),
    "sqnr_of_the_numeric_suite": (
        lambda: __import__("torch.ao.ns.fx.utils", fromlist=["x"]).compute_sqnr(torch.ones(3), torch.zeros(3)),
        "torch.ao.ns.fx.utils.compute_sqnr",
    ),
    "quantize_dynamic": (
        lambda: ao().quantize_dynamic(nn.Sequential(nn.Linear(4, 3))),
        "torch.ao.quantization.quantize.quantize_dynamic",
    ),
    "quantize_dynamic_alias": (
        lambda: torch.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 3))),
        "torch.ao.quantization.quantize.quantize_dynamic",
    ),
    "quantize_dynamic_taken_before": (
        lambda: taken_before_install(nn.Sequential(nn.Linear(4, 3))),
        "torch.ao.quantization.quantize.quantize_dynamic",
    ),
    "behind_the_decorator": (
        lambda: ao().quantize_dynamic.__wrapped__(nn.Sequential(nn.Linear(4, 3))),
        "torch.ao.quantization.quantize.quantize_dynamic",
    ),
    "prepare": (lambda: ao().prepare(nn.Linear(4, 3)), "torch.ao.quantization.quantize.prepare"),
    "convert": (lambda: ao().convert(nn.Linear(4, 3)), "torch.ao.quantization.quantize.convert"),
    "hook_that_compresses_gradients": (
        lambda: hooks()._quantize_per_tensor_backend(X, 0.1, 0),
        "torch.distributed.algorithms.ddp_comm_hooks.quantization_hooks._quantize_per_tensor_backend",
    ),
    "hook_that_restores_them": (
        lambda: hooks()._dequantize_per_tensor_backend(X.char(), 0.1, 0),
        "torch.distributed.algorithms.ddp_comm_hooks.quantization_hooks._dequantize_per_tensor_backend",
    ),
    "hook_by_channel": (
        lambda: hooks()._quantize_per_channel_backend(X, SCALES, ZEROS),
        "torch.distributed.algorithms.ddp_comm_hooks.quantization_hooks._quantize_per_channel_backend",
    ),
    "packed_int4": (
        lambda: conversions().pack_int4_to_int8(torch.zeros(2, 4, dtype=torch.int8)),
        "torch.quantization._quantized_conversions.pack_int4_to_int8",
    ),
    "unpacked_int4": (
        lambda: conversions().unpack_int8_to_int4(torch.zeros(2, 2, dtype=torch.int8)),
        "torch.quantization._quantized_conversions.unpack_int8_to_int4",
    ),
    "static_range_of_a_model": (
        lambda: integration("gemma_quant").apply_srq(X, torch.tensor(0.1)),
        "transformers.integrations.gemma_quant.apply_srq",
    ),
    "unpacked_int4_of_a_model": (
        lambda: integration("gemma_quant")._unpack_int4(torch.zeros(2, 2, dtype=torch.uint8), 4),
        "transformers.integrations.gemma_quant._unpack_int4",
    ),
    "affine_of_a_model": (
        lambda: integration("metal_quantization")._affine_dequantize_tensor(
            torch.ones(2, 4, dtype=torch.int32), torch.ones(2, 1), torch.ones(2, 1), 32, 4
        ),
        "transformers.integrations.metal_quantization._affine_dequantize_tensor",
    ),
    "packed_weights_of_a_model": (
        lambda: integration("bitnet").pack_weights(torch.zeros(4, 4)),
        "transformers.integrations.bitnet.pack_weights",
    ),
    "embedding_bag_of_the_compiler": (
        lambda: decompositions().q_embedding_bag_byte_unpack_decomp(torch.zeros(2, 12, dtype=torch.uint8)),
        "torch._inductor.decomposition.q_embedding_bag_byte_unpack_decomp",
    ),
    "packed_int4_of_onnx": (
        lambda: importlib.import_module("onnx.numpy_helper")._pack_4bitx2(np.zeros(4, np.int8)),
        "onnx.numpy_helper._pack_4bitx2",
    ),
    "packed_int4_of_onnx_ir": (
        lambda: importlib.import_module("onnx_ir._type_casting").pack_4bitx2(np.zeros(4, np.int8)),
        "onnx_ir._type_casting.pack_4bitx2",
    ),
    "quantized_module": (
        lambda: torch.ao.nn.quantized.dynamic.Linear(4, 3),
        "torch._empty_affine_quantized",
    ),
}


@pytest.mark.parametrize("name", READY_MADE)
def test_a_ready_made_quantizer_is_refused_and_recorded(refused: blocked_apis.BlockedApis, name: str) -> None:
    action, called = READY_MADE[name]
    with pytest.raises(blocked_apis.BlockedCallError) as caught:
        action()
    assert str(caught.value) == (
        f"{called} is refused here: the task is to write this quantizer yourself; use torch.round and torch.clamp"
    )
    assert blocked_apis.calls() == (called,)


# they need CUDA, or other arguments
NEVER_WORKED_HERE = ("int4_pack", "int8_mm", "dyn_quant", "fused_moving_average", "prepack")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in READY_MADE if name not in NEVER_WORKED_HERE])
def test_it_is_the_refusal_that_stops_it(name: str) -> None:
    READY_MADE[name][0]()


def test_every_operation_of_its_kind_is_refused(refused: blocked_apis.BlockedApis) -> None:
    """Also those that a later torch adds: whatever is named like a quantizer has a raising kernel."""
    stems = ("quantize_per", "fake_quantize", "choose_qparams", "int4pack", "int8pack", "moving_avg_obs")
    names = [n for n in torch._C._dispatch_get_all_op_names() if n.startswith("aten::") and any(s in n for s in stems)]
    assert len(names) > 30
    for name in names:
        lines = torch._C._dispatch_dump(name).splitlines()
        assert any(line.startswith("BackendSelect: ") and "blocked_apis.py" in line for line in lines), name


# ---------------------------------------------------------------- ways around


def quantize(x: torch.Tensor = X) -> Any:
    return torch.quantize_per_tensor(x, 0.1, 0, torch.qint8)


def fake(x: torch.Tensor = X) -> Any:
    return torch.fake_quantize_per_tensor_affine(x, 0.1, 0, -128, 127)


def in_thread(action: Callable[[], Any]) -> Any:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            action()
        except BaseException as error:  # handed on to the caller
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    raise errors[0]


def without_modes(action: Callable[[], Any]) -> Any:
    from torch.utils._python_dispatch import _disable_current_modes

    with _disable_current_modes(), torch._C._DisableTorchDispatch():
        return action()


def composed_on(key: str) -> Any:
    """The kernel that is composed of other operations, by a key of which it has none of its own."""
    return torch.library.get_kernel("aten::_choose_qparams_per_tensor", key).call_boxed(
        torch._C.DispatchKeySet(KEY.CPU), X, False
    )


def redispatched(key: Any) -> Any:
    return aten._choose_qparams_per_tensor.default.redispatch(torch._C.DispatchKeySet(key), X, False)


def observer_by_a_link() -> Any:
    """torch's file of observers, reached by a link of another name in another folder."""
    with tempfile.TemporaryDirectory() as folder:
        link = os.path.join(folder, "mine.py")
        os.symlink(str(sys.modules["torch.ao.quantization.observer"].__file__), link)
        return observer_of_another_name("my_observer", link)


def observer_of_another_name(module_name: str, file: str = "") -> Any:
    """torch's file of observers, run as a module that is called otherwise."""
    file = file or str(sys.modules["torch.ao.quantization.observer"].__file__)
    spec: Any = importlib.util.spec_from_file_location(module_name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[module_name]
    return observed(module.MinMaxObserver())


def excluding(*keys: Any) -> Any:
    excluded = torch._C.DispatchKeySet(keys[0])
    for key in keys[1:]:
        excluded = excluded | torch._C.DispatchKeySet(key)
    with torch._C._ExcludeDispatchKeyGuard(excluded):
        return quantize()


def executed(code: str) -> Any:
    scope: dict[str, Any] = {"X": X}
    exec(code, scope)
    return scope


class Swallowing:
    """A submission that catches the error and goes on."""

    def run(self) -> None:
        for _ in range(1000):
            try:
                quantize()
            except Exception:
                continue


AROUND: dict[str, Callable[[], Any]] = {
    "thread": lambda: in_thread(quantize),
    "modes_disabled": lambda: without_modes(quantize),
    "modes_disabled_composite": lambda: without_modes(fake),
    "variable_functions": lambda: torch._C._VariableFunctions.quantize_per_tensor(X, 0.1, 0, torch.qint8),
    "ops": lambda: aten.quantize_per_tensor.default(X, 0.1, 0, torch.qint8),
    "builtin": lambda: torch._C._get_operation_overload("aten::quantize_per_tensor", "")[0](X, 0.1, 0, torch.qint8),
    "jit_operation": lambda: torch._C._jit_get_operation("aten::quantize_per_tensor")[0](X, 0.1, 0, torch.qint8),
    "one_key": lambda: aten.quantize_per_tensor.default._op_dk(KEY.CPU, X, 0.1, 0, torch.qint8),
    "composite_key": lambda: aten.fake_quantize_per_tensor_affine.default._op_dk(
        KEY.CompositeImplicitAutograd, X, 0.1, 0, -128, 127
    ),
    "redispatch": lambda: aten.quantize_per_tensor.default.redispatch(
        torch._C.DispatchKeySet(KEY.CPU), X, 0.1, 0, torch.qint8
    ),
    **{
        f"kernel_{key}": functools.partial(composed_on, key)
        for key in ("SparseCPU", "QuantizedCPU", "XLA", "AutogradXLA")
    },
    "redispatch_composed": lambda: redispatched(KEY.SparseCPU),
    "redispatch_autograd": lambda: redispatched(KEY.AutogradCPU),
    "file_by_another_name": lambda: observer_of_another_name("my_observer"),
    "file_by_a_link": observer_by_a_link,
    "file_by_a_name_of_other_rules": lambda: observer_of_another_name("torch.ao.ns.fx.utils"),
    "backend_select_excluded": lambda: excluding(KEY.BackendSelect),
    "autograd_excluded": lambda: excluding(KEY.AutogradCPU, KEY.ADInplaceOrView),
    "inference_mode": torch.inference_mode()(quantize),
    "no_grad": torch.no_grad()(fake),
    "with_gradients": lambda: fake(X.clone().requires_grad_()),
    "out": lambda: aten.fake_quantize_per_tensor_affine_cachemask.out(X, 0.1, 0, -128, 127, out0=X.clone(), out1=X > 0),
    "vmap": lambda: torch.vmap(fake)(X),
    "meta": lambda: fake(X.to("meta")),
    "double": lambda: fake(X.double()),
    "executed_code": lambda: executed("import torch; torch.quantize_per_tensor(X, 0.1, 0, torch.qint8)"),
    "getattr": lambda: getattr(torch, "quantize_" + "per_tensor")(X, 0.1, 0, torch.qint8),
    "script": lambda: torch.jit.script(scripted)(X),
    "functional_module": lambda: torch.func.functional_call(ao().FakeQuantize(), {}, (X,)),
    "unbound_method": lambda: ao().MinMaxObserver.calculate_qparams(ao().MinMaxObserver()),
    "copied_observer": lambda: copy.deepcopy(ao().MinMaxObserver()).calculate_qparams(),
}


def scripted(x: torch.Tensor) -> torch.Tensor:
    return torch.fake_quantize_per_tensor_affine(x, 0.1, 0, -128, 127)


@pytest.mark.filterwarnings("ignore:.*jit.*:DeprecationWarning", "ignore:.*script.*")
@pytest.mark.parametrize("name", AROUND)
def test_no_way_leads_around(refused: blocked_apis.BlockedApis, name: str) -> None:
    with pytest.raises(RuntimeError, match="is refused here"):
        AROUND[name]()
    assert blocked_apis.calls()


def test_the_simulated_device_is_no_way_around(refused: blocked_apis.BlockedApis) -> None:
    if not SIMULATED:
        pytest.skip(simulated.unavailable_reason())
    x = simulated.to_device(X)
    for action in (quantize, fake, lambda t: torch.choose_qparams_optimized(t, 12, 10, 0.1, 8)):
        with pytest.raises(blocked_apis.BlockedCallError):
            action(x)


def test_a_swallowed_error_is_still_recorded_and_once(refused: blocked_apis.BlockedApis) -> None:
    Swallowing().run()
    assert blocked_apis.calls() == ("torch.quantize_per_tensor",)
    blocked_apis.reset()
    assert blocked_apis.calls() == ()


# ---------------------------------------------------------------- what stays free

FREE: dict[str, Callable[[], Any]] = {
    "by_hand": lambda: torch.clamp(torch.round(X / 0.1), -128, 127).to(torch.int8),
    "aminmax": lambda: torch.aminmax(X),
    "histc": lambda: torch.histc(X, 10),
    "histogram": lambda: torch.histogram(X, 10),
    "quantile": lambda: torch.quantile(X, torch.tensor([0.1, 0.9])),
    "nanquantile": lambda: torch.nanquantile(X, 0.5),
    "int_mm": lambda: torch._int_mm(torch.ones(32, 16, dtype=torch.int8), torch.ones(16, 8, dtype=torch.int8)),
    "dequantize_of_a_plain_tensor": lambda: torch.dequantize(X),
    "bucketize": lambda: torch.bucketize(X, torch.linspace(-1, 1, 5)),
    "bits": lambda: (torch.arange(16, dtype=torch.uint8) << 4) | 3,
    "view_dtype": lambda: torch.arange(16, dtype=torch.uint8).view(torch.int8),
    "linear": lambda: nn.functional.linear(X, X),
    "convolution": lambda: nn.functional.conv1d(X[None], torch.ones(2, 3, 2)),
    "max_pool": lambda: nn.functional.max_pool1d(X[None], 2),
    "batch_norm": lambda: nn.functional.batch_norm(X, None, None, training=True),
    "lstm": lambda: nn.LSTM(4, 2)(X)[0].shape,
    "attention": lambda: nn.functional.scaled_dot_product_attention(X[None, None], X[None, None], X[None, None]),
    "float_types": lambda: (X.half(), X.bfloat16(), X.to(torch.float8_e4m3fn).float()),
    "straight_through": lambda: X + (X.round() - X).detach(),
    "observing": lambda: ao().MinMaxObserver()(X),
    "is_quantized": lambda: X.is_quantized,
}


@pytest.mark.parametrize("name", FREE)
def test_what_a_student_needs_is_free(name: str) -> None:
    before = FREE[name]()
    with blocked_apis.install():
        blocked_apis.reset()
        during = FREE[name]()
    assert blocked_apis.calls() == ()
    torch.testing.assert_close(during, before, rtol=0, atol=0)


# ---------------------------------------------------------------- on and off


def state() -> tuple[str, ...]:
    """All that an install touches."""
    names = (
        "aten::quantize_per_tensor",
        "aten::fake_quantize_per_tensor_affine",
        "aten::choose_qparams_optimized",
    )
    dumps = tuple(torch._C._dispatch_dump(n) for n in (*names, "quantized::linear_prepack"))
    codes = (ao().quantize_dynamic.__code__, ao().MinMaxObserver.calculate_qparams.__code__)
    loading = importlib.machinery.SourceFileLoader.exec_module
    return (*dumps, *map(repr, codes), repr(sys.meta_path), repr(loading), repr(sorted(torch.library._impls)))


def test_removing_restores_everything() -> None:
    before = state()
    with blocked_apis.install():
        assert state() != before
    assert state() == before


@pytest.mark.filterwarnings("ignore")
def test_a_notebook_may_compare_afterwards() -> None:
    before = quantize().int_repr()
    qparams = observed(ao().MinMaxObserver())
    with blocked_apis.install(), pytest.raises(blocked_apis.BlockedCallError):
        quantize()
    assert torch.equal(quantize().int_repr(), before)
    assert observed(ao().MinMaxObserver()) == qparams


def test_refusals_nest_and_the_last_to_go_restores() -> None:
    before = state()
    outer, inner = blocked_apis.install(), blocked_apis.install()
    outer.remove()
    with pytest.raises(blocked_apis.BlockedCallError):
        fake()
    inner.remove()
    inner.remove()
    assert state() == before


def test_a_refusal_is_an_error_of_the_call() -> None:
    assert issubclass(blocked_apis.BlockedCallError, RuntimeError)
    assert not issubclass(blocked_apis.BlockedCallError, NotImplementedError)


# ---------------------------------------------------------------- the process around it


def fresh(code: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new interpreter; it must succeed."""
    command = [sys.executable, *flags, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def test_installing_and_removing_is_quiet_and_imports_nothing_of_torch() -> None:
    code = """
        import sys, torch
        before = set(sys.modules)
        from autograder.runtime import blocked_apis
        blocked_apis.install().remove()
        blocked_apis.install()
        print([name for name in set(sys.modules) - before if name.startswith("torch")])
    """
    done = fresh(code, "-P", "-W", "always")
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_modules_imported_later_are_met_and_work_after_removal() -> None:
    code = """
        import sys, torch
        from autograder.runtime import blocked_apis
        late = ["torch.ao.quantization.fx._decomposed", "torch.ao.quantization.quantize_fx"]
        assert not set(late) & set(sys.modules)
        installed = blocked_apis.install()
        import torch.ao.quantization.fx._decomposed as decomposed
        import torch.ao.quantization.quantize_fx as fx
        loader = type(fx.__spec__.loader).__name__, type(fx.__loader__).__name__
        args = torch.ones(2), 0.5, 0, -8, 7, torch.int8
        calls = lambda: decomposed.quantize_per_tensor(*args), lambda: fx.prepare_fx(torch.nn.Linear(2, 2))
        for call in calls:
            try:
                call()
            except blocked_apis.BlockedCallError as error:
                print(str(error).split(" is ")[0])
        installed.remove()
        print(decomposed.quantize_per_tensor(*args).tolist(), loader)
    """
    assert fresh(code, "-P", "-W", "ignore").stdout.splitlines() == [
        "torch.ao.quantization.fx._decomposed.quantize_per_tensor",
        "torch.ao.quantization.quantize_fx.prepare_fx",
        "[2, 2] ('SourceFileLoader', 'SourceFileLoader')",
    ]


LIBRARIES = {  # a stand-in for each: the names are what counts
    "torchao": ("torchao/quantization/quant_primitives.py", "quantize_affine"),
    "torchao_api": ("torchao/quantization/quant_api.py", "quantize_"),
    "neural_compressor": ("neural_compressor/torch/quantization/quantize.py", "prepare"),
    "torchao_search": ("torchao/quantization/pt2e/observer.py", "_non_linear_param_search"),
    "torchao_scale": ("torchao/prototype/quantization/module_swap/quantizers.py", "get_scale_offset_from_min_max"),
    "torchao_hqq": ("torchao/quantization/quant_primitives.py", "optimize_weights_proximal_legacy"),
    "neural_compressor_gptq": ("neural_compressor/torch/algorithms/weight_only/gptq.py", "find_params"),
    "neural_compressor_clip": ("neural_compressor/torch/algorithms/weight_only/utility.py", "search_clip"),
    "neural_compressor_rtn": ("neural_compressor/torch/algorithms/weight_only/utility.py", "qdq_weight_asym"),
    "neural_compressor_smooth": ("neural_compressor/torch/algorithms/smooth_quant/utility.py", "cal_scale"),
    "neural_compressor_x": ("neural_compressor/torch/algorithms/smooth_quant/utility.py", "quant_dequant_x_v1"),
    "neural_compressor_max": ("neural_compressor/torch/algorithms/fp8_quant/fp_utils.py", "calc_scale_from_maxabs"),
    "quanto": ("optimum/quanto/quantize.py", "freeze"),
    "quanto_max": ("optimum/quanto/tensor/optimizers/max_optimizer.py", "optimize"),
    "quanto_scale": ("optimum/quanto/calibrate.py", "absmax_scale"),
    "hqq_optimize": ("hqq/core/optimize.py", "optimize_weights_proximal_v2"),
    "bitsandbytes": ("bitsandbytes/functional.py", "quantize_4bit"),
    "hqq": ("hqq/core/quantize.py", "quantize"),
    "modelopt": ("modelopt/torch/quantization/model_quant.py", "quantize"),
}


def stand_in(folder: Path, path: str, code: str) -> None:
    """A module of a library, and the packages that it is in."""
    for package in list((folder / path).parents)[: path.count("/")]:
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text("")
    (folder / path).write_text(code)


@pytest.mark.parametrize("name", LIBRARIES)
def test_other_libraries_can_be_imported_and_not_called(
    refused: blocked_apis.BlockedApis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path, function = LIBRARIES[name]
    stand_in(tmp_path, path, f"def {function}(x):\n    return x\n\n\ndef helper(x):\n    return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    for new in set(sys.modules) - before:
        del sys.modules[new]
    assert module.helper(1) == 1
    with pytest.raises(blocked_apis.BlockedCallError, match=rf"{module.__name__}\.{function} is refused here"):
        getattr(module, function)(2)
    refused.remove()
    assert getattr(module, function)(3) == 3


@pytest.mark.parametrize("key", ["CompositeImplicitAutograd", "CompositeExplicitAutograd", "CPU"])
def test_operations_that_a_library_defines_are_refused_too(tmp_path: Path, key: str) -> None:
    """torchao gives torch a function of which it keeps nothing; so it can only be met in the dispatcher."""
    stand_in(
        tmp_path,
        "torchao/quantization/quant_primitives.py",
        "import torch\nlib = torch.library.Library('torchao', 'FRAGMENT')\nlib.define('choose_qparams(Tensor x) -> Tensor')\n"
        f"lib.impl('choose_qparams', lambda x: x.abs().amax() / 127, {key!r})\n",
    )
    code = f"""
        import sys, torch
        sys.path.insert(0, {str(tmp_path)!r})
        from autograder.runtime import blocked_apis
        installed = blocked_apis.install()
        import torchao.quantization.quant_primitives
        for x in (torch.ones(2), torch.ones(2, requires_grad=True)):
            try:
                torch.ops.torchao.choose_qparams(x)
                print("won")
            except blocked_apis.BlockedCallError:
                print(blocked_apis.calls())
        installed.remove()
        print(round(127 * torch.ops.torchao.choose_qparams(torch.ones(2)).item()))
        again = blocked_apis.install()
        try:
            torch.ops.torchao.choose_qparams(torch.ones(2))
        except blocked_apis.BlockedCallError:
            print("refused again")
    """
    names = "('torch.ops.torchao.choose_qparams',)"
    assert fresh(code, "-P", "-W", "ignore").stdout.splitlines() == [names, names, "1", "refused again"]


AS_IMPORTED = {  # what these libraries do themselves while they are imported (torchao 0.18, neural-compressor 3.10)
    "a handler": (
        "torchao/quantization/transform_module.py",
        """
def register_quantize_module_handler(config):
    return lambda handler: handler

@register_quantize_module_handler("int8")
def _transform(module):
    return module
result = "imported"
""",
    ),
    "a pattern": (
        "torchao/quantization/pt2e/inductor_passes/x86.py",
        """
def get_dequantize_per_tensor_activation_pattern(): return "imported"
def _is_valid_quantized_conv(): return True
""",
    ),
    "what loads on a look": (
        "neural_compressor/common/utils/utility.py",
        """
class LazyImport:
    def __getattr__(self, name):
        raise ModuleNotFoundError("No module named 'habana_frameworks'")
habana = LazyImport()
result = "imported"
""",
    ),
}


@pytest.mark.parametrize("case", AS_IMPORTED)
def test_what_libraries_do_while_they_are_imported_is_free(
    refused: blocked_apis.BlockedApis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    path, code = AS_IMPORTED[case]
    stand_in(tmp_path, path, code)
    user = tmp_path / path.replace(".py", "_user.py")  # another module of it that uses the first while it is imported
    name = Path(path).stem
    calls = {
        "a handler": "again = register_quantize_module_handler(1)(len)",
        "a pattern": "result = get_dequantize_per_tensor_activation_pattern()",
    }
    user.write_text(f"from .{name} import *\n{calls.get(case, '')}\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    module = importlib.import_module(path.replace(".py", "_user").replace("/", "."))
    for new in set(sys.modules) - before:
        del sys.modules[new]
    assert module.result == "imported"
    assert blocked_apis.calls() == ()


def test_what_is_not_about_quantizing_is_free() -> None:
    assert blocked_apis._pattern("torch.nn.modules.linear") is None
    assert blocked_apis._pattern("onnxruntime.tools.symbolic_shape_infer") is None


QUANTIZE_A_GRAPH = """
import numpy as np, onnx, onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnxruntime.quantization.quant_utils import compute_scale_zp

def graph():
    given = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [2]), ("s", []))]
    result = helper.make_tensor_value_info("q", TensorProto.INT8, [2])
    zero = helper.make_tensor("z", TensorProto.INT8, [], [0])
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"])
    made = helper.make_graph([node], "g", given, [result], [zero])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)

FEEDS = {"x": np.array([1.0, -1.0], np.float32), "s": np.array(0.5, np.float32)}

def session():
    run = onnxruntime.InferenceSession(graph().SerializeToString(), providers=["CPUExecutionProvider"])
    return run.run(None, FEEDS)[0].tolist()

def reference():
    return ReferenceEvaluator(graph()).run(None, FEEDS)[0].tolist()

C = onnxruntime.capi.onnxruntime_pybind11_state  # below the wrapper in Python

def in_c():
    run = C.InferenceSession(C.get_default_session_options(), graph().SerializeToString(), False, False)
    run.initialize_session([], [], set())
    return run.run(["q"], FEEDS, None)[0].tolist()

kept = []

def kept_in_c():  # a session that an allowed call has left, where there is one
    if not kept:
        run = C.InferenceSession(C.get_default_session_options(), graph().SerializeToString(), False, False)
        run.initialize_session([], [], set())
        kept.append(run)
    return kept[0].run(["q"], FEEDS, None)[0].tolist()

def blocks_in_c(module=C):
    packed, zeros = np.zeros((4, 2, 8), np.uint8), np.zeros(4, np.uint8)
    scales = np.zeros(8, np.float32)
    module.quantize_matmul_4bits(packed, np.full((32, 4), -8.0, np.float32), scales, zeros, 16, 4, 32, True)
    return float(scales[0])

def blocks_by_an_alias():
    return blocks_in_c(onnxruntime.capi._pybind_state)

def weight():
    from onnxruntime.quantization.neural_compressor.weight_only import quant_tensor
    return float(quant_tensor(np.array([[7.0, -7.0]], np.float32), 4, 2, "sym", "int", 15 / 14)[1].ravel()[0])

def weight_restored():
    from onnxruntime.quantization.neural_compressor.weight_only import qdq_tensor
    return qdq_tensor(np.array([[7.0, -7.0]], np.float32), 4, 2, "sym", "int", 15 / 14).ravel().tolist()

def gptq():
    from onnxruntime.quantization.neural_compressor.weight_only import gptq
    return list(gptq(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), num_bits=4, group_size=2).shape)

def arithmetic():
    ends = np.array([-127, 127], np.int8)
    return float(compute_scale_zp(np.float32(-1), np.float32(1), ends[0], ends[1], symmetric=True)[1])
"""


OF_ONNX = {
    "session": [2, -2],
    "reference": [2, -2],
    "arithmetic": 2 / 254,
    "in_c": [2, -2],
    "kept_in_c": [2, -2],
    "blocks_in_c": 1.0,
    "blocks_by_an_alias": 1.0,
    "weight": 1.0,
    "weight_restored": [7, -7],
    "gptq": [2, 2],
}


@pytest.mark.parametrize("name, expected", OF_ONNX.items())
def test_onnxruntime_is_refused_but_where_it_is_the_task(name: str, expected: object) -> None:
    from autograder.records import Limits
    from autograder.runtime.errors import RefusedError
    from autograder.sandbox.worker import Worker
    from autograder.testing.proxy import Student

    with Worker(QUANTIZE_A_GRAPH, Limits()) as worker:
        student = Student(worker)
        with pytest.raises(RefusedError):
            getattr(student, name)()
        student.allow("onnxruntime")
        assert getattr(student, name)() == pytest.approx(expected)
        student.allow()
        with pytest.raises(RefusedError):
            getattr(student, name)()


LAYER_OF_ONNX = (
    QUANTIZE_A_GRAPH
    + """
import os, torch

class Layer(torch.nn.Module):
    def forward(self, x):
        return torch.tensor(session())

def saved():
    onnx.save(graph(), "graph.onnx")
    return os.path.abspath("graph.onnx")
"""
)


def test_the_kit_runs_onnx_files_and_what_it_calls_does_not() -> None:
    from autograder.records import Limits
    from autograder.runtime.errors import RefusedError
    from autograder.sandbox.worker import Worker
    from autograder.testing.proxy import Student

    feeds = {"x": torch.tensor([1.0, -1.0]), "s": torch.tensor(0.5)}
    with Worker(LAYER_OF_ONNX, Limits()) as worker:
        student = Student(worker)
        assert student.remote.onnx_logits(student.saved(), [feeds])[0].tolist() == [2, -2]
        layer = student.Layer()
        with pytest.raises(RefusedError):
            student.remote.output(layer, feeds["x"])
        student.allow("onnxruntime")
        assert student.remote.output(layer, feeds["x"]).tolist() == [2, -2]


def test_functions_in_c_are_restored() -> None:
    """Also those that were imported before; and what they are for works while their library is allowed."""
    code = """
        import onnxruntime.capi.onnxruntime_pybind11_state as state
        from autograder.runtime import blocked_apis
        before = {**vars(state)}, {**vars(state.InferenceSession)}
        installed = blocked_apis.install()
        for call in (state.quantize_matmul_4bits, state.InferenceSession.run, state.InferenceSession.initialize_session):
            try:
                call()
            except blocked_apis.BlockedCallError as error:
                print(str(error).split(" is ")[0])
            with blocked_apis.allowing(["onnxruntime"]):
                try:
                    call()
                except TypeError as error:
                    print("incompatible" in str(error))
        installed.remove()
        print(before == ({**vars(state)}, {**vars(state.InferenceSession)}))
    """
    state = "onnxruntime.capi.onnxruntime_pybind11_state"
    names = ("quantize_matmul_4bits", "InferenceSession.run", "InferenceSession.initialize_session")
    assert fresh(code, "-P", "-W", "ignore").stdout.split() == [
        *(w for name in names for w in (f"{state}.{name}", "True")),
        "True",
    ]


def test_what_is_imported_in_an_allowed_call_is_refused_after_it(
    refused: blocked_apis.BlockedApis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hqq").mkdir()
    (tmp_path / "hqq" / "__init__.py").write_text("")
    (tmp_path / "hqq" / "core.py").write_text("def quantize(x):\n    return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    with blocked_apis.allowing(["hqq"]):
        module = importlib.import_module("hqq.core")
        assert module.quantize(1) == 1
    for name in ("hqq", "hqq.core"):
        del sys.modules[name]
    with pytest.raises(blocked_apis.BlockedCallError, match=r"hqq\.core\.quantize is refused"):
        module.quantize(1)
    with blocked_apis.allowing(["hqq"]):
        assert module.quantize(1) == 1
    with pytest.raises(blocked_apis.BlockedCallError), blocked_apis.allowing(["torchao"]):
        module.quantize(1)


def test_importing_transformers_still_works() -> None:
    code = """
        import torch
        from autograder.runtime import blocked_apis
        blocked_apis.install()
        import transformers.models.llama.modeling_llama
        print(blocked_apis.calls())
    """
    assert fresh(code, "-P", "-W", "ignore").stdout == "()\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_inherits_them() -> None:
    code = """
        import os, torch
        from autograder.runtime import blocked_apis
        blocked_apis.install()
        child = os.fork()
        if child == 0:
            try:
                torch.fake_quantize_per_tensor_affine(torch.ones(2), 0.1, 0, 0, 255)
            except blocked_apis.BlockedCallError:
                os._exit(0 if blocked_apis.calls() == ("torch.fake_quantize_per_tensor_affine",) else 1)
            os._exit(2)
        print(os.waitpid(child, 0)[1])
    """
    assert fresh(code, "-P").stdout == "0\n"


def test_a_module_that_is_blocked_is_no_problem() -> None:
    name = "torchao.quantization.blocked"
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        blocked_apis.install().remove()
    finally:
        del sys.modules[name]


def test_code_with_free_variables_is_given_code_with_as_many() -> None:
    def wrapped(count: int) -> types.FunctionType:
        a, b = count, count
        return [lambda: None, lambda: a, lambda: a + b][count]  # type: ignore[return-value]

    for count in range(3):
        function = wrapped(count)
        function.__code__ = blocked_apis._refusing_code("some.name", count)
        with pytest.raises(blocked_apis.BlockedCallError, match=r"some\.name is refused"):
            function()
    blocked_apis.reset()
