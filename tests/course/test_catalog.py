"""Exercises are found where they should be, and a wrong exercise.toml is one clear sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import ROOT

from autograder.course import catalog
from autograder.course.catalog import find_exercises, load_exercise, pick_exercise
from autograder.records import Limits, PtqlabError, RubricItem

TITLE = '{ en = "Title", "zh-TW" = "標題" }'
HEAD = f"[exercise]\ntitle = {TITLE}\n"
BARE = f'[[task]]\nid = "1.1"\nfunctions = ["f"]\npoints = 4\ntitle = {TITLE}\nhint = {TITLE}\n'
ITEM = f'{{ item = "values", share = 100, text = {TITLE} }}'
HINTED = f"{ITEM[:-2]}, hint = {{ en = 'Zero.', 'zh-TW' = '零。' }} }}"
TASK = f"{BARE}rubric = [{ITEM}]\n"
GOOD = f"{HEAD}{TASK}"


def make(course: Path, slug: str = "01_first", toml: str = GOOD) -> Path:
    folder = course / "exercises" / slug
    folder.mkdir(parents=True)
    (folder / "exercise.toml").write_text(toml, encoding="utf-8")
    return folder


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course of two exercises, far from the working folder and from the installed package."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.delenv("PTQLAB_COURSE", raising=False)
    monkeypatch.setattr(catalog, "_PACKAGE", tmp_path / "site" / "autograder")
    course = tmp_path / "course"
    make(course, "02_second", GOOD.replace('"1.1"', '"2.1"'))
    make(course)
    return course


def slugs(*args: Path) -> list[str]:
    return [exercise.slug for exercise in find_exercises(*args)]


# --- where --------------------------------------------------------------------------------------------------------


def test_an_explicit_course_folder_its_exercises_or_one_of_them(course: Path) -> None:
    assert slugs(course) == slugs(course / "exercises") == ["01_first", "02_second"]
    assert slugs(course / "exercises" / "02_second") == ["02_second"]


def test_the_environment_names_the_course(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTQLAB_COURSE", str(course))
    assert slugs() == ["01_first", "02_second"]


def test_explicit_goes_before_the_environment(course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "other", "03_third")
    monkeypatch.setenv("PTQLAB_COURSE", str(course))
    assert slugs(tmp_path / "other") == ["03_third"]


def test_the_environment_goes_before_the_working_folder(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "other", "03_third")
    monkeypatch.setenv("PTQLAB_COURSE", str(course))
    monkeypatch.chdir(tmp_path / "other")
    assert slugs() == ["01_first", "02_second"]


@pytest.mark.parametrize("below", [".", "exercises", "exercises/01_first"])
def test_from_the_working_folder_upwards(course: Path, monkeypatch: pytest.MonkeyPatch, below: str) -> None:
    monkeypatch.chdir(course / below)
    assert slugs() == ["01_first", "02_second"]


def test_the_installed_package_comes_last(course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "site" / "autograder" / "bundled", "04_fourth")
    assert slugs() == ["04_fourth"]
    monkeypatch.chdir(course)
    assert slugs() == ["01_first", "02_second"]


def test_a_clone_finds_its_exercises_from_anywhere(course: Path, tmp_path: Path) -> None:
    make(tmp_path / "site", "05_fifth")
    assert slugs() == ["05_fifth"]


def test_no_exercises_is_an_error_that_names_the_place(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = "Expected exercises/<exercise>/exercise.toml, but none was found"
    with pytest.raises(PtqlabError) as error:
        find_exercises()
    assert str(error.value) == (
        f"{expected} from {Path.cwd()} upwards. Go to the course's folder or set PTQLAB_COURSE to it."
    )
    with pytest.raises(PtqlabError) as error:
        find_exercises(tmp_path / "elsewhere")
    assert str(error.value) == f"{expected} in {tmp_path / 'elsewhere'}. Give the folder that holds exercises/."
    monkeypatch.setenv("PTQLAB_COURSE", "nowhere")
    with pytest.raises(PtqlabError) as error:
        find_exercises()
    assert str(error.value) == (
        f"{expected} in nowhere, which PTQLAB_COURSE names. Set PTQLAB_COURSE to the folder that holds exercises/."
    )


def test_solutions_lie_beside_the_exercises_or_where_they_are_said_to(course: Path, tmp_path: Path) -> None:
    (course / "solutions" / "01_first").mkdir(parents=True)
    (tmp_path / "vault" / "02_second").mkdir(parents=True)
    assert [e.solution for e in find_exercises(course)] == [course / "solutions" / "01_first", None]
    assert [e.solution for e in find_exercises(course, tmp_path / "vault")] == [None, tmp_path / "vault" / "02_second"]


@pytest.mark.parametrize("key", ["02_second", "02", "2", "2.1", " 2.1 "])
def test_an_exercise_is_named_by_slug_number_or_task(course: Path, key: str) -> None:
    assert pick_exercise(find_exercises(course), key).slug == "02_second"


@pytest.mark.parametrize("key", ["3", "2.2", "second", "", "0"])
def test_a_name_that_fits_none_lists_what_there_is(course: Path, key: str) -> None:
    with pytest.raises(PtqlabError) as error:
        pick_exercise(find_exercises(course), key)
    assert str(error.value) == (
        f"Expected an exercise's slug, number or task; there is none called {key!r}. Choose one of: 01_first, 02_second."
    )


def test_a_number_of_zeros_is_a_number(course: Path) -> None:
    make(course, "00_intro", GOOD.replace('"1.1"', '"0.1"'))
    assert pick_exercise(find_exercises(course), "0").slug == "00_intro"
    with pytest.raises(PtqlabError, match="there is none called ''"):
        pick_exercise(find_exercises(course), "")


def test_without_exercises_no_name_fits() -> None:
    with pytest.raises(PtqlabError, match=r"Choose one of: none\.$"):
        pick_exercise([], "1")


def test_a_name_that_fits_two_lists_both(course: Path) -> None:
    make(course, "02_other")
    with pytest.raises(PtqlabError) as error:
        pick_exercise(find_exercises(course), "2")
    assert str(error.value) == (
        "Expected an exercise's slug, number or task; '2' names 2 of them. Choose one of: 02_other, 02_second."
    )


# --- what ---------------------------------------------------------------------------------------------------------


def test_an_exercise_has_all_that_its_file_says(tmp_path: Path) -> None:
    toml = (
        f"{GOOD.replace(ITEM, HINTED)}bonus = true\n"
        f"[[task]]\nid = '1.2'\nfunctions = ['g', 'H']\npoints = 2.5\ntitle = {TITLE}\nhint = {TITLE}\nrubric = [{ITEM}]\n"
        "[limits]\ncall_cpu_s = 0.5\nmemory_mb = 512\n"
    )
    exercise = load_exercise(make(tmp_path, toml=toml))
    assert exercise.title == {"en": "Title", "zh-TW": "標題"}
    assert exercise.functions == ("f", "g", "H")
    assert exercise.possible == 2.5
    assert [(task.id, task.points, task.bonus) for task in exercise.tasks] == [("1.1", 4.0, True), ("1.2", 2.5, False)]
    assert [item.hint for item in exercise.tasks[0].rubric] == [{"en": "Zero.", "zh-TW": "零。"}]
    assert [item.hint for item in exercise.tasks[1].rubric] == [{}], "a hint is not asked for"
    assert exercise.limits == Limits(call_cpu_s=0.5, memory_mb=512)
    assert exercise.solution is None


@pytest.mark.parametrize(
    "shares",
    [
        {"values": 100},
        {"values": 60, "devices": 40},
        {"state": 10, "values": 60, "errors": 10, "inputs": 10, "memory": 10},
        {"values": 60, "artifact": 20, "extremes": 20},
    ],
)
def test_a_rubric_has_values_and_at_most_four_others_in_the_files_order(tmp_path: Path, shares: dict[str, int]) -> None:
    """`values` alone holds all, else 60 %; the others at least a tenth each."""
    exercise = load_exercise(make(tmp_path, toml=f"{HEAD}{BARE}rubric = {items(**shares)}\n"))
    text = {"en": "Title", "zh-TW": "標題"}
    assert exercise.tasks[0].rubric == tuple(RubricItem(item, share, text) for item, share in shares.items())


def test_lab_01_is_worth_25_points() -> None:
    exercise = load_exercise(ROOT / "exercises" / "01_basic_quantization")
    assert (exercise.possible, len(exercise.tasks)) == (25, 8)


WHERE = "01_first/exercise.toml"
NOT_A_NAME = f"Expected a list of function or class names at {WHERE} [[task]] 1 functions, but "
KNOWN = "values, extremes, inputs, errors, state, memory, artifact, devices"


def items(**shares: object) -> str:
    """A rubric as a TOML array: `items(values=60, state=40)`."""
    tables = (f'{{ item = "{item}", share = {share}, text = {TITLE} }}' for item, share in shares.items())
    return f"[{', '.join(tables)}]"


# rubric: what was expected, where, what came
WRONG_RUBRICS = {
    "an empty rubric": ("[]", "Expected at least one [[task.rubric]]", "", "[]"),
    "a rubric that is no list": ("60", "Expected at least one [[task.rubric]]", "", "60"),
    "an item that is no table": ("[60]", "Expected a table", " 1", "60"),
    "an unknown item": (items(values=60, speed=40), f"Expected one of {KNOWN}", " 2 item", "'speed'"),
    "an item that is a number": ("[{ item = 1, share = 100, text = 1 }]", f"Expected one of {KNOWN}", " 1 item", "1"),
    "half a percent": (items(values=60, state=39.5), "Expected a whole number of percent", " 2 share", "39.5"),
    "a share that is a truth value": (items(values="true"), "Expected a whole number of percent", " 1 share", "True"),
    "a share in quotes": (items(values="'60'"), "Expected a whole number of percent", " 1 share", "'60'"),
    "an item twice": (
        f"[{ITEM}, {ITEM}]",
        "Expected each item once",
        "",
        "values, values",
    ),
    "no values": (items(state=100), 'Expected the item "values" with share = 100', "", "no such item"),
    "no values among two": (
        items(state=60, errors=40),
        'Expected the item "values" with share = 60',
        "",
        "no such item",
    ),
    "values alone with less": (items(values=60), 'Expected the item "values" with share = 100', "", "share = 60"),
    "values with more": (items(values=70, state=30), 'Expected the item "values" with share = 60', "", "share = 70"),
    "values with less": (items(values=59, state=41), 'Expected the item "values" with share = 60', "", "share = 59"),
    "five others": (
        items(values=60, extremes=8, inputs=8, errors=8, state=8, memory=8),
        "Expected at most 4 items beside values",
        "",
        "5",
    ),
    "a small share": (items(values=60, state=31, errors=9), "Expected a share of at least 10", ", errors", "9"),
    "a negative share": (items(values=60, state=50, errors=-10), "Expected a share of at least 10", ", errors", "-10"),
}
WRONG = {
    "no TOML": (
        "=",
        f"Expected TOML in UTF-8 in {WHERE}, but it does not parse: Invalid statement (at line 1, column 1).",
    ),
    "no task": (f"[exercise]\ntitle = {TITLE}\n", f"Expected 'task' in {WHERE}, but it is missing; add it."),
    "an empty list of tasks": (
        f"task = []\n[exercise]\ntitle = {TITLE}\n",
        f"Expected at least one [[task]] in {WHERE}, but [] came.",
    ),
    "one task as a table": (
        GOOD.replace("[[task]]", "[task]"),
        f"Expected at least one [[task]] in {WHERE}, but {{'id': '1.1', 'functions': ['f'], 'points': 4, "
        "'title': {'en': 'Title', 'zh-TW': '標題'}, 'hint': {'en': 'Title', 'zh-TW': '標題'}, 'rubric': [{'item': 'values', "
        "'share': 100, 'text': {'en': 'Title', 'zh-TW': '標題'}}]} came.",
    ),
    "a task that is no table": (
        f"task = [1]\n[exercise]\ntitle = {TITLE}\n",
        f"Expected a table at {WHERE} [[task]] 1, but 1 came.",
    ),
    "an unknown table": (
        f"{GOOD}[rubric]\nx = 1\n",
        f"Expected only exercise, task, limits in {WHERE}, but 'rubric' came; remove it or mend its spelling.",
    ),
    "an unknown key of a task": (
        f"{GOOD}weight = 1\n",
        f"Expected only id, functions, points, title, hint, rubric, bonus in {WHERE} [[task]] 1, "
        "but 'weight' came; remove it or mend its spelling.",
    ),
    "an exercise without a title": (
        GOOD.replace(f"[exercise]\ntitle = {TITLE}", "[exercise]"),
        f"Expected 'title' in {WHERE} [exercise], but it is missing; add it.",
    ),
    "points in the exercise": (
        GOOD.replace("[exercise]", "[exercise]\npoints = 25"),
        f"Expected only title, preload in {WHERE} [exercise], but 'points' came; remove it or mend its spelling.",
    ),
    "an exercise that is no table": (f"exercise = 1\n{TASK}", f"Expected a table at {WHERE} [exercise], but 1 came."),
    "an unknown limit": (
        f"{GOOD}[limits]\nwall_s = 1\n",
        f"Expected only call_cpu_s, submission_cpu_s, memory_mb, scratch_mb, reply_mb in {WHERE} [limits], "
        "but 'wall_s' came; remove it or mend its spelling.",
    ),
    "a limit of nothing": (
        f"{GOOD}[limits]\nmemory_mb = 0\n",
        f"Expected a number above 0 at {WHERE} [limits] memory_mb, but 0 came.",
    ),
    "half a megabyte": (
        f"{GOOD}[limits]\nmemory_mb = 0.5\n",
        f"Expected a whole number at {WHERE} [limits] memory_mb, but 0.5 came.",
    ),
    "limits as a number": (f"limits = 3\n{GOOD}", f"Expected a table at {WHERE} [limits], but 3 came."),
    "a language missing": (
        GOOD.replace(f"hint = {TITLE}", 'hint = { en = "Hint" }'),
        f"Expected 'zh-TW' in {WHERE} [[task]] 1 hint, but it is missing; add it.",
    ),
    "a blank text": (
        GOOD.replace(f"hint = {TITLE}", 'hint = { en = " ", "zh-TW" = "x" }'),
        f"Expected a sentence at {WHERE} [[task]] 1 hint, en, but ' ' came.",
    ),
    "a number for a text": (
        GOOD.replace(f"hint = {TITLE}", 'hint = { en = "x", "zh-TW" = 3 }'),
        f"Expected a sentence at {WHERE} [[task]] 1 hint, zh-TW, but 3 came.",
    ),
    "a text without languages": (
        GOOD.replace(f"[exercise]\ntitle = {TITLE}", '[exercise]\ntitle = "Title"'),
        f"Expected a table at {WHERE} [exercise] title, but 'Title' came.",
    ),
    "the same id twice": (
        f"{GOOD}{TASK}",
        f"Expected each task's id once in {WHERE}, but '1.1' came 2 times.",
    ),
    "an id that is a number": (
        GOOD.replace('"1.1"', "1.1"),
        f'Expected an id like "1.1" at {WHERE} [[task]] 1, but 1.1 came.',
    ),
    "an id in letters": (
        GOOD.replace('"1.1"', '"one"'),
        f"Expected an id like \"1.1\" at {WHERE} [[task]] 1, but 'one' came.",
    ),
    "negative points": (
        GOOD.replace("points = 4", "points = -4"),
        f"Expected a number above 0 at {WHERE} [[task]] 1 points, but -4 came.",
    ),
    "points that are no number": (
        GOOD.replace("points = 4", "points = true"),
        f"Expected a number above 0 at {WHERE} [[task]] 1 points, but True came.",
    ),
    "points in quotes": (
        GOOD.replace("points = 4", "points = '4'"),
        f"Expected a number above 0 at {WHERE} [[task]] 1 points, but '4' came.",
    ),
    "infinite points": (
        GOOD.replace("points = 4", "points = inf"),
        f"Expected a number above 0 at {WHERE} [[task]] 1 points, but inf came.",
    ),
    "a function that is no identifier": (GOOD.replace('["f"]', '["f()"]'), f"{NOT_A_NAME}['f()'] came."),
    "a function that is a keyword": (GOOD.replace('["f"]', '["lambda"]'), f"{NOT_A_NAME}['lambda'] came."),
    "a function that is a number": (GOOD.replace('["f"]', "[1]"), f"{NOT_A_NAME}[1] came."),
    "no function": (GOOD.replace('["f"]', "[]"), f"{NOT_A_NAME}[] came."),
    "functions as a string": (GOOD.replace('["f"]', '"f"'), f"{NOT_A_NAME}'f' came."),
    "a function twice": (
        GOOD.replace('["f"]', '["f", "f"]'),
        f"Expected each name once at {WHERE} [[task]] 1 functions, but ['f', 'f'] came.",
    ),
    **{
        name: (f"{HEAD}{BARE}rubric = {value}\n", f"{words} at {WHERE} [[task]] 1 rubric{place}, but {came} came.")
        for name, (value, words, place, came) in WRONG_RUBRICS.items()
    },
    **{
        f"shares of {total} in all": (
            f"{HEAD}{BARE}rubric = {items(values=60, state=total - 60)}\n",
            f"Expected shares that add up to 100 at {WHERE} [[task]] 1 rubric, but they add up to {total}.",
        )
        for total in (99, 101)
    },
    "no rubric": (f"{HEAD}{BARE}", f"Expected 'rubric' in {WHERE} [[task]] 1, but it is missing; add it."),
    "an item without a share": (
        f"{HEAD}{BARE}rubric = [{{ item = 'values', text = {TITLE} }}]\n",
        f"Expected 'share' in {WHERE} [[task]] 1 rubric 1, but it is missing; add it.",
    ),
    "an item with an unknown key": (
        GOOD.replace("share = 100", "share = 100, points = 4"),
        f"Expected only item, share, text, hint in {WHERE} [[task]] 1 rubric 1, but 'points' came; remove it or mend its spelling.",
    ),
    "an item's text in one language": (
        GOOD.replace(f"text = {TITLE}", "text = { en = 'x' }"),
        f"Expected 'zh-TW' in {WHERE} [[task]] 1 rubric 1 text, but it is missing; add it.",
    ),
    "a bonus that is no truth value": (
        f"{GOOD}bonus = 1\n",
        f"Expected true or false at {WHERE} [[task]] 1 bonus, but 1 came.",
    ),
    "a hint that names a test": (
        f"{GOOD}test_hints = {{ test_zeros = {TITLE} }}\n",
        f"Expected only id, functions, points, title, hint, rubric, bonus in {WHERE} [[task]] 1, "
        "but 'test_hints' came; remove it or mend its spelling.",
    ),
    "an item's hint in one language": (
        GOOD.replace(ITEM, HINTED.replace(", 'zh-TW' = '零。'", "")),
        f"Expected 'zh-TW' in {WHERE} [[task]] 1 rubric 1 hint, but it is missing; add it.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_one_clear_sentence(tmp_path: Path, name: str) -> None:
    toml, sentence = WRONG[name]
    with pytest.raises(PtqlabError) as error:
        load_exercise(make(tmp_path, toml=toml))
    assert str(error.value) == sentence


def test_a_file_that_is_missing_or_no_utf8_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "01_none").mkdir()
    with pytest.raises(PtqlabError) as error:
        load_exercise(tmp_path / "01_none")
    assert str(error.value) == "Expected 01_none/exercise.toml, but it cannot be read: No such file or directory."
    (tmp_path / "01_none" / "exercise.toml").write_bytes("# é".encode("latin-1"))
    with pytest.raises(PtqlabError, match=r"^Expected TOML in UTF-8 in 01_none/exercise.toml, but it does not parse: "):
        load_exercise(tmp_path / "01_none")


def test_the_working_folder_itself_can_be_loaded(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(course / "exercises" / "01_first")
    assert load_exercise(Path()).slug == "01_first"


@pytest.mark.parametrize("slug", ["first", "01", "1_a b", "01_ä", "a_01"])
def test_a_folder_is_named_by_number_and_words(tmp_path: Path, slug: str) -> None:
    with pytest.raises(PtqlabError) as error:
        load_exercise(make(tmp_path, slug))
    expected = "Expected an exercise folder named like 01_basic_quantization"
    assert str(error.value) == f"{expected}, but it is {slug!r}; rename it."
