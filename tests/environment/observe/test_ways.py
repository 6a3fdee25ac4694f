"""Which environment is meant, and that it is the one that answers."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.environment.observe.ways import Where, here, observe
from jupyter_dockerize.errors import CancelledError, InterpreterError, KernelError, NotebookError
from jupyter_dockerize.events import Event, Log

pytestmark = pytest.mark.usefixtures("no_orphans")
LAUNCH = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]


@pytest.fixture
def notebook(tmp_path: Path) -> Callable[..., Path]:
    def write(kernel: str | None = None, language: str = "python") -> Path:
        metadata: dict[str, object] = {"language_info": {"name": language}}
        if kernel:
            metadata["kernelspec"] = {"name": kernel, "display_name": "As the notebook says"}
        path = tmp_path / "x.ipynb"
        path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": []}))
        return path

    return write


def test_here_is_this_process() -> None:
    facts = here({"modules"})
    assert facts["probe"]["pid"] == os.getpid()
    assert "pytest" in facts["modules"]["distributions"]


def test_the_notebooks_kernel_is_asked(
    notebook: Callable[..., Path], kernelspecs: Callable[..., str], other: Path
) -> None:
    kernelspecs("project", [str(other), *LAUNCH])
    events: list[Event] = []
    observed = observe(Where(notebook=notebook("project")), report=events.append)
    assert observed.facts["python"]["prefix"] == str(other.parent.parent)
    assert observed.kernel is not None
    assert observed.kernel.name == "project"
    assert any(isinstance(event, Log) and "project" in event.text for event in events)


def test_what_is_named_on_purpose_comes_before_the_notebook(
    notebook: Callable[..., Path], kernelspecs: Callable[..., str], other: Path
) -> None:
    path = notebook("missing")
    kernelspecs("project", [str(other), *LAUNCH])
    prefix = str(other.parent.parent)
    named = observe(Where(notebook=path, python=str(other)))
    assert named.facts["python"]["prefix"] == prefix
    assert named.kernel is not None
    assert named.kernel.name == "missing"  # what the notebook will ask for in the image
    assert observe(Where(notebook=path, kernel="project")).facts["python"]["prefix"] == prefix
    inside = observe(Where(notebook=path, here=True))
    assert inside.facts["probe"]["pid"] == os.getpid()
    assert inside.kernel is not None
    assert inside.kernel.name == "missing", "the magic runs in it, whatever is installed here"


def test_without_a_name_it_is_the_interpreter_that_runs_the_command(notebook: Callable[..., Path]) -> None:
    for where in (Where(), Where(notebook=notebook())):
        observed = observe(where)
        assert observed.facts["python"]["executable"] == sys.executable
        assert observed.kernel is None


def test_what_is_not_there_is_an_error(notebook: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(NotebookError):
        observe(Where(notebook=tmp_path / "missing.ipynb"))
    with pytest.raises(KernelError, match="no kernelspec 'missing'"):
        observe(Where(notebook=notebook("missing")))
    with pytest.raises(KernelError, match="notebook in julia"):
        observe(Where(notebook=notebook(language="julia")))
    with pytest.raises(KernelError):
        observe(Where(live="no-such-kernel"))
    with pytest.raises(InterpreterError):
        observe(Where(python="/bin/true"))
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(CancelledError):
        observe(Where(), cancel=cancel)
