"""The check table below a notebook cell."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from autograder.records import Outcome, Report, Status, TaskScore
from autograder.report.table import CheckResult

Samples = dict[str, Report]


def public(report: Report) -> tuple[TaskScore, ...]:
    return tuple(replace(task, tests=tuple(t for t in task.tests if not t.hidden)) for task in report.tasks)


@pytest.fixture
def result(samples: Samples) -> CheckResult:
    return CheckResult(public(samples["failing"]))


def html(result: CheckResult) -> str:
    return result._repr_mimebundle_()["text/html"]


def only(task: TaskScore, *tests: Outcome) -> CheckResult:
    return CheckResult((replace(task, tests=tests),))


def test_a_failing_test_shows_mark_claim_reason_values_and_hint(result: CheckResult) -> None:
    text = str(CheckResult(result.tasks[:1]))
    assert text.splitlines()[:10] == [
        "1.1 Symmetric quantization  (0 / 4)",
        "    values 0 / 2.4, no points yet",
        "    extremes 0 / 0.8, waits for values",
        "    errors 0 / 0.8, waits for values",
        "  ✗ Failed: The scale is amax / 127 for 8 bits.",
        "      scale equals amax / 128; the largest level is 127",
        "      0.0239484, expected 0.0241370",
        "      called: symmetric_quantization(float32[4, 8], bits=8)",
        "      Hint: Which is the largest level that a signed 8-bit integer can hold? The largest magnitude "
        "in the tensor should land exactly on it.",
        "  ✓ Passed: All zeros stay zeros.",
    ]


def test_html_and_text_say_the_same(result: CheckResult) -> None:
    bundle = result._repr_mimebundle_(include=None, exclude=None)
    assert bundle.keys() == {"text/html", "text/plain"}
    for words in (
        "amax / 128; the largest level is 127",
        "0.0239484, expected 0.0241370",
        "should land exactly",
    ):
        assert bundle["text/html"].count(words) == 1
        assert bundle["text/plain"].count(words) == 1


def test_points_so_far_are_the_sum_of_the_tasks(result: CheckResult) -> None:
    assert (result.earned, result.possible) == (4.13, 12)
    assert "Points so far, from the public tests: 4.13 / 12" in str(result)
    assert "Points so far, from the public tests: 4.13 / 12" in html(result)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Points so far, from the public tests: 4.13 / 12 (1.6 of them are not checked here)"),
        ("zh-TW", "目前得分（僅公開測試）: 4.13 / 12（其中 1.6 分此處未檢查）"),
    ],
)
def test_what_has_no_test_here_is_called_so_and_the_total_says_how_much(
    result: CheckResult, language: str, words: str
) -> None:
    """An item without a public test neither pays nor looks lost; bonus points are not among those missing."""
    items = tuple(replace(item, status="unchecked") for item in result.tasks[1].items[1:])
    bonus = replace(result.tasks[3], items=tuple(replace(i, status="unchecked") for i in result.tasks[3].items))
    tasks = (result.tasks[0], replace(result.tasks[1], items=items), result.tasks[2], bonus)
    found = CheckResult(tasks, language)
    assert found.unchecked == 1.6
    assert words in str(found)
    assert words in html(found)
    assert ("extremes 0 / 1.6, not checked here" if language == "en" else "極端資料 0 / 1.6, 此處未檢查") in str(found)


def test_the_items_of_a_task_are_one_line_of_the_table_with_what_they_ask(result: CheckResult) -> None:
    """Each item's sentence is in the title of its words."""
    shown = html(CheckResult(result.tasks[1:2]))
    assert (
        '<span class="item" title="What values asks.">values 2.13 / 2.4, in part</span> · '
        '<span class="item" title="What extremes asks.">extremes 0 / 1.6, no points yet</span></td></tr>'
    ) in shown
    assert "title=" not in html(CheckResult(result.tasks[2:3])), "of a task not written yet there is one line"


def test_bonus_alone_is_not_shown_out_of_nothing(result: CheckResult) -> None:
    assert "Points so far, from the public tests: 2\n" in str(CheckResult(result.tasks[3:]))


def test_an_untouched_task_is_one_line_without_an_error(result: CheckResult) -> None:
    missing = CheckResult(result.tasks[2:3])
    assert str(missing).splitlines()[:3] == [
        "1.5 Per-channel quantization  (0 / 4)",
        "  ○ Not written yet",
        "",
    ]
    assert html(missing).count("Not written yet") == 1
    assert "Hint" not in str(missing)


def test_of_a_function_not_written_in_a_started_task_only_the_stubs_words_are_shown(
    result: CheckResult,
) -> None:
    done, failed = result.tasks[0].tests[1], result.tasks[0].tests[0]
    waiting = replace(failed, status=Status.MISSING, message="unpack_int4 is not written yet\ncalled: unpack_int4()")
    text = str(only(result.tasks[0], done, waiting))
    assert "○ Not written yet: The scale is amax / 127 for 8 bits.\n      unpack_int4 is not written yet\n" in text
    assert "called:" not in text


def test_a_passed_check_is_passed_and_an_empty_one_is_not(samples: Samples, result: CheckResult) -> None:
    assert CheckResult(public(samples["perfect"])).passed
    assert not result.passed
    assert not CheckResult(()).passed


def test_nothing_to_check_says_so() -> None:
    assert str(CheckResult(())) == "There is no public test for this."
    assert "There is no public test for this." in html(CheckResult(()))


def test_notes_stand_below(result: CheckResult) -> None:
    noted = replace(result, notes=("The simulated device is not run here.",))
    assert str(noted).endswith("\nThe simulated device is not run here.")
    assert "The simulated device is not run here." in html(noted)


def test_an_error_of_the_grader_is_called_ours_and_kept_for_a_bug_report(result: CheckResult) -> None:
    error = replace(result.tasks[0].tests[0], status=Status.GRADER_ERROR, message="KeyError: 'x'")
    text = str(only(result.tasks[0], error))
    assert "This is not a mistake of yours.\n      KeyError: 'x'" in text


def test_chinese_labels_titles_and_hints(result: CheckResult) -> None:
    text = str(replace(result, language="zh-TW"))
    for words in ("1.1 對稱量化", "✗ 未通過", "提示: 有號 8 位元整數", "尚未撰寫", "目前得分"):
        assert words in text


class Tags(HTMLParser):
    """Every element of a fragment, and what was never closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.add(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_hostile_text_cannot_leave_its_cell(samples: Samples) -> None:
    report = samples["hostile"]
    task = replace(report.tasks[0], title={"en": "<img src=x>"}, hint={"en": "<script>1</script>\u202e"})
    shown = html(CheckResult((task,), notes=("</div><script>2</script>\u202e",)))
    tags = Tags(shown)
    assert tags.open == []
    assert not tags.names & {"script", "img"}
    assert "⟨U+202E⟩" in shown
    assert "\u202e" not in shown
    assert "\x1b" not in str(CheckResult((task,)))


def test_values_keep_their_backticks_and_claims_set_them_as_code(result: CheckResult) -> None:
    test = replace(result.tasks[0].tests[0], claim="`bits` is an int.", message="`q` is wrong\n`1` <2>")
    shown = html(only(result.tasks[0], test))
    assert "<code>bits</code> is an int." in shown
    assert "<code>q</code> is wrong" in shown
    assert "<pre>`1` &lt;2&gt;</pre>" in shown


def test_a_long_diagnostic_is_cut(samples: Samples) -> None:
    assert "(8,000 more characters)" in html(CheckResult(samples["hostile"].tasks))


def test_without_its_style_sheet_the_table_is_still_set_flush_left(result: CheckResult) -> None:
    """JupyterLab drops <style> from a notebook that somebody else ran, keeps style="", and sets cells flush right."""
    cells = re.findall(r"<t[dh][^>]*>", re.sub("<style>.*?</style>", "", html(result)))
    assert len(cells) > 10
    assert all(
        'style="text-align:left"' in cell or 'class="points"' in cell or cell == '<td colspan="2">' for cell in cells
    )


def test_styles_do_not_leak_out_of_the_table(result: CheckResult) -> None:
    style = html(result).partition("<style>")[2].partition("</style>")[0]
    selectors = [s.strip() for rule in style.split("}")[:-1] for s in rule.partition("{")[0].split(",\n")]
    assert len(selectors) > 5
    assert all(s.startswith(".ptqlab-check.ptqlab-check") for s in selectors)
