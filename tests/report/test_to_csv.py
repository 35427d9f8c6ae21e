"""scores.csv: what a spreadsheet opens and a gradebook imports."""

import csv
import io
from dataclasses import replace

import pytest

from autograder.records import Exercise, Report, Task
from autograder.report.to_csv import scores_csv

Samples = dict[str, Report]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_a_row_holds_each_task_the_total_and_the_status(samples: Samples, exercise: Exercise) -> None:
    text = scores_csv([samples["failing"]], [exercise])
    assert text == (
        '\ufeff"student","exercise","1.1","1.2","1.5","1.9","total","possible","status"\r\n'
        '"wang-yu-an","01_basic_quantization","0","2.13","0","2","4.13","12","partial"\r\n'
    )


def test_a_lab_that_nobody_handed_in_has_no_columns(samples: Samples, exercise: Exercise) -> None:
    """A class hands in one lab of five, and its table is of that lab."""
    other = replace(exercise, slug="02_other", tasks=(replace(exercise.tasks[0], id="2.1"),))
    text = scores_csv([samples["failing"]], [exercise, other])
    assert text == scores_csv([samples["failing"]], [exercise])


def test_a_withheld_score_is_empty_in_every_cell(samples: Samples, exercise: Exercise) -> None:
    report = replace(samples["failing"], earned=None, status="withheld")
    (row,) = rows(scores_csv([report], [exercise]))
    assert [row[name] for name in ("1.1", "1.2", "1.5", "1.9", "total")] == [""] * 5
    assert (row["possible"], row["status"]) == ("12", "withheld")


def test_a_withheld_task_is_empty_beside_graded_ones(samples: Samples, exercise: Exercise) -> None:
    tasks = samples["perfect"].tasks
    report = replace(samples["perfect"], tasks=(replace(tasks[0], status="withheld", earned=0.0), *tasks[1:]))
    (row,) = rows(scores_csv([report], [exercise]))
    assert (row["1.1"], row["1.2"]) == ("", "4")


def test_an_unreadable_submission_scores_0(samples: Samples, exercise: Exercise) -> None:
    (row,) = rows(scores_csv([samples["unreadable"]], [exercise]))
    assert (row["total"], row["status"]) == ("0", "unreadable")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\u00a0=", "＝", "＋", "－", "＠"])
def test_a_name_that_a_spreadsheet_would_run_is_defused(samples: Samples, exercise: Exercise, start: str) -> None:
    report = replace(samples["perfect"], student=f'{start}HYPERLINK("x")')
    (row,) = rows(scores_csv([report], [exercise]))
    assert row["student"].startswith("'")
    assert row["student"].endswith('HYPERLINK("x")')


def test_an_ordinary_name_is_untouched(samples: Samples, exercise: Exercise) -> None:
    for name in ("陳美玲", "o'neil", "a-b", "Doe, Jane", 'say "hi"'):
        (row,) = rows(scores_csv([replace(samples["perfect"], student=name)], [exercise]))
        assert row["student"] == name


def test_a_newline_in_a_name_does_not_make_a_row(samples: Samples, exercise: Exercise) -> None:
    text = scores_csv([replace(samples["perfect"], student="a\r\nb,x\n=1")], [exercise])
    assert len(text.splitlines()) == 2
    assert "\x00" not in scores_csv([samples["hostile"]], [exercise])


def test_rows_follow_the_exercises_and_then_the_students_whatever_the_order_of_grading(
    samples: Samples, exercise: Exercise
) -> None:
    second = replace(exercise, slug="00_later", tasks=(Task("2.1", {"en": "t"}, ("f",), 1, {}),))
    reports = [
        replace(samples["perfect"], student="b", exercise="00_later", tasks=()),
        replace(samples["perfect"], student="b"),
        replace(samples["perfect"], student="a"),
    ]
    text = scores_csv(reports, [exercise, second])
    assert [(row["student"], row["exercise"]) for row in rows(text)] == [
        ("a", exercise.slug),
        ("b", exercise.slug),
        ("b", "00_later"),
    ]
    assert text == scores_csv(reports[::-1], [exercise, second])
    assert list(rows(text)[0]) == "student exercise 1.1 1.2 1.5 1.9 2.1 total possible status".split()
    assert (rows(text)[0]["2.1"], rows(text)[2]["1.1"]) == ("", "")


def test_a_task_that_left_the_exercise_keeps_its_column(samples: Samples, exercise: Exercise) -> None:
    shorter = replace(exercise, tasks=exercise.tasks[:2])
    (row,) = rows(scores_csv([samples["perfect"]], [shorter]))
    assert row["1.9"] == "2"


def test_points_are_not_rounded_to_cents_of_a_total(samples: Samples, exercise: Exercise) -> None:
    (row,) = rows(scores_csv([replace(samples["perfect"], earned=1 / 3)], [exercise]))
    assert row["total"] == "0.3333"
