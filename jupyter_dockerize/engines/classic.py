"""Builds through the Engine API itself: Docker's classic builder, and Podman's (Buildah).

Docker Engine API v1.41, ``POST /build``: the context is the body, the answer a stream of JSON
objects (``stream``, ``status`` with ``progressDetail``, ``error``).
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ..cancel import Cancel
from ..errors import BuildError, EngineError
from ..events import Report
from ..recipe.bundle import DOCKERFILE, Bundle
from ..recipe.steps import BUILDKIT, CLASSIC, Feature
from .connection import Connection
from .exchange import exchange
from .explain import Explanation, explain, status_in
from .podman import remove_working_containers
from .progress import Narrator
from .proxies import proxies

_STEP = re.compile(
    r"(?P<stage>\[\d+/\d+\] )?step (?P<number>\d+)/(?P<of>\d+) ?: (?P<name>.*)", re.I | re.DOTALL
)
_RED, _PLAIN = "\x1b[91m", "\x1b[0m"  # how the classic builder marks what came from stderr
_MADE = re.compile(r"(?: --->|-->) ([0-9a-f]{10,64})\s*")
_QUIET = re.compile(
    r" ?---> |--> |(\[Warning\] )?Removing intermediate container |(\[\d+/\d+\] )?COMMIT "
    r"|Successfully (built|tagged) |Resolving |[0-9a-f]{64}$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The builder behind the Engine API. ``podman``: Buildah, which has secret and cache mounts."""

    podman: bool = False

    @property
    def features(self) -> frozenset[Feature]:
        return BUILDKIT if self.podman else CLASSIC

    def __str__(self) -> str:
        return "Buildah in Podman" if self.podman else "classic"

    def build(
        self,
        connection: Connection,
        environ: Mapping[str, str],
        bundle: Bundle,
        tag: str,
        *,
        secrets: Mapping[str, bytes],
        report: Report,
        cancel: Cancel,
        pull: bool,
    ) -> None:
        """Builds into the engine's store as ``tag``. Raises what `Engine.build` does."""
        if bundle.secrets and not self.podman:
            raise EngineError(
                "this build needs a secret, and the engine's classic builder has no secret mounts",
                why=f"needed: {', '.join(bundle.secrets)}; a build argument would stay in its history",
                fix="install docker-buildx (docs.docker.com/go/buildx): the engine itself can do it",
            )
        narrator = Narrator(report)
        answer = _Answer(narrator)
        try:
            parameters = _parameters(bundle, tag, secrets, proxies(environ), pull=pull)
            for line in exchange(connection, parameters, _context(bundle, secrets), cancel):
                answer.line(line)
        except EngineError as error:
            if isinstance(error, BuildError) or answer.error:
                raise
            why = error.why or error.what
            raise EngineError("the engine went away during the build", why=why, fix=error.fix) from error
        finally:
            if cancel.cancelled:
                _forget(connection, answer.made, podman=self.podman)
        narrator.end()
        cancel.check()
        if answer.error:
            raise _failure(answer, narrator)


class _Object(msgspec.Struct):
    stream: str = ""
    status: str = ""
    id: str = ""
    progressDetail: dict[str, Any] | None = None  # noqa: N815 - the API's name
    error: str = ""


class _Answer:
    """The stream of the builder's JSON objects."""

    def __init__(self, narrator: Narrator) -> None:
        self.error = ""
        self.made: list[str] = []  # images that this build made, in order; not those of the cache
        self._narrator = narrator
        self._decoder = msgspec.json.Decoder(_Object)
        self._key = ""
        self._cached = False  # this step's image was there already
        self._said = False  # this step has printed something; before that comes the end of the "Step" line

    def line(self, data: bytes) -> None:
        try:
            said = self._decoder.decode(data)
        except msgspec.MsgspecError:
            return
        if said.error:
            self.error = said.error[:2000]
        elif said.stream:
            self._stream(said.stream)
        elif said.id and said.progressDetail and isinstance(total := said.progressDetail.get("total"), int):
            done = said.progressDetail.get("current")
            if said.status == "Downloading" and isinstance(done, int):
                self._narrator.transfer(self._key, said.id, done, total)

    def _stream(self, text: str) -> None:
        if step := _STEP.match(text):
            stage = step["stage"] or ""
            self._key, self._cached, self._said = f"{stage}{step['number']}", False, False
            self._narrator.begin(self._key, step["name"].strip(), stage=stage, of=int(step["of"]))
        elif made := _MADE.fullmatch(text):
            if not self._cached and not self._narrator.name(self._key).upper().startswith("FROM"):
                self.made.append(made[1])
        elif "Using cache" in text:
            self._cached = True
        elif not _QUIET.match(text) and (self._said or text != "\n"):
            self._said = True
            if text.startswith(_RED) and text.endswith(_PLAIN):
                text = text.removeprefix(_RED).removesuffix(_PLAIN)
                self._narrator.log(self._key, text.encode(), "stderr")
            else:
                self._narrator.log(self._key, text.encode())

    @property
    def step(self) -> str:
        return self._key


def _parameters(
    bundle: Bundle, tag: str, secrets: Mapping[str, bytes], arguments: Mapping[str, str], *, pull: bool
) -> dict[str, str]:
    parameters = {"t": tag, "dockerfile": DOCKERFILE, "rm": "1", "forcerm": "1"}
    if pull:
        parameters["pull"] = "1"
    if bundle.platform:
        parameters["platform"] = bundle.platform
    if arguments:
        parameters["buildargs"] = json.dumps(dict(arguments))
    if secrets:
        # Podman's own extension of the call: files of the context that are secrets.
        parameters["secrets"] = json.dumps([f"id={name},src={_secret_name(name)}" for name in secrets])
    return parameters


def _secret_name(name: str) -> str:
    # No COPY of a recipe can mean it: those name files of the bundle one by one.
    return f"jupyter-dockerize-secret-{name}"


def _context(bundle: Bundle, secrets: Mapping[str, bytes]) -> bytes:
    if not secrets:
        return bundle.tar()
    buffer = io.BytesIO(bundle.tar())
    with tarfile.open(fileobj=buffer, mode="a", format=tarfile.PAX_FORMAT) as archive:
        for name, data in secrets.items():
            member = tarfile.TarInfo(_secret_name(name))
            member.size, member.mode = len(data), 0o600
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _failure(answer: _Answer, narrator: Narrator) -> BuildError:
    log = narrator.tail(answer.step)
    name = narrator.name(answer.step)
    known = explain([*log, answer.error]) or Explanation(answer.error, "the log above says more")
    return BuildError(
        f"the build failed at: {name}" if name else "the build failed",
        why=known.why,
        fix=known.fix,
        log=log or [answer.error],
        status=status_in([answer.error]),
    )


def _forget(connection: Connection, images: list[str], *, podman: bool) -> None:
    """Removes what a cancelled build had made; the engine may still hold the last for a moment."""
    import docker.errors

    for image in reversed(images):
        if podman:
            remove_working_containers(connection, image)
        for _ in range(10):
            try:
                connection.client().remove_image(image, noprune=True)
            except docker.errors.APIError as error:  # noqa: PERF203 - ten times at most
                if error.status_code == 404:
                    break
                time.sleep(0.1)
            except Exception:
                return  # the engine is gone; so is the reason to tidy
            else:
                break
