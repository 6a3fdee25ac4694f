"""One at a time: locks of the living are waited for, those of the dead are taken over, others' are named."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.errors import CancelledError, UsageError
from jupyter_dockerize.events import Event, Log, ignore
from jupyter_dockerize.layers.locking import FILE, Owner, locked


def test_the_second_waits_and_is_told_for_whom(tmp_path: Path) -> None:
    told: list[Event] = []
    order: list[str] = []
    begun = threading.Event()

    def second() -> None:
        begun.set()
        with locked(tmp_path, "second", report=told.append, cancel=Cancel()):
            order.append("second")

    with locked(tmp_path, "first", report=ignore, cancel=Cancel()):
        thread = threading.Thread(target=second)
        thread.start()
        begun.wait()
        time.sleep(0.5)
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", "second"]
    assert isinstance(told[0], Log)
    assert f"process {os.getpid()} on " in told[0].text
    assert told[0].text.endswith(": first")
    assert list(tmp_path.iterdir()) == []


def test_who_waits_can_be_cancelled(tmp_path: Path) -> None:
    cancel = Cancel()
    with locked(tmp_path, "first", report=ignore, cancel=Cancel()):
        threading.Timer(0.3, cancel.cancel).start()
        with pytest.raises(CancelledError), locked(tmp_path, "second", report=ignore, cancel=cancel):
            pass
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_process_that_was_killed_is_taken_over(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from jupyter_dockerize.cancel import Cancel\n"
        "from jupyter_dockerize.layers.locking import locked\n"
        "with locked(Path(sys.argv[1]), 'x', report=lambda e: None, cancel=Cancel()):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    with locked(tmp_path, "after", report=ignore, cancel=Cancel()):
        assert json.loads((tmp_path / FILE).read_text())["what"] == "after"


@pytest.mark.parametrize("field", ["host", "boot"])
def test_one_of_elsewhere_is_named_with_the_way_out(tmp_path: Path, field: str) -> None:
    """Its process's number means nothing here, though a process of that number runs."""
    other = replace(Owner.this("pip install x"), since=time.time() - 7300, **{field: "elsewhere"})
    (tmp_path / FILE).write_text(json.dumps(asdict(other)))
    with pytest.raises(UsageError) as caught, locked(tmp_path, "x", report=ignore, cancel=Cancel()):
        pass
    assert "for 2 h: pip install x" in caught.value.why
    assert f"remove {tmp_path / FILE}" in caught.value.fix
    assert (tmp_path / FILE).exists()


def test_a_process_that_has_the_number_of_one_that_died_is_another(tmp_path: Path) -> None:
    dead = replace(Owner.this("x"), started="1")
    (tmp_path / FILE).write_text(json.dumps(asdict(dead)))
    with locked(tmp_path, "x", report=ignore, cancel=Cancel()):
        pass


def test_one_that_has_ended_and_that_nobody_has_asked_for_its_status_is_dead(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = Owner.of(child.pid, "died")
    assert owner.alive
    (tmp_path / FILE).write_text(json.dumps(asdict(owner)))
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie, as below a parent that does not care
    try:
        with locked(tmp_path, "mine", wait=False, report=ignore, cancel=Cancel()):
            assert json.loads((tmp_path / FILE).read_text())["what"] == "mine"
    finally:
        child.communicate()


def test_what_is_no_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("nonsense")
    with (
        pytest.raises(UsageError, match="is no lock of ours"),
        locked(tmp_path, "x", report=ignore, cancel=Cancel()),
    ):
        pass


def test_of_many_at_once_each_is_alone(tmp_path: Path) -> None:
    """Four processes, one of them killed while it holds the lock."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=count, args=(tmp_path, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert (tmp_path / "count").read_text() == str(3 * 20 + 5)


def count(folder: Path, number: int) -> None:
    for turn in range(20):
        with locked(folder / "lock", "count", report=ignore, cancel=Cancel()):
            path = folder / "count"
            before = int(path.read_text()) if path.exists() else 0
            time.sleep(0.001)
            path.write_text(str(before + 1))
            if number == 0 and turn == 4:
                os.kill(os.getpid(), signal.SIGKILL)
