"""Whose row of a roster a student is: found by the name in any spelling, told apart by the number, never guessed."""

from __future__ import annotations

import unicodedata

import pytest

from autograder.exports.matching import match
from autograder.exports.rosters import Person


def canvas(*people: tuple[str, str, str]) -> list[Person]:
    """Name as Canvas sorts it, its number, the login."""
    return [Person((name, " ".join(reversed(name.split(", ")))), (n, login), n, ()) for name, n, login in people]


def moodle(*people: tuple[str, str]) -> list[Person]:
    return [Person((name,), (f"Participant {n}", name), n, ()) for name, n in people]


ANN, LEE = ("Lee, Ann", "71", "ann@x.example"), ("Ann, Lee", "72", "lee@x.example")


@pytest.mark.parametrize(
    ("student", "people"),
    [
        # Moodle's and Canvas's orders of words, and Canvas's names of files (F11c; jfisteus/eyegrade issue 124)
        ("Ann Lee_9", canvas(ANN, ("Wu, Bo", "72", "bo"))),
        ("leeann_71", canvas(ANN, LEE)),
        ("leeann_71", moodle(("Ann Lee", "71"), ("Bo Wu", "72"))),
        ("Ann Marie Lee_9", canvas(("Lee, Ann Marie", "71", "x"))),
        ("王小明_9", canvas(("王, 小明", "72", "x"))),
        ("小明 王_9", moodle(("王小明", "72"))),
        ("obriensmithzoë_71", canvas(("O'Brien-Smith, Zoë", "71", "x"))),
        # One person as several systems spell them (F10; autolab issue 874 for the roster's side)
        (unicodedata.normalize("NFD", "José Núñez_11"), moodle(("José Núñez", "11"))),
        ("이서준", moodle((unicodedata.normalize("NFD", "이서준"), "12"))),
        ("Ann Lee_71", moodle(("Ａｎｎ\u3000Ｌｅｅ", "71"))),
        ("Zoe O'Brien_73", moodle(("Zoe O’Brien", "73"))),
        ("sumann_71", canvas(('="=Sum, Ann"', "71", "x"))),  # canvas-lms lib/gradebook_exporter.rb, student_name
        # Two of one name: RunestoneServer issue 1038
        ("Ann Lee_71", moodle(("Ann Lee", "71"), ("Ann Lee", "72"))),
        ("Ann Lee", canvas(ANN, LEE)),
        # Zeros that Excel eats: PrairieLearn issue 11888
        ("leeann_0071", canvas(("Lee, Ann", "71", "x"), ("Lee, Ann", "72", "y"))),
        # Other platforms' names: Brightspace (F05), Sakai, Blackboard, Gradescope, an address, a login, a number
        ("71-98765 - Bo O'Neil", canvas(("O'Neil, Bo", "8", "bo"))),
        ("Lee, Ann(alee9)", canvas(("Lee, Ann", "71", "alee9"), ("Lee, Ann", "72", "alee8"))),
        ("ALee9", canvas(("Lee, Ann", "71", "alee9"), ANN)),
        ("Ann Lee_s71", canvas(("Lee, Ann", "s71", "x"), ("Lee, Ann", "s72", "y"))),
        ("ann@x.example", canvas(ANN, LEE)),
        ("ann", canvas(ANN, LEE)),
        ("71", moodle(("Ann Lee", "71"), ("Bo Wu", "72"))),
        # Moodle's groups and blind marking: mod/assign/locallib.php, download_submissions
        ("Group A-Ann Lee_71", moodle(("Ann Lee", "71"), ("Bo Wu", "72"))),
        ("Default group-Jean-Luc Picard_71", moodle(("Jean-Luc Picard", "71"), ("Luc Picard", "72"))),
        ("Participant_6028356", [Person((), ("Participant 6028356",), "6028356", ())]),
        ("Teilnehmerin_71", [Person((), ("Teilnehmer/in71",), "71", ())]),
        ("Group A-參與者_71", [Person((), ("參與者71",), "71", ())]),
        # Canvas's anonymous ids (F02), in which case counts
        ("anon_a1B2c", canvas(("Student 1", "a1B2c", ""), ("Student 2", "A1b2C", ""))),
        ("LATE_anon_a1B2c", canvas(("Student 1", "anon_a1B2c", ""), ("Student 2", "A1b2C", ""))),
    ],
)
def test_the_first_person_is_the_student(student: str, people: list[Person]) -> None:
    matched = match([student], people)
    assert (matched.people, matched.left_out) == ({student: people[0]}, {})


@pytest.mark.parametrize(
    ("student", "people", "why"),
    [
        ("Bob Roe_71", canvas(ANN), "is not in the roster"),  # a number alone is nobody
        ("करण_9", moodle(("किरण", "71")), "is not in the roster"),  # marks tell names apart: isalnum() drops them
        ("Group A-Ann Lee_9", moodle(("Ann Lee", "71")), "is not in the roster"),
        ("X-Luc Picard_9", moodle(("Luc Picard", "71")), "is not in the roster"),
        ("Ann Lee_9", moodle(("Ann Lee", "71"), ("Ann Lee", "72")), "may be 2 people of the roster; use unique names"),
        ("Lee Ann_71", moodle(("Ann Lee", "71"), ("Lee Ann", "72")), "may be 2 people"),  # which of the two is wrong?
        ("ann", canvas(("A", "1", "ann@x"), ("B", "2", "ann@y")), "may be 2 people"),
        ("anon_a1B2c", canvas(("Student 2", "A1b2C", "")), "is anonymous"),
        ("!!!", moodle(("???", "71")), "is not in the roster"),
    ],
)
def test_nobody_is_guessed(student: str, people: list[Person], why: str) -> None:
    matched = match([student], people)
    assert matched.people == {}
    assert matched.left_out[student].startswith(why)


def test_two_students_who_are_one_person_are_both_left_out() -> None:
    matched = match(["leeann_71", "Ann Lee_71", "wubo_72"], canvas(ANN, ("Wu, Bo", "72", "bo")))
    assert list(matched.people) == ["wubo_72"]
    assert matched.left_out["leeann_71"] == "has the same row of the roster as Ann Lee_71; keep one"
