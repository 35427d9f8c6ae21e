"""Text that students wrote is safe to look at."""

import pytest

from autograder.records import PtqlabError
from autograder.report.text import (
    LINE_LIMIT,
    MESSAGE_LIMIT,
    MESSAGE_LINES,
    NAME_LIMIT,
    as_html,
    checked_language,
    clip,
    in_language,
    number,
    one_line,
    visible,
    visible_line,
)


@pytest.mark.parametrize(
    "text, shown",
    [
        ("\u202egnp.exe", "⟨U+202E⟩gnp.exe"),  # right-to-left override
        ("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩"),  # isolates
        ("\x1b[31mred", "⟨U+001B⟩[31mred"),
        ("a\x00b\x7f\x9b", "a⟨U+0000⟩b⟨U+007F⟩⟨U+009B⟩"),
        ("zero\u200bwidth\ufeff", "zero⟨U+200B⟩width⟨U+FEFF⟩"),
        ("\u3164", "⟨U+3164⟩"),  # Hangul filler: a letter by category, blank on the screen
        ("\udc80", "⟨U+DC80⟩"),  # half a surrogate pair, from an undecodable file name
        ("\U000e0041", "⟨U+E0041⟩"),  # tag
        ("x\u2028y", "x⟨U+2028⟩y"),
        ("a\rb", "a⟨U+000D⟩b"),
    ],
)
def test_what_hides_or_reorders_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("text", ["amax / 127", "陳美玲　你好", "é ü ñ Ω ≤ × 😀", "a\nb\tc", "Nguyễn Văn Á", "e\u0301"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_windows_newlines_are_newlines() -> None:
    assert visible("a\r\nb") == "a\nb"


def test_stacked_marks_are_named_after_the_fourth() -> None:
    assert visible("a" + "\u0301" * 6) == "a" + "\u0301" * 4 + "⟨U+0301⟩" * 2


def test_one_line_has_no_newline_and_no_tab() -> None:
    assert visible_line("a\nb\tc") == "a⟨U+000A⟩b⟨U+0009⟩c"


def test_clipping_says_how_much_is_missing() -> None:
    assert clip("x" * 1500, limit=10) == "xxxxxxxxxx … (1,490 more characters)"
    assert clip("x" * 10, limit=10) == "x" * 10


def test_clipping_counts_lines_too() -> None:
    assert clip("a\nb\nc\nd", lines=2) == "a\nb … (4 more characters)"
    assert clip("a\nb", lines=2) == "a\nb"


def test_a_message_has_at_most_forty_lines_and_says_how_much_was_left_out() -> None:
    """Forty lines are shown as they are; of more, the first forty."""
    whole = "\n".join(f"line {number}" for number in range(MESSAGE_LINES))
    assert MESSAGE_LINES == 40
    assert clip(whole) == whole
    assert clip(f"{whole}\nlast") == f"{whole} … (5 more characters)"


@pytest.mark.parametrize(("limit", "characters"), [(NAME_LIMIT, 80), (LINE_LIMIT, 400), (MESSAGE_LIMIT, 2000)])
def test_the_limits_of_names_lines_and_messages(limit: int, characters: int) -> None:
    """What fits exactly is whole; one character more is cut and counted."""
    assert limit == characters
    assert clip("x" * limit, limit) == "x" * limit
    assert clip("x" * (limit + 1), limit) == f"{'x' * limit} … (1 more characters)"
    assert one_line("y" * (NAME_LIMIT + 1)) == f"{'y' * NAME_LIMIT} … (1 more characters)"
    assert clip("z" * (LINE_LIMIT + 1)) == f"{'z' * LINE_LIMIT} … (1 more characters)"


def test_a_name_is_clipped_before_it_is_spelled_out() -> None:
    assert one_line("\x00" * 3, limit=2) == "⟨U+0000⟩⟨U+0000⟩ … (1 more characters)"


@pytest.mark.parametrize(
    "points, shown", [(4.0, "4"), (2.40, "2.4"), (1 / 3, "0.33"), (0, "0"), (-0.001, "0"), (10, "10")]
)
def test_points_have_no_trailing_zeros(points: float, shown: str) -> None:
    assert number(points) == shown


def test_html_has_code_elements_only_for_balanced_backticks_on_one_line() -> None:
    assert as_html("`a<b` & `c") == "<code>a&lt;b</code> &amp; `c"
    assert as_html("`a\nb`") == "`a\nb`"
    assert as_html("`\u202ex`") == "<code>⟨U+202E⟩x</code>"


def test_a_missing_language_falls_back_to_english_and_then_to_any() -> None:
    assert in_language({"en": "one", "zh-TW": "一"}, "zh-TW") == "一"
    assert in_language({"ja": "ひとつ", "en": "one", "zh-TW": ""}, "zh-TW") == "one"
    assert in_language({"zh-TW": "一"}, "en") == "一"
    assert in_language({}, "en") == ""


def test_an_unknown_language_is_named_with_those_that_are_known() -> None:
    with pytest.raises(PtqlabError, match=r"en or zh-TW.*got 'fr'"):
        checked_language("fr")
