"""The first process of copied images: what it starts behaves as if it were alone in the container."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_dockerize.contents import init

SCRIPT = Path(init.__file__).with_name("init.py")


FAMILY = """
import os, signal, sys, time
child = os.fork()
def heard(number, frame):
    os.write(1, b"child\\n" if child else b"grandchild\\n")
    if child: os.waitpid(child, 0)
    os._exit(7)
signal.signal(getattr(signal, "SIG" + sys.argv[1]), heard)
os.write(1, b"ready\\n")
while True: time.sleep(0.05)
"""


def _oldest() -> list[str]:
    """An interpreter of the oldest version that the init is for, where this machine has one."""
    found = sorted(Path("~/.pyenv/versions").expanduser().glob("3.8.*/bin/python3.8"))
    return [str(path) for path in found[:1]] or [str(p) for p in [shutil.which("python3.8")] if p]


@pytest.fixture(params=[sys.executable, *_oldest()], ids=lambda python: Path(python).resolve().name)
def python(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def started(python: str, *argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [python, "-ISB", str(SCRIPT), *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ended(python: str, *argv: str) -> tuple[int, str, str]:
    process = started(python, *argv)
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_the_exit_status_is_the_programs(python: str, status: int) -> None:
    assert ended(python, "sh", "-c", f"exit {status}")[0] == status


def test_a_program_that_a_signal_ended_is_told_as_shells_do(python: str) -> None:
    assert ended(python, "sh", "-c", "kill -KILL $$")[0] == 128 + signal.SIGKILL


def test_a_program_that_is_not_there(python: str) -> None:
    status, _, said = ended(python, "no-such-program")
    assert (status, said) == (127, "no-such-program: No such file or directory\n")


def test_a_program_that_may_not_be_run(python: str, tmp_path: Path) -> None:
    (tmp_path / "program").write_text("#!/bin/sh\n")
    assert ended(python, str(tmp_path / "program"))[0] == 126


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2"])
def test_signals_reach_the_program_and_what_it_started(python: str, name: str) -> None:
    """The grandchild says it too: a server's kernels hear of the end."""
    process = started(python, python, "-c", FAMILY, name)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["ready\n"] * 2
    process.send_signal(getattr(signal, f"SIG{name}"))
    out, _ = process.communicate(timeout=20)
    assert sorted(out.split()) == ["child", "grandchild"]
    assert process.returncode == 7


def test_a_signal_of_the_first_moment_is_not_lost(python: str, tmp_path: Path) -> None:
    """Whenever it comes: before the program there is nobody to hand it on to, so it waits."""
    fork = "import os, runpy, sys; fork = os.fork\ndef slow():\n    os.kill(os.getpid(), 15); return fork()\n"
    run = f"os.fork = slow; sys.argv = ['', 'sleep', '60']; runpy.run_path({str(SCRIPT)!r}, {{}}, '__main__')"
    done = subprocess.run([python, "-c", fork + run], timeout=30, check=False)
    assert done.returncode == 128 + signal.SIGTERM


def test_orphans_are_reaped(python: str) -> None:
    """As process 1 of a namespace of its own: what a program leaves behind does not stay as a zombie."""
    unshare = shutil.which("unshare")
    if os.geteuid() or not unshare:
        pytest.skip("a namespace of its own needs root here")
    orphan = "(sh -c 'sleep 0.1' &) ; sleep 0.5; cat /proc/[0-9]*/stat | grep -c ' Z '; echo end"
    argv = [unshare, "--pid", "--fork", "--mount-proc", python, "-ISB", str(SCRIPT), "sh", "-c", orphan]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout == "0\nend\n", done.stderr


def test_programs_are_not_deaf_to_a_broken_pipe(python: str) -> None:
    """Python ignores SIGPIPE, and what it becomes would too: `yes | head` would complain, not end."""
    _, out, _ = ended(python, "grep", "SigIgn", "/proc/self/status")
    ignored = int(out.split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1) | 1 << (signal.SIGTTOU - 1))
    _, out, _ = ended(python, "grep", "SigBlk", "/proc/self/status")
    assert int(out.split()[1], 16) == 0


def test_a_terminal_belongs_to_the_program(python: str) -> None:
    """`docker run -it` opens Python where there is no JupyterLab: its group may read what is typed."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(python, [python, "-ISB", str(SCRIPT), "sh", "-c", "read line; echo got $line"])
    os.write(terminal, b"typed\n")
    said = b""
    try:
        while piece := os.read(terminal, 1024):
            said += piece
    except OSError:  # the other end was closed
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert b"got typed" in said


def test_it_is_in_the_image_where_the_entrypoint_looks() -> None:
    [(path, data)] = init.files().items()
    assert data == SCRIPT.read_bytes()
    assert init.entrypoint("/opt/env/bin/python") == ("/opt/env/bin/python", "-ISB", path)
