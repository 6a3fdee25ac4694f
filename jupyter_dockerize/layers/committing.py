"""What changed in a container → one layer, committed on the image that the container was started from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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
from ..engines.base import Image
from ..engines.committing import About
from ..engines.docker import DockerEngine
from ..engines.inhabited import Inhabited
from ..environment.compare import compare
from ..environment.comparison import Comparison
from ..environment.model import SCHEMA, Packages, Snapshot, dump, to_json
from ..environment.plan.planning import Plan, refuse
from ..errors import EngineError, FindingsError, UsageError
from ..events import Finding, Log, Report, Step
from ..export.inside import has_plan
from ..image.manifest import canonical
from . import scanning
from .adding import Done, many, stacked
from .layered import FOUND, Layered
from .looking import inside, nothing_in
from .model import Layer, Typed, Was
from .pinning import Pinned, changed, label, pinned
from .state import named, next_chain, passing

COMMITTING = "Committing the container"
LABEL_CONTAINER = "jupyter-dockerize.container"  # the id of the one that an image was committed from
_SHOWN = 200  # characters of a command in the history of the image


def committed(
    layered: Layered,
    container: Inhabited,
    typed: Typed,
    values: Sequence[str],
    allow: tuple[str, ...],
    report: Report,
    cancel: Cancel,
) -> Done:
    """The layer of what changed in the container; none where nothing did. ``values`` are secrets to look for.

    Raises `FindingsError` where files hold secrets that ``allow`` does not name, and `EngineError`.
    """
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


__all__ = ["LABEL_CONTAINER", "committed"]
