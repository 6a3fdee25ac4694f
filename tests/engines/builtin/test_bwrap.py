"""A bubblewrap that does not come to the image's program holds nobody up, and does not stay."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.builtin import bwrap
from jupyter_dockerize.errors import CancelledError, EngineError


@pytest.fixture
def stuck(tmp_path: Path) -> Path:
    """It and a child of it hang before the namespaces are made."""
    program = tmp_path / "bwrap"
    program.write_text(f"#!/bin/sh\nsleep 60 &\necho $$ $! > {tmp_path}/pids\nwait\n")
    program.chmod(0o755)
    return program


def start(program: Path, cancel: Cancel) -> None:
    try:
        bwrap.spawn([str(program)], ["true"], {}, cancel)
    finally:
        for pid in map(int, (program.parent / "pids").read_text().split()):
            until = time.monotonic() + 5
            while _runs(pid) and time.monotonic() < until:
                time.sleep(0.02)
            assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text() and os.kill(pid, 0) is None
    except OSError:
        return False


def test_one_that_does_not_begin_is_ended(stuck: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bwrap, "BEGINNING", 1.0)
    with pytest.raises(EngineError, match="did not begin") as caught:
        start(stuck, Cancel())
    assert caught.value.why == "it did not make its namespaces within 1 s"


def test_who_cancels_does_not_wait_for_it(stuck: Path) -> None:
    cancel, began = Cancel(), time.monotonic()
    threading.Timer(1.0, cancel.cancel).start()
    with pytest.raises(CancelledError):
        start(stuck, cancel)
    assert time.monotonic() - began < 5
