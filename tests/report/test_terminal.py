"""The scoreboard and the progress of a class."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from autograder.records import Report
from autograder.report.terminal import ClassProgress, print_lines, print_scoreboard, scoreboard, scoreboard_lines

Samples = dict[str, Report]


def printed(console_width: int, *, terminal: bool, reports: list[Report]) -> str:
    console = Console(file=io.StringIO(), width=console_width, force_terminal=terminal, color_system=None)
    print_scoreboard(reports, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_row_has_a_cell_a_task_the_total_and_the_status(samples: Samples) -> None:
    lines = printed(80, terminal=True, reports=[samples["failing"], samples["withheld"]]).splitlines()
    assert lines[0].strip() == "01_basic_quantization"
    assert lines[1].split() == ["student", "1.1", "1.2", "1.5", "1.9", "total", "status"]
    assert lines[2].split() == ["huang-xin-yi", "?", "?/12", "withheld"]
    assert lines[3].split() == ["wang-yu-an", "0", "2.13", "·", "2", "4.13/12", "partial"]
    assert lines[5].strip() == "2 submissions: 1 partial, 1 withheld"
    assert lines[6].strip() == "· not written yet, ? withheld"


def test_a_withheld_score_is_never_a_number(samples: Samples) -> None:
    assert scoreboard_lines([samples["withheld"]])[0].split("  ")[2:] == ["?/12 withheld", "1.1=?"]


def test_plain_lines_say_the_same_without_a_terminal(samples: Samples) -> None:
    out = printed(80, terminal=False, reports=[samples["failing"], samples["perfect"]])
    assert out == (
        "chen-mei-ling  01_basic_quantization  14/12 graded  1.1=4 1.2=4 1.5=4 1.9=2\n"
        "wang-yu-an     01_basic_quantization  4.13/12 partial  1.1=0 1.2=2.13 1.5=- 1.9=2\n"
        "2 submissions: 1 graded, 1 partial\n"
    )


def test_each_exercise_has_its_own_table(samples: Samples) -> None:
    other = replace(samples["perfect"], exercise="02_static_quantization")
    out = printed(80, terminal=True, reports=[other, samples["perfect"]])
    assert out.index("01_basic") < out.index("02_static")
    assert out.count("student") == 2


def test_one_submission_is_not_called_submissions(samples: Samples) -> None:
    assert scoreboard_lines([samples["perfect"]])[-1] == "1 submission: 1 graded"


def test_an_empty_class_is_a_line(samples: Samples) -> None:
    assert printed(80, terminal=False, reports=[]) == "0 submissions\n"
    assert printed(80, terminal=True, reports=[]).strip() == "0 submissions"


def test_markup_and_control_characters_of_a_name_stay_text(samples: Samples) -> None:
    nasty = replace(samples["perfect"], student="[red]eve[/red]\x1b]0;x\x07\u202e")
    for terminal in (True, False):
        out = printed(120, terminal=terminal, reports=[nasty])
        assert "[red]eve[/red]⟨U+001B⟩" in out
        assert "\x1b" not in out
        assert "\u202e" not in out


def test_no_isolation_is_said_in_every_form(samples: Samples) -> None:
    bare = replace(samples["perfect"], isolation="none")
    for terminal in (True, False):
        assert "graded (no isolation)" in printed(120, terminal=terminal, reports=[bare])


def test_a_narrow_terminal_cuts_names_and_never_points(samples: Samples) -> None:
    tasks = tuple(replace(samples["failing"].tasks[1], id=f"1.{i}") for i in range(1, 9))
    report = replace(samples["failing"], student="s1123456-a-very-long-student-name", tasks=tasks, earned=18.27)
    row = printed(80, terminal=True, reports=[report]).splitlines()[2]
    assert row.split() == [row.split()[0], *["2.13"] * 8, "18.27/12", "partial"]
    assert row.split()[0].startswith("s1123456")
    assert row.split()[0].endswith("…")


def test_wide_characters_keep_the_columns_aligned(samples: Samples) -> None:
    first, second = scoreboard_lines([replace(samples["perfect"], student=name) for name in ("ab", "陳美")])[:2]
    assert first.replace("ab  ", "陳美") == second


def test_an_encoding_without_the_character_is_no_error() -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as file:
        print_lines(["陳 [b]x[/b]"], Console(file=file))
        file.flush()
        assert raw.getvalue() == b"\\u9673 [b]x[/b]\n"


def test_the_rich_scoreboard_is_one_renderable(samples: Samples) -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(scoreboard(list(samples.values())))
    assert isinstance(console.file, io.StringIO)
    assert "5 submissions: 1 graded, 2 partial, 1 unreadable, 1 withheld" in console.file.getvalue()


# --- progress ---


def progress(*, terminal: bool, reports: list[Report]) -> str:
    console = Console(file=io.StringIO(), width=100, force_terminal=terminal, color_system=None)
    with ClassProgress(len(reports), console) as shown:
        for report in reports:
            shown.finished(report)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_without_a_terminal_each_submission_is_one_plain_line(samples: Samples) -> None:
    out = progress(terminal=False, reports=[samples["perfect"], samples["unreadable"], samples["hostile"]])
    lines = out.splitlines()
    assert lines[0] == "[1/3] chen-mei-ling 01_basic_quantization: 14/12 graded"
    assert lines[1].startswith("[2/3] lin-zhi-hao 01_basic_quantization: 0/12 unreadable (The notebook is not valid")
    assert lines[2].startswith("[3/3] =HYPERLINK")
    assert len(lines) == 3
    assert "\x1b" not in out


def test_on_a_terminal_there_is_a_bar_and_a_line_for_what_needs_a_person(samples: Samples) -> None:
    out = progress(terminal=True, reports=[samples["perfect"], samples["withheld"]])
    assert "2/2" in out
    assert "huang-xin-yi 01_basic_quantization: ?/12 withheld (The grader itself failed" in out
    assert "[1/2]" not in out


def test_the_bar_tells_the_rate_and_the_time_left(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    clock = [1000.0]
    with ClassProgress(240, console) as shown:
        monkeypatch.setattr(shown._bar, "get_time", lambda: clock[0])
        for seconds, rate, left in ((0.5, "2.0/s", "0:01:58 left"), (30.0, "2/min", "1:57:30 left")):
            shown._bar.reset(shown._task, total=240)
            for _ in range(5):
                clock[0] += seconds
                shown.finished(samples["perfect"])
            shown._bar.refresh()
            assert isinstance(console.file, io.StringIO)
            line = console.file.getvalue().splitlines()[-1]
            assert rate in line
            assert left in line


def test_a_class_of_none_shows_an_empty_bar_or_nothing() -> None:
    assert "0/0" in progress(terminal=True, reports=[])
    assert progress(terminal=False, reports=[]) == ""
