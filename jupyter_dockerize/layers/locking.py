"""One at a time works on a layered image: a lock that says whose it is.

A process's number means something on its own machine only, until that starts again: the lock names host and
boot as well. On the same boot a lock whose process is gone is taken over. Of one that was made elsewhere
nobody here can tell; it is named with its age, and with the way out. No lock of the system's: network homes
often have none.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ..cancel import Cancel
from ..environment.model import parse
from ..errors import OutputError, UsageError
from ..events import Log, Report
from ..image import disk

FILE = "lock"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NUMBERS = Path("/proc/self/ns/pid")
_TICK = 0.2  # seconds


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a lock; ``started`` is when that process began, in the system's own count ("" unknown)."""

    host: str
    boot: str
    pid: int
    started: str
    what: str
    since: float  # seconds since the epoch

    @classmethod
    def this(cls, what: str) -> Owner:
        return cls.of(os.getpid(), what)

    @classmethod
    def of(cls, pid: int, what: str) -> Owner:
        """A process of this machine."""
        return cls(socket.gethostname(), _boot(), pid, _started(pid), what, time.time())

    @property
    def here(self) -> bool:
        """Whether it was made on this machine since it was started, so that its process can be asked for."""
        return (self.host, self.boot) == (socket.gethostname(), _boot()) and bool(self.boot)

    @property
    def alive(self) -> bool:
        """Whether its process still runs; only where it is `here`."""
        return bool(self.started) and _started(self.pid) == self.started

    def __str__(self) -> str:
        age = max(0, int(time.time() - self.since))
        said = f"{age} s" if age < 120 else f"{age // 60} min" if age < 7200 else f"{age // 3600} h"
        return f"process {self.pid} on {self.host}, for {said}: {self.what}"


@contextlib.contextmanager
def locked(folder: Path, what: str, *, wait: bool = True, report: Report, cancel: Cancel) -> Iterator[None]:
    """Holds the lock in ``folder`` (made when it is missing); waits for others of this machine.

    Raises `UsageError` where somebody on another machine holds it, or one that is not known to run; without
    ``wait`` where anybody does.
    """
    disk.make_folder(folder)
    path, mine = folder / FILE, Owner.this(what)
    told = False
    while not _taken(path, mine):
        owner = _owner(path)
        if owner is None:
            continue  # it was given back, or is being written
        if owner.here and not owner.alive:
            _drop(path, owner)
            continue
        if not owner.here:
            raise UsageError(
                f"{folder.name} is being worked on elsewhere",
                why=f"by {owner}",
                fix=f"wait; or, where that is certainly gone, remove {path}",
            )
        if not wait:
            raise UsageError(f"{folder.name} is being worked on", why=f"by {owner}", fix="wait for it to end")
        if not told:
            report(Log(f"waiting for {owner}"))
            told = True
        cancel.check()
        time.sleep(_TICK)
    try:
        yield
    finally:
        _drop(path, mine)


def _taken(path: Path, mine: Owner) -> bool:
    """Whether it is ours now: a link to a whole file appears at once, and only where there is none."""
    new = path.with_name(f".{FILE}-{os.getpid()}-{time.monotonic_ns()}")
    try:
        new.write_text(json.dumps(asdict(mine)))
        try:
            os.link(new, path)
        except FileExistsError:
            return False
        return True
    except OSError as error:
        raise OutputError(f"{path} cannot be written", why=error.strerror or str(error)) from error
    finally:
        new.unlink(missing_ok=True)


def _owner(path: Path) -> Owner | None:
    try:
        found = parse(path.read_bytes(), Owner)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or str(error)) from error
    except UsageError as error:
        raise UsageError(f"{path} is no lock of ours", why=error.why, fix="remove it") from error
    assert isinstance(found, Owner)
    return found


def _drop(path: Path, owner: Owner) -> None:
    """Removes the lock where it is this owner's. Those who take one over do so one after the other."""
    with disk.locked(path.parent):
        if _owner(path) == owner:
            path.unlink(missing_ok=True)


def _boot() -> str:
    """Also whose numbers processes have: containers of one machine count their own (pid_namespaces(7))."""
    try:
        return f"{_BOOT.read_text().strip()} {_NUMBERS.readlink()}"
    except OSError:  # not Linux
        return "unknown"


def _started(pid: int) -> str:
    """Field 22 of /proc/PID/stat (proc(5)), which tells two processes of one number apart; "" for one that
    has ended, also where its parent has not asked how."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in ("Z", "X") else fields[19]
    except (OSError, IndexError):
        pass
    try:
        os.kill(pid, 0)
    except OSError:
        return ""
    return "unknown" if not Path("/proc/self").exists() else ""


__all__ = ["Owner", "locked"]
