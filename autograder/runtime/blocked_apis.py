"""Ready-made quantizers are refused where the task is to write one.

Every way to them ends in torch's dispatcher or in a Python function. In the dispatcher their operations get
kernels that raise, on all keys that a call can take, so neither a thread nor a disabled dispatch mode nor
`torch.ops` leads past. The Python functions that quantize with plain arithmetic (observers, the decomposed
operations, other libraries) are given code that raises, in place, so that every alias of them refuses too;
modules that are imported later are met on import, also a library's file that is run under another name. What
ONNX Runtime has in C gets a Python function put before it. Importing anything still works; calling it does not.
`torch.round`, `clamp`, `aminmax`, `histc`, `quantile`, `_int_mm` and the like are free.

`install()` takes some 30 ms: once before a fork, for good, or around one check in a student's own process,
after which `remove()` restores everything. What a determined student can still do stands in SECURITY.md.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import os
import re
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import torch

__all__ = ["BlockedApis", "BlockedCallError", "allowing", "calls", "install", "refuse", "reset"]


class BlockedCallError(RuntimeError):
    """A ready-made quantizer was called where the task is to write it."""


@dataclass
class _State:
    """All that is refused in this process at the moment, and what it takes to restore it."""

    installed: list[BlockedApis] = field(default_factory=list)  # several may be in force: the last to go restores
    calls: dict[str, None] = field(default_factory=dict)  # names by their first call; a loop stays one entry
    allowed: list[str] = field(default_factory=list)  # libraries that the present call may use
    met_meanwhile: dict[str, types.ModuleType] = field(default_factory=dict)  # theirs that it has imported
    codes: dict[types.FunctionType, types.CodeType] = field(default_factory=dict)  # own code of functions that refuse
    natives: list[tuple[Any, str, Any]] = field(default_factory=list)  # where a function in C was, and that function
    libraries: list[Any] = field(default_factory=list)  # kernels that refuse, as long as these objects live
    operations: set[tuple[str, str]] = field(default_factory=set)  # those that have such kernels

    def restore(self) -> None:
        """Give back every function and operation."""
        while self.codes:
            function, code = self.codes.popitem()
            function.__code__ = code
        while self.natives:
            setattr(*self.natives.pop())
        while self.libraries:
            self.libraries.pop()._destroy()
        self.operations.clear()


_STATE = _State()


def refuse(name: str) -> NoReturn:
    """Record a call of a ready-made quantizer and raise BlockedCallError."""
    _STATE.calls[name] = None
    raise BlockedCallError(
        f"{name} is refused here: the task is to write this quantizer yourself; use torch.round and torch.clamp"
    )


def calls() -> tuple[str, ...]:
    """Return what was refused since `reset()`, each name once, in the order of the first call."""
    return tuple(_STATE.calls)


def reset() -> None:
    """Forget what was refused so far."""
    _STATE.calls.clear()


# ---------------------------------------------------------------- in torch's dispatcher

_ATEN = re.compile(
    "_?fake_quantize|quantize_per|_?choose_qparams|_?fused_moving_avg_obs|_make_per_.*_quantized|quantized_"
    "|_?empty_.*quantized|_dyn_quant|_convert_weight_to_int4pack|_weight_int[48]pack|fbgemm_|_wrapped_.*linear_pre"
)
_NAMESPACES = ("quantized", "_quantized", "quantization", "onednn", "torchao", "quanto", "bitsandbytes")
_COMPOSITE = ("CompositeImplicitAutograd", "CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional")
_DEFINE = ("torchao", "optimum", "bitsandbytes")  # libraries that define operations while they are imported


def _operations() -> Iterator[tuple[str, str]]:
    """Yield namespace and name of every refused operation that this torch knows."""
    for full in torch._C._dispatch_get_all_op_names():
        space, _, name = full.partition("::")
        if space in _NAMESPACES or (space == "aten" and _ATEN.match(name)):
            yield space, name


def _keys(full: str) -> Iterator[str]:
    """Yield the dispatch keys on which an operation must be met.

    BackendSelect is part of every call, below autograd; the CPU's own key is for direct calls of its kernel.
    What torch composes of other operations is composed above BackendSelect, on the autograd keys; the kernel that
    composes it answers on every key that has none of its own, which `get_kernel` and `redispatch` may name.
    """
    yield from ("BackendSelect", "CPU")
    yield from (key for key in _COMPOSITE if torch._C._dispatch_has_kernel_for_dispatch_key(full, key))
    if torch._C._dispatch_has_kernel_for_dispatch_key(full, "CompositeImplicitAutograd"):
        yield from ("AutogradCUDA", "AutogradMPS", "AutogradPrivateUse1")  # the CPU's own key speaks for its autograd
    if torch.version.cuda:
        yield "CUDA"


def _kernel(space: str, name: str) -> Callable[..., NoReturn]:
    base = name.partition(".")[0]
    shown = f"torch.{base}" if space == "aten" and hasattr(torch, base) else f"torch.ops.{space}.{base}"

    def refused(*_: Any, **__: Any) -> NoReturn:
        refuse(shown)

    return refused


def _refuse_operations() -> None:
    """Give every refused operation that has none yet raising kernels; they last until the libraries are destroyed."""
    library: Any = torch.library.Library
    libraries: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that kernels are overridden, which is the point
        for space, name in [operation for operation in _operations() if operation not in _STATE.operations]:
            if space not in libraries:
                libraries[space] = library(space, "IMPL")
            kernel = _kernel(space, name)
            for key in _keys(f"{space}::{name}"):
                libraries[space].impl(name, kernel, key)
            _STATE.operations.add((space, name))
    _STATE.libraries.extend(libraries.values())


# ---------------------------------------------------------------- in Python

_RULES = tuple(
    (prefix, re.compile(pattern))
    for prefix, pattern in (
        ("torch.ao.quantization.fake_quantize", "forward$|calculate_qparams$"),
        ("torch.ao.quantization._learnable_fake_quantize", "forward$|calculate_qparams$"),
        (
            "torch.ao.quantization",
            "_?(calculate|determine|choose)_qparams|_non_linear_param_search"
            "|_?(fake_quant|(de)?quantize|prepare|convert)",
        ),
        ("torch.ao.ns.fx.utils", "compute_"),
        ("torch.quantization._quantized_conversions", "(un)?pack_|quantized_weight"),
        ("torch.distributed.algorithms", ".*quantiz"),  # it compresses gradients on their way to other machines
        ("torch.distributed.checkpoint.quantized_hf_storage", "_dequantize"),
        # torch's own tests hold some that they compare with; they want a package to be imported, which is easily forged
        ("torch.testing._internal.common_quantized", "_.*(quantize|qparams)|to_mxfp"),
        ("torch.testing._internal.common_quantization", ".*quantize"),
        ("transformers.models.ibert.quant_modules", ".*quant|forward$"),
        ("transformers.integrations.bitnet", ".*quant|(un)?pack_weights|forward$"),
        ("transformers.integrations.gemma_quant", "apply_srq|_unpack_int|_dequantize"),
        ("transformers.integrations", ".*quantize(?!d)|_dequant_|_?convert_moe_packed"),
        # what registers a handler or finds patterns in a graph is called on import, and quantizes nothing
        ("torchao.quantization.pt2e.inductor_passes", "(?!)"),
        (
            "torchao",
            "(?!_?register).*quantize|.*qparams|autoquant|get_scale|_non_linear_param_search|optimize_weights",
        ),
        (
            "neural_compressor",
            "(quantize|prepare|convert|autotune|fit|fasterquant)$|.*quant.*(weight|tensor)|(qdq|quant)_weight|_?quant(ize)?_(4bit|dequant)"
            "|.*qparams|find_params|q_dq_forward|search_(clip|scale)|_?cal(c|culate)?_(maxabs_)?scales?|mmse_scale"
            "|_get_(weight|act)_scale|optimize_weights",
        ),
        ("optimum.quanto", ".*quantize|freeze$|optimize$|absmax_scale|calibrate_"),
        ("bitsandbytes.functional", ".*quant"),
        ("hqq.core", ".*quantize|optimize_weights|update_scale"),
        ("modelopt.torch.quantization", ".*quant|calibrate$"),
        (
            "onnxruntime.quantization",
            "compute_|collect|.*quantize|get_entropy|merge_|_?pack_|snap_zero|create_calib"
            "|(quant|qdq)_(tensor|slice)|gptq|.*_block_quant|optimize_weights|get_weight_scale",
        ),
        ("onnxruntime.capi.onnxruntime_inference_collection", "__init__$|run$"),  # a graph may quantize, too
        ("onnxruntime.capi.onnxruntime_pybind11_state", "initialize_session|run|quantize_|compile_"),
        ("onnxruntime.capi._pybind_state", "quantize_"),  # which has copies of the other's names
        ("onnx.reference.ops", "_?run$|_compute|.*quantize"),
        ("onnx.numpy_helper", "_(un)?pack_"),
        ("onnx_ir._type_casting", "_?(un)?pack_"),
        ("torch._inductor.decomposition", "q_embedding_bag"),
    )
)
_IN_C = ("onnxruntime.capi.onnxruntime_pybind11_state", "onnxruntime.capi._pybind_state")
_LIBRARIES = {prefix.partition(".")[0] for prefix, _ in _RULES}


def _pattern(module: str) -> re.Pattern[str] | None:
    """Return what is refused of a module; None where nothing is."""
    matches = (pattern for prefix, pattern in _RULES if module == prefix or module.startswith(prefix + "."))
    return next(matches, None)


def _owners(module: types.ModuleType) -> Iterator[Any]:
    """Yield a module, and the classes that are defined in it."""
    yield module
    yield from (v for v in list(vars(module).values()) if isinstance(v, type) and v.__module__ == module.__name__)


def _functions(module: types.ModuleType, pattern: re.Pattern[str]) -> Iterator[tuple[str, types.FunctionType]]:
    """Yield the functions and methods defined in a module that are refused, and what decorators wrapped, by name."""
    for owner in _owners(module):
        for name, member in list(vars(owner).items()):
            function = (
                member.__func__ if isinstance(member, staticmethod | classmethod) else member
            )  # others may load on a look
            while pattern.match(name) and isinstance(function, types.FunctionType):
                if function.__module__ == module.__name__:
                    yield name if "<locals>" in function.__qualname__ else function.__qualname__, function
                function = getattr(function, "__wrapped__", None)


def _cover(module: types.ModuleType, pattern: re.Pattern[str]) -> None:
    """Put a function in Python before each of a module's functions in C that are refused: it has code to exchange."""
    for owner in _owners(module):
        for name, native in list(vars(owner).items()):
            if pattern.match(name) and callable(native) and not isinstance(native, type | types.FunctionType):
                full_name = name if owner is module else f"{owner.__name__}.{name}"
                setattr(owner, name, _before(native, module.__name__, full_name))
                _STATE.natives.append((owner, name, native))


def _before(native: Callable[..., Any], module_name: str, name: str) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        return native(*args, **kwargs)

    function.__module__, function.__name__, function.__qualname__ = module_name, name.rpartition(".")[2], name
    return function


def _refuse_module(module_name: str, module: types.ModuleType) -> None:
    """Give the ready-made functions of a module code that raises."""
    pattern = _pattern(module_name)
    if pattern is None or module is None:  # None is what a blocked import leaves behind
        return
    if module_name in _IN_C:
        _cover(module, pattern)
    if _is_allowed(module_name):
        _STATE.met_meanwhile[module_name] = module
        return
    for name, function in _functions(module, pattern):
        if function not in _STATE.codes:
            _STATE.codes[function] = function.__code__
            function.__code__ = _refusing_code(f"{module_name}.{name}", len(function.__code__.co_freevars))


def _is_allowed(module_name: str) -> bool:
    return any(module_name == library or module_name.startswith(f"{library}.") for library in _STATE.allowed)


@contextlib.contextmanager
def allowing(libraries: Sequence[str]) -> Iterator[None]:
    """Let a call use what is ready-made in these libraries ("onnxruntime"): its task is to use them well."""
    if not libraries:  # nearly every call
        yield
        return
    _STATE.allowed.extend(libraries)
    freed = {function: function.__code__ for function in _STATE.codes if _is_allowed(function.__module__)}
    for function in freed:
        function.__code__ = _STATE.codes[function]
    try:
        yield
    finally:
        _STATE.allowed.clear()
        for function, code in freed.items():
            function.__code__ = code
        while _STATE.met_meanwhile and _STATE.installed:
            _refuse_module(*_STATE.met_meanwhile.popitem())


def _refusing_code(name: str, free: int) -> types.CodeType:
    """Return code that refuses under a name, with as many free variables as the code it stands in for."""
    variables = "".join(f"free{i}, " for i in range(free))
    scope: dict[str, Any] = {}
    exec(
        f"def outer({variables}):\n"
        "    def refused(*args, **kwargs):\n"
        f"        ({variables})\n"
        "        from autograder.runtime.blocked_apis import refuse\n"
        f"        refuse({name!r})\n"
        "    return refused\n",
        scope,
    )
    code: types.CodeType = scope["outer"](*[None] * free).__code__
    return code


class _Loader(importlib.abc.Loader):
    """Loads a module as its own loader does, then refuses what is ready-made in it."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        """Create the module as its own loader does."""
        module: types.ModuleType | None = self.loader.create_module(spec)
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the module, and refuse what is ready-made in it."""
        module.__loader__ = self.loader
        if module.__spec__:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        _refuse_module(module.__name__, module)
        if _STATE.installed and module.__name__.partition(".")[0] in _DEFINE:
            _refuse_operations()  # some are given to torch alone: the library keeps no function that could be met


def _run_file(loader: importlib.machinery.SourceFileLoader, module: types.ModuleType) -> None:
    """Run a file as SourceFileLoader does; what is ready-made in a library's file is refused under any module's
    name.
    """
    super(importlib.machinery.SourceFileLoader, loader).exec_module(module)
    parts = os.path.realpath(loader.path).removesuffix(".py").split(os.sep)
    for index, part in enumerate(parts):
        if part in _LIBRARIES:
            _refuse_module(".".join(parts[index:]).removesuffix(".__init__"), module)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules that hold something ready-made when they are imported later."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec that the other finders have for a module of the rules; None for any other."""
        if _pattern(name) is None:
            return None
        others = (f for f in sys.meta_path if f is not self and hasattr(f, "find_spec"))
        spec = next(filter(None, (f.find_spec(name, path, target) for f in others)), None)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _Loader(spec.loader)
        return spec


# ---------------------------------------------------------------- on and off


class BlockedApis:
    """BlockedApis in force until `remove()`; also a context manager."""

    def __init__(self) -> None:
        if not _STATE.installed:
            _refuse_operations()
            for name, module in list(sys.modules.items()):
                _refuse_module(name, module)
            sys.meta_path.insert(0, _finder)
            importlib.machinery.SourceFileLoader.exec_module = _run_file  # type: ignore[assignment]
        _STATE.installed.append(self)

    def remove(self) -> None:
        """Restore what was refused, if no other refusals are in force; a second call does nothing."""
        if self not in _STATE.installed:
            return
        _STATE.installed.remove(self)
        if not _STATE.installed:
            sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not _finder]
            del importlib.machinery.SourceFileLoader.exec_module  # which it has from its base
            _STATE.restore()

    def __enter__(self) -> BlockedApis:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


_finder = _Finder()


def install() -> BlockedApis:
    """Refuse ready-made quantizers from now on, in every thread and in forked children."""
    return BlockedApis()
