"""The result of `compare` as a table: plain text in a terminal, HTML in JupyterLab."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from autograder.lab.machine import Machine

Row = dict[str, float]
"""One model's numbers by column key: bytes, seconds, shares (0 to 1), ratios, nats."""

PROMISED: Mapping[str, float] = {"compression": 4.0, "speedup": 2.5, "kept": 0.98}
"""What the course's handout promises: four times smaller, 2.5 times faster, 98 % of the accuracy kept."""


@dataclass(frozen=True)
class Column:
    """One column. `better`: +1 where more is better, −1 where less is, 0 where the number alone says nothing."""

    key: str
    title: str
    better: int
    show: Callable[[float], str]


def _bytes(count: float) -> str:
    return f"{count / 1e6:.3g} MB" if count < 1e9 else f"{count / 1e9:.3g} GB"


def _seconds(time: float) -> str:
    return f"{time:.3g} s" if time >= 1 else f"{1e3 * time:.3g} ms"


def _times(ratio: float) -> str:
    return f"{ratio:.2f}×"


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _points(share: float) -> str:
    return f"{100 * share + 0.0:.2f} pp"


def _plain(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


COLUMNS = (
    Column("size_bytes", "size", -1, _bytes),
    Column("compression", "compression", +1, _times),
    Column("latency_s", "latency", -1, _seconds),
    Column("speedup", "speed-up", +1, _times),
    Column("weight_bytes", "weights in memory", -1, _bytes),
    Column("peak_activation_bytes", "peak activations", -1, _bytes),
    Column("accuracy", "accuracy", +1, _percent),
    Column("accuracy_drop", "accuracy drop", -1, _points),
    Column("kept", "accuracy kept", +1, _percent),
    Column("perplexity", "perplexity", -1, _plain),
    Column("perplexity_ratio", "perplexity ratio", -1, lambda ratio: f"{ratio:.3f}×"),
    Column("kl", "KL (nats)", -1, lambda nats: f"{nats:.2e}"),
    Column("cosine", "cosine", +1, lambda value: f"{value:.5f}"),
)
_BESIDE = ("latency_p10_s", "latency_p90_s")  # in the log and in the plot, not in the table
_NONE = "–"


def columns_of(rows: Iterable[Mapping[str, float]]) -> tuple[Column, ...]:
    """Return the columns that these rows fill, in the table's order; a student's own measures come last."""
    keys = dict.fromkeys(key for row in rows for key in row if key not in _BESIDE)
    standard = [column for column in COLUMNS if column.key in keys]
    others = [key for key in keys if key not in {column.key for column in COLUMNS}]
    return (*standard, *(Column(key, key, 0, _plain) for key in others))


@dataclass(frozen=True, repr=False)
class Comparison:
    """Models side by side. `rows` hold the numbers by model; `pending` the measures that are not written yet.

    An HTML table in a notebook, plain text in `str` and `repr`; `plot_comparison` draws it.
    """

    rows: Mapping[str, Row]
    baseline: str
    promised: Mapping[str, float]
    machine: Machine
    pending: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that there is something to show in."""
        return columns_of(self.rows.values())

    def meets(self, model: str, column: Column) -> bool | None:
        """Whether a model's number is as good as promised; None where nothing is promised or nothing was measured."""
        value, promise = self.rows[model].get(column.key), self.promised.get(column.key)
        if value is None or promise is None or model == self.baseline:
            return None
        return value <= promise if column.better < 0 else value >= promise

    def __str__(self) -> str:
        return comparison_text(self)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return the table for Jupyter: as HTML, and as text for clients without HTML."""
        return {"text/html": comparison_html(self), "text/plain": comparison_text(self)}


def comparison_text(table: Comparison) -> str:
    """The table in plain text: a line a model, the handout's promise below, then what to know about the numbers."""
    columns = table.columns
    heads = [["", *(column.title for column in columns)]]
    body = [[name, *(_cell(table, name, column) for column in columns)] for name in table.rows]
    promise = [["promised", *(_promise(table, column) for column in columns)]] if _promises(table) else []
    lines = _aligned([*_two_lines(heads[0]), *body, *promise])
    head_count = len(_two_lines(heads[0]))
    rule = "─" * max(map(len, lines))
    parts = [*lines[:head_count], rule, *lines[head_count : head_count + len(body)]]
    parts += [rule, lines[-1]] if promise else []
    return "\n".join([*parts, "", *notes(table)])


def notes(table: Comparison) -> list[str]:
    """Sentences below the table: against what, on which machine, what that means, and what is still to be written."""
    sentences = [f"Ratios are against {table.baseline}. Measured on {table.machine}."]
    speedups = [row["speedup"] for name, row in table.rows.items() if "speedup" in row and name != table.baseline]
    if speedups and max(speedups) < table.promised.get("speedup", 0.0):
        sentences.append(_why_not_faster(table.machine))
    return [*sentences, *(f"{measure} is not written yet: its columns are empty." for measure in table.pending)]


def _why_not_faster(machine: Machine) -> str:
    lacking = "This processor has no VNNI or AMX, without which int8 products gain less than the handout says. "
    return (lacking if machine.int8 is False else "") + (
        "Only int8 kernels save time: a layer that restores float32 before it multiplies saves memory and no time."
    )


def comparison_html(table: Comparison) -> str:
    """The table as an HTML fragment: escaped, no script, at home in a light and a dark notebook."""
    columns = table.columns
    head = "".join(f'<th scope="col">{escape(column.title)}</th>' for column in columns)
    body = "".join(_html_row(table, name, columns) for name in table.rows)
    cells = "".join(f"<td>{escape(_promise(table, column))}</td>" for column in columns)
    foot = f'<tfoot><tr><th scope="row">promised by the handout</th>{cells}</tr></tfoot>' if _promises(table) else ""
    below = "<br>".join(escape(note) for note in notes(table))
    return (
        f'<div class="ptqlab-compare"><style>{_STYLE}</style><table><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{body}</tbody>{foot}</table><p>{below}</p></div>"
    )


def _html_row(table: Comparison, name: str, columns: Sequence[Column]) -> str:
    tones = {True: ' class="good"', False: ' class="bad"', None: ""}
    cells = "".join(f"<td{tones[table.meets(name, c)]}>{escape(_cell(table, name, c))}</td>" for c in columns)
    base = ' <span class="base">baseline</span>' if name == table.baseline else ""
    return f'<tr><th scope="row">{escape(name)}{base}</th>{cells}</tr>'


def _cell(table: Comparison, name: str, column: Column) -> str:
    value = table.rows[name].get(column.key)
    mark = {True: "✓ ", False: "✗ ", None: ""}[table.meets(name, column)]
    return _NONE if value is None else f"{mark}{column.show(value)}"


def _promise(table: Comparison, column: Column) -> str:
    value = table.promised.get(column.key)
    sign = "≤" if column.better < 0 else "≥"
    return "" if value is None else f"{sign} {column.show(value)}"


def _promises(table: Comparison) -> bool:
    return any(column.key in table.promised for column in table.columns)


def _two_lines(titles: Sequence[str]) -> list[list[str]]:
    """Headings of two words stand on two lines, so that a table with all columns still fits a terminal."""
    split = [title.rpartition(" ") for title in titles]
    upper = [before for before, _, _ in split]
    return ([upper] if any(upper) else []) + [[last for _, _, last in split]]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = [[cell.rjust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return ["  ".join([row[0].ljust(widths[0]), *cells[1:]]) for row, cells in zip(rows, padded, strict=True)]


# text and lines take the notebook's own colours; the doubled class outweighs the notebook's rules for tables
_STYLE = """
.ptqlab-compare.ptqlab-compare { overflow-x: auto; }
.ptqlab-compare.ptqlab-compare table { border-collapse: collapse; margin: .3rem 0; border: 0; font-size:
  inherit; color: inherit; }
.ptqlab-compare.ptqlab-compare tr:nth-child(n), .ptqlab-compare.ptqlab-compare tr:nth-child(n):hover {
  background: transparent; }
.ptqlab-compare.ptqlab-compare :is(th, td) { padding: .35rem .7rem; text-align: right; border: 0; font-weight: 400;
  border-bottom: 1px solid rgba(128,128,128,.3); font-variant-numeric: tabular-nums; white-space: nowrap;
  vertical-align: bottom; }
.ptqlab-compare.ptqlab-compare thead th { font-weight: 600; white-space: normal; }
.ptqlab-compare.ptqlab-compare [scope=row] { text-align: left; font-weight: 600; }
.ptqlab-compare.ptqlab-compare tfoot :is(th, td) { border-bottom: 0; border-top: 2px solid rgba(128,128,128,.45);
  font-weight: 400; opacity: .8; }
.ptqlab-compare.ptqlab-compare .good { background: rgba(46,160,97,.2); }
.ptqlab-compare.ptqlab-compare .bad { background: rgba(214,82,60,.2); }
.ptqlab-compare.ptqlab-compare .base { font-weight: 400; opacity: .7; font-size: .85em; }
.ptqlab-compare.ptqlab-compare p { margin: .5rem .7rem; font-size: .9em; opacity: .85; }
""".replace("\n", " ").strip()
