"""Sample reports: perfect, failing, unreadable, withheld, hostile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autograder.records import (
    Exercise,
    ItemScore,
    Limits,
    Outcome,
    Report,
    Status,
    Task,
    TaskScore,
)

TITLE = {"en": "Setup and basic quantization", "zh-TW": "環境設定與基本量化"}
TASKS = (
    Task(
        "1.1",
        {"en": "Symmetric quantization", "zh-TW": "對稱量化"},
        ("symmetric_quantization",),
        4,
        {
            "en": "Which is the largest level that a signed 8-bit integer can hold? The largest magnitude in "
            "the tensor should land exactly on it.",
            "zh-TW": "有號 8 位元整數能表示的最大值是多少？張量中絕對值最大的元素應該正好落在那個值上。",
        },
    ),
    Task(
        "1.2",
        {"en": "Asymmetric quantization", "zh-TW": "非對稱量化"},
        ("asymmetric_quantization",),
        4,
        {
            "en": "Widen the range until it contains 0 before you compute the scale.",
            "zh-TW": "計算縮放因子之前，先把範圍擴大到包含 0。",
        },
    ),
    Task(
        "1.5",
        {"en": "Per-channel quantization", "zh-TW": "逐通道量化"},
        ("per_channel_quantization",),
        4,
        {"en": "The axis is the one that is kept.", "zh-TW": "axis 指的是保留下來的那一個維度。"},
    ),
    Task(
        "1.9",
        {"en": "Stochastic rounding", "zh-TW": "隨機捨入"},
        ("stochastic_rounding",),
        2,
        {"en": "Add uniform noise before you round.", "zh-TW": "捨入之前先加上均勻分布的雜訊。"},
        bonus=True,
    ),
)
EXERCISE = Exercise("01_basic_quantization", TITLE, TASKS, Limits(), Path("exercises/01_basic_quantization"))


def outcome(task: str, name: str, status: Status, claim: str, message: str = "", *, item: str = "values") -> Outcome:
    """One outcome; a name that begins with "hidden_" is a hidden test."""
    hidden = name.startswith("hidden_")
    file = "test_hidden.py" if hidden else "test_public.py"
    return Outcome(f"{file}::test_{name}", task, item, hidden, status, claim, message, 0.012)


def task_score(task: Task, earned: float, status: str, *tests: Outcome, items: tuple[ItemScore, ...] = ()) -> TaskScore:
    return TaskScore(task.id, task.title, task.points, earned, task.bonus, status, task.hint, items, tests)


def item_score(item: str, points: float, earned: float, status: str) -> ItemScore:
    return ItemScore(item, {"en": f"What {item} asks.", "zh-TW": f"{item} 的要求。"}, points, earned, status)


def perfect_tasks() -> tuple[TaskScore, ...]:
    claims = ("The scale is amax / 127.", "Values round to the nearest level.", "All zeros stay zeros.")
    return tuple(
        task_score(
            task,
            task.points,
            "full",
            outcome(task.id, "scale", Status.PASSED, claims[0]),
            outcome(task.id, "hidden_rounding", Status.PASSED, claims[1]),
            outcome(task.id, "hidden_zeros", Status.PASSED, claims[2], item="extremes"),
            items=(
                item_score("values", 0.6 * task.points, 0.6 * task.points, "full"),
                item_score("extremes", 0.4 * task.points, 0.4 * task.points, "full"),
            ),
        )
        for task in TASKS
    )


PERFECT = Report(
    student="chen-mei-ling",
    exercise=EXERCISE.slug,
    title=TITLE,
    earned=14.0,
    possible=12.0,
    status="graded",
    reason="",
    isolation="namespaces, Landlock (ABI 6), seccomp, limits",
    device="cpu, simulated",
    seed=20260314,
    kit_version="0.1.0",
    outcomes_sha256="3f9a1c" + "0" * 58,
    points_sha256="77ab02" + "1" * 58,
    limits=Limits(),
    submission_sha256="b71e04" + "d" * 58,
    duration_s=0.41,
    notes=(),
    tasks=perfect_tasks(),
)

FAILING = replace(
    PERFECT,
    student="wang-yu-an",
    earned=4.13,
    status="partial",
    reason="One test ran out of time.",
    notes=(
        "Cell 7 does not parse (line 3: '(' was never closed); what it defined is missing.",
        "Cell 12 was left out: nothing that is graded depends on it (a plot).",
    ),
    tasks=(
        task_score(
            TASKS[0],
            0.0,
            "none",
            outcome("1.1", "hidden_levels", Status.PASSED, "The levels span the whole signed range."),
            outcome(
                "1.1",
                "scale",
                Status.FAILED,
                "The scale is amax / 127 for 8 bits.",
                "scale equals amax / 128; the largest level is 127\n"
                "0.0239484, expected 0.0241370\n"
                "called: symmetric_quantization(float32[4, 8], bits=8)",
            ),
            outcome(
                "1.1",
                "hidden_other_bits",
                Status.FAILED,
                "The scale follows the number of bits.",
                "scale equals amax / 127 whatever bits is",
            ),
            outcome("1.1", "zeros", Status.PASSED, "All zeros stay zeros.", item="extremes"),
            outcome("1.1", "hidden_nan", Status.PASSED, "NaN is refused with a ValueError.", item="errors"),
            items=(
                item_score("values", 2.4, 0.0, "none"),
                item_score("extremes", 0.8, 0.0, "waiting"),
                item_score("errors", 0.8, 0.0, "waiting"),
            ),
        ),
        task_score(
            TASKS[1],
            2.13,
            "partial",
            outcome("1.2", "scale", Status.PASSED, "The scale is (hi - lo) / 255."),
            outcome("1.2", "hidden_zero_point", Status.PASSED, "The zero point lies within the levels."),
            outcome(
                "1.2",
                "positive_only",
                Status.FAILED,
                "A tensor of positive values only keeps a zero point within 0…255.",
                "zero_point is outside 0…255; does the range contain 0?\n"
                "-255, expected 0\n"
                "called: asymmetric_quantization(float32[16], bits=8)",
                item="extremes",
            ),
            outcome(
                "1.2",
                "hidden_large",
                Status.TIMED_OUT,
                "A tensor of a million elements takes no loop over elements.",
                "The call used more than 10 s of CPU time and was ended.",
                item="extremes",
            ),
            outcome(
                "1.2",
                "hidden_refused",
                Status.REFUSED,
                "The quantizer is your own.",
                "torch.quantize_per_tensor was called; this task is to write one.",
                item="extremes",
            ),
            items=(item_score("values", 2.4, 2.13, "partial"), item_score("extremes", 1.6, 0.0, "none")),
        ),
        task_score(
            TASKS[2],
            0.0,
            "missing",
            outcome("1.5", "rows", Status.MISSING, "Each row has a scale of its own."),
            outcome("1.5", "hidden_columns", Status.MISSING, "Axis 1 keeps the columns."),
        ),
        perfect_tasks()[3],
    ),
)

UNREADABLE = replace(
    PERFECT,
    student="lin-zhi-hao",
    earned=0.0,
    status="unreadable",
    reason="The notebook is not valid JSON (line 1, column 1): the file is empty.",
    tasks=(),
)

WITHHELD = replace(
    PERFECT,
    student="huang-xin-yi",
    earned=None,
    status="withheld",
    reason="The grader itself failed in test_hidden.py::test_hidden_scale: KeyError: 'secret = 0.0241'",
    tasks=(
        task_score(
            TASKS[0],
            0.0,
            "withheld",
            outcome(
                "1.1",
                "hidden_scale",
                Status.GRADER_ERROR,
                "The scale is right.",
                "KeyError: 'secret = 0.0241'",
            ),
            outcome("1.1", "zeros", Status.PASSED, "All zeros stay zeros.", item="extremes"),
        ),
    ),
)

HOSTILE_TEXT = "</pre><script>alert(1)</script> [red]x[/red] \x1b[31mred\x1b[0m \u202egnp.exe\u202c {{ 7*7 }} \x00"
HOSTILE = replace(
    FAILING,
    student='=HYPERLINK("http://x.example","' + HOSTILE_TEXT + '")',
    reason=HOSTILE_TEXT,
    isolation="none",
    device=HOSTILE_TEXT,
    notes=(HOSTILE_TEXT, "long " * 500),
    tasks=(
        task_score(
            TASKS[0],
            0.0,
            "none",
            outcome("1.1", "scale", Status.FAILED, "The scale is right.", HOSTILE_TEXT + "\n" + HOSTILE_TEXT * 200),
            outcome("1.1", "wide", Status.CRASHED, "The scale is positive.", "W" * 10_000),
        ),
    ),
)

SAMPLES = {
    "perfect": PERFECT,
    "failing": FAILING,
    "unreadable": UNREADABLE,
    "withheld": WITHHELD,
    "hostile": HOSTILE,
}


@pytest.fixture
def samples() -> dict[str, Report]:
    return dict(SAMPLES)


@pytest.fixture
def exercise() -> Exercise:
    return EXERCISE
