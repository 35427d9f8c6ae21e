"""Which Python a notebook needs, when it was made with another one: its syntax, and its standard library.

A score is withheld only where a lost task depends on something that the notebook's own Python takes and this one
doesn't. What is wrong in both, or a package that isn't installed, is no reason.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from autograder.records import Task
from autograder.submission.record import LONGEST_PIECE

OURS = sys.version_info[:2]
Version = tuple[int, int]

_ADDED = re.compile(r"\(syntax was added in Python (\d+)\.(\d+)\)$")
_PATIENCE_S = 20
_LIMITS = 'ulimit -v 2097152; ulimit -t 10; exec "$0" "$@"'  # 2 GB, 10 s: what it parses may be hostile
_BOUNDED = () if sys.platform == "win32" else ("/bin/sh", "-c", _LIMITS)

# Modules and names of the standard library that came after 3.11, as typeshed has them: modules all, names those that a
# notebook may use.
_SINCE: Mapping[Version, str] = {
    (3, 12): "itertools.batched math.sumprod random.binomialvariate collections.abc.Buffer typing.override "
    "typing.TypeAliasType types.get_original_bases calendar.Month calendar.Day inspect.BufferFlags "
    "inspect.markcoroutinefunction logging.getHandlerByName logging.getHandlerNames os.path.splitroot "
    "os.path.isjunction sys.monitoring csv.QUOTE_NOTNULL csv.QUOTE_STRINGS",
    (
        3,
        13,
    ): "dbm.sqlite3 copy.replace math.fma statistics.kde statistics.kde_random warnings.deprecated queue.ShutDown "
    "glob.translate os.process_cpu_count re.PatternError enum.EnumDict base64.z85encode base64.z85decode "
    "pathlib.UnsupportedOperation typing.TypeIs typing.ReadOnly typing.NoDefault typing.get_protocol_members "
    "typing.is_protocol types.CapsuleType",
    (3, 14): "annotationlib compression concurrent.interpreters concurrent.futures.interpreter string.templatelib "
    "pathlib.types asyncio.graph functools.Placeholder operator.is_none operator.is_not_none io.Reader io.Writer "
    "uuid.uuid6 uuid.uuid7 uuid.uuid8 heapq.heapify_max heapq.heappush_max heapq.heappop_max heapq.heapreplace_max "
    "heapq.heappushpop_max fnmatch.filterfalse ast.compare typing.evaluate_forward_ref decimal.IEEEContext "
    "concurrent.futures.InterpreterPoolExecutor pathlib.PathInfo",
    (3, 15): "profiling math.integer math.fmax math.fmin math.isnormal math.issubnormal math.signbit "
    "collections.frozendict typing.TypeForm typing.NoExtraItems",
}
_UNTIL: Mapping[Version, str] = {  # the last version that has them
    (3, 11): "asynchat asyncore distutils imp smtpd",
    (
        3,
        12,
    ): "aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap msilib nis nntplib ossaudiodev pipes sndhdr spwd "
    "sunau telnetlib tkinter.tix uu xdrlib",
    (3, 14): "sre_compile sre_constants sre_parse",
}
_FIRST = {name: version for version, names in _SINCE.items() for name in names.split()}
_LAST = {name: version for version, names in _UNTIL.items() for name in names.split()}


def version_of(claimed: str) -> Version | None:
    """Return (3, 12) for "3.12.1"; None when that is no Python 3."""
    match = re.match(r"3\.(\d{1,2})\b", claimed)
    return (3, int(match[1])) if match else None


def written(version: Version) -> str:
    """Return "3.12" for (3, 12)."""
    return ".".join(map(str, version))


def is_late(claimed: str) -> bool:
    """Whether the Python that made a notebook evaluates no annotation before it is asked for."""
    return (version_of(claimed) or OURS) >= (3, 14)


def may_take(source: str, claimed: str) -> bool:
    """Whether the Python that a notebook was made with is newer than ours, and so may take what ours doesn't."""
    theirs = version_of(claimed)
    return theirs is not None and theirs > OURS and len(source) <= LONGEST_PIECE


def version_needed(source: str, claimed: str) -> str:
    """Return the Python ("3.12") whose syntax makes `source` right, where this one's doesn't; "" when there is none.

    It is at most the one that the notebook claims to be made with. Ruff's parser tells, in a process of its own with
    limits: it knows which version brought which syntax.
    """
    theirs, ruff = version_of(claimed), _ruff()
    if theirs is None or not may_take(source, claimed) or not ruff:
        return ""
    command = [*_BOUNDED, ruff, "check", "--isolated", "--no-cache", "--quiet", "--select=E902", "--output-format=json"]
    command += [f"--target-version=py{''.join(map(str, OURS))}", "--stdin-filename=cell.py", "-"]
    try:
        done = subprocess.run(command, input=source.encode(), capture_output=True, timeout=_PATIENCE_S, check=False)
        found = [_ADDED.search(trouble["message"]) for trouble in json.loads(done.stdout)]
    except (OSError, subprocess.TimeoutExpired, ValueError, TypeError, KeyError):
        return ""
    if not found or not all(found):
        return ""
    needed = max((int(match[1]), int(match[2])) for match in found if match)
    return written(needed) if needed <= theirs else ""


def _ruff() -> str:
    """The program that comes with the package `ruff`; "" when it isn't installed."""
    beside = Path(sys.executable).with_name("ruff")
    return str(beside) if beside.is_file() else shutil.which("ruff") or ""


def library_needed(name: str, claimed: str) -> str:
    """Return the Python whose standard library has `name` ("itertools.batched"), where theirs has it, ours doesn't."""
    theirs = version_of(claimed)
    if theirs is None:
        return ""
    first, last = _FIRST.get(name), _LAST.get(name)
    if first and OURS < first <= theirs:
        return written(first)
    return written(theirs) if last and theirs <= last < OURS else ""


def needs_newer(needs_python: Mapping[str, tuple[str, str]], lost: Iterable[Task]) -> str:
    """Return why this Python can't tell what was lost: "needs Python 3.12 (cell 7, line 3); grade with it". "": it can.

    `needs_python`: graded name -> the Python that it depends on, and where. `lost`: the tasks that lost points.
    """
    found = [needs_python[name] for task in lost for name in task.functions if name in needs_python]
    if not found:
        return ""
    python, place = max(found, key=lambda need: version_of(need[0]) or (0, 0))
    return f"needs Python {python} ({place}); grade with it"
