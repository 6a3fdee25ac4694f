"""Render → build → verify: a prepared environment becomes an image that is looked into."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..cancel import Cancel
from ..contents.identity import LABEL_FINGERPRINT, LABEL_NOTEBOOK, Method
from ..engines.base import Engine, Image, Pushed
from ..environment.comparison import Comparison, Difference, Verdict
from ..environment.plan.planning import Plan
from ..errors import DockerizeError, EngineError, NoEngineError, UsageError, VerificationError
from ..events import Event, Finding, Progress, Report, Step
from ..recipe.captions import captions
from ..resolve.credentials import secrets_for
from ..sizes import size
from .prepare import BUILDING, STEPS, UNPINNED, VERIFYING, Prepared
from .recipes import Kept, Later, kept
from .verify import verify_against_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An image, and what is known of it. ``size`` in bytes, ``seconds`` from looking to verdict."""

    ref: str
    digest: str | None
    image_id: str
    engine: str
    method: Method
    verdict: Verdict
    summary: str  # the verdict in a sentence
    fingerprint: str
    packages: int
    differences: tuple[Difference, ...]
    findings: tuple[Finding, ...]
    size: int
    seconds: float
    output: Path | None = None  # a file or folder, where it was not put into an engine's store
    pushed: Pushed | None = None
    kept: bool = True  # in an engine's store, or in ``output``; else it is nowhere but where it was pushed to
    recipe: Path | None = None  # the folder beside it; None where that could not be written

    @property
    def ok(self) -> bool:
        return self.verdict in ("identical", "equivalent", "skipped")

    def __repr__(self) -> str:
        """What a notebook shows of it: the card has said the rest."""
        return f"Built({self.ref}, {self.verdict}, {size(self.size)})"


def build(
    prepared: Prepared,
    engine: Engine,
    ref: str,
    *,
    later: Later = Later(),  # noqa: B008 - frozen
    overwrite: bool = False,
    check: bool = True,
    started: float | None = None,
    report: Report,
    cancel: Cancel,
) -> Built:
    """Builds ``ref`` from what was prepared, and looks whether it holds what was planned.

    ``overwrite`` lets it take the name of another notebook's image; ``check`` False skips the
    verification. ``started`` is the `time.monotonic` of the moment that the user asked; ``later`` says what
    writes the recipe another time.
    """
    started = time.monotonic() if started is None else started
    if not overwrite:
        refuse_to_overwrite(engine, ref, prepared.plan.notebook)
    report(Step(3, len(STEPS), BUILDING))
    prepared = _pinned(prepared, engine, report=report, cancel=cancel)
    bundle = prepared.bundle(engine.features())
    before = engine.inspect(ref)
    image = engine.build(
        bundle,
        ref,
        secrets=secrets_for(prepared.resolution, prepared.snapshot),
        report=steps_within(BUILDING, captions(bundle.dockerfile), report),
        cancel=cancel,
    )
    made = Made(ref=ref, image=image, before=before, method="rebuild", findings=prepared.findings)
    step = Step(4, len(STEPS), VERIFYING)
    return verified(
        made,
        prepared.plan,
        engine,
        step,
        recipe=lambda: kept(prepared.plan, prepared.snapshot, bundle, later),
        check=check,
        started=started,
        report=report,
        cancel=cancel,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An image that nobody has looked into yet, and the one that had its name ``before``."""

    ref: str
    image: Image
    before: Image | None
    method: Method
    findings: tuple[Finding, ...]


def verified(
    made: Made,
    plan: Plan,
    engine: Engine,
    step: Step,
    *,
    recipe: Callable[[], Kept],
    check: bool,
    read_back: Callable[[], Comparison] | None = None,
    started: float,
    report: Report,
    cancel: Cancel,
) -> Built:
    """Looks into the image, as ``step``; cancelled meanwhile, the name is as it was, or not there.

    ``read_back`` compares its files, which is done before any of its programs is run. ``recipe`` is what is
    kept beside it.
    """
    image = made.image
    try:
        report(step)
        verdict, comparison, extra = _verdict(
            plan, engine, image, check=check, read_back=read_back, report=report, cancel=cancel
        )
        folder, notes = _keep(engine, made.ref, image, recipe)
    except BaseException:
        _put_back(engine, made.ref, made.before, image)
        raise
    extra += (*_replaced(engine, made.before, image), *notes)
    for finding in extra:
        report(finding)
    return Built(
        ref=made.ref,
        digest=image.digest,
        image_id=image.id,
        engine=engine.name,
        method=made.method,
        verdict=verdict,
        summary=comparison.summary() if comparison else extra[0].message if check else "not verified",
        fingerprint=plan.fingerprint,
        packages=len(plan.packages.pip) + len(plan.packages.conda),
        differences=comparison.differences if comparison else (),
        findings=(*made.findings, *extra),
        size=image.size,
        seconds=round(time.monotonic() - started, 1),
        recipe=folder,
    )


def _keep(
    engine: Engine, ref: str, image: Image, recipe: Callable[[], Kept]
) -> tuple[Path | None, tuple[Finding, ...]]:
    if sys.platform == "win32":  # our store locks its files as Unix does
        said = "beside images no recipe is kept here: that is done on Linux and macOS"
        fix = "`jupyter dockerize recipe NB -o DIR` writes it"
        return None, (Finding("recipe-not-kept", "info", said, fix),)
    from .keeping import keep

    return keep(engine, ref, image, recipe)


def _put_back(engine: Engine, ref: str, before: Image | None, image: Image) -> None:
    if before is None:
        _remove(engine, ref)
    elif before.id != image.id:
        engine.tag(before.id, ref)
        _remove(engine, image.id)


def _remove(engine: Engine, ref: str) -> None:
    """A busy engine may hold the container of the verification that was cancelled a moment longer."""
    for _ in range(9):
        with contextlib.suppress(EngineError):
            engine.remove(ref)
            return
        time.sleep(0.2)
    engine.remove(ref)


def _replaced(engine: Engine, before: Image | None, image: Image) -> tuple[Finding, ...]:
    left = engine.inspect(before.id) if before and before.id != image.id else None
    if left is None or left.refs:
        return ()
    return (
        Finding(
            "image-replaced",
            "info",
            f"the image that had this name is still there, {size(left.size)}",
            "`jupyter dockerize prune` removes it"
            if engine.name == "builtin"
            else f"`docker rmi {left.id.partition(':')[2][:12]}` removes it",
        ),
    )


def refuse_to_overwrite(engine: Engine, ref: str, notebook: str | None) -> None:
    there = engine.inspect(ref)
    if there is None:
        return
    owner = there.labels.get(LABEL_NOTEBOOK) if LABEL_FINGERPRINT in there.labels else None
    if owner is None or owner != (notebook or ""):
        whose = f"of another notebook ({owner})" if owner else "not ours"
        raise UsageError(
            f"there is an image {ref} already, and it is {whose}",
            fix="choose another name with -t NAME; -t with this one replaces it",
        )


def _pinned(prepared: Prepared, engine: Engine, *, report: Report, cancel: Cancel) -> Prepared:
    """The base by digest, asked of the engine where no registry answered us (mirrors, offline)."""
    base = prepared.resolution.base
    if base.digest or prepared.plan.foreign:
        return prepared
    image = engine.inspect(base.ref) or engine.pull(base.ref, report=report, cancel=cancel)
    if image.digest is None:
        return prepared
    findings = tuple(f for f in prepared.resolution.findings if f.code != UNPINNED)
    resolution = dataclasses.replace(
        prepared.resolution, base=dataclasses.replace(base, digest=image.digest), findings=findings
    )
    return dataclasses.replace(prepared, resolution=resolution)


def steps_within(step: str, caption: Callable[[str], str], report: Report) -> Callable[[Event], None]:
    """Tells the builder's own steps from ours, and what each is for."""

    def pass_on(event: Event) -> None:
        if isinstance(event, Step):
            event = dataclasses.replace(event, within=step, name=caption(event.name))
        elif isinstance(event, Progress):
            event = dataclasses.replace(event, what=caption(event.what))
        report(event)

    return pass_on


def _verdict(
    plan: Plan,
    engine: Engine,
    image: Image,
    *,
    check: bool,
    read_back: Callable[[], Comparison] | None,
    report: Report,
    cancel: Cancel,
) -> tuple[Verdict, Comparison | None, tuple[Finding, ...]]:
    if not check:
        return "skipped", None, ()
    files = read_back() if read_back else None
    if files and files.verdict != "identical":
        return files.verdict, files, ()
    try:
        edited = any(package.edited for package in plan.packages.pip)
        comparison = verify_against_plan(engine, image, plan, hashes=edited, report=report, cancel=cancel)
    except (VerificationError, EngineError, NoEngineError) as error:
        cancel.check()
        if files and isinstance(error, NoEngineError):
            said = f"every file of the image was compared, and no program of it was run: {error.why}"
            return files.verdict, files, (Finding("not-run", "info", said, error.fix),)
        return "impossible", None, (Finding("not-verifiable", "warning", _said(error), error.fix),)
    return comparison.verdict, comparison, ()


def _said(error: DockerizeError) -> str:
    last = error.why.strip().rpartition("\n")[2]
    return f"{error.what}: {last[:300]}" if last else error.what
