"""Rosters as Canvas and Moodle give them out in any language, and as spreadsheets save them again in any encoding."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from autograder.exports.rosters import canvas_people, worksheet
from autograder.exports.tables import Table, read_table
from autograder.records import PtqlabError

# Identifier, full name, e-mail, status, grade, maximum, can be changed, two times of change; "Participant " and a number
# as in Moodle's language packs (exports/headings.py says which)
MOODLE = {
    "en": "Identifier|Full name|Email address|Status|Grade|Maximum grade|Grade can be changed|"
    "Last modified (submission)|Last modified (grade)|Participant ",
    "zh_tw": "識別碼|名稱|電子郵件|狀態|成績|最高成績|分數可以被更改|最後修改的(作業)|最後修改的(得分)|參與者",
    "zh_tw, older": "識別碼|名稱|電子郵件|狀態|成績|最高分數|分數可以被更改|最後修改（學生）|最後修改（老師）|參與者",
    "zh_cn": "标识符|全名|电子邮件地址|状态|成绩|最高分|允许更改成绩|上次修改（作业）|上次修改（评分）|参与人",
    "de": "ID|Vollständiger Name|E-Mail-Adresse|Status|Bewertung|Bestwertung|Bewertung kann geändert werden|"
    "Zuletzt geändert (Abgabe)|Zuletzt geändert (Bewertung)|Teilnehmer/in",
    "fr": "Identifiant|Nom complet|Adresse de courriel|Statut|Note|Note maximale|La note peut être modifiée|"
    "Dernière modification (travail remis)|Dernière modification (note)|Participant",
    "es": "Identificador|Nombre completo|Dirección de correo|Estado|Calificación|Calificación máxima|"
    "La calificación puede ser cambiada|Última modificación (entrega)|Última modificación (calificación)|Participante",
    "ja": "ID|フルネーム|メールアドレス|ステータス|評点|最大評点|評点変更可|最終更新日時 (提出)|最終更新日時 (評定)|参加者",
    "ko": "식별자|전체 이름|이메일 주소|상태|성적|최대 성적|성적 변경 가능|마지막 수정됨(제출)|마지막 수정됨(성적)|참가자",
    # F11a: a site with words of its own, and languages that no table of ours has
    "zh_tw, made up": "編號|全名|電子郵件信箱|狀態|成績|最高分|成績可以被更改|最後修改（繳交）|最後修改（成績）|參與者",
    "Finnish": "Tunniste|Nimi|Sähköposti|Tila|Arvosana|Enimmäisarvosana|Voi muuttaa|Muokattu (palautus)|"
    "Muokattu (arvosana)|Osallistuja ",
}


def moodle_table(language: str) -> Table:
    *header, word = MOODLE[language].split("|")
    return [
        header,
        [f"{word}71", "Ann Lee", "ann@x.example", "ok", "", "25,00", "Yes", "Friday, 20 November 2026, 10:11 AM", "-"],
        [f"{word}72", "王小明", "ming@x.example", "-", "3,00", "25,00", "Yes", "-", "-"],
    ]


def text_of(table: Table, separator: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\r\n").writerows(table)
    return text.getvalue()


def read(tmp_path: Path, data: bytes) -> tuple[Table, str]:
    (tmp_path / "roster.csv").write_bytes(data)
    return read_table(tmp_path / "roster.csv")


@pytest.mark.parametrize("language", MOODLE)
def test_a_worksheet_is_read_in_the_teachers_language(language: str) -> None:
    sheet = worksheet(moodle_table(language))
    assert sheet.header[sheet.grade] == MOODLE[language].split("|")[4]
    assert [(person.number, person.names) for person in sheet.people] == [
        ("71", ("Ann Lee", "ann@x.example")),
        ("72", ("王小明", "ming@x.example")),
    ]


@pytest.mark.parametrize("language", list(MOODLE)[:-2])
def test_moodles_headings_count_for_more_than_what_stands_below(language: str) -> None:
    """Somebody put their own numbers in front, and the assignment is graded by a scale: no maximum, no shape."""
    table = [[cell, *row] for row, cell in zip(moodle_table(language), ("Matr", "s1", "s2"), strict=True)]
    for row in table[1:]:
        row[6] = "-"
    sheet = worksheet(table)
    assert (sheet.header[sheet.grade], sheet.people[0].number) == (MOODLE[language].split("|")[4], "71")


def test_a_worksheet_of_blind_marking_has_numbers_alone() -> None:
    table = [[row[0], *row[3:]] for row in moodle_table("en")]
    sheet = worksheet(table)
    assert (sheet.grade, [(person.number, person.names) for person in sheet.people]) == (2, [("71", ()), ("72", ())])


def test_a_status_is_nobodys_name() -> None:
    """A student called like a status would have got somebody's row."""
    table = moodle_table("en")
    table[1][3] = "Submitted"
    assert all("Submitted" not in (*person.names, *person.ids) for person in worksheet(table).people)


@pytest.mark.parametrize("missing", [0, 4, 7])
def test_a_table_that_is_no_worksheet_is_refused(missing: int) -> None:
    """A missing column isn't made up from what is left."""
    keep = [place for place in range(9) if place != missing and not (missing == 4 and place == 5)]
    keep = [place for place in keep if not (missing == 7 and place >= 7)]
    table = [[row[place] for place in keep] for row in moodle_table("en")]
    with pytest.raises(PtqlabError, match="Expected Moodle's offline grading worksheet"):
        worksheet(table)


# --- Canvas ---------------------------------------------------------------------------------------------

ANN = ("Lee, Ann", "71", "s71", "ann@x.example", "A")


@pytest.mark.parametrize(
    "table",
    [
        "Student,ID,SIS User ID,SIS Login ID,Section,01 Tiny (4),Current Score|{}",
        "Student;ID;SIS User ID;SIS Login ID;Integration ID;Section;01 Tiny (4)|Lee, Ann;71;s71;ann@x.example;i;A;",
        "Student;ID;SIS User ID;SIS Login ID;Root Account;Section;Notes;01 Tiny (4)|Lee, Ann;71;s71;ann@x.example;h;A;n;",
        "學生,ID,SIS User ID,SIS Login ID,章節,01 Tiny (4)|{}",  # F11, headings that somebody translated
        "學生,識別碼,SIS 使用者 ID,SIS 登入 ID,章節,01 Tiny (4)|{}",
        "LastName,FirstName,ID,SIS User ID,SIS Login ID,Section,01 Tiny (4)|Lee,Ann,71,s71,ann@x.example,A,",  # F16
        "姓,名,ID,SIS User ID,SIS Login ID,Section,01 Tiny (4)|Lee,Ann,71,s71,ann@x.example,A,",
    ],
)
def test_canvass_people_are_read_whatever_the_account_shows(table: str, tmp_path: Path) -> None:
    """The rows of posting and of points, one cut short by a spreadsheet, are nobody (csxl.unc.edu issue 624)."""
    header, ann = table.format('"Lee, Ann",71,s71,ann@x.example,A,').split("|")
    rows, _ = read(tmp_path, "\n".join((header, ",,,,,Manual Posting,", "    Points Possible", ann)).encode())
    (person,) = canvas_people(rows)
    assert (person.cells, person.number) == (ANN, "71")
    assert person.names == ("Lee, Ann", "Ann Lee") or person.names[0] == "Lee, Ann"


def test_canvas_without_sis_ids_has_none() -> None:
    (person,) = canvas_people([["Student", "ID", "SIS Login ID", "Section"], ["Lee, Ann", "71", "ann", "A"]])
    assert person.cells == ("Lee, Ann", "71", "", "ann", "A")


@pytest.mark.parametrize(
    "table", [[["Name", "Login"], ["x", "ada"]], [["Student"]], [["a", "71", "b"], ["x", "y", "z"]]]
)
def test_a_table_that_is_not_canvass_is_refused(table: Table) -> None:
    with pytest.raises(PtqlabError, match="Expected Canvas's gradebook export"):
        canvas_people(table)


# --- files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "language", "name", "noted"),
    [
        ("utf-8", "en", "王小明", ""),
        ("utf-8-sig", "zh_tw", "王小明", ""),  # autolab issue 874
        ("utf-16", "en", "王小明", ""),  # openwisp-radius issue 550: Excel's "Unicode Text"
        ("cp950", "zh_tw", "許功蓋", "cp950"),  # with 5C inside
        ("cp950", "en", "陳怡君", "cp950"),
        ("gbk", "zh_cn", "王小明", "gbk"),
        ("gbk", "en", "李娜 王小明 张伟", "gbk"),
        ("cp932", "ja", "山田太郎", "cp932"),
        ("cp949", "ko", "이서준", "cp949"),
        ("cp1252", "de", "Jürgen Groß", "cp1252"),  # classroom50 pull request 746
        ("cp1252", "en", "José Núñez", "cp1252"),
        ("cp1252", "es", "Lucía García Françoise", "cp1252"),
    ],
)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_roster_is_read_in_a_spreadsheets_encoding(
    encoding: str, language: str, name: str, noted: str, separator: str, tmp_path: Path
) -> None:
    """An encoding that was guessed is said, since a single name may be text in several."""
    header, ann, other = moodle_table(language)
    other[1] = name
    table, note = read(tmp_path, text_of([header, ann, other], separator).encode(encoding))
    assert table == [header, ann, other]
    assert note == (
        f"roster.csv is not in UTF-8; it was read as {noted}. If names look wrong, save it as CSV UTF-8."
        if noted
        else ""
    )


def test_the_line_that_tells_excel_the_separator_is_no_row(tmp_path: Path) -> None:
    """PowerShell issue 7776."""
    table, _ = read(tmp_path, ("sep=;\r\n" + text_of(moodle_table("en"), ";")).encode("utf-8-sig"))
    assert table == moodle_table("en")


def test_a_title_full_of_semicolons_is_one_cell(tmp_path: Path) -> None:
    """Separators are counted in cells, not in the header's letters."""
    table, _ = read(tmp_path, b'Student,ID,SIS Login ID,Section,Essay;;;;;;;;;;;; (3)\n"Lee, Ann",71,ann,A,\n')
    assert table[0][-1] == "Essay;;;;;;;;;;;; (3)"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04\x14\x00", "is a workbook; save it as CSV UTF-8"),  # opencodelists issue 1474
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "is a workbook; save it as CSV UTF-8"),
        (b"", "it is empty"),
        (b"\xef\xbb\xbf\r\n,,\r\n", "it is empty"),
        (b'a,b\n"' + b"x" * 200_000, "is none"),
    ],
)
def test_a_file_that_is_no_table_is_one_sentence(data: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(PtqlabError, match=words):
        read(tmp_path, data)
