"""A notebook that its author has not saved, in a real kernel: the card says so, and only then."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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


def test_the_card_shows_it(session: Session, tiny: Path) -> None:
    session.run("a = 1")
    card = session.run(TYPED.format("one", tiny).removesuffix(" --json").removeprefix("found = ")).card
    assert "1 cell that you ran since is not in it" in card["text/html"]
    assert "save the notebook and build again" in card["text/plain"]
