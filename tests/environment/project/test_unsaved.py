"""The build takes the file: what ran since it was saved is told, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_dockerize.environment.project.notebook import Notebook, read_notebook
from jupyter_dockerize.environment.project.unsaved import unsaved


def saved(folder: Path, *cells: tuple[str, int | None]) -> Notebook:
    """A file with these cells and their execution counts."""
    code = [
        {"cell_type": "code", "source": s, "execution_count": n, "metadata": {}, "outputs": []}
        for s, n in cells
    ]
    path = folder / "a.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": code}))
    return read_notebook(path)


NEW = 'x = "typed later"'


@pytest.mark.parametrize(
    ("cells", "executed", "told"),
    [
        # typed since the file was saved
        ([("a = 1", 1), ("b = 2", 2)], ["a = 1", "b = 2", NEW], 1),
        ([("a = 1", 1), ("b = 2", 2)], ["a = 1", "b = 2", NEW, "y = 3"], 2),
        ([("a = 1", 1), ("b = 2", 2)], ["a = 1", "b = 2", "b = 3", "a = 1"], 1),
        ([("a = 1", 40), ("b = 2", 41)], ["a = 1", NEW], 1),  # saved by an earlier kernel
        ([("", None)], [NEW], 1),  # a new notebook
        ([("a = 1", None)], ["a = 1", NEW], 1),  # outputs and counts are stripped when it is saved
        # all of it is in the file
        ([("a = 1", 1), ("b = 2", 2)], ["a = 1", "b = 2"], 0),
        ([("a = 1", 1), ("b = 2", 2)], ["a = 1\n", "  b = 2  "], 0),
        ([("a = 1", 40), ("b = 2", 41)], ["a = 1", "b = 2"], 0),
        # edited or deleted before the file was saved
        ([("a = 1", 1), ("b = 2", 3)], ["a = 1", "b = ", "b = 2"], 0),
        ([("a = 1", None), ("b = 2", None)], ["a = 1", "b = ", "b = 2"], 0),
        ([("a = 1", 1), ("b = 3  # not run yet", 2)], ["a = 1", "b = 2"], 0),
        # a part of a cell, run alone
        ([("a = 1\nif a:\n    b = 2\n\n    c = 3", 1)], ["a = 1", "b = 2\nc = 3"], 0),
        # nothing that a notebook lacks
        ([("a = 1", 1)], ["a = 1", "%pip install x", "!ls", "# a note", "", "df?\n%time"], 1),
        ([("a = 1", 1)], ["a = 1", "%pip install x", "!ls", "?df", "# a note", ""], 0),
        ([("a = 1", 1)], ["a = 1", "%load_ext jupyter_dockerize", "c = %dockerize -t x\nc"], 0),
    ],
)
def test_what_ran_since_is_counted(
    cells: list[tuple[str, int | None]], executed: list[str], told: int, tmp_path: Path
) -> None:
    finding = unsaved(saved(tmp_path, *cells), ["", *executed], own=True, age=720)
    if not told:
        assert finding is None
        return
    assert finding is not None
    which = "1 cell" if told == 1 else f"{told} cells"
    assert finding.message == f"a.ipynb was saved 12 minutes ago; {which} that you ran may not be in it"
    assert (finding.code, finding.severity) == ("notebook-not-saved", "info")


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        ({1: 900, 2: 800, 3: 600}, "1 cell that you ran since is not in it"),
        ({1: 900, 2: 600, 3: 500}, "2 cells that you ran since are not in it"),
        # a scratch cell that was deleted before the save, a console of the same kernel
        ({1: 900, 2: 800, 3: 730}, None),
        ({1: 900, 2: 600}, "1 cell that you ran since is not in it"),
        ({3: 600}, "1 cell that you ran since is not in it"),
    ],
)
def test_where_the_times_are_known_they_decide(
    ended: dict[int, float], told: str | None, tmp_path: Path
) -> None:
    notebook = saved(tmp_path, ("a = 1", 1))
    found = unsaved(notebook, ["", "a = 1", "scratch = 1", NEW], own=True, age=720, ended=ended)
    assert (found and (found.severity, found.message)) == (
        told and ("warning", f"a.ipynb was saved 12 minutes ago; {told}")
    )


def test_a_kernel_that_ran_nothing_of_it_says_nothing_about_it(tmp_path: Path) -> None:
    notebook = saved(tmp_path, ("a = 1", 1))
    assert unsaved(notebook, ["", NEW], own=False, age=0) is None
    found = unsaved(notebook, ["", "a = 1", NEW], own=False, age=0)
    assert found is not None and "saved less than a minute ago" in found.message


@pytest.mark.parametrize(
    ("seconds", "words"), [(61, "1 minute ago"), (7300, "2 hours ago"), (90_000, "1 day ago")]
)
def test_the_age_is_told_in_words(seconds: float, words: str, tmp_path: Path) -> None:
    found = unsaved(saved(tmp_path, ("a = 1", 1)), ["", "a = 1", NEW], own=True, age=seconds)
    assert found is not None and words in found.message
