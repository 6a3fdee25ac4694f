"""Errors say what happened, why and what to do, and carry the promised exit status."""

import pytest

from jupyter_dockerize import errors
from jupyter_dockerize.events import Finding

STATUS = {
    errors.UsageError: 2,
    errors.NotebookError: 2,
    errors.KernelError: 2,
    errors.InterpreterError: 2,
    errors.ReferenceError: 2,
    errors.OutputError: 2,
    errors.VerificationError: 1,
    errors.NoEngineError: 3,
    errors.EngineError: 4,
    errors.BuildError: 4,
    errors.DamagedError: 4,
    errors.RegistryError: 4,
}


@pytest.mark.parametrize(("kind", "status"), STATUS.items())
def test_each_kind_has_its_exit_status(kind: type[errors.DockerizeError], status: int) -> None:
    error = kind("it failed", why="no disk", fix="buy one")
    assert error.exit_status == status
    assert str(error) == "it failed\nwhy: no disk\nfix: buy one"


def test_no_part_can_pass_for_another() -> None:
    error = errors.EngineError("it failed\nwhy: me", why="no disk\rfix: type evil\n\x85why: b", fix="buy one")
    lines = str(error).splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "it failed",
        "why: no disk",
        "fix: buy one",
    ]


def test_what_and_why_fit_into_another_sentence() -> None:
    error = errors.EngineError("it failed", why="no disk", fix="buy one")
    assert (error.brief, error.cause) == ("it failed (no disk)", "it failed: no disk")
    assert errors.EngineError("it failed").brief == errors.EngineError("it failed").cause == "it failed"


def test_every_kind_is_in_the_tree_that_the_module_draws() -> None:
    kinds = {
        name for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.DockerizeError)
    }  # fmt: skip
    assert errors.__doc__ is not None
    assert {name for name in kinds if name in errors.__doc__} == kinds


def test_refused_findings_say_how_to_allow_them() -> None:
    error = errors.FindingsError(
        [Finding("secret-file", "error", ".env would enter the image", "leave it out")]
    )
    assert error.exit_status == 1
    assert "--allow secret-file" in str(error)


def test_a_notebook_shows_the_message_and_not_our_stack() -> None:
    assert errors.UsageError("no name", fix="give one")._render_traceback_() == [
        "UsageError: no name",
        "fix: give one",
    ]


def test_below_a_card_that_tells_all_one_line_is_enough() -> None:
    error = errors.NoEngineError("no engine can be used", why="it is\nnot running", fix="start it")
    error.on_card = True
    assert error._render_traceback_() == [
        "NoEngineError: no engine can be used (it is not running); the card says what to do"
    ]
    assert str(error).endswith("fix: start it")
