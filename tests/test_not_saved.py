"""A notebook that its author has not saved, in a real kernel: the card says so, and only then."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import commandline
from .kernels import Session

TYPED = "found = %dockerize recipe a.ipynb -o {} --python {} --json"
TOLD = "[f['message'] for f in found['findings'] if f['code'] == 'notebook-not-saved']"


def save(path: Path, *cells: tuple[str, int | None]) -> Path:
    """The file as JupyterLab saves it: the cells with their execution counts."""
    code = [
        {"cell_type": "code", "source": s, "execution_count": n, "metadata": {}, "outputs": []}
        for s, n in cells
    ]
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": code}))
    return path


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """The kernel of a.ipynb; its first cell has loaded the magics."""
    path = save(tmp_path / "a.ipynb", ("", None))
    with Session(Path(sys.executable), tmp_path, JPY_SESSION_NAME=str(path)) as found:
        yield found


def test_cells_that_ran_since_are_told_until_the_notebook_is_saved(
    session: Session, tmp_path: Path, tiny: Path
) -> None:
    for code in ("a = 1", "b = a +", "b = a + 1"):
        session.run(code)
    assert session.run(TYPED.format("one", tiny)).error is None
    assert session.run(TOLD).value == (
        "['a.ipynb was saved less than a minute ago; 3 cells that you ran since are not in it']"
    )
    save(tmp_path / "a.ipynb", ("%load_ext jupyter_dockerize", 1), ("a = 1", 2), ("b = a + 1", 4), (TOLD, 6))
    session.run(TYPED.format("two", tiny))
    assert session.run(TOLD).value == "[]"


def test_a_cell_that_was_deleted_before_the_notebook_was_saved_is_not_missed(
    session: Session, tmp_path: Path, tiny: Path
) -> None:
    session.run("a = 1")
    session.run("scratch = 1")
    time.sleep(0.1)
    save(tmp_path / "a.ipynb", ("%load_ext jupyter_dockerize", 1), ("a = 1", 2))
    session.run(TYPED.format("one", tiny))
    assert session.run(TOLD).value == "[]"


def test_the_card_shows_it(session: Session, tiny: Path) -> None:
    session.run("a = 1")
    card = session.run(TYPED.format("one", tiny).removesuffix(" --json").removeprefix("found = ")).card
    assert "1 cell that you ran since is not in it" in card["text/html"]
    assert "save the notebook first" in card["text/plain"]


def test_it_is_told_to_who_names_the_running_kernel(session: Session, tmp_path: Path) -> None:
    """On the command line the kernel itself is asked, in every verb that takes a notebook."""
    for code in ("a = 1", "b = 2"):
        session.run(code)
    save(tmp_path / "a.ipynb", ("%load_ext jupyter_dockerize", 1), ("a = 1", 2))
    live = ("--live", session.manager.connection_file, "--json")
    for verb in (("snapshot", "a.ipynb"), ("recipe", "a.ipynb", "-o", "one")):
        done = commandline.run(*verb, *live, cwd=tmp_path)
        assert told(done.stdout) == [
            "a.ipynb was saved less than a minute ago; 1 cell that you ran may not be in it"
        ], verb
    save(tmp_path / "a.ipynb", ("%load_ext jupyter_dockerize", 1), ("a = 1", 2), ("b = 2", 3))
    assert told(commandline.run("snapshot", "a.ipynb", *live, cwd=tmp_path).stdout) == []


def test_a_busy_kernel_is_not_waited_for(session: Session, tmp_path: Path) -> None:
    session.run("a = 1")
    save(tmp_path / "a.ipynb", ("%load_ext jupyter_dockerize", 1))
    session.begin("open('busy', 'w').close(); import time; time.sleep(600)")
    session.until((tmp_path / "busy").exists)
    live = ("--live", session.manager.connection_file, "--json")
    assert told(commandline.run("snapshot", "a.ipynb", *live, cwd=tmp_path).stdout) == []


def test_a_snapshot_in_the_kernel_tells_it_too(session: Session) -> None:
    session.run("a = 1")
    session.run("found = %dockerize snapshot a.ipynb --json")
    assert "1 cell" in (session.run(TOLD).value or "")


def told(stdout: str) -> list[str]:
    findings = json.loads(stdout)["findings"]
    return [found["message"] for found in findings if found["code"] == "notebook-not-saved"]
