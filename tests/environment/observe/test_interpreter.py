"""Interpreters that are named on purpose, and programs that are none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.environment.observe.interpreter import interpreter, through
from jupyter_dockerize.errors import CancelledError, InterpreterError, VerificationError

pytestmark = pytest.mark.usefixtures("no_orphans")
Program = Callable[..., str]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Writes an executable: ``program(text)`` gives its path."""

    def write(text: str, mode: int = 0o755) -> str:
        path = tmp_path / "program"
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    return write


def test_an_interpreter_answers_for_its_own_environment(other: Path) -> None:
    facts = interpreter(str(other))
    assert facts["python"]["prefix"] == str(other.parent.parent)
    assert "humanize" in {d["name"] for d in facts["pip"]["distributions"]}


def test_a_bare_name_is_found_on_path(other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(other.parent), prepend=os.pathsep)
    assert interpreter("python")["python"]["prefix"] == str(other.parent.parent)


def test_user_site_and_pythonpath_stay_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = tmp_path / "extra"
    extra.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(extra))
    assert str(extra) in interpreter(sys.executable)["python"]["path"]
    monkeypatch.setenv("PYTHONUSERBASE", str(tmp_path / "home"))
    base = str(getattr(sys, "_base_executable", sys.executable))  # a virtual environment has no user site
    assert str(interpreter(base)["python"]["user_site"]).startswith(str(tmp_path / "home"))


def test_modules_in_the_folder_do_not_stand_in_for_the_standard_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(tmp_path)
    assert interpreter(sys.executable)["python"]["prefix"] == sys.prefix
    assert list(tmp_path.iterdir()) == [tmp_path / "json.py"], "nothing is written beside it"


def test_what_a_sitecustomize_prints_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('welcome to the cluster')\nprint({'schema': 2})")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONINSPECT", "1")
    assert interpreter(sys.executable)["schema"] == 1


@pytest.mark.parametrize("path", ["/no/such/python", "no-such-python", "", "\0", "a\nb"])
def test_what_is_not_there(path: str) -> None:
    with pytest.raises(InterpreterError):
        interpreter(path)


def test_a_folder_is_answered_with_the_interpreter_in_it(other: Path) -> None:
    with pytest.raises(InterpreterError, match="is a folder") as caught:
        interpreter(str(other.parent.parent))
    assert str(other) in caught.value.fix


@pytest.mark.parametrize("path", ["/bin/true", "/bin/cat", "/bin/sh"])
def test_programs_that_are_not_python(path: str) -> None:
    with pytest.raises(InterpreterError, match="is not a Python interpreter"):
        interpreter(path)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("#!/bin/sh\necho hello\n", "is not a Python interpreter"),
        ("#!/bin/sh\necho '{\"schema\": 7}'\n", "is not a Python interpreter"),
        ("#!/bin/sh\necho '{'\n", "is not a Python interpreter"),
        ("#!/bin/sh\nexit 3\n", "is not a Python interpreter"),
        ("#!/bin/sh\nkill -SEGV $$\n", "crashed"),
        ("#!/no/such/interpreter\n", "cannot be run"),
        ("no first line\0", "cannot be run"),
    ],
)
def test_programs_that_pretend(program: Program, text: str, what: str) -> None:
    with pytest.raises(InterpreterError, match=what):
        interpreter(program(text))


def test_a_file_that_is_not_executable(program: Program) -> None:
    with pytest.raises(InterpreterError, match="not an executable file"):
        interpreter(program("#!/bin/sh\n", mode=0o644))


def test_a_python_that_is_too_old(program: Program) -> None:
    # Our own interpreter with an older version number: what it is told to run must refuse by itself.
    old = f"#!{sys.executable}\nimport sys\nsys.version_info = (3, 7, 17)\nexec(sys.argv[3])\n"
    with pytest.raises(InterpreterError, match=r"is Python 3\.7"):
        interpreter(program(old))


def test_one_that_hangs_is_given_up_with_all_its_children(program: Program) -> None:
    with pytest.raises(InterpreterError, match="gave no answer"):
        interpreter(program("#!/bin/sh\nsleep 600 & sleep 600\n"), timeout=0.5)


def test_children_that_are_left_behind_end_too(program: Program) -> None:
    with pytest.raises(InterpreterError):
        interpreter(program("#!/bin/sh\nsleep 600 &\n"))


def test_one_that_prints_without_end_is_stopped(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_dockerize.environment.observe.probing.LIMIT", 1 << 20)
    with pytest.raises(InterpreterError, match="gave no answer") as caught:
        interpreter(program("#!/bin/sh\nexec yes\n"))
    assert "more than 1 MiB" in caught.value.why


def test_cancelling_ends_it(program: Program, tmp_path: Path, cancelled_by: Callable[[Path], Cancel]) -> None:
    started = tmp_path / "started"
    with pytest.raises(CancelledError):
        interpreter(program(f"#!/bin/sh\ntouch {started}\nsleep 600\n"), cancel=cancelled_by(started))


def test_through_somebody_elses_run(other: Path) -> None:
    seen: list[Sequence[str]] = []

    def run(argv: Sequence[str], stdin: bytes) -> bytes:
        seen.append(argv)
        return subprocess.run(argv, input=stdin, check=True, stdout=subprocess.PIPE).stdout

    facts = through(run, str(other), {"requires", "modules"})
    assert facts["python"]["prefix"] == str(other.parent.parent)
    assert seen[0][0] == str(other)
    assert list(seen[0][-1:]) == ["--requires"], "modules of a process that runs nothing are not asked for"


@pytest.mark.parametrize(
    "answer", [b"", b"hello", b"{}", b"[1]", b'{"schema": 2}', b'{"a":' * 100_000, b"\xff\xfe"]
)
def test_an_image_that_answers_nonsense_is_not_verifiable(answer: bytes) -> None:
    with pytest.raises(VerificationError):
        through(lambda argv, stdin: answer, "python")
