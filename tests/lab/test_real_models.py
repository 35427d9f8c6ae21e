"""Models that are not the course's, at the references' door and at the kit's: a result, or one clear sentence."""

from __future__ import annotations

import ast
import contextlib
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file
from support import ROOT

from autograder.course.sources import reference_source
from autograder.lab.evaluation import accuracy, compare
from autograder.lab.models import load_batches
from autograder.lab.pretrained import language_rows
from autograder.records import PtqlabError

DATASETS = ROOT / "datasets"


def reference(slug: str) -> dict[str, Any]:
    """The definitions of a lab's reference; none of its experiments is run, nor what is defined with their results."""
    names: dict[str, Any] = {"__name__": "reference"}
    for node in ast.parse(reference_source(ROOT / "solutions" / slug / "source.py")).body:
        constant = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).isupper()
        if constant or isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
            with contextlib.suppress(NameError):
                exec(compile(ast.Module([node], []), slug, "exec"), names)
    return names


def tiny_gpt2() -> torch.nn.Module:
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=96, n_embd=32, n_layer=1, n_head=2, n_positions=64)
    return transformers.GPT2LMHeadModel(config).eval()


def tiny_llama() -> torch.nn.Module:
    """Widths that are no multiple of a group of 128."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 40, "intermediate_size": 200, "num_attention_heads": 2, "num_key_value_heads": 1}
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=64, num_hidden_layers=1, **sizes)).eval()


# --- the kit ------------------------------------------------------------------------------------


def test_a_folder_without_a_tokenizer_is_refused_by_name(tmp_path: Path) -> None:
    """transformers makes an empty tokenizer for such a folder, whose ids mean nothing."""
    tiny_gpt2().save_pretrained(tmp_path)
    with pytest.raises(PtqlabError, match=r"holds no tokenizer \(tokenizer\.json, .*Save the model's own beside it"):
        load_batches(str(tmp_path), "evaluation", DATASETS)


def test_a_tokenizer_that_makes_no_row_is_refused() -> None:
    with pytest.raises(PtqlabError, match=r"at least 64 tokens of the course's text, but this one makes 6\. Name"):
        language_rows(["a", "b"], lambda texts, **_: {"input_ids": [[1, 2, 3] for _ in texts]})


@pytest.mark.parametrize("shape", [(2,), (6, 9)], ids=["two classes", "a language model"])
def test_labels_that_do_not_fit_the_model_are_refused(shape: tuple[int, ...]) -> None:
    class Model(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(input_ids), *shape)

    batch = {"input_ids": torch.zeros(8, 6, dtype=torch.long), "labels": torch.arange(8)}
    with pytest.raises(
        PtqlabError, match=r"^expected logits \[8, classes\] for labels from 0 to 7, but the model gave"
    ):
        accuracy(Model(), [batch])


def test_a_model_without_a_task_is_refused_by_its_kind() -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    model = transformers.BertModel(transformers.BertConfig(vocab_size=8, **sizes))
    batch = {"input_ids": torch.zeros(1, 4, dtype=torch.long)}
    measures = {"kl": lambda original, quantized: 0.0}
    with pytest.raises(
        PtqlabError, match=r"^a BertModel has hidden states and no logits.* Name a checkpoint with a task"
    ):
        compare({"float": model, "other": model}, [batch], measures, log=None)


# --- the references -----------------------------------------------------------------------------


def test_the_static_reference_says_what_stays_float_in_gpt2(capsys: pytest.CaptureFixture[str]) -> None:
    batch = {"input_ids": torch.arange(32).view(2, 16)}
    quantized = reference("02_static_quantization")["quantize_model_static"](tiny_gpt2(), [batch])
    assert quantized.lm_head.weight.dtype == torch.int8
    names = [f"transformer.h.0.{name}" for name in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")]
    assert capsys.readouterr().out == f"4 layers stay in float (Conv1D): {', '.join(names)}\n"


@pytest.mark.filterwarnings("ignore")
def test_a_tied_matrix_is_stored_once_and_both_files_answer_as_the_model(tmp_path: Path) -> None:
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48}
    model = transformers.BertForMaskedLM(transformers.BertConfig(vocab_size=96, **sizes)).eval()
    batch = {"input_ids": torch.arange(32).view(2, 16), "attention_mask": torch.ones(2, 16, dtype=torch.long)}
    names = reference("04_advanced_ptq")
    names["export_onnx"](model, str(tmp_path / "model.onnx"), batch)
    stored = [list(t.dims) for t in onnx.load(tmp_path / "model.onnx").graph.initializer]
    assert [96, 32] in stored
    assert [32, 96] not in stored
    names["quantize_onnx"](str(tmp_path / "model.onnx"), str(tmp_path / "int8.onnx"), [batch])
    for file, allowed in (("model.onnx", 1e-4), ("int8.onnx", 0.1)):
        session = onnxruntime.InferenceSession(tmp_path / file, providers=["CPUExecutionProvider"])
        (logits,) = session.run(["logits"], {name: rows[:1].numpy() for name, rows in batch.items()})
        with torch.no_grad():
            assert torch.allclose(torch.from_numpy(logits), model(**batch).logits[:1], atol=allowed)
    assert [96, 32] in (kept := [list(t.dims) for t in onnx.load(tmp_path / "int8.onnx").graph.initializer])
    assert [32, 96] not in kept


def test_the_llm_reference_takes_one_file_and_odd_widths(tmp_path: Path) -> None:
    model, (source, target) = tiny_llama(), (tmp_path / "source", tmp_path / "target")
    model.save_pretrained(source)
    assert (source / "model.safetensors").is_file()
    names = reference("05_llm_weight_only")
    names["quantize_checkpoint"](str(source), str(target), bits=8)
    state, found = load_file(source / "model.safetensors"), names["load_checkpoint"](str(target)).state_dict()
    for name, weight in state.items():
        assert (found[name] - weight).abs().max() <= weight.abs().max() / 127, name
