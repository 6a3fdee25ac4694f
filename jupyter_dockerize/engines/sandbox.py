"""One program in an image that nobody trusts: no network, nothing to write to, nothing kept.

The container is removed when the program ends or is ended, and by the next `execute` when this
process died in between. (The engine's own auto-remove would take the exit status with it, and
Podman's does not happen at all where its cleanup process cannot run, seen with 4.3.)
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..cancel import Cancel
from ..errors import EngineError
from . import ownership
from .base import SCRATCH, Image, Limits
from .connection import Connection
from .faults import mapped

if TYPE_CHECKING:
    from docker import APIClient

_KEPT = 16 << 10  # bytes of stderr
_TRIES = 3
_KILLED = 137  # 128 + SIGKILL, and we did not send it


def execute(
    connection: Connection,
    image: Image,
    ref: str,
    argv: Sequence[str],
    stdin: bytes,
    limits: Limits,
    cancel: Cancel,
) -> bytes:
    """stdout of the program. Raises `EngineError` when it fails, goes over a limit, or cannot be started.

    Now and then Docker hands over nothing of a program that ends before the engine has noticed that it
    began, and reports success (seen with 26.1: 4 of 1,800 under load). Nobody runs a program for nothing, and
    one that can change nothing may run again.
    """
    for _ in range(_TRIES):
        if output := _once(connection, image, ref, argv, stdin, limits, cancel):
            return output
    return b""


def _once(
    connection: Connection,
    image: Image,
    ref: str,
    argv: Sequence[str],
    stdin: bytes,
    limits: Limits,
    cancel: Cancel,
) -> bytes:
    cancel.check()
    client = connection.client()
    with mapped(f"run {argv[0]} in {ref}"):
        sweep(client)
        container: str = client.create_container_from_config(configuration(image, argv, limits))["Id"]
    run = _Run(connection, container, limits)
    forget = cancel.on_cancel(lambda: run.end("cancelled"))
    timer = threading.Timer(limits.seconds, run.end, args=("time",))
    timer.daemon = True
    try:
        with mapped(f"run {argv[0]} in {ref}"):
            timer.start()
            status = run.through(stdin)
        cancel.check()
    except EngineError:
        cancel.check()
        if not run.ended:
            raise
        status = -1
    finally:
        timer.cancel()
        forget()
        run.close()
    if run.ended or status:
        raise run.failure(status, argv, ref)
    return b"".join(run.stdout)


def configuration(image: Image, argv: Sequence[str], limits: Limits) -> dict[str, Any]:
    """The container's configuration (Docker Engine API v1.41, ``ContainerCreate``)."""
    mounted = "rw,noexec,nosuid,nodev,size=64m"
    return {
        "Image": image.id,
        "Entrypoint": [argv[0]],
        "Cmd": list(argv[1:]),
        "User": "1000:1000",
        "WorkingDir": "/",
        "Env": [f"TMPDIR={SCRATCH}"],
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "OpenStdin": True,
        "StdinOnce": True,
        "NetworkDisabled": True,
        "Healthcheck": {"Test": ["NONE"]},
        "Labels": ownership.labels("sandbox", seconds=limits.seconds),
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            # A volume that the image declares would be a place to fill the engine's disk from.
            "Tmpfs": dict.fromkeys(image.volumes, mounted),
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "IpcMode": "private",
            "ShmSize": 64 << 20,
            "PidsLimit": limits.processes,
            "Memory": limits.memory,
            "MemorySwap": limits.memory,
            "LogConfig": {"Type": "none", "Config": {}},
        },
    }


def sweep(client: APIClient) -> None:
    """Removes sandboxes whose owners died."""
    for container in client.containers(all=True, filters={"label": f"{ownership.ROLE}=sandbox"}):
        if ownership.expired(container.get("Labels") or {}):
            removed(client, container["Id"])


class _Run:
    """One container from start to end. ``ended`` says why we ended it: time, output, cancelled; else ""."""

    def __init__(self, connection: Connection, container: str, limits: Limits) -> None:
        self.stdout: list[bytes] = []
        self.stderr = b""
        self.ended = ""
        self.memory = False  # it ended because it needed more than it may have
        self._client = connection.private()
        self._brief = connection.private(timeout=10)
        self._attached: list[object] = []  # the SDK's sockets, which close when they are collected
        self._sockets: list[socket.socket] = []
        self._container = container
        self._limits = limits

    def through(self, stdin: bytes) -> int:
        """Starts it, feeds it, reads it to its end; its exit status."""
        output = feed = self._attach(stdin=1, stdout=1, stderr=1)
        if isinstance(output, ssl.SSLSocket):
            # A TLS connection cannot be closed in one direction only, and the program waits for the end
            # of its input. (One connection is the rule because Podman knows no second one.)
            feed = self._attach(stdin=1)
        self._client.start(self._container)
        feeder = threading.Thread(target=_feed, args=(feed, stdin), daemon=True)
        feeder.start()
        size = 0
        for stream, data in frames(output):
            if stream == 2:
                self.stderr = (self.stderr + data)[-_KEPT:]
                continue
            size += len(data)
            if size > self._limits.output:
                self.end("output")
                break
            self.stdout.append(data)
        if self.ended:
            return -1
        state = self._state()
        status = int(state.get("ExitCode", -1))
        self.memory = bool(state.get("OOMKilled")) or status == _KILLED
        return status

    def end(self, why: str) -> None:
        """Ends the container before its time, and with it `through`."""
        self.ended = self.ended or why
        # The engine waits for somebody to read what the container printed: nobody will.
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        removed(self._brief, self._container)

    def close(self) -> None:
        """Removes the container, where it is still there, and closes all connections."""
        removed(self._brief, self._container)
        for client in (self._client, self._brief):
            client.close()

    def _state(self) -> dict[str, Any]:
        """Its state once it has ended, which is moments after its last word.

        Asked again and again: Podman's own wait call takes 20 s where its cleanup process cannot run.
        """
        while True:
            state: dict[str, Any] = self._brief.inspect_container(self._container)["State"]
            if self.ended or (
                not state.get("Running") and state.get("Status") in ("exited", "stopped", "dead")
            ):
                return state
            time.sleep(0.02)

    def failure(self, status: int, argv: Sequence[str], ref: str) -> EngineError:
        what = f"{argv[0]} failed in {ref}"
        why = self.stderr.decode(errors="replace").strip()
        if self.ended == "time":
            return EngineError(f"{what}: it was not done after {self._limits.seconds:g} s", why=why)
        if self.ended == "output":
            return EngineError(f"{what}: it printed more than {self._limits.output >> 20} MiB", why=why)
        if self.memory:
            return EngineError(
                f"{what}: it needed more than {self._limits.memory >> 20} MiB of memory", why=why
            )
        return EngineError(f"{what} with status {status}", why=why)

    def _attach(self, **streams: int) -> socket.socket:
        attached = self._client.attach_socket(self._container, params={"stream": 1, **streams})
        # Over a unix socket the SDK gives a reader round the socket, over TLS the socket itself.
        raw: socket.socket = getattr(attached, "_sock", attached)
        self._attached.append(attached)
        self._sockets.append(raw)
        return raw


def frames(connection: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Stream number and bytes of each frame (Docker Engine API, ``ContainerAttach``, "Stream format")."""
    # Podman resets the connection when the program ended without having read all of its input.
    with contextlib.suppress(ConnectionResetError):
        while header := _exactly(connection, 8):
            stream, length = struct.unpack(">BxxxL", header)
            while length:
                data = connection.recv(min(length, 1 << 16))
                if not data:
                    return
                length -= len(data)
                yield stream, data


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            return b""
        data += more
    return data


def _feed(connection: socket.socket, data: bytes) -> None:
    # A program that does not read all of its input is no fault.
    with contextlib.suppress(OSError):
        connection.sendall(data)
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)


def removed(client: APIClient, container: str) -> None:
    """Removes it, or waits for whoever else is doing so; gives up when the engine is gone."""
    import docker.errors
    import requests

    for _ in range(50):
        try:
            client.remove_container(container, force=True, v=True)
        except docker.errors.NotFound:  # noqa: PERF203 - it is asked until it is gone
            return
        except docker.errors.APIError as error:
            if error.status_code != 409:
                return
            time.sleep(0.1)
        except requests.RequestException:
            return
