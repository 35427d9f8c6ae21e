"""The page that a student is sent: complete, harmless, readable."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

import autograder.report
from autograder.records import PtqlabError, Report, Status
from autograder.report.labels import LABELS, MARKS, TONES
from autograder.report.to_html import report_to_html

Samples = dict[str, Report]
KINDS = ("perfect", "failing", "unreadable", "withheld", "hostile")
VOID = {"meta", "br"}


class Page(HTMLParser):
    """A page as its elements, its text, and the text inside open and closed <details>."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.collapsed = ""
        self.unbalanced: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            opened = any(name == "open" for name, _ in attrs)
            self.open.append("details-closed" if tag == "details" and not opened else tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop().removesuffix("-closed") != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        if "details-closed" in self.open and "summary" not in self.open:
            self.collapsed += data
        else:
            self.text += data

    def attributes(self, tag: str, name: str) -> list[str]:
        return [attrs[name] for found, attrs in self.elements if found == tag and name in attrs]


@pytest.mark.parametrize("language", ["en", "zh-TW"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_whole_and_needs_nothing_from_outside(samples: Samples, kind: str, language: str) -> None:
    html = report_to_html(samples[kind], language)
    page = Page(html)
    assert html.startswith("<!doctype html>")
    assert (page.unbalanced, page.open) == ([], [])
    assert page.attributes("html", "lang") == [language]
    names = {tag for tag, _ in page.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "svg"}
    attributes = {name for _, attrs in page.elements for name in attrs}
    assert not attributes & {"src", "srcset", "action"}
    assert not [name for name in attributes if name.startswith("on")]
    assert all(link.startswith("#task-") for link in page.attributes("a", "href"))
    assert not re.search(r"url\(|@import|https?:", re.sub(r"http://x\.example", "", html))


@pytest.mark.parametrize(("language", "words"), [("en", "8 bonus points, of 10"), ("zh-TW", "8 加分，最多 10 分")])
def test_where_all_points_are_bonus_none_are_possible_and_no_share_is_shown(
    samples: Samples, language: str, words: str
) -> None:
    report = samples["perfect"]
    task = replace(report.tasks[0], points=10.0, earned=8.0, bonus=True)
    page = report_to_html(replace(report, earned=8.0, possible=0.0, tasks=(task,)), language)
    score = page[page.index('<p class="score">') :].split("</p>")[0]
    assert " ".join(re.sub("<[^>]+>", " ", score).split()).endswith(words)


@pytest.mark.parametrize("kind", KINDS)
def test_headings_descend_one_level_at_a_time(samples: Samples, kind: str) -> None:
    levels = [int(tag[1]) for tag, _ in Page(report_to_html(samples[kind])).elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_hostile_text_is_shown_as_text(samples: Samples) -> None:
    html = report_to_html(samples["hostile"])
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "{{ 7*7 }}" in html
    assert "⟨U+202E⟩gnp.exe⟨U+202C⟩" in html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", html)


def test_long_text_is_cut_with_a_count(samples: Samples) -> None:
    html = report_to_html(samples["hostile"])
    assert "(8,000 more characters)" in html
    assert len(html) < 40_000


def test_an_undecodable_name_gives_a_page_that_can_be_written(samples: Samples) -> None:
    html = report_to_html(replace(samples["perfect"], student="caf\udce9"))
    assert "caf⟨U+DCE9⟩" in html
    html.encode("utf-8")


def test_a_failing_test_shows_claim_diagnosis_values_and_call(samples: Samples) -> None:
    page = Page(report_to_html(samples["failing"]))
    assert "The scale is amax / 127 for 8 bits." in page.text
    assert "scale equals amax / 128; the largest level is 127" in page.text
    assert "0.0239484, expected 0.0241370\ncalled: symmetric_quantization(float32[4, 8], bits=8)" in page.text


def test_code_between_backticks_is_set_as_code_and_still_escaped(samples: Samples) -> None:
    task = samples["failing"].tasks[0]
    test = replace(task.tests[1], claim="`bits` sets <b>", message="`<i>x</i>` fails\n`raw` <u>", hidden=False)
    html = report_to_html(replace(samples["failing"], tasks=(replace(task, tests=(test,)),)))
    assert "<code>bits</code> sets &lt;b&gt;" in html
    assert "<code>&lt;i&gt;x&lt;/i&gt;</code> fails" in html
    assert "`raw` &lt;u&gt;" in html


def test_the_hint_is_there_to_be_opened(samples: Samples) -> None:
    page = Page(report_to_html(samples["failing"]))
    assert "should land exactly on it" in page.collapsed
    assert "should land exactly on it" not in page.text


def test_passed_tests_are_collapsed_and_counted(samples: Samples) -> None:
    page = Page(report_to_html(samples["failing"]))
    assert "3 passed" in page.text
    assert "The levels span the whole signed range." in page.collapsed
    assert "The levels span the whole signed range." not in page.text


@pytest.mark.parametrize(("status", "words"), [(Status.FAILED, "1 more did not pass."), (Status.MISSING, None)])
def test_of_a_task_with_very_many_tests_forty_are_spelled_out_and_the_others_counted(
    samples: Samples, status: Status, words: str | None
) -> None:
    """A report stays a page that opens, and its counts stay true."""
    task = samples["failing"].tasks[1]
    tests = tuple(replace(task.tests[0], status=status, claim=f"Claim {number}.") for number in range(41))
    html = report_to_html(replace(samples["failing"], tasks=(replace(task, tests=tests),)))
    assert "Claim 39." in html
    assert "Claim 40." not in html
    assert (words or "41 tests are waiting for this task") in html
    whole = report_to_html(replace(samples["failing"], tasks=(replace(task, tests=tests[:40]),)))
    assert "Claim 39." in whole
    assert "more did not pass" not in whole


def test_a_perfect_report_offers_no_hint(samples: Samples) -> None:
    page = Page(report_to_html(samples["perfect"]))
    assert "All tests passed." in page.text
    assert page.text.count("All 3 tests passed.") == 4
    assert "Values round to the nearest level." in page.collapsed
    assert "Values round to the nearest level." not in page.text
    assert "Hint" not in page.text


def test_hidden_tests_are_named_as_such(samples: Samples) -> None:
    html = report_to_html(samples["failing"])
    hidden = sum(test.hidden for task in samples["failing"].tasks for test in task.tests)
    assert html.count("hidden test</span>") == hidden
    assert report_to_html(samples["failing"], "zh-TW").count("隱藏測試</span>") == hidden


def test_a_task_that_is_not_written_is_one_line_and_not_a_list_of_failures(samples: Samples) -> None:
    page = Page(report_to_html(samples["failing"]))
    assert "2 tests are waiting for this task" in page.text
    assert "Each row has a scale of its own." in page.collapsed


def test_an_item_that_waits_for_values_says_why(samples: Samples) -> None:
    """Where its tests passed and earned nothing, the page says what they wait for."""
    words = LABELS["en"]["waiting_items"]
    html = report_to_html(samples["failing"])
    assert html.count(words) == 1  # task 1.1; in 1.2 no item waits
    assert html.count("waits for values</td>") == 2
    assert words not in report_to_html(samples["withheld"])


@pytest.mark.parametrize(
    ("language", "rows"),
    [
        ("en", ["values What values asks. in part 2.13 / 2.4", "extremes What extremes asks. no points yet 0 / 1.6"]),
        ("zh-TW", ["數值 values 的要求。 部分得分 2.13 / 2.4", "極端資料 extremes 的要求。 尚未得分 0 / 1.6"]),
    ],
)
def test_a_task_shows_its_items_with_what_they_ask_and_their_points(
    samples: Samples, language: str, rows: list[str]
) -> None:
    """One row an item: its name, its sentence, how it went, and earned and possible points."""
    html = report_to_html(samples["failing"], language)
    tables = re.findall(r'<table class="rubric".*?<tbody>(.*?)</tbody>', html, re.DOTALL)
    assert len(tables) == 3  # 1.5 was never written and has no items in this sample
    shown = [" ".join(re.sub("<[^>]+>", " ", row).split()) for row in tables[1].split("</tr>")[:-1]]
    assert shown == rows


def test_a_tests_item_is_named_in_the_reports_language_and_an_unknown_one_as_it_is(samples: Samples) -> None:
    """A report that is withheld because of a misspelt item still has a page."""
    task = samples["failing"].tasks[1]
    stray = replace(task, tests=(replace(task.tests[0], item="spe<ed"), *task.tests[1:]))
    html = report_to_html(replace(samples["failing"], tasks=(stray,)), "zh-TW")
    assert "spe&lt;ed</span>" in html
    assert html.count("極端資料") > 3


def test_a_task_shows_its_points_and_a_bar_of_its_share(samples: Samples) -> None:
    page = Page(report_to_html(samples["failing"]))
    bars = [attrs["style"] for tag, attrs in page.elements if tag == "span" and "style" in attrs]
    assert bars == ["width:0%", "width:53%", "width:0%", "width:100%"]
    assert "2.13 / 4" in page.text


@pytest.mark.parametrize(
    "kind, score, sentence",
    [
        ("perfect", "14", "All tests passed."),
        ("failing", "4.13", "Graded, with gaps."),
        ("unreadable", "0", "Nothing could be graded: the submission could not be read."),
        ("withheld", None, "No score has been issued."),
    ],
)
def test_a_status_has_its_sentence_and_a_score_only_where_one_is_issued(
    samples: Samples, kind: str, score: str | None, sentence: str
) -> None:
    html = report_to_html(samples[kind])
    assert sentence in html
    shown = re.search(r'<p class="score">.*?<strong[^>]*>([^<]*)</strong>', html, re.DOTALL)
    assert shown is not None
    assert shown[1] == (score or "No score issued")


def test_an_ordinary_report_counts_what_passed(samples: Samples) -> None:
    page = Page(report_to_html(replace(samples["failing"], status="graded", reason="")))
    assert "Every test ran; 8 of 15 passed." in page.text


def test_unreadable_and_partial_give_their_reason(samples: Samples) -> None:
    assert "the file is empty." in report_to_html(samples["unreadable"])
    assert "One test ran out of time." in report_to_html(samples["failing"])


def test_a_grader_error_is_ours_and_its_text_stays_with_the_instructor(samples: Samples) -> None:
    html = report_to_html(samples["withheld"])
    assert "This is not a mistake of yours." in html
    assert "secret" not in html
    assert "should land exactly on it" not in html  # a hint would say that the student erred


def test_a_withheld_report_shows_no_points_at_all(samples: Samples) -> None:
    report = replace(samples["failing"], earned=None, status="withheld", reason="Both notebooks were changed.")
    page = Page(report_to_html(report))
    assert "Both notebooks were changed." in page.text
    assert "2.13" not in page.text
    assert {attrs["style"] for tag, attrs in page.elements if "style" in attrs} == {"width:0%"}


def test_no_isolation_is_stated_first(samples: Samples) -> None:
    html = report_to_html(samples["hostile"])
    assert html.index("--isolation=none") < html.index("Graded, with gaps.")
    assert "--isolation=none" not in report_to_html(samples["failing"])


def test_notes_and_the_facts_of_the_run_are_on_the_page(samples: Samples) -> None:
    text = Page(report_to_html(samples["failing"])).text
    for fact in ("was never closed", "20260314", "cpu, simulated", "Landlock (ABI 6)", "0.1.0", "0.4 s"):
        assert fact in text
    assert "3f9a1c000000" in text
    assert "3f9a1c0000000" not in text


def test_a_task_without_tests_has_a_row_and_no_section(samples: Samples) -> None:
    empty = tuple(replace(task, tests=(), status="none", earned=0.0) for task in samples["failing"].tasks)
    page = Page(report_to_html(replace(samples["unreadable"], tasks=empty)))
    assert "Per-channel quantization" in page.text
    assert page.attributes("a", "href") == []


def test_chinese_pages_take_chinese_titles_hints_and_labels(samples: Samples) -> None:
    page = Page(report_to_html(samples["failing"], "zh-TW"))
    for words in ("環境設定與基本量化", "逐通道量化", "評分完成，但有缺漏。", "尚未撰寫", "亂數種子"):
        assert words in page.text
    assert "有號 8 位元整數" in page.collapsed


def test_an_unknown_language_is_refused(samples: Samples) -> None:
    with pytest.raises(PtqlabError, match="got 'de'"):
        report_to_html(samples["perfect"], "de")


def test_both_languages_have_the_same_labels_and_the_same_gaps_to_fill() -> None:
    english, chinese = LABELS["en"], LABELS["zh-TW"]
    assert english.keys() == chinese.keys()
    for key, words in english.items():
        assert set(re.findall(r"{\w+}", words)) == set(re.findall(r"{\w+}", chinese[key])), key


def test_every_status_has_a_word_a_mark_and_a_colour() -> None:
    for status in Status:
        assert LABELS["en"][f"test_{status}"]
        assert MARKS[status]
        assert TONES[status]
    marks = {TONES[status]: set() for status in Status}
    for status in Status:
        marks[TONES[status]].add(MARKS[status])
    signs = [sign for found in marks.values() for sign in found]
    assert len(signs) == len(set(signs))  # what two colours tell apart, two signs tell apart too


# --- contrast ---

TEMPLATES = Path(autograder.report.__file__).parent / "templates"


def colours(style: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", style))


def luminance(colour: str) -> float:
    """Relative luminance as in WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_colour_has_the_contrast_that_wcag_asks_for(theme: str) -> None:
    style = (TEMPLATES / "report.css.jinja").read_text(encoding="utf-8")
    split = style.index("@media")
    found = colours(style[:split] if theme == "light" else style[split:])
    pairs = [(ink, ground) for ink in ("ink", "soft", "link") for ground in ("paper", "card")]
    pairs += [("ink", ground) for ground in ("code", "calm-wash")]
    tones = ("good", "bad", "part", "calm", "ours")
    pairs += [(tone, f"{tone}-wash") for tone in tones] + [("ink", f"{tone}-wash") for tone in tones]
    assert {pair: ratio for pair in pairs if (ratio := contrast(found[pair[0]], found[pair[1]])) < 4.5} == {}


def test_the_check_tables_chips_are_readable_on_any_theme() -> None:
    style = (TEMPLATES / "check.css").read_text(encoding="utf-8")
    grounds = re.findall(r"\.chip\.\w+ { background: (#[0-9a-f]{6}); }", style)
    assert len(grounds) == 4
    assert all(contrast("#ffffff", ground) >= 4.5 for ground in grounds)
