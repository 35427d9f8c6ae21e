"""The guides: every link leads to a file, every command that they show exists with the options that they give."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from support import ROOT

from autograder.cli.app import app

PAGES = sorted((ROOT / "docs").glob("*.md"))
COMMANDS = typer.main.get_command(app)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if not re.match(r"https?:", link) and not (page.parent / link).is_file()]


def shown(text: str) -> list[str]:
    """The commands of ptqlab's in a page's code, one a line or after another."""
    code = "\n".join(re.findall(r"```\n(.*?)```", text, re.DOTALL) + re.findall(r"`(ptqlab [^`]+)`", text))
    lines = (part.split("#")[0].strip() for line in code.splitlines() for part in line.split("&&"))
    return [line for line in lines if line.startswith("ptqlab ")]


@pytest.mark.parametrize("name", ["instructors.md", "students.md", "write-your-own-lab.md"])
def test_every_command_exists_with_its_options(name: str) -> None:
    commands = shown((ROOT / "docs" / name).read_text(encoding="utf-8"))
    assert len(commands) > 2
    for line in commands:
        words = shlex.split(line)[1:]
        command: Any = COMMANDS
        while hasattr(command, "commands") and words:
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts}
        assert [word for word in words if word.startswith("--") and word not in known] == [], line


def test_the_sites_pages_are_the_files_that_there_are() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    assert sorted(re.findall(r"[\w-]+\.md", str(nav))) == [page.name for page in PAGES]
