"""The page that an instructor looks at: it counts right, runs nothing but its own script, and sorts."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from autograder.records import Fate, Limits, Outcome, PtqlabError, Report, Status, TaskScore
from autograder.report.class_data import Alike, ExerciseTally, tally
from autograder.report.class_labels import CLASS_LABELS
from autograder.report.class_page import class_to_html

Samples = dict[str, Report]
VOID = {"meta", "br", "input"}


class Page(HTMLParser):
    """A page's elements, its text outside style and script, and what was not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.text = ""
        self.scripts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif not self.open or self.open[-1] != "style":
            self.text += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        return [found for name, found in self.elements if name == tag and attributes.items() <= found.items()]


def a_class(samples: Samples) -> tuple[ExerciseTally, ...]:
    return tally((f"{name}/page.html", report) for name, report in samples.items())


def page_of(tallies: tuple[ExerciseTally, ...], language: str = "en", **more: Any) -> Page:
    return Page(class_to_html(tallies, language, **more))


def one_task(student: str, earned: float, *outcomes: Outcome, exercise: str = "01", possible: float = 10.0) -> Report:
    """A report with one task of ten points."""
    task = TaskScore("1.1", {"en": "A task"}, 10.0, earned, False, "partial", {}, (), outcomes)
    return Report(
        student,
        exercise,
        {"en": f"Lab {exercise}"},
        earned,
        possible,
        "graded",
        "",
        "0.1.0",
        "a" * 64,
        "b" * 64,
        1,
        "cpu",
        "jail",
        Limits(),
        "c" * 64,
        0.5,
        (),
        (task,),
    )


def outcome(name: str, status: Status, message: str = "", seconds: float = 0.01) -> Outcome:
    return Outcome(f"test_public.py::{name}", "1.1", "values", False, status, f"{name} holds.", message, seconds)


# --- what is counted ----------------------------------------------------------------------------


def test_scores_fall_into_bins_with_bins_of_their_own_for_nothing_all_and_more() -> None:
    scores = [0, 0.01, 0.99, 1, 5, 9.99, 10, 10, 12]
    (exercise,) = tally((str(i), one_task(f"s{i}", score)) for i, score in enumerate(scores))
    assert exercise.bins == [1, 2, 1, 0, 0, 0, 1, 0, 0, 0, 1, 2, 1]


def test_an_exercise_that_is_bonus_altogether_is_measured_by_its_bonus() -> None:
    (exercise,) = tally([("a", one_task("a", 5.0, possible=0.0)), ("b", one_task("b", 10.0, possible=0.0))])
    assert exercise.possible == 10.0
    assert [i for i, count in enumerate(exercise.bins) if count] == [6, 11]


def test_a_test_counts_who_failed_it_and_what_it_said_most_often() -> None:
    said = ["the same", "the same\n0.1 expected 0.2", "another thing"]
    outcomes = [outcome("scale", Status.FAILED, message, 0.5) for message in said]
    outcomes += [outcome("scale", Status.PASSED, seconds=0.1), outcome("scale", Status.MISSING, "not written", 9.0)]
    outcomes += [outcome("scale", Status.TIMED_OUT, "the same", 2.0)]
    (exercise,) = tally((f"page-{i}", one_task(f"s{i}", 1.0, found)) for i, found in enumerate(outcomes))
    (test,) = exercise.tests
    assert (test.failed, test.total) == (4, 6)
    assert (test.reason, test.reason_count) == ("the same", 3)
    assert (test.median_s, test.longest_s, test.slowest) == (0.5, 2.0, "page-5"), "a stub's time is no test's time"


def test_what_no_test_met_says_nothing_about_the_tasks(samples: Samples) -> None:
    nothing = tuple(replace(task, tests=(), status="none", earned=0.0) for task in samples["failing"].tasks)
    (exercise,) = a_class({**samples, "unreadable": replace(samples["unreadable"], tasks=nothing)})
    first = exercise.tasks[0]
    assert len(exercise.rows) == 5
    assert first.counts == {"full": 1, "none": 2, "withheld": 1}, "the unreadable one is not among them"
    assert first.share == pytest.approx(1 / 3), "a withheld score is not a score of 0"
    assert sorted(exercise.scores) == [0.0, 4.13, 4.13, 14.0]


def test_submissions_that_need_a_person_are_found_with_the_reason(samples: Samples) -> None:
    (exercise,) = a_class(samples)
    looks = {row.link.partition("/")[0]: dict(row.looks) for row in exercise.rows}
    assert looks["perfect"] == {}
    assert looks["withheld"]["withheld"].startswith("The grader itself failed")
    assert looks["unreadable"]["unreadable"].startswith("The notebook is not valid JSON")
    assert looks["failing"] == {
        "timed_out": "1.2: The call used more than 10 s of CPU time and was ended.",
        "refused": "1.2: torch.quantize_per_tensor was called; this task is to write one.",
    }
    assert set(looks["hostile"]) == {"unisolated", "crashed"}


def test_what_is_kept_of_a_class_does_not_grow_with_what_its_students_write() -> None:
    reports = ((str(i), one_task(f"s{i}", 1.0, outcome("t", Status.FAILED, f"{i} " * 500))) for i in range(200))
    (exercise,) = tally(reports)
    assert len(exercise.tests[0].reason) < 300
    loud = [one_task(f"s{i}", 1.0, outcome("t", Status.FAILED, str(i))) for i in range(60)]
    loud += [one_task(f"t{i}", 1.0, outcome("t", Status.FAILED, "59")) for i in range(9)]
    (exercise,) = tally((str(i), report) for i, report in enumerate(loud))
    assert exercise.tests[0].reason_count == 1, "after fifty different messages, new ones are no longer counted"


# --- what is shown ------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_the_page_is_whole_and_needs_nothing_from_outside(samples: Samples, language: str) -> None:
    html = class_to_html(a_class(samples), language)
    page = Page(html)
    assert html.startswith("<!doctype html>")
    assert (page.unbalanced, page.open) == ([], [])
    assert page.all("html", lang=language)
    assert not {tag for tag, _ in page.elements} & {"link", "img", "iframe", "object", "embed", "form", "base"}
    names = {name for _, attributes in page.elements for name in attributes}
    assert not names & {"src", "srcset", "action", "formaction"}
    assert not [name for name in names if name.startswith("on")]
    assert not re.search(r"url\(|@import|https?:", html.replace("http://x.example", ""))
    for links in page.all("a"):
        assert re.fullmatch(r"#[a-z0-9-]+|[a-z]+/page\.html", links["href"])


def test_only_the_kits_own_script_may_run_whatever_students_write(samples: Samples) -> None:
    page = page_of(a_class(samples))
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    (script,) = page.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}';" in policy["content"]
    assert "unsafe-eval" not in policy["content"]


def test_hostile_names_messages_and_reasons_are_shown_as_text(samples: Samples) -> None:
    (exercise,) = a_class({name: samples[name] for name in ("hostile", "failing")})
    hostile = samples["hostile"].student
    html = class_to_html([replace(exercise, alike=(Alike((hostile, "<img src=x>"), 1.0),), compared=2)])
    assert html.count("<script") == 1
    assert "&lt;script&gt;alert(1)" in html
    assert "&lt;img src=x&gt;" in html
    assert "<img" not in html
    assert "⟨U+202E⟩gnp.exe⟨U+202C⟩" in html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", html)
    class_to_html(tally([("a", replace(samples["perfect"], student="caf\udce9"))])).encode("utf-8")


def test_the_failure_rates_are_pictures_with_the_numbers_beside_them(samples: Samples) -> None:
    page = page_of(a_class({"a": samples["failing"], "b": samples["perfect"]}))
    bars = [found["style"] for found in page.all("i") if found.get("style", "").startswith("width")]
    assert bars.count("width:50.0%") > 4
    assert "1 complete, 1 no points" in page.text
    assert "1 of 2 failed" in page.text
    assert page.text.index("The scale is amax / 127 for 8 bits.") < page.text.index("All 22 tests")


@pytest.mark.parametrize(
    ("language", "shown"),
    [("en", "values 1.2 / 2.4"), ("zh-TW", "數值 1.2 / 2.4")],
)
def test_a_tasks_items_show_their_mean_points_of_those_with_a_score(
    samples: Samples, language: str, shown: str
) -> None:
    """One of two earned all of `values`; whose score was withheld counts for nothing."""
    reports = {name: samples[name] for name in ("perfect", "failing", "withheld")}
    (exercise,) = a_class(reports)
    assert [(item.item, item.points, item.mean) for item in exercise.tasks[0].items] == [
        ("values", 2.4, 1.2),
        ("extremes", 1.6, 0.8),
    ]
    html = class_to_html(a_class(reports), language)
    item = f'<li title="{"What values asks." if language == "en" else "values 的要求。"}">{shown}</li>'
    assert item in html


def test_the_tests_that_failed_most_often_come_first() -> None:
    seldom, often = outcome("seldom", Status.PASSED), outcome("often", Status.FAILED)
    reports = [one_task("a", 1.0, seldom, often), one_task("b", 1.0, replace(seldom, status=Status.FAILED), often)]
    text = page_of(tally((report.student, report) for report in reports)).text
    assert text.index("often holds.") < text.index("seldom holds.")


def test_who_needs_a_look_is_linked_and_a_task_not_written_is_no_zero(samples: Samples) -> None:
    html = class_to_html(a_class({name: samples[name] for name in ("failing", "withheld")}))
    looks = html[html.index('id="looks-1"') :].partition("</div>")[0]
    assert '<a href="withheld/page.html"><bdi>huang-xin-yi</bdi></a> <span class="quiet" lang="en">The grader' in looks
    assert '<td title="0 of 4 points, not written">·</td>' in html
    assert '<td title="withheld">?</td>' in html


def test_the_histogram_writes_each_bars_number_above_it(samples: Samples) -> None:
    page = page_of(tally((str(i), one_task(f"s{i}", score)) for i, score in enumerate([5, 5, 10])))
    shares = [
        float(found["style"].removeprefix("--share:")) for found in page.all("i") if "--share" in found.get("style", "")
    ]
    assert shares == [0, 0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 0.5]
    assert "> 100 %" not in page.text, "no bonus, no bin for it"


def test_every_heading_of_the_table_is_a_button_and_one_says_how_it_is_sorted(samples: Samples) -> None:
    html = class_to_html(a_class(samples))
    head = Page(html[html.index('<table id="every"') : html.index("</thead>", html.index('<table id="every"'))])
    columns = head.all("th", scope="col")
    assert len(columns) == len(head.all("button", type="button")) == 1 + 4 + 3
    assert [column.get("aria-sort") for column in columns] == ["ascending", *[None] * 7]
    assert [bool(column.get("data-number")) for column in columns] == [False, *[True] * 5, False, True]


def test_rows_after_the_first_two_hundred_wait_for_the_script_but_not_without_one() -> None:
    html = class_to_html(tally((str(i), one_task(f"s{i:03}", 5.0)) for i in range(203)))
    assert html.count("<tr hidden><th") == 3
    assert "<noscript><style>#every tr[hidden] { display: table-row; }</style></noscript>" in html
    assert re.search(r"<tr><th scope=\"row\"><a href=\"199\"><bdi>s199<", html)


def test_a_class_with_several_exercises_has_a_row_a_student_and_a_column_each() -> None:
    ann = [one_task("ann", 4.0, exercise="01"), one_task("ann", 10.0, exercise="02")]
    bob = [
        one_task("bob", 2.5, exercise="02"),
        replace(one_task("bob", 0.0, exercise="01"), earned=None, status="withheld"),
    ]
    html = class_to_html(tally((f"{report.student}/{report.exercise}.html", report) for report in (*ann, *bob)))
    body = html[html.index("<tbody>", html.index('<table id="every"')) :]
    rows = [re.sub(r"<[^>]*>", " ", row).split() for row in body.split("</tr>")[:2]]
    assert rows == [["ann", "4", "10", "14", "graded", "1"], ["bob", "?", "2.5", "?", "withheld", "1"]]
    assert 'class="h4" title="4 of 10 points, graded"><a href="ann/01.html">4</a>' in body
    assert html.count('class="exercise"') == 2


def test_bonus_lifts_a_courses_total_to_at_most_the_courses_points() -> None:
    """An exercise's own score keeps its bonus; the total of all exercises ends at what the course is worth."""
    reports = [one_task("ann", 14.0, exercise="01"), one_task("ann", 8.0, exercise="02")]
    for possible, total in ((20.0, "20"), (22.0, "22"), (30.0, "22")):
        html = class_to_html(tally((report.exercise, report) for report in reports), possible=possible)
        body = html[html.index("<tbody>", html.index('<table id="every"')) :]
        assert re.sub(r"<[^>]*>", " ", body.split("</tr>")[0]).split()[:4] == ["ann", "14", "8", total]


def test_near_identical_code_is_shown_or_the_page_says_why_not() -> None:
    (exercise,) = tally([("ann", one_task("ann", 4.0)), ("bob", one_task("bob", 4.0))])
    assert "give the folder of submissions" in page_of((exercise,)).text
    assert "RapidFuzz is not installed" in page_of((exercise,), can_compare=False).text
    none = page_of((replace(exercise, compared=2),), least=0.85)
    assert "Of 2 submissions, no two share 85 % of their code." in none.text
    pair = Alike(("ann", "bob"), 0.9996)
    some = page_of((replace(exercise, compared=2, alike=(pair, Alike(("ann", "cee"), 1.0))),))
    assert "≥ 99.9 %" in some.text, "rounded down: it is not identical"
    assert "identical" in some.text.replace("Near-identical", "")
    many = Alike(tuple(f"s{i}" for i in range(70)), 1.0)
    crowd = page_of((replace(exercise, compared=70, alike=(many,)),)).text
    assert "and 10 more" in crowd
    assert "s59" in crowd
    assert "s60" not in crowd


def test_a_chinese_page_speaks_chinese(samples: Samples) -> None:
    page = page_of(a_class(samples), "zh-TW")
    for words in ("全班報告", "環境設定與基本量化", "需要查看的作業", "暫不計分", "所有作業"):
        assert words in page.text
    with pytest.raises(PtqlabError, match="got 'de'"):
        class_to_html(a_class(samples), "de")


@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_every_file_that_came_in_is_shown_first_what_a_person_must_decide(samples: Samples, language: str) -> None:
    """Also one whose name is hostile; there is no such section where intake is not known."""
    fates = (
        Fate("ann/01.ipynb", "ann", "01", "graded"),
        Fate("<b>x.py", "", "", "nobody's", "lies beside <i>others</i>"),
        *(Fate(f"bob/{number}.txt", "bob", "", "ignored", "no notebook") for number in range(501)),
    )
    text = page_of(a_class(samples), language, fates=fates, notes=("The names in class.zip were read as cp950.",)).text
    labels = CLASS_LABELS[language]
    counts = {"nobody's": 1, "ignored": 501, "graded": 1}
    places = [text.index(f"{count} {labels[f'fate_{what}']}") for what, count in counts.items()]
    assert places == sorted(places)
    for words in ("<b>x.py", "lies beside <i>others</i>", "read as cp950", labels["more_files"].format(n=1)):
        assert words in text
    assert labels["files"] not in page_of(a_class(samples), language).text


def test_both_languages_have_the_same_labels_and_the_same_gaps_to_fill() -> None:
    english, chinese = CLASS_LABELS["en"], CLASS_LABELS["zh-TW"]
    assert english.keys() == chinese.keys()
    for key, words in english.items():
        assert set(re.findall(r"{\w+}", words)) == set(re.findall(r"{\w+}", chinese[key])), key


# --- in a browser -------------------------------------------------------------------------------


@pytest.fixture
def browser() -> Any:
    """A real browser, where there is one: Playwright drives it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (pip install playwright)")
    program = next((found for name in ("chromium", "google-chrome", "chrome") if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("needs Chromium or Chrome")
    with playwright.sync_playwright() as driver:
        yield (running := driver.chromium.launch(executable_path=program, args=["--no-sandbox"]))
        running.close()


def test_in_a_browser_the_table_sorts_by_mouse_and_keyboard_searches_and_shows_all(
    browser: Any, tmp_path: Path
) -> None:
    scores: list[float | None] = [float(i % 11) for i in range(2000)]
    scores[7] = None
    reports = [replace(one_task(f"s{i}", score or 0.0), earned=score) for i, score in enumerate(scores)]
    reports[7] = replace(reports[7], status="withheld", reason="<script>document.title = 'ran'</script>")
    (tmp_path / "class.html").write_text(
        class_to_html(tally((str(i), r) for i, r in enumerate(reports))), encoding="utf-8"
    )
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((tmp_path / "class.html").as_uri())
    names = (
        "() => [...document.querySelectorAll('#every tbody tr')].filter(r => !r.hidden).map(r => r.cells[0].innerText)"
    )
    assert page.evaluate(names)[:3] == ["s0", "s1", "s10"], "as the server sorted them"

    page.click("#every th:nth-child(1) button")
    page.click("#every th:nth-child(1) button")
    assert page.evaluate(names)[:3] == ["s0", "s1", "s2"], "numbers in names count as numbers"
    total = page.locator("#every th:nth-child(3)")
    total.locator("button").focus()
    page.keyboard.press("Enter")
    assert total.get_attribute("aria-sort") == "descending"
    assert page.locator("#every th[aria-sort]").count() == 1
    assert page.evaluate(names)[:2] == ["s10", "s21"]
    page.keyboard.press("Space")
    assert total.get_attribute("aria-sort") == "ascending"
    assert page.evaluate(names)[0] == "s0"
    assert page.locator("#shown").inner_text() == "200 of 2000 shown"

    page.fill("#search", "S199 ")
    assert sorted(page.evaluate(names)) == ["s199", *(f"s199{digit}" for digit in range(10))]
    page.fill("#search", "")
    page.click("#all")
    shown = page.evaluate(names)
    assert len(shown) == 2000
    assert shown[-1] == "s7", "what has no number stands last"
    assert (page.title(), said) == ("Class report", [])
