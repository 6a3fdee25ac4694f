"""A layer out of a running container: what changed there, committed on the image that it was started from.

The container is the environment here. A command that fails in it makes no layer, and a commit that fails
leaves the head as it was; what was installed in the container by then is still there, for another commit.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..cancel import Cancel
from ..engines import choose
from ..engines.docker import DockerEngine
from ..engines.inhabited import Inhabited
from ..errors import FindingsError, NoEngineError, UsageError
from ..events import Report, Step
from . import pending, scanning, state
from .adding import Done
from .command import Command
from .committing import LABEL_CONTAINER, committed
from .layered import Layered
from .model import Typed
from .opening import opened
from .output import Lines
from .places import mounted_packages, places_of
from .programs import SETTINGS

RUNNING = "Running the command in the container"


def docker(name: str) -> DockerEngine:
    """The engine whose containers are meant. Raises `UsageError` where another one is asked for."""
    if name == "builtin":
        raise UsageError(
            "the builtin engine has no containers to install into",
            fix="leave --engine builtin out; without Docker, leave --container out",
        )
    found = choose("docker" if name == "auto" else name)
    if not isinstance(found, DockerEngine):
        raise NoEngineError("containers are Docker's", fix="start Docker, or leave --container out")
    return found


def ref_of(container: Inhabited, ref: str | None) -> str:
    """The image whose layers are meant: the container's own unless it is named. Raises `UsageError`."""
    if ref is not None:
        return ref
    if container.ref is None:
        raise UsageError(
            f"the image that {container.name} was started from has no name",
            fix="name the image that gets the layer: --image NAME",
        )
    return container.ref


def execute(
    engine: DockerEngine,
    container: Inhabited,
    command: Command,
    ref: str,
    *,
    allow: tuple[str, ...] = (),
    notebook: Path | None,
    report: Report,
    cancel: Cancel,
) -> Done:
    """Runs the command in the container, then commits it as one layer of ``ref``.

    A command that fails makes no layer: `Done.status` is its own. Raises `UsageError` where a layer of this
    container on ``ref`` is not possible, before anything is run, `FindingsError` for secrets in files, and
    `EngineError` where the container ends meanwhile; ``ref`` is as it was then.
    """
    started = time.monotonic()
    with _ready(engine, container, ref, command.safe, notebook, report, cancel) as layered:
        report(Step(1, 2, RUNNING))
        lines = Lines(command.secrets, report)
        began = time.monotonic()
        status = engine.command(container, command.text, environ=SETTINGS, output=lines.add, cancel=cancel)
        lines.end()
        own = time.monotonic() - began
        if status:
            number = layered.state.number
            return Done(
                image=ref, number=number, layer=None, status=status,
                seconds=time.monotonic() - started, own=own,
            )  # fmt: skip
        typed = Typed(
            command=command.safe,
            origin="commit",
            script=None if command.secret else command.safe,
            literal=command.literal,
            indexes=command.indexes,
        )
        layered.logins = {host: (user, password) for host, user, password in command.logins}
        values = (*command.secrets, *scanning.given(container))
        try:
            done = committed(layered, container, typed, values, allow, report, cancel)
        except FindingsError as error:
            codes = " ".join(f"--allow {code}" for code in sorted({each.code for each in error.findings}))
            error.fix = (
                f"{error.findings[0].fix}; or accept it: "
                f"`jupyter dockerize commit --container {container.name} -t {ref} {codes}`"
            )
            error.instead = ()
            raise
    return replace(done, seconds=time.monotonic() - started, own=own)


def commit(
    engine: DockerEngine,
    container: Inhabited,
    ref: str,
    *,
    allow: tuple[str, ...] = (),
    notebook: Path | None,
    report: Report,
    cancel: Cancel,
) -> Done:
    """The state of the container becomes a layer of ``ref``. Raises what `execute` raises."""
    started = time.monotonic()
    what = f"commit --container {container.name}"
    with _ready(engine, container, ref, what, notebook, report, cancel) as layered:
        typed = Typed(command=what, origin="commit")
        done = committed(layered, container, typed, scanning.given(container), allow, report, cancel)
    return replace(done, seconds=time.monotonic() - started)


@contextlib.contextmanager
def _ready(
    engine: DockerEngine,
    container: Inhabited,
    ref: str,
    what: str,
    notebook: Path | None,
    report: Report,
    cancel: Cancel,
) -> Iterator[Layered]:
    """The image, locked, when all that would stop a layer has been looked for."""
    image = engine.find(container.image)
    if container.ref is not None:  # of its names the one that somebody meant
        image = replace(image, refs=(container.ref, *image.refs))
    places = places_of(engine, container, image, cancel)
    there = engine.inspect(ref)
    if state.load(ref) is None and there is not None and there.id != container.image:
        raise _other(container, ref)
    with opened(
        ref, what, engine=engine.name, notebook=notebook, first=image, report=report, cancel=cancel
    ) as layered:
        _refuse_others(layered, container)
        pending.refuse(ref)
        for note in mounted_packages(container, places):
            report(note)
        yield layered


def _refuse_others(layered: Layered, container: Inhabited) -> None:
    """The layers above the container's image must be its own: others are not in it."""
    engine, now = layered.engine, layered.state
    ids = [made.image for made in now.layers]
    if container.image not in ids:
        raise _other(container, now.image)
    for number, made in list(enumerate(now.layers, 1))[ids.index(container.image) + 1 :]:
        image = engine.inspect(made.image)
        if image is None or image.labels.get(LABEL_CONTAINER) != container.id:
            raise UsageError(
                f"{container.name} runs {now.image} without its layer {number}",
                why="that was made since it was started, and elsewhere",
                fix=f"start a container from {now.image} as it is now; or give this one another name: "
                f"`jupyter dockerize commit --container {container.name} -t NAME`",
            )


def _other(container: Inhabited, ref: str) -> UsageError:
    return UsageError(
        f"{container.name} was not started from {ref}",
        why=f"it runs {container.ref or container.image[:19]}",
        fix="name that image, or one that there is not yet",
    )


__all__ = ["commit", "docker", "execute", "ref_of"]
