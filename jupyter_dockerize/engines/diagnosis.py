"""Why an engine cannot be used, in one line, and what to do about it."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import stat
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DockerizeError
from .base import Status
from .connection import OLDEST_API, Connection
from .endpoint import Endpoint
from .faults import describe, root
from .place import Place

SECONDS = 2.0
REMOTE_SECONDS = 12.0  # an ssh handshake over a slow line, for those who asked for that engine


@dataclass(frozen=True, slots=True)
class Found:
    """What became of asking one endpoint: its ``GET /version``, or the exception."""

    connection: Connection
    answer: dict[str, Any] | None = None
    error: Exception | None = None


def ask(connections: list[Connection], *, seconds: float = SECONDS) -> list[Found]:
    """Asks all at the same time and gives, in their order, what each had answered in ``seconds``.

    Names are resolved and connections made without a limit of their own in places, hence threads.
    """
    results: dict[int, Found] = {}

    def one(number: int, connection: Connection) -> None:
        try:
            results[number] = Found(connection, answer=connection.about(timeout=max(seconds - 0.3, 0.1)))
        except Exception as error:
            results[number] = Found(connection, error=error)

    threads = [
        threading.Thread(target=one, args=pair, name="engine diagnosis", daemon=True)
        for pair in enumerate(connections)
    ]
    import docker  # noqa: F401 - once, before the threads: its import takes longer than most answers

    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0.0))
    return [
        results.get(number, Found(connection, error=TimeoutError(errno.ETIMEDOUT, "timed out")))
        for number, connection in enumerate(connections)
    ]


def status_of(found: Found, place: Place) -> Status:
    """The status without its builder: available, or the diagnosis."""
    endpoint = found.connection.endpoint
    if found.answer is None:
        reason, fix = explain(endpoint, found.error or OSError(), place, complaint=found.connection.complaint)
        return Status(name="docker", available=False, reason=reason, fix=fix, endpoint=endpoint.host)
    version = str(found.answer.get("Version", ""))[:80]
    flavour = _flavour(found.answer)
    refusal = _refusal(found.answer, flavour)
    reason, fix = refusal or (f"{flavour} {version} at {endpoint.host}", "")
    return Status(
        name="docker", available=refusal is None, version=version, reason=reason, fix=fix,
        endpoint=endpoint.host, flavour=flavour,
    )  # fmt: skip


def explain(endpoint: Endpoint, error: Exception, place: Place, *, complaint: str = "") -> tuple[str, str]:
    """One line that says why this endpoint cannot be used, and what to do about it."""
    if isinstance(error, DockerizeError):
        return error.cause, error.fix
    cause = root(error)
    if endpoint.scheme == "unix":
        return _socket_fault(endpoint, cause, place)
    if endpoint.scheme == "ssh":
        why = complaint or describe(cause)
        return (
            f"the engine at {endpoint.host} does not answer over ssh: {why}",
            f"try `ssh {endpoint.machine} docker version`: it must work without a password and questions",
        )
    if endpoint.scheme == "npipe":
        return "Docker Desktop is not running", place.docker_start
    return _network_fault(endpoint, cause)


def _socket_fault(endpoint: Endpoint, cause: BaseException, place: Place) -> tuple[str, str]:
    path = endpoint.socket or Path()
    podman = "podman" in path.name
    start = place.podman_start if podman else place.docker_start
    product = "Podman's service" if podman else "the Docker Engine"
    if isinstance(cause, PermissionError):
        return f"no permission to use {path}", _permission_fix(path, podman)
    if isinstance(cause, FileNotFoundError | NotADirectoryError):
        if endpoint.origin == "the default socket":
            return place.missing()
        return (
            f"there is no socket at {path}, which {endpoint.origin} names",
            f"{start}; or correct {endpoint.origin}",
        )
    if isinstance(cause, ConnectionRefusedError):
        if not _is_socket(path):
            return f"{path} is not a socket", f"correct {endpoint.origin}"
        return f"{product} is not running: nothing listens at {path}", start
    if isinstance(cause, TimeoutError | BlockingIOError):
        return (
            f"what listens at {path} does not answer",
            "look whether the engine hangs (`docker info`), and restart it if it does",
        )
    return _foreign(str(path), endpoint)


def _network_fault(endpoint: Endpoint, cause: BaseException) -> tuple[str, str]:
    where, correct = endpoint.host, f"correct {endpoint.origin}, or unset it to use an engine on this machine"
    if isinstance(cause, socket.gaierror) or "NameResolution" in type(cause).__name__:
        return f"the name in {where} is not known ({endpoint.origin})", correct
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {where} is not trusted: {cause.verify_message}",
            "put the CA's certificate as ca.pem into DOCKER_CERT_PATH",
        )
    if isinstance(cause, ssl.SSLError):
        said = str(cause.reason or cause)
        if "WRONG_VERSION_NUMBER" in said or "HTTP_REQUEST" in said or "RECORD_LAYER" in said:
            return (
                f"{where} does not speak TLS",
                "unset DOCKER_TLS_VERIFY, or use the engine's TLS port (2376)",
            )
        return f"no TLS connection to {where}: {said}", "check the files in DOCKER_CERT_PATH"
    if isinstance(cause, ConnectionRefusedError):
        return f"nothing listens at {where}", f"start the engine there; or {correct}"
    if isinstance(cause, TimeoutError):
        return f"{where} does not answer", f"look whether a firewall or VPN is between; or {correct}"
    if isinstance(cause, OSError) and cause.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return f"{where} cannot be reached: {describe(cause)}", correct
    return _foreign(where, endpoint, cause)


def _foreign(where: str, endpoint: Endpoint, cause: BaseException | None = None) -> tuple[str, str]:
    if cause is not None and "HTTPS server" in str(getattr(cause, "explanation", "")):
        return f"{where} expects TLS", "set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH"
    return (
        f"what listens at {where} does not speak the Docker Engine API",
        f"correct {endpoint.origin}, or unset it" if endpoint.origin != "the default socket"
        else "look what has taken the socket of the Docker Engine",
    )  # fmt: skip


def _permission_fix(path: Path, podman: bool) -> str:
    if podman:
        return "use Podman's socket of your own: `systemctl --user enable --now podman.socket`"
    group, member = _group_of(path)
    if member:
        return f"you are in the group {group}, but not in this session: log in again, or run `newgrp {group}`"
    return (
        f"join its group with `sudo usermod -aG {group} $USER` and log in again, "
        "or use rootless Docker (docs.docker.com/go/rootless)"
    )


def _group_of(path: Path) -> tuple[str, bool]:
    """The socket's group, and whether this user is listed in it without this process having it."""
    if sys.platform == "win32":
        return "docker", False
    import grp
    import pwd

    name = "docker"
    with contextlib.suppress(OSError, KeyError):
        owner = path.stat().st_gid
        name = grp.getgrgid(owner).gr_name if owner else name
    with contextlib.suppress(KeyError):
        group = grp.getgrnam(name)
        listed = pwd.getpwuid(os.getuid()).pw_name in group.gr_mem
        return name, listed and group.gr_gid not in os.getgroups()
    return name, False


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return True


def _flavour(answer: dict[str, Any]) -> str:
    components = answer.get("Components")
    names = (
        [str(c.get("Name")) for c in components if isinstance(c, dict)]
        if isinstance(components, list)
        else []
    )
    if any("Podman" in name for name in names):
        return "Podman"
    platform = answer.get("Platform")
    product = str(platform.get("Name", "")) if isinstance(platform, dict) else ""
    return "Docker Desktop" if product.startswith("Docker Desktop") else "Docker Engine"


def _refusal(answer: dict[str, Any], flavour: str) -> tuple[str, str] | None:
    if str(answer.get("Os", "linux")).lower() != "linux":
        return "this engine runs Windows containers", "Docker Desktop's menu → Switch to Linux containers"
    try:
        api = tuple(int(part) for part in str(answer["ApiVersion"]).split("."))
    except ValueError:
        return "what listens there does not speak the Docker Engine API", "correct DOCKER_HOST, or unset it"
    if api < OLDEST_API:
        return (
            f"{flavour} {answer.get('Version')} is too old: its API is {answer['ApiVersion']}",
            "upgrade to Docker 20.10, Podman 4 or newer",
        )
    return None
