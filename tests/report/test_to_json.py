"""A stored report is exact, and a damaged one is named."""

import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autograder.records import PtqlabError, Report
from autograder.report.atomic import write_atomically
from autograder.report.to_json import report_from_json, report_to_json

Samples = dict[str, Report]
KINDS = ("perfect", "failing", "unreadable", "withheld", "hostile")


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_comes_back_equal(samples: Samples, kind: str) -> None:
    assert report_from_json(report_to_json(samples[kind])) == samples[kind]


def test_an_undecodable_name_comes_back_equal_and_the_text_is_utf8(samples: Samples) -> None:
    report = replace(samples["perfect"], student="caf\udce9", notes=("\u2028 😀 陳",))
    text = report_to_json(report)
    assert report_from_json(text.encode("utf-8").decode("utf-8")) == report


def test_fractions_of_points_come_back_exactly(samples: Samples) -> None:
    assert report_from_json(report_to_json(replace(samples["failing"], earned=0.1 + 0.2))).earned == 0.1 + 0.2


def test_a_score_that_is_no_number_is_never_written(samples: Samples) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        report_to_json(replace(samples["perfect"], earned=float("nan")))


def test_the_keys_that_gradebooks_read_are_there(samples: Samples) -> None:
    data = json.loads(report_to_json(samples["failing"]))
    assert data["format"] == 2
    assert data.keys() >= {
        "student",
        "exercise",
        "earned",
        "possible",
        "status",
        "isolation",
        "device",
        "seed",
        "kit_version",
        "duration_s",
        "tasks",
    }
    task = data["tasks"][0]
    assert task.keys() >= {"id", "points", "earned", "items", "tests"}
    assert task["items"][0] | {"text": {}} == {
        "item": "values",
        "text": {},
        "points": 2.4,
        "earned": 0.0,
        "status": "none",
    }
    assert task["tests"][1] | {"claim": "", "message": ""} == {
        "id": "test_public.py::test_scale",
        "task": "1.1",
        "item": "values",
        "hidden": False,
        "status": "failed",
        "claim": "",
        "message": "",
        "duration_s": 0.012,
        "hint": {},
    }


def test_chinese_is_readable_in_the_file(samples: Samples) -> None:
    assert "對稱量化" in report_to_json(samples["perfect"])


def test_a_withheld_score_is_null(samples: Samples) -> None:
    assert json.loads(report_to_json(samples["withheld"]))["earned"] is None


def edited(report: Report, edit: Callable[[dict[str, Any]], object]) -> str:
    data = json.loads(report_to_json(report))
    edit(data)
    return json.dumps(data)


DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another format": (lambda d: d.update(format=3), r"format 2, got 3\. Grade"),
    "the format before the rubric": (
        lambda d: d.update(format=1),
        r"format 2, got 1, of a ptqlab whose tests belonged to no rubric item\. Grade",
    ),
    "no format": (lambda d: d.pop("format"), "no format at all"),
    "true for 1": (lambda d: d.update(format=True), r"format 2, got True\. Grade"),
    "a missing key": (lambda d: d.pop("seed"), "missing required field `seed` at report"),
    "an unknown key": (lambda d: d.update(bonus=3), "unknown field `bonus` at report"),
    "a test's unknown key": (
        lambda d: d["tasks"][0]["tests"][1].update(test="x"),
        r"unknown field `test` at report.tasks\[0\].tests\[1\]",
    ),
    "a key that a noun has a default for": (
        lambda d: d["tasks"][0]["tests"][1].pop("message"),
        r"missing required field `message` at report.tasks\[0\].tests\[1\]",
    ),
    "a text for a task": (lambda d: d["tasks"].append("1.1"), "expected `object`, got `str` at report.tasks"),
    "a string for a number": (lambda d: d.update(possible="25"), "expected `float`, got `str` at report.possible"),
    "a boolean for a number": (lambda d: d.update(seed=True), "expected `int`, got `bool` at report.seed"),
    "a float for an int": (lambda d: d.update(seed=1.5), "expected `int`, got `float` at report.seed"),
    "an object for a list": (lambda d: d.update(notes={}), "expected `array`, got `object` at report.notes"),
    "a number among notes": (lambda d: d.update(notes=["", 3]), r"expected `str`, got `int` at report.notes\[1\]"),
    "a title that is no text": (lambda d: d["title"].update(en=1), r"expected `str`, got `int` at report.title\[...\]"),
    "an unknown status": (
        lambda d: d.update(status="lost"),
        "invalid enum value 'lost' at report.status",
    ),
    "a task's unknown status": (
        lambda d: d["tasks"][1].update(status="ok"),
        r"invalid enum value 'ok' at report.tasks\[1\].status",
    ),
    "a test's unknown status": (
        lambda d: d["tasks"][0]["tests"][1].update(status="won"),
        r"invalid enum value 'won' at report.tasks\[0\].tests\[1\].status",
    ),
    "an item's unknown status": (
        lambda d: d["tasks"][0]["items"][2].update(status="paid"),
        r"invalid enum value 'paid' at report.tasks\[0\].items\[2\].status",
    ),
    "a test of another task": (
        lambda d: d["tasks"][0]["tests"][0].update(task="1.2"),
        "belongs to another task",
    ),
    "no score without being withheld": (lambda d: d.update(earned=None), "null when the score is withheld"),
    "a score although withheld": (lambda d: d.update(status="withheld"), "null when the score is withheld"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_report_is_refused_and_the_place_named(samples: Samples, damage: str) -> None:
    edit, words = DAMAGES[damage]
    with pytest.raises(PtqlabError, match=words):
        report_from_json(edited(samples["failing"], edit))


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "not valid JSON"),
        ("[]", "got 'list'"),
        ('{"format": 1, "format": 1}', "stands there twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"format": 1, "seed": ' + "9" * 5000 + "}", "not valid JSON"),
        ('{"format": NaN}', "NaN is not a finite number"),
    ],
)
def test_text_that_is_no_report_is_refused(text: str, words: str) -> None:
    with pytest.raises(PtqlabError, match=words):
        report_from_json(text)


def test_an_infinite_score_is_refused(samples: Samples) -> None:
    text = report_to_json(samples["perfect"]).replace('"earned": 14.0', '"earned": 1e999')
    with pytest.raises(PtqlabError, match="1e999 is not a finite number"):
        report_from_json(text)


def test_a_number_without_a_fraction_is_written_as_its_field_says(samples: Samples) -> None:
    text = report_to_json(replace(samples["perfect"], possible=20, seed=3))
    assert '"possible": 20.0,' in text
    assert '"seed": 3,' in text


def test_every_refusal_says_what_to_do() -> None:
    with pytest.raises(PtqlabError, match=r"Grade the submission again to write a new one\.$"):
        report_from_json("{}")


# --- writing ---


def test_writing_makes_the_folder_and_leaves_only_the_file(tmp_path: Path) -> None:
    path = tmp_path / "陳" / "01.json"
    write_atomically(path, "é\r\n")
    assert path.read_bytes() == "é\r\n".encode()
    assert os.listdir(path.parent) == ["01.json"]


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scores.csv"
    write_atomically(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PtqlabError, match=r"scores.csv: No space left on device. Free some space"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["scores.csv"]


def test_an_interrupted_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a.json", "new")
    assert os.listdir(tmp_path) == []


def test_the_data_reach_the_disk_before_the_name_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    sync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (order.append("sync"), sync(handle)))
    monkeypatch.setattr(os, "replace", lambda a, b: (order.append("rename"), rename(a, b)))
    write_atomically(tmp_path / "a.json", "x")
    assert order[:2] == ["sync", "rename"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither these links nor these modes")
def test_a_link_is_replaced_not_followed_and_the_mode_is_ordinary(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "a.json"
    target.write_text("untouched")
    path.symlink_to(target)
    old = os.umask(0o022)
    try:
        write_atomically(path, "x")
    finally:
        os.umask(old)
    assert (target.read_text(), path.is_symlink()) == ("untouched", False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
