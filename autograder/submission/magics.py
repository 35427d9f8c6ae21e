"""IPython's own syntax -> Python, line by line, without IPython: prompts, magics, shell commands, questions, autocall.

The rules are those of IPython's `inputtransformer2`. A line that only IPython can run becomes `pass`; one whose value
is kept asks the stand-in for IPython's shell (`shell.py`) for that value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

CELL = re.compile(r"%%(\w*)[ \t]*(.*)")
NO_PYTHON = frozenset(
    "bash sh script cmd powershell system sx html HTML js javascript latex markdown svg SVG css mermaid perl ruby R "
    "julia octave matlab sql bigquery cython python python2 python3 pypy cpp cu java rust ai".split()
)
"""Cell magics over another language, over text, or over another process's Python."""
PYTHON = frozenset("time timeit capture prun memit mprun snakeviz".split())
"""Cell magics over Python that run it in the notebook's namespace (or nearly: timeit)."""

_AUTOMAGIC = "pip|conda|mamba|uv|cd|ls|ll|cat|cp|mv|rm|mkdir|matplotlib|load_ext|autoreload|config|env|set_env|run"
_LINE = re.compile(
    rf"""(?P<indent>\s*)(?:
      (?P<target>[\w.,\s\[\]"']+=)\s*(?P<assigned>[%!]\s*\S.*)  # files = !ls
    | (?P<call>[/,;])(?P<name>[A-Za-z_][\w.]*)(?:\s+(?P<args>.*))?  # /f a b
    | (?P<escaped>[%!?].*)  # %matplotlib inline, !pip install …, ?obj
    | (?P<question>[\w.*%\[\]-]+\?\??\s*)  # obj?
    | (?P<automagic>(?:{_AUTOMAGIC})\s.*)  # the % left out
    )""",
    re.VERBOSE,
)
_MAGIC = re.compile(r"%\s*(\w+)[ \t]*(.*)")
_EXPORTED = re.compile(r"""(\s*)get_ipython\(\)\.run_line_magic\((['"])(env|set_env|run|time)\2,\s*(['"])(.*)\4\)\s*""")
_VARIABLE = re.compile(r"([A-Za-z_]\w*)(?:[ \t]*=[ \t]*|[ \t]+)(.*)")
_RUN = re.compile(r"(?:-[nie]\s+)*(['\"]?)([^\s-][^'\"]*?)(\.py)?\1(?:\s.*)?")

_IPYTHON_PROMPT = re.compile(r"(?:(?:\[nav\]|\[ins\])? )?In \[\d+\]:(?: |$)|\s*\.{3,}:(?: |$)")
_CLASSIC_PROMPT = re.compile(r"\s*(?:>>>|\.\.\.)(?: |$)")
_STARTS_CLASSIC = re.compile(r"\s*>>>(?: |$)")
_NOTHING, _ANYTHING, _NUMBERED = re.compile(r"(?!)"), re.compile(r""), re.compile(r"Out ?\[\d+\]:")


def without_ipython_prompts(lines: Sequence[str]) -> list[str]:
    """Take `In [3]: ` and `   ...: ` from a pasted session's lines, if one of the first two has them; blank outputs."""
    if not any(map(_IPYTHON_PROMPT.match, lines[:2])):
        return list(lines)
    return _stripped(lines, _IPYTHON_PROMPT, _NUMBERED)


def without_classic_prompts(lines: Sequence[str], outputs: bool) -> list[str]:
    """Take `>>> ` and `... ` from a pasted session's lines; `outputs`: blank what stands below without a prompt."""
    if not any(map(_STARTS_CLASSIC.match, lines)):
        return list(lines)
    return _stripped(lines, _CLASSIC_PROMPT, _ANYTHING if outputs else _NOTHING)


def _stripped(lines: Sequence[str], prompt: re.Pattern[str], output: re.Pattern[str]) -> list[str]:
    """The lines without prompts. An output starts below a prompt, with `output`, and goes on to a blank line."""
    stripped: list[str] = []
    may_start = is_output = False
    for line in lines:
        match = prompt.match(line)
        is_output = not match and bool(line.strip()) and (is_output or (may_start and bool(output.match(line))))
        may_start = bool(match) or (may_start and not line.strip() and output is _NUMBERED)
        stripped.append("" if is_output else line[match.end() :] if match else line)
    return stripped


def run_target(magic: str) -> str:
    """Return the file that `%run …` runs, without `.py`; "" when it is another magic, or runs a module."""
    match = _MAGIC.fullmatch(magic)
    target = _RUN.fullmatch(match[2].strip()) if match and match[1] == "run" else None
    return target[2] if target else ""


def escaped(line: str) -> str:
    """Return the line's magic with its `%`; of a magic without it, or in nbconvert's form, too. "": it is none."""
    match = _LINE.fullmatch(line)
    if match and match["escaped"]:
        return str(match["escaped"]) if match["escaped"].startswith("%") else ""
    if match and match["automagic"]:
        return f"%{match['automagic']}"
    exported = _EXPORTED.fullmatch(line)
    return f"%{exported[3]} {exported[5]}" if exported else ""


def python_of(line: str) -> str:
    """Return the Python for a line of IPython's own syntax; "" when it is none."""
    match = _LINE.fullmatch(line)
    if magic := escaped(line):
        indent = line[: len(line) - len(line.lstrip())]
        return indent + _statement(magic)
    if not match:
        return ""
    if match["target"]:
        return f"{match['indent']}{match['target']} {_value(match['assigned'])}"
    if match["call"]:
        return f"{match['indent']}{match['name']}({_arguments(match['call'], match['args'] or '')})"
    return f"{match['indent']}pass"


def _statement(magic: str) -> str:
    match = _MAGIC.fullmatch(magic)
    name, rest = (match[1], match[2].strip()) if match else ("", "")
    if name in ("time", "prun") and rest:
        return rest.removeprefix("-q ") if name == "prun" else rest
    if name in ("env", "set_env") and (variable := _VARIABLE.fullmatch(rest)):
        value = f"str({variable[2][1:]})" if re.fullmatch(r"\$[A-Za-z_]\w*", variable[2]) else repr(variable[2])
        return f"import os; os.environ[{variable[1]!r}] = {value}"
    return "pass"


def _value(assigned: str) -> str:
    """What stands to the right of `x = %magic …` or `x = !command`, as IPython writes it."""
    magic = _MAGIC.fullmatch(assigned)
    if not magic:
        return f"get_ipython().getoutput({assigned[1:]!r})"
    return magic[2] if magic[1] == "time" else f"get_ipython().run_line_magic({magic[1]!r}, {magic[2]!r})"


def _arguments(mark: str, text: str) -> str:
    """`/f a b` calls f(a, b), `,f a b` f("a", "b"), and `;f a b` f("a b")."""
    words = [text] if mark == ";" else text.split()
    return ", ".join(words if mark == "/" else map(repr, words))
