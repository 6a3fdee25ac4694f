"""Notebook files: good ones, old ones, and what is none."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.environment.project import notebook as notebooks
from jupyter_dockerize.environment.project.notebook import (
    CodeCell,
    Notebook,
    current_notebook,
    read_notebook,
)
from jupyter_dockerize.errors import NotebookError


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_a_notebook_as_jupyter_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    v4 = nbformat.v4
    made = v4.new_notebook(
        cells=[v4.new_markdown_cell("# Title"), v4.new_code_cell("a = 1\nb = 2"), v4.new_raw_cell("raw")],
        metadata={
            "kernelspec": {"name": "py", "display_name": "My Python", "language": "python"},
            "language_info": {"name": "python"},
        },
    )
    nbformat.write(made, path)
    read = read_notebook(path)
    assert read.path == path
    assert read.cells == (CodeCell(1, "a = 1\nb = 2"),)
    assert read.kernel is not None
    assert (read.kernel.name, read.kernel.display_name, read.language) == ("py", "My Python", "python")


def test_a_notebook_that_names_no_kernel(tmp_path: Path) -> None:
    path = write(tmp_path / "x.ipynb", {"nbformat": 4, "metadata": {"kernelspec": "odd"}, "cells": []})
    assert read_notebook(path) == Notebook(path, None, "python", ())


def test_a_notebook_of_an_old_format_says_how_to_convert_it(tmp_path: Path) -> None:
    path = write(tmp_path / "x.ipynb", {"nbformat": 3, "metadata": {}, "worksheets": []})
    with pytest.raises(NotebookError, match="format 3") as caught:
        read_notebook(path)
    assert "nbconvert" in caught.value.fix


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"nbformat": 4},
        {"nbformat": "4", "metadata": {}, "cells": []},
        {"nbformat": True, "metadata": {}, "cells": []},
        {"nbformat": 5, "metadata": {}, "cells": []},
        {"nbformat": 4, "metadata": {}, "cells": {}},
        {"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "code", "source": 5}]},
        {"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "code", "source": [5]}]},
    ],
)
def test_json_that_is_no_notebook(tmp_path: Path, content: dict[str, Any]) -> None:
    with pytest.raises(NotebookError):
        read_notebook(write(tmp_path / "x.ipynb", content))


@given(st.binary())
def test_bytes_that_are_no_notebook(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.ipynb"
    path.write_bytes(data)
    with pytest.raises(NotebookError):
        read_notebook(path)


def test_what_cannot_be_read_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / "deep.ipynb"
    deep.write_bytes(b"[" * 200_000)
    for path in (tmp_path, tmp_path / "missing.ipynb", deep, Path("\0"), deep / "x.ipynb"):
        with pytest.raises(NotebookError):
            read_notebook(path)
    monkeypatch.setattr(notebooks, "LIMIT", 100)
    with pytest.raises(NotebookError, match="larger"):
        read_notebook(deep)


@pytest.mark.parametrize(
    "text",
    ["NaN", '"\\ud83d"', "123456789012345678901234567890", "-Infinity", "[" * 900 + "]" * 900],
)
def test_outputs_may_hold_whatever_python_writes_as_json(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.ipynb"
    cell = '{"cell_type": "code", "source": "a", "outputs": [{"data": {"application/json": TEXT}}]}'.replace(
        "TEXT", text
    )
    path.write_text('{"nbformat": 4, "metadata": {}, "cells": [CELL]}'.replace("CELL", cell))
    assert read_notebook(path).cells == (CodeCell(0, "a"),)


def test_outputs_that_are_not_utf_8_make_it_no_notebook(tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    path.write_bytes(b'{"nbformat": 4, "metadata": {}, "cells": [{"outputs": ["\xff"]}]}')
    with pytest.raises(NotebookError, match="not a notebook"):
        read_notebook(path)


def test_outputs_take_memory_once(tmp_path: Path) -> None:
    rows = [[n / 7] * 30 for n in range(8000)]
    cell = {"cell_type": "code", "source": "a", "outputs": [{"data": {"application/json": rows}}]}
    path = write(tmp_path / "x.ipynb", {"nbformat": 4, "metadata": {}, "cells": [cell]})
    read_notebook(path)  # what is imported on the way is none of it
    tracemalloc.start()
    try:
        read_notebook(path)
        assert tracemalloc.get_traced_memory()[1] < 1.5 * path.stat().st_size
    finally:
        tracemalloc.stop()


def test_the_notebook_that_a_kernel_was_started_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.ipynb"
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert current_notebook() is None
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    assert current_notebook() is None, "renamed since"
    path.touch()
    assert current_notebook() == path
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "Console 1"))
    assert current_notebook() is None


@pytest.mark.timeout(20)
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.ipynb")
    with pytest.raises(NotebookError, match="not a notebook"):
        read_notebook(tmp_path / "x.ipynb")
