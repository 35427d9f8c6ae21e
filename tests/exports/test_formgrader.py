"""Formgrader in a real browser: the list, one student's page, a manual score that a regrade keeps.

With PTQLAB_SCREENSHOTS=docs/images the screenshots of the instructor's guide are written anew.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from support import ROOT, demo

SLUG = "01_basic_quantization"


pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def course(make_course: Callable[..., Any]) -> Any:
    """Lab 01, autograded: four students of the demo class, one of whom hands in a script, too."""
    if importlib.util.find_spec("playwright") is None or not shutil.which("chromium"):
        pytest.skip("playwright (pip install playwright) and chromium (apt-get install chromium) are needed")
    course = make_course("ptq101", ROOT, SLUG)
    course("generate_assignment", SLUG)
    course.hand_in("perfect", answered(course, demo.reference()))
    course.hand_in("half_done", answered(course, demo.half_done()))
    course.hand_in("mistaken", answered(course, demo.mistake("asymmetric_256_steps")()))
    scripted = answered(course, demo.reference())
    scripted.cells.insert(
        0,
        nbformat.v4.new_markdown_cell("Hello <script>window.stolen = 1</script><img src=x onerror='window.stolen=1'>"),
    )
    course.hand_in("scripted", scripted)
    course("autograde", SLUG)
    return course


def answered(course: Any, texts: list[str]) -> nbformat.NotebookNode:
    """The released notebook with these texts in its code cells, in their order, and those beyond at its end."""
    book = nbformat.read(course.root / "release" / SLUG / f"{SLUG}.ipynb", as_version=4)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    for cell, text in zip(cells, texts, strict=False):
        cell.source = text
    book.cells += [nbformat.v4.new_code_cell(text) for text in texts[len(cells) :]]
    return book


@pytest.fixture(scope="module")
def address(course: Any) -> Iterator[str]:
    """A Jupyter server in the course's folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        str(Path(sys.executable).with_name("jupyter")),
        "server",
        "--no-browser",
        f"--port={port}",
        "--allow-root",
        "--IdentityProvider.token=",
        f"--ServerApp.root_dir={course.root}",
    ]
    with subprocess.Popen(command, cwd=course.root, env=dict(course.environment), stderr=subprocess.DEVNULL) as server:
        try:
            yield wait_for(f"http://127.0.0.1:{port}")
        finally:
            server.terminate()


def wait_for(address: str) -> str:
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api", timeout=5).close()
            return address
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(f"no Jupyter server answered at {address}")


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1200, "height": 800})
        tab.set_default_timeout(60_000)
        yield tab
        browser.close()


def shoot(page: Any, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = Path(os.environ.get("PTQLAB_SCREENSHOTS", tmp_path_factory.getbasetemp()))
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(folder / f"formgrader-{name}.png"))


def test_the_list_shows_every_submission_with_its_score(
    page: Any, address: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    page.goto(f"{address}/formgrader/manage_submissions/{SLUG}")
    page.get_by_text("half_done").first.wait_for()
    for student, score in (("perfect", 25), ("half_done", 14), ("mistaken", 21), ("scripted", 25)):
        row = page.locator("tr", has=page.get_by_text(student, exact=True))
        assert row.locator(".score").inner_text() == f"{score} / 25"
    shoot(page, "submissions", tmp_path_factory)


def open_submission(page: Any, address: str, course: Any, student: str) -> None:
    number = course.gradebook(lambda b: b.find_submission_notebook(SLUG, SLUG, student).id)
    page.goto(f"{address}/formgrader/submissions/{number}")
    page.locator("#task-1-2").wait_for()
    page.wait_for_function("document.querySelector('#task-1-2').placeholder !== ''")


def show(score: Any) -> None:
    """Scroll to a test cell and the comment above it; the answer above that stays out of the guide's pictures."""
    score.evaluate("field => { field.scrollIntoView({block: 'start'}); window.scrollBy(0, -185) }")


def test_a_manual_score_is_saved_and_kept_after_a_regrade(
    page: Any, address: str, course: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """And the page says why: the diagnosis of the hidden test stands below the test cell."""
    open_submission(page, address, course, "mistaken")
    score = page.locator("#task-1-2")
    assert float(score.get_attribute("placeholder")) == 0
    show(score)
    shoot(page, "student", tmp_path_factory)
    score.fill("2.5")
    score.press("Tab")
    page.locator("#answer-1-2-comment").fill("A good idea; see the hint.")
    page.locator("#answer-1-2-comment").press("Tab")
    page.wait_for_timeout(2000)
    course("autograde", SLUG, "--student", "mistaken", "--force")
    page.reload()
    open_submission(page, address, course, "mistaken")
    assert page.locator("#task-1-2").input_value() == "2.5"
    assert page.locator("#answer-1-2-comment").input_value() == "A good idea; see the hint."
    grade = course.gradebook(lambda b: b.find_grade("task-1-2", SLUG, SLUG, "mistaken").to_dict())
    assert (grade["manual_score"], grade["auto_score"], grade["needs_manual_grade"]) == (2.5, 0.0, True)
    show(page.locator("#task-1-2"))
    shoot(page, "after-regrade", tmp_path_factory)


def test_a_submissions_script_does_not_run_for_the_person_who_grades(page: Any, address: str, course: Any) -> None:
    open_submission(page, address, course, "scripted")
    assert "window.stolen" in page.inner_text("body")
    assert page.evaluate("window.stolen") is None


def test_formgraders_own_button_grades_as_the_command_does(
    page: Any, address: str, course: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    course.hand_in("latecomer", nbformat.read(course.submitted("half_done"), as_version=4))
    page.goto(f"{address}/formgrader/manage_submissions/{SLUG}")
    row = page.locator("tr", has=page.get_by_text("latecomer"))
    row.locator(".autograde a").click()
    page.get_by_text("Successfully autograded", exact=False).wait_for(timeout=120_000)
    scores = course.scores()
    assert scores["latecomer"] == scores["half_done"]
