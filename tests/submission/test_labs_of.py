"""A file's lab is what it holds; its name breaks ties, and says the lab of what has no graded name."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import ROOT

from autograder.course.catalog import find_exercises
from autograder.submission.labs_of import lab_named, labs_of, person_named
from autograder.submission.recognition import Lab, lab_of, look
from autograder.submission.record import Look

ONE, FIVE = "01_basic_quantization", "05_llm_weight_only"
GRADED = {ONE: 11, FIVE: 2}
ALL = [f"f{number}" for number in range(11)]


@pytest.mark.parametrize(
    ("names", "ids", "name", "labs"),
    [
        ({ONE: ALL}, {}, "lab.ipynb", (ONE,)),
        ({ONE: ["f0"]}, {}, "lab.ipynb", (ONE,)),
        ({}, {ONE: 3}, "lab.ipynb", (ONE,)),
        ({}, {ONE: 2}, "lab.ipynb", ()),
        ({}, {}, "lab.ipynb", ()),
        ({ONE: ALL[:4], FIVE: ["g", "h"]}, {}, "lab.ipynb", (FIVE,)),  # an answer that holds another lab's helpers
        ({ONE: ALL, FIVE: ["g", "h"]}, {}, "lab.ipynb", (ONE, FIVE)),
        ({ONE: ALL}, {}, f"{FIVE}.ipynb", (ONE,)),  # content beats the name
        ({ONE: ["f0"]}, {}, f"{FIVE}.ipynb", (FIVE,)),  # too little of it
        ({ONE: ["f0"]}, {ONE: 3}, f"{FIVE}.ipynb", (ONE,)),
        ({}, {}, f"{FIVE} (1).ipynb", (FIVE,)),
        ({}, {ONE: 3, FIVE: 3}, "lab.ipynb", ()),
        ({}, {ONE: 3, FIVE: 3}, f"Copy of {ONE}.ipynb", (ONE,)),
    ],
)
def test_which_labs(names: dict[str, list[str]], ids: dict[str, int], name: str, labs: tuple[str, ...]) -> None:
    found = labs_of(Look(kind="notebook", names=names, ids=ids), name, GRADED)
    assert found.labs == labs
    assert bool(found.note) == (lab_named(name, list(GRADED)) not in ("", *labs))


@pytest.mark.parametrize(
    ("name", "person"),
    [
        (f"{ONE} (1).ipynb", ""),
        (f"{ONE}-Copy1.ipynb", ""),
        (f"Copy of {ONE}.ipynb", ""),
        (f"{ONE}_v2_final_final.ipynb", ""),
        (f"{ONE}.zh-TW.ipynb", ""),
        (f"{ONE} - 複製 (2).ipynb", ""),
        ("01 Basic Quantization.IPYNB", ""),
        (f"Olaf_{ONE}_final.ipynb", "Olaf"),
        (f"newman {ONE}.py", "newman"),
        (f"{ONE}_王小明 (1).ipynb", "王小明"),
        ("bob (1).ipynb", "bob (1)"),
        ("ann.lee.py", "ann.lee"),
    ],
)
def test_what_a_name_holds_beside_a_labs_is_a_person(name: str, person: str) -> None:
    assert person_named(name, [ONE, FIVE]) == person


@pytest.fixture(scope="module")
def labs() -> list[Lab]:
    return [lab_of(each.slug, each.functions, each.folder) for each in find_exercises(ROOT, ROOT / "solutions")]


def test_the_course_is_known_by_what_it_holds(labs: list[Lab]) -> None:
    """Each notebook in each language and each reference, under a name that says nothing."""
    graded = {lab.slug: len(lab.functions) for lab in labs}
    paths = [*ROOT.glob("exercises/*/*.ipynb"), *ROOT.glob("solutions/*/source.py")]
    assert len(paths) >= 2 * len(labs)
    for path in paths:
        found = labs_of(look(path.name, path.read_bytes(), labs)[0], f"x{path.suffix}", graded)
        assert (found.labs, found.by_content) == ((path.parent.name,), True), path


def test_a_part_of_an_answer_is_of_the_lab_that_it_is_named_like(labs: list[Lab]) -> None:
    """Many of the wrong answers bind no graded name, and some of lab 05 bind one of lab 01's."""
    graded = {lab.slug: len(lab.functions) for lab in labs}
    for path in [path for folder in ("mutants", "variants") for path in ROOT.glob(f"solutions/*/{folder}/*.py")]:
        slug = path.parent.parent.name
        found = labs_of(look("x.py", path.read_bytes(), labs)[0], f"{slug}.py", graded)
        assert found.labs == (slug,), path


def test_tests_and_the_kits_own_modules_are_no_submissions(labs: list[Lab]) -> None:
    graded = {lab.slug: len(lab.functions) for lab in labs}
    paths: list[Path] = [*ROOT.glob("exercises/*/test_*.py"), *ROOT.glob("autograder/*/*.py")]
    taken = [path.name for path in paths if labs_of(look(path.name, path.read_bytes(), labs)[0], "x.py", graded).labs]
    assert taken == []
