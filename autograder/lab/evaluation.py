"""`compare`: several models side by side, measured by functions that the student wrote.

This file arranges: it calls the measures that it is handed, divides by the baseline, logs, and shows. How perplexity,
latency or KL are computed is the labs' subject and stands nowhere in here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autograder.lab.comparison import COLUMNS, PROMISED, Comparison, Row, columns_of
from autograder.lab.experiments import log_experiment
from autograder.lab.machine import machine
from autograder.records import PtqlabError
from autograder.runtime.kit.modules import logits as _model_logits

Batch = Mapping[str, Tensor]
Measure = Callable[..., Any]
Predict = Callable[[Any, Batch], Tensor]

_OF_ONE_BATCH = ("latency", "memory")  # called with (model, batch)
_WITHOUT_TASK = ("BertModel", "GPT2Model", "LlamaModel")
_OF_LOGITS = ("kl", "cosine")  # called with (baseline's logits, model's logits)
_PARTS = {
    "size": {"": "size_bytes"},
    "latency": {"": "latency_s", "median_s": "latency_s", "p10_s": "latency_p10_s", "p90_s": "latency_p90_s"},
    "memory": {"": (_PEAK := "peak_activation_bytes"), "weight_bytes": "weight_bytes", _PEAK: _PEAK},
}  # measure -> the key of what it returns ("" for a bare number) -> the row's key
_SILENT_S = 2.0  # a comparison that takes less shows no progress bar


def compare(
    models: Mapping[str, Any],
    batches: Sequence[Batch],
    measures: Mapping[str, Measure],
    *,
    baseline: str | None = None,
    promised: Mapping[str, float] = PROMISED,
    predict: Predict | None = None,
    log: str | Path | None = "experiments.jsonl",
    name: str = "comparison",
) -> Comparison:
    """One table of `models`, each measured by every function of `measures`, beside what is `promised`.

    `batches` are what a model is called with, `model(**batch)`, in order; "labels" among them are for `accuracy` alone.
    The measures, by name, and how each is called:

    - "size": `f(model)` -> bytes
    - "latency": `f(model, batch)` with the first batch -> seconds, or {"median_s", "p10_s", "p90_s"}
    - "memory": `f(model, batch)` -> bytes, or {"weight_bytes", "peak_activation_bytes"}
    - "accuracy", "perplexity" and every other name: `f(model, batches)` -> a number
    - "kl", "cosine": `f(baseline's logits, model's logits)`, both float32 [..., classes], batch by batch -> a number;
      the table shows the mean over batches, weighted by their rows

    `baseline` names the model that the ratios are against (default: the first). `promised` is what to hold against the
    columns "compression", "speedup", "kept" (accuracy against the baseline's), … . `predict(model, batch)` gives the
    logits of what is no torch module. Each row is appended to the file `log` as a JSON line (None: nowhere).
    A measure that raises NotImplementedError leaves its columns empty; any other error is the measure's own and names
    the model. PtqlabError for arguments that make no table.
    """
    first = _checked(models, batches, measures, promised, baseline)
    run = _Run(batches, measures, models[first], predict or _predict)
    rows = {first: Row(), **{other: Row() for other in models}}
    with _progress(len(models) * len(measures)) as step:
        for model_name in sorted(models, key=lambda other: other != first):  # the baseline first, then as given
            rows[model_name] = run.measured(model_name, models[model_name], model_name == first, step)
    table = Comparison(
        rows={model_name: _with_ratios(rows[model_name], rows[first]) for model_name in models},
        baseline=first,
        promised=dict(promised),
        machine=machine(),
        pending=tuple(run.pending),
    )
    if log is not None:
        for model_name, row in table.rows.items():
            log_experiment(name, log, model=model_name, baseline=first, **row, hardware=str(table.machine))
    return table


@torch.no_grad()
def accuracy(model: nn.Module, batches: Sequence[Batch]) -> float:
    """The share of rows whose class `model` ranks first; each batch carries its "labels" int64 [B]."""
    if not all("labels" in batch for batch in batches):
        raise PtqlabError('expected "labels" in every batch; make them with batches(…, labels=True).')
    return torch.cat([_hits(_predict(model, batch), batch["labels"]) for batch in batches]).mean().item()


def _hits(logits: Tensor, labels: Tensor) -> Tensor:
    if logits.shape[:-1] != labels.shape or int(labels.max()) >= logits.shape[-1]:
        raise PtqlabError(
            f"expected logits [{len(labels)}, classes] for labels from 0 to {int(labels.max())}, but the model gave "
            f"{list(logits.shape)}. Name a classifier that was trained on these labels."
        )
    return (logits.argmax(dim=-1) == labels).float()


def get_model_size(model: nn.Module) -> int:
    """The bytes of a model's parameters and buffers; what is tied counts once."""
    storages = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in (*model.parameters(), *model.buffers())
    }
    return sum(storages.values())


@dataclass
class _Run:
    """One comparison while it runs. The logits of two models are kept: the baseline's and the one's that is
    measured.
    """

    batches: Sequence[Batch]
    measures: Mapping[str, Measure]
    baseline: Any
    predict: Predict
    pending: dict[str, None] = field(default_factory=dict)  # measures that are not written yet, in order
    _originals: list[Tensor] = field(default_factory=list)
    _latest: tuple[Any, list[Tensor]] = (None, [])

    def measured(self, name: str, model: Any, is_baseline: bool, step: Callable[[str], None]) -> Row:
        """The row of one model, without ratios."""
        row = Row()
        for measure, function in self.measures.items():
            step(f"{name}: {measure}")
            if is_baseline and measure in _OF_LOGITS:
                continue  # a model against itself
            try:
                row |= _parts(measure, self._called(measure, function, model))
            except NotImplementedError:
                self.pending[measure] = None
            except Exception as error:
                error.add_note(f"This happened while compare() measured {measure!r} of {name!r}.")
                raise
        return row

    def _called(self, measure: str, function: Measure, model: Any) -> Any:
        if measure == "size":
            return function(model)
        if measure in _OF_ONE_BATCH:
            return function(model, self._inputs()[0])
        if measure in _OF_LOGITS:
            return self._over_batches(function, model)
        return function(model, self.batches if measure == "accuracy" else self._inputs())

    def _inputs(self) -> list[Batch]:
        return [{key: value for key, value in batch.items() if key != "labels"} for batch in self.batches]

    def _over_batches(self, function: Measure, model: Any) -> float:
        self._originals = self._originals or self._logits(self.baseline)
        if self._latest[0] is not model:
            self._latest = (model, self._logits(model))
        values = [_number(function(*pair)) for pair in zip(self._originals, self._latest[1], strict=True)]
        rows = [original.shape[:-1].numel() for original in self._originals]
        return sum(value * count for value, count in zip(values, rows, strict=True)) / sum(rows)

    def _logits(self, model: Any) -> list[Tensor]:
        return [self.predict(model, batch) for batch in self._inputs()]


def _predict(model: Any, batch: Batch) -> Tensor:
    plain = {key: value for key, value in batch.items() if key != "labels"}
    if type(model).__name__ in _WITHOUT_TASK:
        raise PtqlabError(
            f"a {type(model).__name__} has hidden states and no logits, so nothing can be predicted with it. Name a "
            "checkpoint with a task, such as a classifier or a language model, or hand compare() a predict=."
        )
    return _model_logits(model, [plain])[0]


def _parts(measure: str, result: Any) -> Row:
    """What a measure returned as the row's numbers."""
    keys = _PARTS.get(measure, {"": measure})
    if not isinstance(result, Mapping):
        return {keys[""]: _number(result)}
    return {keys[key]: _number(value) for key, value in result.items() if key in keys and key}


def _number(value: Any) -> float:
    if isinstance(value, Tensor) and value.dim() == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a measure to return a number or a 0-dim tensor, got {type(value).__name__}")
    return value


def _with_ratios(row: Row, base: Row) -> Row:
    """The row with what can be said against the baseline, in the table's order of columns."""
    found = dict(row)
    for key, (over, under) in {
        "compression": (base.get("size_bytes"), row.get("size_bytes")),
        "speedup": (base.get("latency_s"), row.get("latency_s")),
        "kept": (row.get("accuracy"), base.get("accuracy")),
        "perplexity_ratio": (row.get("perplexity"), base.get("perplexity")),
    }.items():
        if over is not None and under:
            found[key] = over / under
    if "accuracy" in row and "accuracy" in base:
        found["accuracy_drop"] = base["accuracy"] - row["accuracy"]
    return {column.key: found.pop(column.key) for column in columns_of([found])} | found


def _checked(
    models: Mapping[str, Any],
    batches: Sequence[Batch],
    measures: Mapping[str, Measure],
    promised: Mapping[str, float],
    baseline: str | None,
) -> str:
    """The baseline's name, once the arguments make a table."""
    for what, given in (("model", models), ("batch", batches), ("measure", measures)):
        if not given:
            raise PtqlabError(f"compare() needs at least one {what}, and there is none.")
    for measure, function in measures.items():
        if not callable(function):
            raise PtqlabError(f"compare() expects a function for {measure!r}, got {type(function).__name__}.")
    known = [*(column.key for column in COLUMNS), *measures]
    if stray := [key for key in promised if key not in known]:
        raise PtqlabError(f"compare() has no column {stray[0]!r} to hold a promise against; known: {', '.join(known)}.")
    first = next(iter(models)) if baseline is None else baseline
    if first not in models:
        raise PtqlabError(f"compare() expects the baseline to be one of {', '.join(models)}, got {baseline!r}.")
    return first


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """Gives a function that names the step which begins; a bar shows on what takes longer than seconds."""
    from tqdm import tqdm  # type: ignore[import-untyped] # noqa: PLC0415 - only here

    # stdout: nbgrader takes a cell with anything on stderr for a failed one
    with tqdm(total=total, delay=_SILENT_S, leave=False, file=sys.stdout, bar_format="{l_bar}{bar:20}{r_bar}") as bar:
        begun = False

        def step(what: str) -> None:
            nonlocal begun
            bar.set_description(what, refresh=False)
            bar.update(1 if begun else 0)
            begun = True

        yield step
