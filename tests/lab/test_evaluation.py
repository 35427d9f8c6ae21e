"""The comparison of models: what it calls, what it divides, what it says, and that it answers no task."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import autograder.lab.machine
from autograder.lab import comparison, evaluation
from autograder.lab.evaluation import accuracy, compare, get_model_size
from autograder.lab.machine import Machine, machine
from autograder.lab.plots import comparison as plots_comparison
from autograder.lab.plots.comparison import plot_comparison
from autograder.records import PtqlabError


class Classifier(nn.Module):
    """Logits that are the inputs times `gain`."""

    def __init__(self, gain: float, size: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((size,), gain))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight[0]


def batch(*rows: list[float], labels: list[int] | None = None) -> dict[str, Tensor]:
    return {"x": torch.tensor(rows)} | ({} if labels is None else {"labels": torch.tensor(labels)})


MODELS = {"FP32": Classifier(1.0, 8), "INT8": Classifier(1.0, 2), "INT4": Classifier(-1.0, 1)}
BATCHES = [batch([1.0, 2.0], labels=[1]), batch([3.0, 1.0], [2.0, 4.0], [0.0, 1.0], labels=[0, 1, 0])]


def table_of(measures: dict[str, Any], **more: Any) -> comparison.Comparison:
    return compare(MODELS, BATCHES, measures, **{"log": None, **more})


def test_ratios_are_against_the_baseline_and_rows_keep_their_order() -> None:
    seconds = dict(zip(MODELS.values(), (0.6, 0.2, 0.3), strict=True))
    table = table_of({"size": get_model_size, "latency": lambda model, batch: seconds[model]}, baseline="INT8")
    assert list(table.rows) == ["FP32", "INT8", "INT4"]
    assert [row["size_bytes"] for row in table.rows.values()] == [32, 8, 4]
    assert [row["compression"] for row in table.rows.values()] == [0.25, 1.0, 2.0]
    assert [row["speedup"] for row in table.rows.values()] == pytest.approx([1 / 3, 1.0, 2 / 3])


def test_accuracy_and_perplexity_are_held_against_the_baselines() -> None:
    table = table_of({"accuracy": accuracy, "perplexity": lambda model, batches: 20.0 / model.weight[0].item()})
    assert [row["accuracy"] for row in table.rows.values()] == [0.75, 0.75, 0.25]
    assert [row["accuracy_drop"] for row in table.rows.values()] == [0.0, 0.0, 0.5]
    assert [row["kept"] for row in table.rows.values()] == pytest.approx([1.0, 1.0, 1 / 3])
    assert [row["perplexity_ratio"] for row in table.rows.values()] == [1.0, 1.0, -1.0]


def test_kl_and_cosine_get_the_baselines_logits_first_and_are_weighted_by_rows() -> None:
    seen = []

    def kl(original: Tensor, quantized: Tensor) -> Tensor:
        seen.append((original.tolist(), quantized.tolist()))
        return (original - quantized).abs().amax()

    table = table_of({"kl": kl})
    assert [len(original) for original, _ in seen] == [1, 3, 1, 3]
    assert seen[2] == ([[1.0, 2.0]], [[-1.0, -2.0]])
    assert table.rows["INT8"]["kl"] == 0.0
    assert table.rows["INT4"]["kl"] == (4.0 * 1 + 8.0 * 3) / 4
    assert "kl" not in table.rows["FP32"], "a model against itself says nothing"


def test_the_logits_of_a_model_are_computed_once_for_all_that_need_them() -> None:
    calls: list[Any] = []

    def predict(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        calls.append(model)
        return model(**batch)

    table_of({"kl": lambda a, b: 0.0, "cosine": lambda a, b: 1.0}, predict=predict)
    assert [calls.count(model) for model in MODELS.values()] == [2, 2, 2]


def test_latency_and_memory_get_one_batch_without_labels_and_the_others_all_of_them() -> None:
    seen: dict[str, Any] = {}

    def remember(name: str, result: Any) -> Any:
        return lambda model, given: (seen.update({name: given}), result)[1]

    latency = {"median_s": 0.5, "p10_s": 0.4, "p90_s": 0.7}
    memory = {"weight_bytes": 10, "peak_activation_bytes": torch.tensor(20)}
    table = table_of(
        {"latency": remember("latency", latency), "memory": remember("memory", memory), "wer": remember("wer", 3)}
    )
    assert list(seen["latency"]) == ["x"]
    assert seen["latency"]["x"].tolist() == [[1.0, 2.0]]
    assert [list(batch) for batch in seen["wer"]] == [["x"], ["x"]]
    expected = {"latency_s": 0.5, "latency_p10_s": 0.4, "latency_p90_s": 0.7, "speedup": 1.0}
    assert table.rows["INT8"] == {**expected, "weight_bytes": 10, "peak_activation_bytes": 20, "wer": 3}


def test_a_measure_that_is_not_written_yet_leaves_its_columns_empty_and_says_so() -> None:
    def stub(*_: Any) -> float:
        raise NotImplementedError("your code here")

    table = table_of({"size": get_model_size, "perplexity": stub, "kl": stub})
    assert table.pending == ("perplexity", "kl")
    assert "perplexity is not written yet: its columns are empty." in str(table)
    assert [column.key for column in table.columns] == ["size_bytes", "compression"]


def test_an_error_of_a_measure_is_the_measures_own_and_names_the_model() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        table_of({"wer": lambda model, batches: 1 / (model.weight.numel() - 2)})
    assert caught.value.__notes__ == ["This happened while compare() measured 'wer' of 'INT8'."]
    with pytest.raises(TypeError, match="a measure to return a number or a 0-dim tensor, got tuple"):
        table_of({"wer": lambda model, batches: (1, 2)})


def test_a_promise_is_met_from_its_value_on_and_never_by_the_baseline() -> None:
    table = table_of({"size": get_model_size, "wer": len_of_batches}, promised={"compression": 8.0, "wer": 2})
    by_key = {column.key: column for column in table.columns}
    assert [table.meets(name, by_key["compression"]) for name in MODELS] == [None, False, True]
    assert [table.meets(name, by_key["wer"]) for name in MODELS] == [None, True, True]
    assert table.meets("INT8", by_key["size_bytes"]) is None
    less = table_of({"perplexity": lambda model, batches: model.weight.numel()}, promised={"perplexity_ratio": 0.2})
    assert [less.meets(name, less.columns[1]) for name in MODELS] == [None, False, True]


def len_of_batches(model: nn.Module, batches: list[Any]) -> int:
    return len(batches)


def test_each_row_is_appended_to_the_log_with_the_hardware(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    for _ in range(2):
        table = table_of({"size": get_model_size}, log=log, name="notebook 02")
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [line["model"] for line in lines] == [*MODELS, *MODELS]
    assert lines[1]["experiment"] == "notebook 02"
    assert (lines[1]["size_bytes"], lines[1]["compression"], lines[1]["baseline"]) == (8, 4.0, "FP32")
    assert lines[1]["hardware"] == str(table.machine)


# --- what a student sees ------------------------------------------------------------------------

VNNI_LESS = Machine("an old processor", int8=False)


def shown(**more: Any) -> comparison.Comparison:
    row = {
        "size_bytes": 437_900_000,
        "compression": 1.0,
        "latency_s": 0.0123,
        "speedup": 1.0,
        "accuracy": 0.9232,
        "kept": 1.0,
    }
    quick = row | {"compression": 3.97, "latency_s": 1.5, "speedup": 0.5, "kl": 0.00123, "kept": 0.99}
    return comparison.Comparison({"FP32": row, "INT8 <b>": quick}, "FP32", comparison.PROMISED, VNNI_LESS, **more)


def test_the_text_is_a_line_a_model_with_the_promise_below_and_no_column_out_of_place() -> None:
    lines = str(shown()).splitlines()
    head, body, promised = lines[1], lines[3:5], lines[6]
    assert body[0].startswith("FP32 ")
    assert head.split() == ["size", "compression", "latency", "speed-up", "accuracy", "kept", "(nats)"]
    assert body[1].replace("INT8 <b>", "").split("  ")[-1] == "1.23e-03"
    assert [cell for cell in re.split(r"  +", body[1]) if cell] == [
        "INT8 <b>",
        "438 MB",
        "✗ 3.97×",
        "1.5 s",
        "✗ 0.50×",
        "92.32 %",
        "✓ 99 %",
        "1.23e-03",
    ]
    assert re.split(r"  +", promised.strip()) == ["promised", "≥ 4.00×", "≥ 2.50×", "≥ 98 %"]
    assert {len(line) for line in [lines[0], head, *body, promised]} == {len(head)}
    assert promised.index("4.00×") == body[1].index("3.97×"), "a promise stands below what it is about"


def test_a_slow_table_says_why_it_is_slow_and_on_what_it_was_measured() -> None:
    text = str(shown())
    assert "Ratios are against FP32. Measured on an old processor." in text
    assert "This processor has no VNNI or AMX" in text
    table = shown()
    table.rows["INT8 <b>"]["speedup"] = 2.5
    assert "no VNNI" not in str(table)


def test_the_html_is_escaped_needs_no_script_and_marks_what_meets_the_promise() -> None:
    html = shown()._repr_mimebundle_()["text/html"]
    assert "INT8 &lt;b&gt;" in html
    assert "<b>" not in html
    assert not re.search(r"<script|https?:|src=|\son\w+=", html)
    assert '<td class="bad">✗ 3.97×</td>' in html
    assert '<td class="good">✓ 99 %</td>' in html
    assert html.count('scope="row"') == 3
    assert "promised by the handout" in html


def test_the_picture_has_a_panel_a_ratio_and_the_promise_as_a_line(tmp_path: Path) -> None:
    figure = plot_comparison(shown())
    figure.savefig(tmp_path / "plot.png")
    panels = {axes.get_title(): axes for axes in figure.axes if axes.get_title()}
    assert list(panels) == ["compression (dashed: promised)", "speed-up (dashed: promised)", "KL (nats)"]
    speed = panels["speed-up (dashed: promised)"]
    assert [bar.get_width() for bar in speed.patches] == [1.0, 0.5]
    assert list(speed.get_lines()[0].get_xdata()) == [2.5, 2.5]
    assert speed.get_xlim()[1] > 2.5, "the line is within the panel"
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["FP32", "INT8 <b>"]
    assert figure.axes[0].yaxis_inverted(), "the first model is on top"
    assert all(axes.get_xlabel() for axes in panels.values())
    assert plots_comparison.plt.get_fignums() == []


def test_the_accuracy_panel_draws_the_promise_as_the_drop_it_allows() -> None:
    table = table_of({"accuracy": accuracy})
    axes = plot_comparison(table).axes[0]
    assert list(axes.get_lines()[0].get_xdata()) == pytest.approx([0.75 * 0.02] * 2)
    assert [bar.get_width() for bar in axes.patches] == [0.0, 0.0, 0.5]


def test_axes_are_labelled_in_units_that_can_be_read() -> None:
    """Bytes as MB, without an exponent beside the axis; of a logarithmic axis only the powers of ten, at least one."""
    rows = {"float": {"kl": None, "weight_bytes": 14e6}, "int8": {"kl": 5.5e-5, "weight_bytes": 3.6e6}}
    figure = plot_comparison(comparison.Comparison(rows, "float", {}, Machine("a machine", None)))
    figure.canvas.draw()
    kl, size = (next(axes for axes in figure.axes if axes.get_title() == t) for t in ("KL (nats)", "weights in memory"))
    assert [tick.get_text() for tick in size.get_xticklabels()][:3] == ["0", "5", "10"]
    assert size.get_xlabel() == "MB, less is better"
    assert {tick.get_text() for tick in kl.get_xticklabels(minor=True)} <= {""}
    low, high = kl.get_xlim()
    assert any(low <= tick <= high for tick in kl.get_xticks())


def test_a_bar_shows_on_what_takes_long_and_never_on_stderr(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    table_of({"size": get_model_size})
    quick = capsys.readouterr()
    assert (quick.out, quick.err) == ("", "")
    monkeypatch.setattr(evaluation, "_SILENT_S", 0.0)
    table_of({"size": get_model_size, "accuracy": accuracy})
    slow = capsys.readouterr()
    assert "/6" in slow.out
    assert slow.err == ""


# --- the small tools ----------------------------------------------------------------------------


def test_the_size_counts_parameters_and_buffers_and_what_is_tied_once() -> None:
    model = nn.Module()
    model.a = nn.Linear(3, 5, bias=False)
    model.b = nn.Linear(3, 5, bias=False)
    model.b.weight = model.a.weight
    model.register_buffer("codes", torch.zeros(7, dtype=torch.int8))
    assert get_model_size(model) == 3 * 5 * 4 + 7


def test_accuracy_asks_for_labels() -> None:
    with pytest.raises(
        PtqlabError, match=r"expected \"labels\" in every batch; make them with batches\(…, labels=True\)"
    ):
        accuracy(MODELS["FP32"], [batch([1.0, 2.0])])


@pytest.mark.parametrize(
    "change, words",
    [
        ({"models": {}}, "needs at least one model, and there is none"),
        ({"batches": []}, "needs at least one batch"),
        ({"measures": {}}, "needs at least one measure"),
        ({"measures": {"size": 3}}, "expects a function for 'size', got int"),
        ({"baseline": "FP16"}, "expects the baseline to be one of FP32, INT8, INT4, got 'FP16'"),
        (
            {"promised": {"speed": 2.0}},
            "has no column 'speed' to hold a promise against; known: size_bytes, compression",
        ),
    ],
)
def test_arguments_that_make_no_table_are_named_in_a_sentence(change: dict[str, Any], words: str) -> None:
    arguments = {"models": MODELS, "batches": BATCHES, "measures": {"size": get_model_size}, "log": None} | change
    with pytest.raises(PtqlabError, match=re.escape(words)):
        compare(**arguments)


@pytest.mark.parametrize(
    "flags, int8, words",
    [
        ({"avx2"}, False, "; AVX2; no VNNI, AMX; "),
        ({"avx2", "avx512f", "avx512_vnni"}, True, "; AVX2, AVX-512, AVX512-VNNI; no AMX; "),
        (None, None, " cores); no CUDA"),
    ],
)
def test_the_machine_is_named_as_the_doctor_knows_it(
    flags: set[str] | None, int8: bool | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autograder.lab.machine, "cpu_flags", lambda: None if flags is None else frozenset(flags))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = machine()
    assert found.int8 is int8
    assert words in str(found)
    assert f"torch {torch.__version__}" in str(found)


def test_the_tool_arranges_and_answers_no_task() -> None:
    for module in (evaluation, comparison, plots_comparison):
        source = Path(module.__file__).read_text(encoding="utf-8")
        answers = r"log_softmax|softmax|cross_entropy|kl_div|cosine_similarity|\.exp\(|\.log\(|perf_counter|percentile\(|quantile\("
        assert not re.search(answers, source)
