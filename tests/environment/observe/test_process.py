"""Whose process is believed to be the kernel."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.environment.observe.process import Process, from_outside, of_kernel
from jupyter_dockerize.errors import KernelError

SLEEP = "import sys, time; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "kernel-1.json"
    path.write_text("{}")
    return path


@pytest.fixture
def running() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def begin(
    running: list[subprocess.Popen[bytes]], argv: list[str], **options: object
) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, **options)  # type: ignore[call-overload]
    running.append(process)
    stdout: IO[bytes] = process.stdout
    assert stdout.readline() == b"up\n"
    return process  # type: ignore[no-any-return]


@pytest.mark.parametrize("argument", ["{file}", "--f={file}", "kernel-1.json"])
def test_a_process_that_was_started_with_the_file(
    running: list[subprocess.Popen[bytes]], file: Path, argument: str
) -> None:
    argv = [sys.executable, "-c", SLEEP, argument.format(file=file)]
    process = begin(running, argv, cwd=file.parent)
    for hint in (None, process.pid, 1):
        found = of_kernel(file, hint)
        assert found is not None
        assert found.pid == process.pid


def test_another_file_of_the_same_name_is_another_kernel(
    running: list[subprocess.Popen[bytes]], file: Path, tmp_path: Path
) -> None:
    process = begin(running, [sys.executable, "-c", SLEEP, str(file)])
    copy = tmp_path / "copy" / file.name
    copy.parent.mkdir()
    copy.write_text("{}")
    assert of_kernel(copy, process.pid) is None
    assert of_kernel(copy) is None


def test_who_only_reads_the_file_is_no_kernel(running: list[subprocess.Popen[bytes]], file: Path) -> None:
    reader = begin(running, ["/bin/sh", "-c", "echo up; read line; :", str(file)], stdin=subprocess.PIPE)
    assert of_kernel(file, reader.pid) is None
    assert reader.stdin
    reader.stdin.close()


def test_of_a_launcher_and_its_kernel_it_is_the_kernel(
    running: list[subprocess.Popen[bytes]], file: Path
) -> None:
    launch = f"import subprocess, sys; subprocess.call([sys.executable, '-c', {SLEEP!r}, sys.argv[1]])"
    launcher = begin(running, [sys.executable, "-c", launch, str(file)])
    kernel = of_kernel(file)
    assert kernel is not None
    assert kernel.parent == launcher.pid
    subprocess.run(["kill", str(kernel.pid)], check=True)


def test_the_virtual_environment_is_kept(
    running: list[subprocess.Popen[bytes]], file: Path, other: Path
) -> None:
    env = {"PATH": f"/usr/bin:{other.parent}", "MARK": "x=y"}
    argv = ["python", "-c", SLEEP, str(file)]
    process = begin(running, argv, executable=str(other), env=env)
    found = of_kernel(file, process.pid)
    assert found is not None
    assert found.environ["MARK"] == "x=y"
    facts = from_outside(found, {"modules"}, cancel=Cancel())
    assert facts["python"]["prefix"] == str(other.parent.parent)
    assert facts["probe"]["pid"] == process.pid


def test_a_process_that_names_another_program_than_it_runs_is_not_believed(
    running: list[subprocess.Popen[bytes]], file: Path, tmp_path: Path
) -> None:
    evil = tmp_path / "python"
    evil.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    evil.chmod(0o755)
    process = begin(running, [str(evil), "-c", SLEEP, str(file)], executable=sys.executable)
    found = of_kernel(file, process.pid)
    assert found is not None
    with pytest.raises(KernelError, match="could not be observed"):
        from_outside(found, cancel=Cancel())
    assert not (tmp_path / "ran").exists()


def test_an_interpreter_that_was_replaced_meanwhile(file: Path) -> None:
    gone = Process(1, ("/usr/bin/python3",), "/usr/bin/python3.11 (deleted)", "/", {}, 0)
    with pytest.raises(KernelError, match="could not be observed") as caught:
        from_outside(gone, cancel=Cancel())
    assert "replaced" in caught.value.why
    with pytest.raises(KernelError):
        from_outside(replace(gone, exe="/bin/false", argv=("/bin/false",)), cancel=Cancel())
