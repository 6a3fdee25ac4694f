"""A layer out of a running container: what changed there, committed on the image that it was started from.

The container is the environment here. A command that fails in it makes no layer, and a commit that fails
leaves the head as it was; what was installed in the container by then is still there, for another commit.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .. import __version__
from ..cancel import Cancel
from ..contents.identity import (
    LABEL_BASE,
    LABEL_METHOD,
    LABEL_PYTHON,
    LABEL_SCHEMA,
    LABEL_VERSION,
    PLAN_PATH,
)
from ..engines import choose
from ..engines.base import Image
from ..engines.committing import About
from ..engines.docker import DockerEngine
from ..engines.inhabited import Inhabited
from ..environment.compare import compare
from ..environment.comparison import Comparison
from ..environment.model import SCHEMA, Packages, Snapshot, dump, to_json
from ..environment.plan.planning import Plan, refuse
from ..errors import EngineError, FindingsError, NoEngineError, UsageError, VerificationError
from ..events import Finding, Log, Report, Step
from ..export.inside import has_plan
from ..image.manifest import canonical
from . import pending, scanning, state
from .adding import Done, many, stacked
from .command import Command
from .layered import FOUND, Layered
from .looking import inside, nothing_in
from .model import Layer, Typed, Was
from .opening import opened
from .output import Lines
from .pinning import Pinned, changed, label, pinned
from .programs import SETTINGS
from .state import named, next_chain, passing

RUNNING = "Running the command in the container"
COMMITTING = "Committing the container"
_SHOWN = 200  # characters of a command in the history of the image
LABEL_CONTAINER = "jupyter-dockerize.container"  # the id of the one that an image was committed from
_PLACES = """\
p=$(command -v {python}) || exit 9
exec "$p" -c 'import json, os, site, sys, sysconfig
paths = [sys.prefix, sys.base_prefix, *(sysconfig.get_path(n) for n in ("purelib", "platlib", "stdlib"))]
own = site.getusersitepackages() if site.ENABLE_USER_SITE else ""
print(json.dumps([os.getuid(), sorted(set(map(os.path.realpath, paths))), own and os.path.realpath(own)]))'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where the container's environment is. ``uid`` is the user that commands run as."""

    uid: int
    paths: tuple[str, ...]
    own: str  # of packages that the user installs for themselves; "" where there are none


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
    with _ready(engine, container, ref, command.safe, notebook, report, cancel) as (layered, places):
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
            root=places.uid == 0,
            indexes=command.indexes,
        )
        layered.logins = {host: (user, password) for host, user, password in command.logins}
        values = (*command.secrets, *scanning.given(container))
        try:
            done = _committed(layered, container, typed, values, (), report, cancel)
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
    with _ready(engine, container, ref, what, notebook, report, cancel) as (layered, places):
        typed = Typed(command=what, origin="commit", root=places.uid == 0)
        done = _committed(layered, container, typed, scanning.given(container), allow, report, cancel)
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
) -> Iterator[tuple[Layered, _Places]]:
    """The image, locked, when all that would stop a layer has been looked for."""
    image = engine.find(container.image)
    if container.ref is not None:  # of its names the one that somebody meant
        image = replace(image, refs=(container.ref, *image.refs))
    places = _places(engine, container, image, cancel)
    _refuse_mounts(container, places)
    there = engine.inspect(ref)
    if state.load(ref) is None and there is not None and there.id != container.image:
        raise _other(container, ref)
    with opened(
        ref, what, engine=engine.name, notebook=notebook, first=image, report=report, cancel=cancel
    ) as layered:
        _refuse_others(layered, container)
        pending.refuse(ref)
        for note in _own_packages(container, places):
            report(note)
        yield layered, places


def _committed(
    layered: Layered,
    container: Inhabited,
    typed: Typed,
    values: Sequence[str],
    allow: tuple[str, ...],
    report: Report,
    cancel: Cancel,
) -> Done:
    """The layer of what changed in the container; none where nothing did."""
    engine, now = layered.engine, layered.state
    assert isinstance(engine, DockerEngine)
    report(Step(2, 2, COMMITTING))
    with scanning.aside(engine, container):
        files = engine.changes(container)
        found = scanning.secrets(engine, container, files, values, cancel)
        refuse(found, allow)
        others = scanning.of_no_package(container, files)
        work = _Work(layered, typed, others, container, report, cancel)
        report(Log(f"{container.name} is paused while it is committed"))
        with passing(engine, now.image, "container") as tag:
            image = engine.commit(container, tag, work.about, report=report, cancel=cancel)
            if work.nothing:
                return Done(image=now.image, number=now.number, layer=None, findings=found)
            entry = work.pinned.entry
            engine.tag(image.id, named(now.image, next_chain(now, entry), engine.name))
    made = stacked(layered, entry, engine.find(image.id))
    return Done(
        image=now.image,
        number=layered.state.number,
        layer=entry.layer,
        image_id=image.id,
        size=made.size,
        verdict=work.comparison.verdict,
        summary=work.comparison.summary(),
        findings=(*found, *work.findings, *many(layered.state)),
    )


def _said(layer: Layer) -> str:
    return canonical(to_json(layer)).decode()


class _Work:
    """What a commit holds, found out by looking into it: the layer, and what the image says of itself."""

    pinned: Pinned
    comparison: Comparison

    def __init__(
        self,
        layered: Layered,
        typed: Typed,
        others: tuple[str, ...],
        container: Inhabited,
        report: Report,
        cancel: Cancel,
    ) -> None:
        self.findings: tuple[Finding, ...] = ()
        self.nothing = False
        self._layered, self._typed, self._others = layered, typed, others
        self._container, self._report, self._cancel = container, report, cancel

    def about(self, image: Image) -> About:
        """See `DockerEngine.commit`."""
        layered, head = self._layered, self._layered.plan()
        engine, now = layered.engine, layered.state
        labelled = replace(image, labels=engine.find(self._container.image).labels)
        below = engine.find(now.head.image)
        before, _ = inside(engine, below, head, self._report, self._cancel)
        after, snapshot = inside(engine, labelled, head, self._report, self._cancel)
        change = changed(head, before, after)  # all of it, whoever installed it there
        self.nothing = nothing_in(change) and not self._others and not self._typed.literal
        if self.nothing:
            return About()
        self.pinned = self._pinned(head, after, change, snapshot)
        plan, layer = self.pinned.plan, self.pinned.entry.layer
        self.comparison = compare(plan, snapshot)
        labels = {
            **(_identity(layered, snapshot) if now.method == FOUND else {}),
            **{label(number): _said(made.layer) for number, made in enumerate(now.layers[1:], 2)},
            **layered.labels(now.number + 1, layer, plan),
            LABEL_CONTAINER: self._container.id,
        }
        # The plan of the first layer, which those of the others are told by their labels.
        carried = has_plan(engine.find(self._container.image))
        files = {} if carried else {PLAN_PATH: dump(layered.first)}
        return About(labels=labels, files=files, command=layer.command[:_SHOWN])

    def _pinned(
        self,
        head: Plan,
        after: Plan,
        change: tuple[Packages, tuple[Was, ...]],
        snapshot: Snapshot,
    ) -> Pinned:
        """The layer, locked; where that is not possible, as one that nothing pins."""
        typed = self._typed
        if typed.script is None and self._others:
            typed = replace(typed, literal=True)

        def locked(typed: Typed, after: Plan) -> Pinned:
            return pinned(
                typed, head, after, change, snapshot, self._layered.base,
                logins=self._layered.logins, report=self._report, cancel=self._cancel,
            )  # fmt: skip

        try:
            found, why = locked(typed, after), ""
        except (FindingsError, EngineError, UsageError) as error:
            why = error.brief
            found = locked(replace(typed, literal=True), replace(after, packages=Packages()))
        self.findings = (*found.findings, *_unpinned(typed, why), *scanning.not_in_a_rebuild(self._others))
        return found


def _unpinned(typed: Typed, why: str) -> tuple[Finding, ...]:
    if why:
        return (
            Finding(
                "not-pinned",
                "warning",
                f"the layer is in the image, and its packages are not pinned: {why}",
                f"where it is rebuilt, {'indexes are asked again' if typed.script else 'they are missing'}; "
                "the image itself is whole",
            ),
        )
    if typed.literal and not typed.script:
        return (
            Finding(
                "not-pinned",
                "warning",
                "the command holds a secret, so it is not kept: an image that is rebuilt lacks what it did",
                "nothing for the image, which is whole; typed without the secret, it is run again",
            ),
        )
    if typed.literal:
        return (
            Finding(
                "not-pinned",
                "info",
                "the command is kept as it was typed: a rebuild runs it again, unpinned",
                "nothing; installs by pip, conda or apt alone are pinned",
            ),
        )
    return ()


def _identity(layered: Layered, snapshot: Snapshot) -> dict[str, str]:
    """What an image says of itself that others made, and that has a layer of ours."""
    return {
        LABEL_SCHEMA: str(SCHEMA),
        LABEL_VERSION: __version__,
        LABEL_METHOD: FOUND,
        LABEL_PYTHON: snapshot.python.executable,
        LABEL_BASE: layered.base.ref,
    }


def _places(engine: DockerEngine, container: Inhabited, image: Image, cancel: Cancel) -> _Places:
    named = image.labels.get(LABEL_PYTHON, "")
    said: list[bytes] = []
    pythons = [named] if named.startswith("/") else ["python3", "python"]
    for python in pythons:
        said.clear()
        script = _PLACES.replace("{python}", shlex.quote(python))
        if engine.command(container, script, environ={}, output=said.append, cancel=cancel) == 0:
            break
    try:
        uid, paths, own = json.loads(b"".join(said))
        return _Places(uid=int(uid), paths=tuple(map(str, paths)), own=str(own))
    except (ValueError, TypeError, RecursionError) as error:
        text = b"".join(said).decode("utf-8", "replace").strip()
        raise VerificationError(
            f"there is no Python in the container {container.name}",
            why=text.splitlines()[-1][:200] if text else "neither python3 nor python is on its PATH",
            fix="name a container with an environment",
        ) from error


def _refuse_mounts(container: Inhabited, places: _Places) -> None:
    for path in places.paths:
        for mount in container.mounts:
            if _below(path, mount):
                raise UsageError(
                    f"the environment of {container.name} is not in the container",
                    why=f"{path} lies on what is mounted at {mount}, and a commit takes no mount along",
                    fix="start a container without that mount; or install into another environment",
                )


def _own_packages(container: Inhabited, places: _Places) -> Iterator[Finding]:
    if places.own and any(_below(places.own, mount) for mount in container.mounts):
        yield Finding(
            "mounted-packages",
            "warning",
            f"what is installed for the user alone (pip install --user) is no part of {container.name}",
            f"{places.own} is mounted: install into the environment itself",
        )


def _below(path: str, mount: str) -> bool:
    return path == mount or path.startswith(mount.rstrip("/") + "/")


def _refuse_others(layered: Layered, container: Inhabited) -> None:
    """The layers above the container's image must be its own: others are not in it."""
    engine, now = layered.engine, layered.state
    ids = [made.image for made in now.layers]
    if container.image not in ids:
        raise _other(container, now.image)
    for number, made in enumerate(
        now.layers[ids.index(container.image) + 1 :], ids.index(container.image) + 2
    ):
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
