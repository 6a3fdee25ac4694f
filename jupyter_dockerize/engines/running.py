"""Containers that people work in: JupyterLab of an image, on a loopback port, with a token."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..cancel import Cancel
from ..contents.identity import LABEL_NOTEBOOK
from ..contents.layout import PORT
from ..errors import EngineError, UsageError
from ..events import Log, Report
from . import ownership
from .base import Container, Image
from .connection import Connection
from .faults import explanation, mapped
from .loopback import ADDRESS, serves
from .mounting import complaint, mount_of
from .picking import pick
from .progress import Lines

REF = "jupyter-dockerize.ref"
OPTIONS = "jupyter-dockerize.options"  # the mount and the GPUs, to know it again
_LONGEST_LOG = 8 << 20  # bytes
_SERVING = re.compile(rb"https?://[^\s/]+:%d/" % PORT)


def start(
    connection: Connection,
    image: Image,
    ref: str,
    *,
    port: int | None,
    mount: Path | None,
    gpus: str | None,
    argv: Sequence[str] | None,
    wait: float,
    report: Report,
    cancel: Cancel,
) -> Container:
    """See `Engine.start`."""
    published = argv is None or port is not None
    host: dict[str, Any] = {}
    options = json.dumps([str(mount.expanduser().resolve()) if mount else None, gpus])
    if published:
        # Port 0: the engine finds a free one, so nobody can take it in between.
        host["PortBindings"] = {f"{PORT}/tcp": [{"HostIp": ADDRESS, "HostPort": str(port or 0)}]}
    seen = mount_of(connection, image, mount) if mount is not None else None
    if seen is not None:
        host["Mounts"] = [seen]
    if gpus is not None:
        host["DeviceRequests"] = [_devices(gpus)]
    configuration: dict[str, Any] = {
        "Image": image.id,
        "Labels": ownership.labels("run") | {REF: ref, OPTIONS: options},
        "ExposedPorts": {f"{PORT}/tcp": {}} if published else {},
        "HostConfig": host,
    }
    if argv is None and (there := _already(connection, image, options, port)):
        return _noted(connection, image, there, seen)
    if argv is None:
        configuration["Env"] = [f"JUPYTER_TOKEN={secrets.token_urlsafe(24)}"]
    else:
        configuration["Cmd"] = list(argv)
    cancel.check()
    with mapped("make the container"):
        name = _create(connection, configuration, ref)
    try:
        _begin(connection, name, port, image.platform)
        if argv is None:
            _until_it_serves(connection, name, image.platform, wait, report, cancel)
            return _noted(connection, image, find(connection, name), seen)
        return find(connection, name)
    except BaseException:
        with contextlib.suppress(Exception):
            connection.client().remove_container(name, force=True, v=True)
        raise


def _noted(connection: Connection, image: Image, open_: Container, mount: dict[str, Any] | None) -> Container:
    """The container, and whether what is saved in its mounted folder is kept."""
    note = complaint(connection, open_.id, image.labels, mount) if mount else ""
    return replace(open_, note="; ".join(filter(None, (note, open_.note))))


def containers(connection: Connection) -> list[Container]:
    """What `start` began and nobody removed yet, newest first."""
    ours, now = _ours(connection), dict[str, str | None]()
    found = []
    for one in ours:
        container = _container(connection, one)
        if container.ref not in now:
            now[container.ref] = _image_of(connection, container.ref)
        found.append(replace(container, replaced=now[container.ref] not in (None, one.get("Image"))))
    return found


def _image_of(connection: Connection, ref: str) -> str | None:
    """The id of the image that ``ref`` names now; None where it names none."""
    import docker.errors

    with mapped("look at an image"):
        try:
            return str(connection.client().inspect_image(ref)["Id"]) if ref else None
        except docker.errors.NotFound:
            return None


def _ours(connection: Connection) -> list[dict[str, Any]]:
    with mapped("list containers"):
        listed = connection.client().containers(all=True, filters={"label": f"{ownership.ROLE}=run"})
        listed.sort(key=lambda one: one.get("Created", 0), reverse=True)
        known = [_inspect(connection, one["Id"]) for one in listed]
    return [one for one in known if one is not None]


def _already(connection: Connection, image: Image, options: str, port: int | None) -> Container | None:
    """The container of this image and these options that runs and, as far as can be told, answers."""
    for one in _ours(connection):
        has = _port(one)
        same = one.get("Image") == image.id and (one["Config"].get("Labels") or {}).get(OPTIONS) == options
        if not same or not one["State"].get("Running") or has is None or port not in (None, has):
            continue
        found = _container(connection, one)
        near = not connection.endpoint.machine and _reachable(has)
        if found.url and (serves(has) if near else _serving(logs(connection, found.name, 400))):
            return replace(found, already=True)
    return None


def find(connection: Connection, name: str) -> Container:
    """The container of that name or id, or the one that is open of that image.

    Raises `UsageError` where there is none of ours, or several of the image.
    """
    return pick(containers(connection), name, "; other containers are stopped with `docker stop`")


def stop(connection: Connection, name: str) -> None:
    """See `Engine.stop`."""
    import docker.errors

    one = find(connection, name)
    with mapped(f"stop {one.name}"), contextlib.suppress(docker.errors.NotFound):
        connection.client().stop(one.id, timeout=10)
        connection.client().remove_container(one.id, force=True, v=True)


def logs(connection: Connection, name: str, tail: int) -> list[str]:
    """See `Engine.logs`."""
    if tail < 1:
        raise UsageError(f"not a number of lines: {tail}")
    one = find(connection, name)
    with mapped(f"read the log of {one.name}"):
        return _log(connection, one.id, tail)


def _create(connection: Connection, configuration: dict[str, Any], ref: str) -> str:
    """Makes the container, named after the image, with a number where the name is taken."""
    import docker.errors

    last = ref.partition("@")[0].rpartition("/")[2].partition(":")[0]
    stem = re.sub(r"[^a-zA-Z0-9_.-]+", "-", last).strip("-._") or "image"
    for number in range(1, 1000):
        name = stem if number == 1 else f"{stem}-{number}"
        try:
            connection.client().create_container_from_config(configuration, name)
        except docker.errors.APIError as error:
            taken = error.status_code == 409 or "already in use" in explanation(error)
            if not taken:
                raise
        else:
            return name
    raise EngineError(f"a thousand containers are called {stem}", fix="remove some of them")


def _begin(connection: Connection, name: str, port: int | None, platform: str) -> None:
    import docker.errors

    with mapped("start the container"):
        try:
            connection.client().start(name)
        except docker.errors.APIError as error:
            said = explanation(error)
            raise _foreign(platform, said) or _refused(said, port) from error


def _foreign(platform: str, said: str) -> EngineError | None:
    """What to do where programs of the image are for another processor; None where they are not."""
    if "exec format error" not in said:
        return None
    return EngineError(
        "the image's programs do not run where the engine runs",
        why=f"the image is for {platform}: it needs an emulator there (binfmt)",
        fix="`docker run --privileged --rm tonistiigi/binfmt --install all` installs it; "
        "or build the image without --platform",
    )


def _refused(said: str, port: int | None) -> UsageError | EngineError:
    if re.search(
        r"port is already allocated|address already in use|failed to bind|ports are not available", said
    ):
        other = str(port % 65535 + 1) if port else ""
        return UsageError(
            f"port {port} is taken",
            why="another program or container of the engine's machine listens there",
            fix=f"without --port a free one is found; for `docker run` it is -p {other}:{PORT}; or type",
            instead=(str(port), other),
        )
    if re.search(r"could not select device driver|nvidia|CDI device|unresolvable", said, re.IGNORECASE):
        return EngineError(
            "the engine has no GPUs to give",
            why=said,
            fix="install the NVIDIA driver and Container Toolkit where the engine runs, and restart it",
        )
    if re.search(r"bind source path does not exist|no such file or directory", said):
        return EngineError(
            "the engine does not see the folder to mount",
            why=said,
            fix="mount a folder of the machine that the engine runs on",
        )
    return EngineError("the engine could not start the container", why=said)


def _devices(gpus: str) -> dict[str, Any]:
    """A DeviceRequest of the Engine API; what `docker run --gpus` takes, without its rarer forms."""
    request: dict[str, Any] = {"Driver": "", "Count": 0, "Capabilities": [["gpu"]], "Options": {}}
    if gpus == "all":
        return request | {"Count": -1}
    if gpus.isdecimal() and 0 < int(gpus) < 1000:
        return request | {"Count": int(gpus)}
    if re.fullmatch(r"device=[A-Za-z0-9-]+(,[A-Za-z0-9-]+)*", gpus):
        return request | {"DeviceIDs": gpus.removeprefix("device=").split(",")}
    raise UsageError(f"not a choice of GPUs: {gpus!r}", fix="--gpus all, --gpus 2 or --gpus device=0,2")


def _until_it_serves(
    connection: Connection, name: str, platform: str, wait: float, report: Report, cancel: Cancel
) -> None:
    """Returns when JupyterLab answers; where it cannot be reached from here, when its log says so."""
    end = time.monotonic() + wait
    told: list[str] = []
    while True:
        cancel.check()
        with mapped("look at the container"):
            state = _inspect(connection, name)
            lines = _log(connection, name, 400)
        for line in _fresh(told, lines):
            report(Log(line, "stderr"))
        told = lines
        if state is None or not state["State"].get("Running"):
            status = state["State"].get("ExitCode") if state else "unknown"
            raise _foreign(platform, "\n".join(lines[-20:])) or EngineError(
                f"the container ended with status {status} before JupyterLab answered",
                why="\n".join(lines[-20:]),
            )
        port = _port(state)
        if port and not connection.endpoint.machine and serves(port):
            return
        # A socket that was handed into our own container leads to ports that are not ours.
        if _serving(lines) and (connection.endpoint.machine or not _reachable(port)):
            return
        if time.monotonic() > end:
            raise EngineError(
                f"JupyterLab did not answer within {wait:g} s",
                why="\n".join(lines[-20:]),
                fix="why it hangs stands in its last lines, if anywhere; try again, or build the image again",
            )
        time.sleep(0.1)


def _serving(lines: list[str]) -> bool:
    """Whether a log says that JupyterLab is up."""
    return any(_SERVING.search(line.encode()) for line in lines)


def _fresh(told: list[str], lines: list[str]) -> list[str]:
    """The lines that were not there before, where the log was read again."""
    return lines[len(told) :] if lines[: len(told)] == told else []


def _reachable(port: int | None) -> bool:
    if port is None:
        return False
    try:
        socket.create_connection((ADDRESS, port), timeout=1).close()
    except OSError:
        return False
    return True


def _inspect(connection: Connection, name: str) -> dict[str, Any] | None:
    import docker.errors

    try:
        return dict(connection.client().inspect_container(name))
    except docker.errors.NotFound:
        return None


def _container(connection: Connection, one: dict[str, Any]) -> Container:
    state, configuration = one["State"], one["Config"]
    status = str(state.get("Status", ""))
    if status == "exited":
        status = f"exited ({state.get('ExitCode')})"
    port, url, note = _port(one), None, ""
    token = next((e[14:] for e in configuration.get("Env") or () if e.startswith("JUPYTER_TOKEN=")), None)
    if port and token:
        notebook = (configuration.get("Labels") or {}).get(LABEL_NOTEBOOK)
        path = f"/lab/tree/{quote(notebook)}" if notebook else "/lab"
        url = f"http://{ADDRESS}:{port}{path}?token={quote(token)}"
        if machine := connection.endpoint.machine:
            tunnel = f"ssh -N -L {port}:{ADDRESS}:{port} {machine}"
            note = f"it runs on {machine}, and answers only there: `{tunnel}` brings it here"
    return Container(
        name=str(one["Name"]).lstrip("/"),
        id=str(one["Id"]),
        ref=(configuration.get("Labels") or {}).get(REF, ""),
        status=status,
        url=url,
        started=str(state.get("StartedAt", "")),
        note=note,
    )


def _port(one: dict[str, Any]) -> int | None:
    bindings = ((one.get("NetworkSettings") or {}).get("Ports") or {}).get(f"{PORT}/tcp") or ()
    return next((int(b["HostPort"]) for b in bindings if str(b.get("HostPort", "")).isdecimal()), None)


def _log(connection: Connection, container: str, tail: int) -> list[str]:
    """The last lines, however long they are, in bounded memory."""
    client = connection.private(timeout=30)
    size, kept, lines = 0, deque[str](maxlen=tail), Lines()
    stream: Iterator[bytes] = client.logs(container, stream=True, follow=False, tail=tail)
    with contextlib.closing(client):
        for data in stream:
            kept.extend(lines.feed(data))
            size += len(data)
            if size > _LONGEST_LOG:
                break
        kept.extend(lines.end())
    return list(kept)
