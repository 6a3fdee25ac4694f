"""Long-running processes that outlive `up`, each known by a record that outlives a crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from . import place
from .errors import RigError


def running(name: str, argv: Sequence[str]) -> bool:
    """Tell whether the recorded process lives and was started with exactly this command."""
    record = _record(name)
    return record is not None and record["argv"] == list(argv) and _alive(record)


def start(
    name: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    answers: Callable[[], bool],
    seconds: float = 60,
) -> None:
    """Start a process in a session of its own and wait until it answers."""
    log = log_of(name)
    with open(log, "ab") as output:
        child = subprocess.Popen(
            list(argv), env=dict(env), cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    record = {"pid": child.pid, "started": _start_time(child.pid), "argv": list(argv)}
    _path(name).write_text(json.dumps(record))
    deadline = time.monotonic() + seconds
    while not answers():
        if child.poll() is not None or time.monotonic() > deadline:
            ended = f"ended with {child.returncode}" if child.returncode is not None else "does not answer"
            tail = "\n    ".join(log.read_text(errors="replace").splitlines()[-10:])
            raise RigError(f"{name} {ended}; the end of {log}:\n    {tail}")
        time.sleep(0.05)
    # The process is meant to outlive us: keep Popen's destructor from warning about it.
    child.returncode = 0


def stop(name: str, *, seconds: float = 30) -> None:
    """End the recorded process, kindly first; nothing happens when it is gone."""
    record = _record(name)
    if record and _alive(record):
        pid = int(str(record["pid"]))
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while _alive(record) and time.monotonic() < deadline:
            time.sleep(0.05)
        if _alive(record):
            os.kill(pid, signal.SIGKILL)
    _path(name).unlink(missing_ok=True)


def recorded() -> list[str]:
    """Give the names of all recorded processes, alive or not."""
    return sorted(path.stem for path in place.runtime().glob("*.json"))


def log_of(name: str) -> Path:
    """Give the file that a process's output goes to."""
    return place.folder("log") / f"{name}.log"


def _path(name: str) -> Path:
    return place.runtime() / f"{name}.json"


def _record(name: str) -> dict[str, object] | None:
    try:
        record = json.loads(_path(name).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _alive(record: Mapping[str, object]) -> bool:
    # A pid alone could by now be somebody else's; its start time says whose it is.
    return _start_time(int(str(record["pid"]))) == record["started"] is not None


def _start_time(pid: int) -> str | None:
    """Give when a process started, in clock ticks since boot; None for one that is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]
