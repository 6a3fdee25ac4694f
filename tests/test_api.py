"""The verbs as functions: what they refuse before any work, and in which order."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.api import Where, Wishes
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.errors import (
    NoEngineError,
    NotebookError,
    OutputError,
    ReferenceError,  # noqa: A004 - the field's word
    UsageError,
)
from jupyter_dockerize.events import Event, Step

from .commandline import notebook


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")


def test_every_public_name_is_there_and_says_what_it_gives() -> None:
    for name in api.__all__:
        assert inspect.getdoc(getattr(api, name))


def test_long_verbs_report_and_can_be_cancelled() -> None:
    for verb in (api.snapshot, api.recipe, api.build, api.verify, api.diff, api.run, api.push):
        assert {"report", "cancel"} <= inspect.signature(verb).parameters.keys()


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: api.build(Where(), Wishes()), UsageError, "the image has no name"),
        (lambda: api.build(Where(), Wishes(), "Bad Name"), ReferenceError, "not an image reference"),
        (lambda: api.build(Where(), Wishes(), "x", engine="none"), UsageError, "no engine 'none'"),
        (lambda: api.build(Where(notebook=Path("none.ipynb")), Wishes()), NotebookError, "does not exist"),
        (lambda: api.build(Where(), Wishes(include=("a",)), "x"), UsageError, "a cannot be included"),
        (
            lambda: api.build(Where(), Wishes(allow=("foo",)), "x"),
            UsageError,
            "no finding has the code 'foo'",
        ),
        (
            lambda: api.build(Where(), Wishes(allow=("secret-in-notbook",)), "x"),
            UsageError,
            "did you mean secret-in-notebook",
        ),
        (lambda: api.build(Where(), Wishes(), "x", engine="docker"), NoEngineError, "no engine"),
        (
            lambda: api.recipe(Where(), Wishes(), Path("d"), to="none"),
            UsageError,
            "no target is called 'none'",
        ),
        (lambda: api.recipe(Where(), Wishes(), Path("/")), OutputError, "is not empty"),
        (lambda: api.verify("x", engine="docker"), NoEngineError, "no engine"),
        (lambda: api.diff("live", "x"), UsageError, "'x' names no environment"),
        (lambda: api.run("x", engine="docker"), NoEngineError, "no engine"),
        (lambda: api.images(engine="docker"), NoEngineError, "no engine"),
    ],
)
def test_what_is_refused(call: Callable[[], object], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as error:
        call()
    assert words in str(error.value)


def test_an_image_is_named_after_its_notebook_before_an_engine_is_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no image name can be made"):
        api.build(Where(notebook=notebook(tmp_path / "日本.ipynb", "1")), Wishes())


def test_what_is_cancelled_before_it_begins_does_not_begin() -> None:
    cancel, seen = Cancel(), list[Event]()
    cancel.cancel()
    with pytest.raises(Exception, match="cancelled"):
        api.snapshot(Where(), report=seen.append, cancel=cancel)
    assert not [event for event in seen if isinstance(event, Step)]


def test_who_could_build_is_told_without_an_error() -> None:
    found = api.engines()
    assert found.chosen == ("builtin" if sys.platform == "linux" else None)
    assert "/nonexistent/docker.sock" in found.engines[0].reason


@pytest.mark.parametrize(
    ("where", "said", "typed"),
    [
        (Where(notebook=Path("a.ipynb")), "keep the kernel running", ("", "--live", "{}/a.ipynb")),
        (Where(), "keep the kernel running", ("", "--live", "ID")),
        (Where(python=sys.executable), "with --live ID instead of --python", ()),
    ],
)
def test_minimal_asks_for_a_kernel_that_has_run_before_one_is_started(
    where: Where, said: str, typed: tuple[str, ...], tmp_path: Path
) -> None:
    if where.notebook:
        where = Where(notebook=notebook(tmp_path / where.notebook, "1"))
    with pytest.raises(UsageError, match="has run the notebook") as error:
        api.recipe(where, Wishes(minimal=True), tmp_path / "out")
    assert said in error.value.fix
    assert error.value.instead == tuple(word.format(tmp_path) for word in typed)


@pytest.mark.parametrize(("system", "name"), [("win32", "Windows"), ("darwin", "macOS")])
@pytest.mark.parametrize("how", [{"method": "copy"}, {"output": Path("image.tar")}], ids=["copy", "file"])
def test_files_of_other_systems_are_not_copied(
    how: dict[str, Any], system: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    with pytest.raises(UsageError, match=f"files of {name}") as caught:
        api.build(Where(), Wishes(), "x", **how)
    assert "rebuilt" in caught.value.fix
