"""Headings of the tables that learning platforms give out and take back.

Moodle's stand in its language packs, as its import compares them with get_string (mod/assign/feedback/offline/
importgradeslib.php): `recordid` and `lastmodifiedgrade` of assign.php, `gradenoun` of moodle.php (`grade` before
Moodle 3.11), `status` of assign.php. Read in projectestac/moodle-langpacks at 6340d351 (Moodle 4.x and 5.x: en, zh_cn,
de, fr, es, ja, ko) and, for zh_tw, in martinliao/kmsh and susanclickap/cwb (Moodle 3.x), lang/zh_tw/assign.php.

Canvas's are the same in every language: lib/gradebook_exporter.rb of canvas-lms writes them as they are here, and
lib/gradebook_importer.rb asks for them.
"""

from __future__ import annotations

import unicodedata

CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
POINTS_POSSIBLE = "Points Possible"


def _headings(*titles: str) -> frozenset[str]:
    return frozenset(unicodedata.normalize("NFKC", title).casefold() for title in titles)


IDENTIFIER = _headings("Identifier", "識別碼", "标识符", "ID", "Identifiant", "Identificador", "식별자")
GRADE = _headings("Grade", "成績", "成绩", "Bewertung", "Note", "Calificación", "評点", "評定", "성적")
MODIFIED = _headings(
    "Last modified (grade)",
    "最後修改的(得分)",
    "最後修改（老師）",
    "上次修改（评分）",
    "Zuletzt geändert (Bewertung)",
    "Dernière modification (note)",
    "Última modificación (calificación)",
    "最終更新日時 (評定)",
    "마지막 수정됨(성적)",
)
STATUS = _headings("Status", "狀態", "状态", "Statut", "Estado", "ステータス", "상태")
