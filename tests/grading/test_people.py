"""Who handed a file in: what learning platforms' names say, and names of files that nobody shares."""

from __future__ import annotations

import io
import os
import unicodedata
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.grading.archives import CLASS
from autograder.grading.gradescope_metadata import Submitter
from autograder.grading.people import Owner, clues_of, file_name, file_names, owner_of
from autograder.records import PtqlabError
from autograder.sandbox.unpacking import unpack
from autograder.submission.record import Member

ONE = "01_basic_quantization.ipynb"


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        # Moodle: folders, and files that lie flat
        ("Ann Lee_71_assignsubmission_file_/a.ipynb", Owner("Ann Lee_71", "Ann Lee", "71", rest=("a.ipynb",))),
        ("Ann Lee_71_assignsubmission_file/a/b.py", Owner("Ann Lee_71", "Ann Lee", "71", rest=("a", "b.py"))),
        (f"王小明_72_assignsubmission_file_{ONE}", Owner("王小明_72", "王小明", "72", rest=(ONE,))),
        ("Ann Lee_71_assignsubmission_onlinetext_/x.html", Owner("Ann Lee_71", "Ann Lee", "71", rest=("x.html",))),
        # Canvas: named, late, handed in again, anonymous (all digits, too), an online text
        (f"leeann_71_901_{ONE}", Owner("leeann_71", "leeann", "71", rest=(ONE,))),
        (f"wangming_LATE_72_902_{ONE}", Owner("wangming_72", "wangming", "72", late=True, rest=(ONE,))),
        ("leeann_71_901_01_basic_quantization-2.ipynb", Owner("leeann_71", "leeann", "71", rest=(ONE,))),
        (f"anon_a1B2c_901_{ONE}", Owner("anon_a1B2c", "anon_a1B2c", "a1B2c", rest=(ONE,))),
        (f"LATE_anon_Zq9Kx_902_{ONE}", Owner("anon_Zq9Kx", "anon_Zq9Kx", "Zq9Kx", late=True, rest=(ONE,))),
        (f"anon_77123_903_{ONE}", Owner("anon_77123", "anon_77123", "77123", rest=(ONE,))),
        (f"project_team_a_71_901_{ONE}", Owner("project_team_a_71", "project_team_a", "71", rest=(ONE,))),
        ("leeann_71_text.html", Owner("leeann_71", "leeann", "71", rest=("text.html",))),
        # Blackboard: attempts by time, and the receipt beside each
        (
            f"Lab 1_bwu3_attempt_2026-11-20-11-00-00_{ONE}",
            Owner("bwu3", "bwu3", attempt="2026-11-20-11-00-00", rest=(ONE,)),
        ),
        ("Lab 1_bwu3_attempt_2026-11-21-09-00-00.txt", Owner("bwu3", "bwu3", attempt="2026-11-21-09-00-00")),
        # Brightspace: folders, and files that lie flat
        (
            f"123457-98765 - Bo O'Neil - Nov 20, 2026 1101 PM/{ONE}",
            Owner("123457-98765 - Bo O'Neil", "Bo O'Neil", "123457", "2026-11-20T23:01", rest=(ONE,)),
        ),
        (
            f"123457-98765 - Jo Day-Lee - 20 November, 2026 0901 - {ONE}",
            Owner("123457-98765 - Jo Day-Lee", "Jo Day-Lee", "123457", "2026-11-20T09:01", rest=(ONE,)),
        ),
        # Gradescope, without its metadata
        (f"submission_31/{ONE}", Owner("submission_31", "submission_31", "31", rest=(ONE,))),
        # No platform's names
        (f"ann/{ONE}", None),
        (f"ann_2_3_x/{ONE}", None),
        (ONE, None),
        ("ann_lee.ipynb", None),
        ("B12902001.ipynb", None),
    ],
)
def test_a_platforms_name_tells_the_owner(path: str, owner: Owner | None) -> None:
    assert owner_of(path.split("/")) == owner


def test_a_name_is_composed_whichever_system_wrote_it() -> None:
    path = "José Núñez_71_assignsubmission_file_/José.ipynb"
    assert owner_of(unicodedata.normalize("NFD", path).split("/")) == owner_of(path.split("/"))


@pytest.mark.parametrize(
    "names",
    [
        [f"Lab 1_bwu3_attempt_2026-11-{time}.txt" for time in ("20-23-00-00", "21-09-00-00", "21-10-00-00")],
        [f"1-2 - Bo O'Neil - Nov {time}" for time in ("20, 2026 1101 PM", "21, 2026 901 AM", "21, 2026 1201 PM")],
    ],
)
def test_attempts_of_one_person_are_in_order(names: list[str]) -> None:
    """F04, F05: text would put 1101 PM behind 901 AM."""
    owners = [owner for name in names if (owner := owner_of([name])) is not None]
    assert len({owner.label for owner in owners}) == 1
    assert len(owners) == len(names)
    assert sorted(owners, key=lambda owner: owner.attempt or "") == owners


def test_a_name_of_windows_in_taiwan_has_its_owner() -> None:
    """F09: a zip's names without the UTF-8 flag, 5C among their bytes, here in Moodle's flat form."""
    raw = "許功蓋_72_assignsubmission_file_a.py".encode("cp950")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("x" * len(raw), b"")
    sent: list[object] = []
    data = packed.getvalue().replace(b"x" * len(raw), raw)
    unpack("class.zip", io.BytesIO(data), io.BytesIO(), CLASS, sent.append)
    owners = [owner_of([member.name]) for member in sent if isinstance(member, Member)]
    assert owners == [Owner("許功蓋_72", "許功蓋", "72", rest=("a.py",))]


PIECES = [
    *("_", "-", " - ", "1", "71", "ann", "anon_", "LATE", "_LATE", "assignsubmission_file", "_attempt_", ".txt", ".py"),
    *("2026-11-20-10-11-12", "Nov 20, 2026 901 AM", "submission_", "\u0301", "王", "\n", ""),
]


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=9).map("".join), min_size=1, max_size=3))
def test_whatever_a_file_is_called_it_has_an_owner_with_a_name_or_none(parts: list[str]) -> None:
    """And the owner is another one's for no other number, and a file below belongs to the same."""
    owner = owner_of(parts)
    if owner is not None:
        assert owner.label
        assert owner.number in owner.label or not owner.number
        again = owner_of([*parts, "below.py"])
        assert again is not None
        assert again.label == owner.label
        assert again.rest == (*owner.rest, "below.py")


def labels(names: list[str], **clues: object) -> list[str]:
    told = clues_of(names, **clues)  # type: ignore[arg-type]
    return [owner.label if (owner := owner_of([name], told)) else "" for name in names]


def test_a_blackboard_user_may_have_an_underscore() -> None:
    """All names together tell where the assignment ends; alone, a_lee and b_lee would both be lee."""
    names = [f"Lab_1_{user}_attempt_2026-11-20-10-11-12.txt" for user in ("a_lee", "b_lee", "bo")]
    assert labels(names) == ["a_lee", "b_lee", "bo"]


def test_a_class_of_one_at_blackboard_has_an_owner() -> None:
    assert labels(["Lab 1_alee9_attempt_2026-11-20-10-11-12.txt"]) == ["alee9"]


@pytest.mark.parametrize(
    ("names", "clues", "expected"),
    [
        (["lab-1-annlee", "lab-1-bo-wu"], {"wrapper": "lab-1-submissions"}, ["annlee", "bo-wu"]),
        (["lab-1-annlee"], {"wrapper": "lab-1-submissions"}, ["annlee"]),
        (["lab-1-annlee", "lab-1-bo-wu"], {"github": True}, ["annlee", "bo-wu"]),
        (["ann-lee", "ann-wu"], {}, ["", ""]),
        (["ann", "bo"], {"wrapper": "lab-1-submissions"}, ["", ""]),
        (["annlee", "bo-wu"], {"github": True}, ["", ""]),
    ],
)
def test_a_repository_of_github_classroom_is_its_students(
    names: list[str], clues: dict[str, object], expected: list[str]
) -> None:
    """Folders that only begin alike are not taken for repositories."""
    assert labels(names, **clues) == expected


METADATA = """---
submission_31:
  :submitters:
  - :name: Ann Lee
    :sid: '71'
    :email: ann@x.example
  :created_at: 2026-11-20 10:11:12.123456789 Z
  :score: 3.0
  :results:
    :tests:
    - :name: Not a Person
  :history: []
submission_32:
  :submitters:
  - :name: "Jos\\u00E9 \\"Pepe\\" N\\xFA\xf1ez"
    :email: jn@x.example
  - :name: 'Zoe O''Brien'
    :sid: s73
    :email: zo@x.example
submission_33:
  :submitters: []
submission_34:
  :submitters:
  - :name: Ann Lee
submission_35:
  :submitters:
  - :name: Ann Lee
"""


def test_gradescopes_metadata_names_the_people() -> None:
    """Of a group the first is the owner and the others are told; who has no name is called like the folder."""
    told = clues_of([f"submission_{number}" for number in range(31, 36)], metadata=METADATA)
    ann, jose, nobody, *of_one_name = (owner_of([f"submission_{number}", ONE], told) for number in range(31, 36))
    assert ann == Owner("Ann Lee_71", "Ann Lee", "71", "2026-11-20 10:11:12.123456789 Z", rest=(ONE,))
    assert jose == Owner("jn@x.example", 'José "Pepe" Núñez', rest=(ONE,), others=("Zoe O'Brien_s73",))
    assert nobody is not None
    assert (nobody.label, nobody.others) == ("submission_33", ())
    assert [owner and owner.label for owner in of_one_name] == ["Ann Lee_34", "Ann Lee_35"]
    assert told.gradescope["submission_32"].submitters[1] == Submitter("Zoe O'Brien", "s73", "zo@x.example")


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("Nov 20, 2026 1011 AM", "2026-11-20T10:11"),
        ("Nov 20, 2026 1200 AM", "2026-11-20T00:00"),
        ("November 20, 2026 12:05 PM", "2026-11-20T12:05"),
        ("20 November, 2026 905", "2026-11-20T09:05"),
        ("20 novembre 2026 2301", "2026-11-20T23:01"),
        ("20. Dezember 2026 2301", "2026-12-20T23:01"),
        ("20 mei 2026 905", "2026-05-20T09:05"),
        ("2026年11月20日 1011", "2026-11-20T10:11"),
        ("2026年11月20日 下午1101", "2026-11-20T23:01"),
        ("2026-11-20 2301", "2026-11-20T23:01"),
        ("20 Marraskuu 2026 1011", None),
        ("Nov 20, 2026", None),
        ("Nov 40, 2026 1011 AM", None),
        ("Nov 20, 2026 9911", None),
    ],
)
def test_an_attempts_time_is_read_or_is_unknown(time: str, expected: str | None) -> None:
    """An order that can't be told is nobody's to guess."""
    owner = owner_of([f"1-2 - Ann Lee - {time}"])
    assert owner is not None
    assert (owner.name, owner.attempt) == ("Ann Lee", expected)


# --- names of files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ann", "Ann.Lee", "ann_lee-2", "ann@example.org", "王小明", "A" * 50])
def test_a_harmless_name_is_a_file_name_as_it_is(name: str) -> None:
    assert file_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "../x",
        "a b",
        "-rf",
        ".ssh",
        "con",
        "NUL.txt",
        "x.",
        "a\nb",
        "a\0b",
        "\x1b[2J",
        "A" * 51,
        "a-0123456789abcdef",
        "scores.csv",
        "Assignment.json",
    ],
)
def test_a_harmful_name_is_changed(name: str) -> None:
    assert file_name(name) != name


@given(st.text(max_size=80), st.text(max_size=80))
def test_file_names_are_safe_and_differ_for_different_students(one: str, other: str) -> None:
    name = file_name(one)
    assert name == os.path.basename(name)
    assert not name.startswith((".", "-"))
    assert name.isprintable()
    assert 0 < len(name.encode()) <= 240
    assert (name == file_name(other)) == (one == other)


def test_two_students_never_share_a_file_name() -> None:
    """n01: a name was found whose 32 bits of hash are another's; 64 bits and a refusal that names both."""
    assert len(file_name("Ann Lee").rpartition("-")[2]) == 16
    assert file_names(["Ann Lee", "Bo Wu", "Ann Lee"]) == {name: file_name(name) for name in ("Ann Lee", "Bo Wu")}


def test_names_that_meet_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.grading.people.file_name", lambda name: "same")
    with pytest.raises(PtqlabError, match=r"reports of 'Ann Lee' and 'Bo Wu' would lie in one folder \(same\)"):
        file_names(["Ann Lee", "Bo Wu"])


@pytest.mark.parametrize("pair", [("Ann", "aNN"), ("straße", "STRASSE")])
def test_names_that_a_file_system_takes_for_one_are_refused_there_alone(pair: tuple[str, str]) -> None:
    with pytest.raises(PtqlabError, match="rename one of the two"):
        file_names(pair, ignore_case=True)
    assert len(set(file_names(pair).values())) == 2
