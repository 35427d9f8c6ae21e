"""What exercise 05 stands on: checkpoints that the kit writes, assertions on those that students write, the uneven model."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save
from support import ROOT
from torch import Tensor

from autograder.lab.plots.checkpoint import folder_bytes, peak_memory_mb, plot_bits, plot_memory
from autograder.lab.rescaling.column_blocks import with_uneven_channels
from autograder.runtime import memory
from autograder.runtime.errors import MissingError
from autograder.runtime.kit.checkpoint import checkpoint, discard, large_checkpoint, llama_config, llama_shapes
from autograder.runtime.kit.files import files
from autograder.runtime.kit.modules import model as build
from autograder.testing import expect_checkpoint as expected
from autograder.testing.expect import MismatchError
from autograder.testing.proxy import InProcess, Student

CONFIG = llama_config(2, 256, 384, 64, num_key_value_heads=2)


def random_state(config: dict[str, Any], dtype: torch.dtype = torch.float16) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(1)
    return {name: torch.randn(shape, generator=rng).to(dtype) for name, shape in llama_shapes(config).items()}


# --- what the kit writes ------------------------------------------------------------------------


def test_a_written_checkpoint_is_one_that_transformers_loads() -> None:
    from transformers import LlamaForCausalLM

    state = random_state(CONFIG)
    folder = checkpoint(CONFIG, state, shards=3)
    assert len(list(Path(folder).glob("model-0000?-of-00003.safetensors"))) == 3
    loaded = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], value.float()) for name, value in state.items())
    discard(folder)
    assert not Path(folder).exists()


def test_the_shapes_are_those_of_transformers() -> None:
    for more in ({}, {"num_key_value_heads": 1}):
        config = llama_config(1, 128, 256, 64, **more)
        built = build("LlamaForCausalLM", config).state_dict()
        assert {name: tuple(value.shape) for name, value in built.items()} == llama_shapes(config)
    assert "lm_head.weight" not in llama_shapes(llama_config(1, 128, 256, 64, tie_word_embeddings=True))


def test_a_large_checkpoint_takes_room_on_the_disk_and_none_in_memory() -> None:
    with memory.Watch() as seen:
        folder = large_checkpoint(8, 256, 768, 1024)
    assert folder_bytes(folder) == pytest.approx(
        2 * (8 * (4 * 256**2 + 3 * 256 * 768 + 512) + 2 * 1024 * 256 + 256), rel=1e-3
    )
    assert seen.growth_mb is None or seen.growth_mb < 8
    index = json.loads((Path(folder) / expected.INDEX).read_text())
    shards = {file: load_file(Path(folder) / file) for file in set(index["weight_map"].values())}
    assert all(name in shards[file] for name, file in index["weight_map"].items())
    assert index["metadata"]["total_size"] == sum(t.nbytes for part in shards.values() for t in part.values())
    weight = shards[index["weight_map"]["model.layers.3.mlp.up_proj.weight"]]["model.layers.3.mlp.up_proj.weight"]
    assert (weight.dtype, tuple(weight.shape)) == (torch.float16, (768, 256))
    assert 0.015 < weight.float().std() < 0.025
    discard(folder)


def test_only_folders_of_the_kit_are_removed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="that the kit made"):
        discard(str(tmp_path))
    assert tmp_path.is_dir()


# --- assertions ---------------------------------------------------------------------------------


def result(**changed: Any) -> dict[str, Tensor]:
    """A small right result as files, or one with other parts."""
    tensors = {"a.packed": torch.ones(8, 64, dtype=torch.uint8), "norm": torch.tensor([1.5, 2.0])} | changed.pop(
        "tensors", {}
    )
    index = {"metadata": {"total_size": 512 + 8}, "weight_map": dict.fromkeys(tensors, "one.safetensors")} | changed
    texts = {expected.INDEX: json.dumps(index), expected.CONFIG: json.dumps(CONFIG)}
    data = {name: text.encode() for name, text in texts.items()} | {"one.safetensors": save(tensors)}
    return {name: torch.frombuffer(bytearray(content), dtype=torch.uint8) for name, content in data.items()}


def test_a_right_result_passes() -> None:
    expected.index_is_true(result())
    expected.total_is_true(result())
    expected.config_kept(result(), CONFIG)
    expected.norms_kept(result(), {"n": torch.tensor([1.5, 2.0], dtype=torch.float16), "w": torch.zeros(2, 2)})
    expected.compressed(result(), 10_000, 4)


@pytest.mark.parametrize(
    "words, check",
    [
        ("no weight_map", lambda: expected.index_is_true(result(weight_map=None))),
        (
            "a file that was not written",
            lambda: expected.index_is_true(result(weight_map={"a.packed": "two.safetensors"})),
        ),
        ("does not name", lambda: expected.index_is_true(result() | {"two.safetensors": result()["one.safetensors"]})),
        (
            "tells of the source",
            lambda: expected.index_is_true(result(weight_map={"a": "one.safetensors", "norm": "one.safetensors"})),
        ),
        ("leaves out", lambda: expected.index_is_true(result(weight_map={"norm": "one.safetensors"}))),
        ("is none", lambda: expected.index_is_true(result() | {"one.safetensors": torch.zeros(9, dtype=torch.uint8)})),
        ("was not written", lambda: expected.index_is_true({"one.safetensors": result()["one.safetensors"]})),
        (
            "no JSON object",
            lambda: expected.index_is_true(result() | {expected.INDEX: torch.zeros(3, dtype=torch.uint8)}),
        ),
        ("total_size", lambda: expected.total_is_true(result(metadata={"total_size": 1}))),
        ("lacks vocab_size", lambda: expected.config_kept(result(), CONFIG | {"vocab_size": 3})),
        ("norm", lambda: expected.norms_kept(result(), {"n": torch.tensor([1.5, 2.1])})),
        ("nothing is compressed", lambda: expected.compressed(result(), 100, 4)),
        ("half a byte", lambda: expected.compressed(result(), 4000, 4)),
        ("floating point", lambda: expected.compressed(result(tensors={"b": torch.ones(4096)}), 40_000, 4)),
        ("other names or shapes", lambda: expected.changed_bytes(result(), result(tensors={"b": torch.ones(4)}))),
    ],
)
def test_a_wrong_result_is_told_in_words(words: str, check: Any) -> None:
    with pytest.raises(MismatchError) as error:
        check()
    assert words in error.value.words
    assert not re.search(r"\d\.\d", error.value.words), "a hidden test shows the words: no values"


def test_differing_bytes_are_counted() -> None:
    one = result(tensors={"b": torch.zeros(100, dtype=torch.uint8)})
    other = result(tensors={"b": (torch.arange(100) % 20 == 0).to(torch.uint8)})
    assert expected.changed_bytes(one, other) == 5
    assert expected.same(one, one)
    assert not expected.same(one, other)


def test_divergence_is_the_mean_over_rows_of_the_original_first() -> None:
    logits = torch.tensor([[[0.0, 0.0], [1.0, 3.0]]])
    others = torch.tensor([[[0.0, torch.tensor(3.0).log()], [1.0, 3.0]]])
    assert expected.divergence(logits, others) == pytest.approx((0.5 * torch.tensor(4 / 3).log().item()) / 2, rel=1e-5)
    assert expected.divergence(logits, logits) == 0


def student_of(function: Any) -> Student:
    return Student(InProcess({"quantize_checkpoint": function}))


def write_and_fail(source: str, target: str) -> None:
    Path(target).mkdir()
    (Path(target) / "half").touch()
    raise OSError


def leave_beside(source: str, target: str) -> None:
    Path(f"{target}.part").touch()
    raise OSError


def write_beside(source: str, target: str) -> None:
    Path(target).mkdir()
    (Path(target) / "whole").touch()
    Path(f"{target}.part").touch()


def test_what_is_left_after_a_failure_is_found() -> None:
    def fail(source: str, target: str) -> None:
        raise OSError

    expected.nothing_left(student_of(fail), "", "x")
    for function, words in (
        (write_and_fail, "in target_dir"),
        (leave_beside, "beside target_dir"),
        (lambda source, target: None, "no error was raised"),
    ):
        with pytest.raises(MismatchError, match=words):
            expected.nothing_left(student_of(function), "", "x")
    with pytest.raises(MissingError):
        expected.nothing_left(Student(InProcess({})), "", "x")


def test_what_is_written_and_what_stands_beside_it() -> None:
    assert list(expected.quantized(student_of(write_beside), "")) == ["whole"]
    with pytest.raises(MismatchError, match="nothing was written"):
        expected.quantized(student_of(lambda source, target: None), "")
    student = student_of(write_beside)
    root = student.remote.folder()
    student.quantize_checkpoint("", f"{root}/{expected.TARGET}")
    assert len(files(root)) == 2
    with pytest.raises(MismatchError, match="beside"):
        expected.below_target(student, root, alone=True)
    discard(root)


# --- the uneven model, plots, the benchmark -----------------------------------------------------


def test_an_uneven_model_computes_the_same_to_the_bit() -> None:
    for more in ({}, {"num_key_value_heads": 2}, {"tie_word_embeddings": True}):
        model = build("LlamaForCausalLM", llama_config(2, 256, 384, 64, **more))
        uneven = with_uneven_channels(model)
        given = torch.arange(32).reshape(2, 16)
        with torch.no_grad():
            assert torch.equal(model(given).logits, uneven(given).logits)
        before, after = (m.model.layers[0].self_attn.q_proj.weight.detach() for m in (model, uneven))
        assert torch.equal(after[:, :128], before[:, :128])
        assert torch.equal(after[:, 128:], before[:, 128:] / 8)


def test_the_peak_of_a_function_is_seen() -> None:
    large = peak_memory_mb(lambda: torch.ones(50 << 18).sum())
    small = peak_memory_mb(lambda: None)
    assert (large is None) == (small is None)
    if large is not None and small is not None:
        assert 40 < large < 80
        assert small < 5


def test_the_plots_have_a_line_for_each_way_and_leave_out_what_was_not_measured() -> None:
    rows = [
        {"way": way, "checkpoint_mb": mb, "peak_mb": peak}
        for way, mb, peak in (("a", 1, 2.0), ("a", 2, 4.0), ("b", 1, None))
    ]
    lines = plot_memory(rows).axes[0].lines
    assert [line.get_label() for line in lines] == ["a", "b"]
    assert [list(line.get_ydata()) for line in lines] == [[2.0, 4.0], []]
    bits = [{"granularity": "g", "bits_per_weight": b, "kl_nats": 1 / b} for b in (5.0, 4.0)]
    assert list(plot_bits(bits).axes[0].lines[0].get_xdata()) == [4.0, 5.0]


@pytest.mark.proof
def test_the_benchmark_says_memory_and_time() -> None:
    script = ROOT / "tests" / "benchmarks" / "checkpoint.py"
    command = [sys.executable, "-P", script, "--layers", "2", "--width", "128", "--inner", "256"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout
    assert re.search(r"2 layers of width 128, 0\.00\d GB", said)
    assert re.search(r"3\.[67]\d times smaller; largest shard [01] MB", said)
    assert re.search(r"at its peak \d MB more; one shard and 16 MB would be 1\d MB", said)
    assert re.search(r"quantized: [\d.]+ s/GB .*\ncopied: [\d.]+ s/GB", said)
