"""Containers that somebody else started and works in: what they are, and a command in one of them."""

from __future__ import annotations

import contextlib
import queue
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..cancel import Cancel
from ..errors import CancelledError, EngineError, UsageError
from ..image.reference import Reference
from .connection import Connection
from .faults import mapped
from .running import REF
from .sandbox import frames

# Says its number, takes the script from its input, and leaves that closed to what the script starts: so
# nothing of it is in a list of processes or of events, and nothing has to be quoted.
_WRAPPER = 'echo $$; _script=$(head -c "$1"); set --; exec </dev/null; eval "$_script"'
_TICK = 0.05  # seconds
_TERMINATED, _KILLED, _GONE = 1.5, 3.0, 4.0  # seconds after the interrupt
_SIGNALLED = 128  # a signal ended it
_ENDED = 5.0  # seconds in which an engine knows the status of a command whose output has ended

Kind = Literal["changed", "added", "gone"]
_KINDS: tuple[Kind, ...] = ("changed", "added", "gone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhabited:
    """A container that runs. ``image`` is the id of the image it was started from, ``ref`` that image's name
    where it was started by one."""

    id: str
    name: str
    image: str
    ref: str | None
    own: tuple[str, ...]  # variables that it was given, "NAME=value": what its image does not have
    mounts: tuple[str, ...]  # places that are no part of it: volumes, folders of the machine, tmpfs

    def __repr__(self) -> str:  # its variables may be secrets
        return f"Inhabited({self.name!r}, {self.ref or self.image!r})"


def find(connection: Connection, name: str) -> Inhabited:
    """The container of that name or id. Raises `UsageError` where there is none, or it does not run."""
    import docker.errors

    lists = "`docker ps` lists those that run"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise UsageError(f"not the name of a container: {name!r}", fix=lists)
    client = connection.client()
    with mapped(f"look at the container {name}"):
        try:
            found = client.inspect_container(name)
        except docker.errors.NotFound:
            raise UsageError(f"there is no container {name}", fix=lists) from None
        state = found["State"]
        if not state.get("Running") or state.get("Paused"):
            status = "paused" if state.get("Paused") else state.get("Status") or "stopped"
            verb = "unpause" if state.get("Paused") else "start"
            raise UsageError(
                f"the container {name} does not run",
                why=f"it is {status}",
                fix=f"`docker {verb} {name}` starts it again",
            )
        base = _base(connection, found, name)
        config = found["Config"]
        has = set(base["Config"].get("Env") or ())
        return Inhabited(
            id=str(found["Id"]),
            name=str(found["Name"]).lstrip("/"),
            image=str(base["Id"]),
            ref=_named(connection, config),
            own=tuple(each for each in config.get("Env") or () if each not in has),
            mounts=tuple(sorted(_mounts(found))),
        )


def run(
    connection: Connection,
    container: Inhabited,
    script: str,
    *,
    environ: Mapping[str, str],
    output: Callable[[bytes], object],
    cancel: Cancel,
) -> int:
    """The exit status of ``script``, by ``/bin/sh -e`` as the container's user, in its folder.

    ``output`` is given what it prints, as it comes. A cancel interrupts it, and ends it where that does not
    help: within 5 seconds it is gone. Raises `CancelledError` then, and `EngineError` where the container
    ends meanwhile.
    """
    cancel.check()
    data = script.encode()
    with mapped(f"run a command in {container.name}"), contextlib.closing(connection.private()) as client:
        made = client.exec_create(
            container.id,
            ["/bin/sh", "-e", "-c", _WRAPPER, "sh", str(len(data))],
            stdin=True,
            environment=dict(environ),
        )["Id"]
        attached: Any = client.exec_start(made, socket=True)
        raw: socket.socket = getattr(attached, "_sock", attached)
        command = _Command(connection, container, raw, output)
        try:
            command.through(data, cancel)
        finally:
            with contextlib.suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)
            attached.close()
        status = _status(connection, made)
        if status >= _SIGNALLED:
            _refuse_ended(connection, container)
    return status


def changes(connection: Connection, container: Inhabited) -> dict[str, Kind]:
    """Path → what became of it since the container was started from its image."""
    with mapped(f"ask what changed in {container.name}"), contextlib.closing(connection.private()) as client:
        return {str(one["Path"]): _KINDS[int(one["Kind"])] for one in client.diff(container.id) or ()}


def _base(connection: Connection, found: dict[str, Any], name: str) -> dict[str, Any]:
    import docker.errors

    try:
        return dict(connection.client().inspect_image(found["Image"]))
    except docker.errors.NotFound:
        raise UsageError(
            f"the image that the container {name} was started from is gone",
            why="nobody knows any more how containers of it start",
            fix="start a new container from an image that is there",
        ) from None


def _named(connection: Connection, config: dict[str, Any]) -> str | None:
    """The name that it was started by; an image's id, or the beginning of one, is none."""
    import docker.errors

    typed = str((config.get("Labels") or {}).get(REF) or config.get("Image") or "")
    with contextlib.suppress(UsageError, docker.errors.NotFound):
        name = Reference.parse(typed)
        tags = connection.client().inspect_image(name.full).get("RepoTags") or ()
        if name.digest is None and name.full in [Reference.parse(tag).full for tag in tags]:
            return str(name).removesuffix(":latest")
    return None


def _mounts(found: dict[str, Any]) -> Iterator[str]:
    yield from (str(one["Destination"]) for one in found.get("Mounts") or () if one.get("Destination"))
    yield from (found.get("HostConfig") or {}).get("Tmpfs") or ()


def _refuse_ended(connection: Connection, container: Inhabited) -> None:
    """Raises `EngineError` where the container has ended, of which engines know a moment later."""
    for _ in range(10):
        state = connection.client().inspect_container(container.id)["State"]
        if not state.get("Running"):
            raise EngineError(
                f"the container {container.name} ended while the command ran",
                why=f"its exit status is {state.get('ExitCode')}",
                fix=f"start it again (`docker start {container.name}`), and type the command again",
            )
        time.sleep(_TICK)


def _status(connection: Connection, command: str) -> int:
    end = time.monotonic() + _ENDED
    while True:
        found = connection.client().exec_inspect(command)
        status = found.get("ExitCode")
        if status is not None and not found.get("Running"):
            return int(status)
        if time.monotonic() > end:
            raise EngineError("the engine does not know how the command ended")
        time.sleep(_TICK)


class _Command:
    """A command that was started: fed, listened to, and ended when the user changes their mind."""

    def __init__(
        self,
        connection: Connection,
        container: Inhabited,
        attached: socket.socket,
        output: Callable[[bytes], object],
    ) -> None:
        self._connection, self._container, self._socket = connection, container, attached
        self._output = output
        self._heard: queue.Queue[tuple[int, bytes] | None] = queue.Queue(maxsize=1000)
        self._head = b""  # its first line, which is its number
        self._number = ""
        self._over = threading.Event()

    def through(self, script: bytes, cancel: Cancel) -> None:
        """Until it has ended. Raises `CancelledError`."""
        self._socket.settimeout(None)
        threading.Thread(target=self._listen, name="command", daemon=True).start()
        with contextlib.suppress(OSError):  # where it ended at once, its output says why
            self._socket.sendall(script)
        interrupted, asked = 0.0, ""
        try:
            while True:
                with contextlib.suppress(queue.Empty):
                    block = self._heard.get(timeout=_TICK)
                    if block is None:
                        break
                    if not interrupted:
                        self._told(*block)
                if not (interrupted or cancel.cancelled):
                    continue
                interrupted = interrupted or time.monotonic()
                since = time.monotonic() - interrupted
                signal = "INT" if since < _TERMINATED else "TERM" if since < _KILLED else "KILL"
                if signal != asked and self._number:
                    asked = signal
                    self._signal(signal)
                if since > _GONE:
                    break
        finally:
            self._over.set()
        if interrupted:
            self._signal("KILL")  # what it started may have heard no interrupt
            raise CancelledError("the command was interrupted; what it had done by then is as it left it")

    def _told(self, stream: int, block: bytes) -> None:
        if not self._number and stream == 1:
            self._head += block
            line, end, block = self._head.partition(b"\n")
            if not end:
                return
            self._number = line.decode("ascii", "replace").strip()
            if not self._number.isdecimal():  # it is no shell that answers: "exec failed: no such file"
                self._number, block = "0", self._head
        if block:
            self._output(block)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            for frame in frames(self._socket):
                self._put(frame)
        self._put(None)

    def _put(self, frame: tuple[int, bytes] | None) -> None:
        while not self._over.is_set():
            with contextlib.suppress(queue.Full):
                self._heard.put(frame, timeout=_TICK)
                return

    def _signal(self, name: str) -> None:
        """To the command and all that it started: it leads a process group of its own."""
        if self._number in ("", "0"):
            return
        with (
            contextlib.suppress(Exception),
            contextlib.closing(self._connection.private(timeout=2)) as client,
        ):
            kill = ["/bin/sh", "-c", 'kill -"$1" -"$2" 2>/dev/null', "sh", name, self._number]
            made = client.exec_create(self._container.id, kill, user="0", stdout=False, stderr=False)
            client.exec_start(made["Id"], detach=True)


__all__ = ["Inhabited", "Kind", "changes", "find", "run"]
