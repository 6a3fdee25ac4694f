"""Images that people work in, without a daemon: each is unpacked into a folder, which goes when it stops.

What is open is known by a file beside that folder; whether it still runs, by the number and the start of its
first process, and the boot in which that was (proc(5), `/proc/PID/stat`, field 22).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...cancel import Cancel
from ...contents import layout as paths
from ...contents.identity import LABEL_NOTEBOOK
from ...contents.times import rfc3339
from ...errors import EngineError, UsageError
from ...events import Log, Report
from ...image import disk
from ...image.listed import Stored
from ..base import Container
from ..loopback import ADDRESS, serves
from ..picking import pick
from . import bwrap

STATE, LOG, ROOT = "run.json", "log", "root"
PATIENCE = 10.0  # seconds that JupyterLab gets to end
LONGEST_LOG = 8 << 20  # bytes that are read of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One open image, as its file says it."""

    name: str
    ref: str
    image: str
    notebook: str
    port: int
    token: str
    mount: str
    started: str  # RFC 3339
    pid: int
    began: int  # clock ticks since boot
    boot: str

    @property
    def alive(self) -> bool:
        return self.boot == _boot() and _began(self.pid) == self.began

    @property
    def url(self) -> str:
        path = f"/lab/tree/{quote(self.notebook)}" if self.notebook else "/lab"
        return f"http://{ADDRESS}:{self.port}{path}?token={quote(self.token)}"


class Runs:
    """What is open of one store, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[Run]:
        """All, newest first."""
        found = [run for path in self._folder.glob(f"*/{STATE}") if (run := _read(path)) is not None]
        return sorted(found, key=lambda run: run.started, reverse=True)

    def containers(self, now: Mapping[str, str]) -> list[Container]:
        """As `Engine.containers`; ``now`` are the ids of images by name."""
        return [_container(run, replaced=now.get(run.ref, run.image) != run.image) for run in self.all()]

    def open(self, image: Stored, mount: Path | None, port: int | None) -> Container | None:
        """What is open already with this image and folder, and answers."""
        for run in self.all():
            same = run.image == image.config.digest and run.mount == str(mount or "")
            if same and port in (None, run.port) and run.alive and serves(run.port):
                return _container(run, already=True)
        return None

    @contextlib.contextmanager
    def room(self, ref: str) -> Iterator[Path]:
        """A new folder named after the image, numbered where that is taken; gone when the block fails."""
        stem = re.sub(r"[^a-zA-Z0-9_.-]+", "-", ref.partition("@")[0].rpartition("/")[2].partition(":")[0])
        disk.make_folder(self._folder)
        number = 1
        while True:
            folder = self._folder / (stem if number == 1 else f"{stem}-{number}")
            try:
                folder.mkdir()
                break
            except FileExistsError:
                number += 1
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            os.close(held)

    def stop(self, name: str) -> None:
        """Ends it, and removes what it was unpacked to. Raises what `pick` raises."""
        picked = pick(self.containers({}), name)
        run = next(run for run in self.all() if run.name == picked.name)
        end(run)
        shutil.rmtree(self._folder / run.name, ignore_errors=True)

    def logs(self, name: str, tail: int) -> list[str]:
        """The last lines that it printed."""
        if tail < 1:
            raise UsageError(f"not a number of lines: {tail}")
        return _tail(self._folder / pick(self.containers({}), name).name / LOG, tail)

    def sweep(self) -> int:
        """Removes what processes left that were killed while they opened an image; returns how many."""
        count = 0
        for folder in self._folder.glob("*/"):
            if (folder / STATE).exists():
                continue
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                count += 1
            except OSError:
                continue  # somebody is at it
            finally:
                os.close(held)
        return count


def begin(
    program: str,
    folder: Path,
    image: Stored,
    ref: str,
    *,
    port: int | None,
    mount: Path | None,
    wait: float,
    report: Report,
    cancel: Cancel,
) -> Container:
    """Starts JupyterLab of the image that is unpacked in ``folder``, and returns when it answers.

    Raises `UsageError` for a port that is taken, `EngineError` with the log's end where it does not come up,
    `CancelledError`; then nothing of it runs.
    """
    port = _port(port)
    token = secrets.token_urlsafe(24)
    inner = image.plain.get("config") or {}
    labels = inner.get("Labels") or {}
    variables = {
        **dict(each.split("=", 1) for each in inner.get("Env") or () if "=" in each),
        "JUPYTER_TOKEN": token,
    }
    argv = [*(inner.get("Entrypoint") or ()), *_listening(inner.get("Cmd") or (), port)]
    work = inner.get("WorkingDir") or "/"
    options = [
        program, "--unshare-all", "--share-net", *bwrap.user(), "--as-pid-1", "--cap-drop", "ALL",
        *bwrap.view(folder / ROOT, writable=True), *_network(), *_mounted(folder / ROOT, mount, labels),
        "--chdir", work,
    ]  # fmt: skip
    with (folder / LOG).open("wb") as log:
        process, child = bwrap.spawn(options, argv, variables, cancel, stdout=log, stderr=subprocess.STDOUT)
    try:
        run = Run(
            name=folder.name,
            ref=ref,
            image=image.config.digest,
            notebook=labels.get(LABEL_NOTEBOOK) or "",
            port=port,
            token=token,
            mount=str(mount or ""),
            started=rfc3339(int(time.time())),
            pid=child,
            began=_began(child) or 0,
            boot=_boot(),
        )
        _until_it_serves(process, run, folder / LOG, wait, report, cancel)
        disk.put(folder / STATE, json.dumps(asdict(run)).encode())
        (folder / STATE).chmod(0o600)  # the token opens it
    except BaseException:
        with contextlib.suppress(OSError):
            os.kill(child or process.pid, signal.SIGKILL)
        process.wait()
        raise
    return _container(run)


def end(run: Run) -> None:
    """Asks its first process to stop, and kills it when it does not: with it goes all that it started."""
    if not run.alive:
        return
    with contextlib.suppress(OSError):
        os.kill(run.pid, signal.SIGTERM)
        until = time.monotonic() + PATIENCE
        while run.alive and time.monotonic() < until:
            time.sleep(0.05)
        if run.alive:
            os.kill(run.pid, signal.SIGKILL)


def _listening(command: list[str] | tuple[str, ...], port: int) -> list[str]:
    """The image's command, listening on this machine's own address only: it shares our network."""
    ours = {"--ip=0.0.0.0": f"--ip={ADDRESS}", f"--port={paths.PORT}": f"--port={port}"}
    if not ours.keys() <= set(command):
        raise EngineError(
            "the image has no JupyterLab that could be opened here",
            why="its command starts something else",
            fix="install jupyterlab into the environment and build again; or run it by Docker: `docker load` "
            "takes what `build -o FILE.tar` writes",
        )
    return [*(ours.get(word, word) for word in command), "--ServerApp.port_retries=0"]


def _network() -> list[str]:
    """The files of this machine by which names are resolved; the image's own are not there, or empty."""
    options: list[str] = []
    for path in ("/etc/resolv.conf", "/etc/hosts"):
        if Path(path).is_file():
            options += ["--ro-bind-try", str(Path(path).resolve()), path]
    return options


def _mounted(root: Path, mount: Path | None, labels: Mapping[str, str]) -> list[str]:
    """As with an engine: the folder that holds the notebook takes the project folder's place."""
    if mount is None:
        return []
    notebook = labels.get(LABEL_NOTEBOOK)
    if notebook and (mount / notebook).exists():
        target = paths.WORK
    else:
        target = f"{paths.WORK}/{mount.name or 'mounted'}"
        (root / target.lstrip("/")).mkdir(parents=True, exist_ok=True)
    return ["--bind", str(mount), target]


def _port(wanted: int | None) -> int:
    try:
        with socket.create_server((ADDRESS, wanted or 0)) as found:
            return int(found.getsockname()[1])
    except OSError as error:
        other = str((wanted or 0) % 65535 + 1)
        raise UsageError(
            f"port {wanted} cannot be used",
            why=error.strerror or str(error),
            fix="without --port a free one is found; or type",
            instead=(str(wanted), other),
        ) from error


def _until_it_serves(
    process: subprocess.Popen[bytes], run: Run, log: Path, wait: float, report: Report, cancel: Cancel
) -> None:
    until, told = time.monotonic() + wait, 0
    while True:
        cancel.check()
        ended = process.poll()
        lines = _tail(log, 400)
        for line in lines[told:]:
            report(Log(line, "stderr"))
        told = len(lines)
        if ended is not None:
            raise EngineError(
                f"it ended with status {ended} before JupyterLab answered", why="\n".join(lines[-20:])
            )
        if serves(run.port):
            return
        if time.monotonic() > until:
            raise EngineError(f"JupyterLab did not answer within {wait:g} s", why="\n".join(lines[-20:]))
        time.sleep(0.1)


def _container(run: Run, *, already: bool = False, replaced: bool = False) -> Container:
    alive = run.alive
    return Container(
        name=run.name,
        id=run.name,
        ref=run.ref,
        status="running" if alive else "exited",
        url=run.url if alive else None,
        started=run.started,
        already=already,
        replaced=replaced,
    )


def _read(path: Path) -> Run | None:
    try:
        plain: dict[str, Any] = json.loads(path.read_bytes())
        run = Run(**{field.name: plain[field.name] for field in fields(Run)})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return run if run.name == path.parent.name else None


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _began(pid: int) -> int | None:
    """When the process began, in clock ticks since boot; None where it has ended."""
    try:
        parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if parts[0] in "ZX" else int(parts[19])


def _tail(log: Path, count: int) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LONGEST_LOG))
            lines = file.read(LONGEST_LOG).decode(errors="replace").splitlines()
    except OSError:
        return []
    return list(deque(lines, maxlen=count))


__all__ = ["Run", "Runs", "begin", "end"]
