"""Observe → plan → copy → verify: an image without a builder, into an engine's store or into a file."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ..cancel import Cancel
from ..engines.base import Engine
from ..environment.choices import SCRATCH
from ..environment.compare import compare_files
from ..environment.comparison import Comparison
from ..environment.plan.copied import as_copied
from ..events import Counter, Finding, Report, Step
from ..image import archive, disk, readback
from ..image.cache import LayerCache
from ..image.layer import Compression
from ..image.layout import Layout
from ..image.manifest import ImageValue
from ..image.placed import placed
from ..image.reference import Reference
from ..sizes import count
from .asked import Asked
from .below import plan_on
from .build import Built, Made, refuse_to_overwrite, verified
from .copying import Copy, members, write
from .output import Output, output_of
from .prepare import VERIFYING, Planned, plan_image
from .recipes import Later, Locking
from .server import server_for

COPYING = "Copying the files"
STEPS = 3


def copy_into_engine(asked: Asked, engine: Engine, *, report: Report, cancel: Cancel) -> Built:
    """The environment's own files as an image of the engine, verified.

    Raises what `plan_image`, `plan_copy` and the engine raise; then nothing of it is left.
    """
    with contextlib.ExitStack() as stack:
        planned, copy, recipe = planned_copy(
            asked, lambda: stack.enter_context(_kept()), during=stack, report=report, cancel=cancel
        )
        if not asked.overwrite:
            refuse_to_overwrite(engine, asked.ref, planned.plan.notebook)
        report(Step(2, STEPS, COPYING))
        before = engine.inspect(asked.ref)
        kept: tuple[ImageValue, Path] | None = None

        def into(layout: Layout, compression: Compression) -> ImageValue:
            nonlocal kept
            known = LayerCache(layout.folder) if layout.lasting else None
            value = write(copy, layout, compression=compression, report=report, cancel=cancel, known=known)
            kept = (value, layout.folder) if layout.lasting else None
            return value

        def read_back() -> Comparison:
            assert kept is not None
            return compared(copy, *kept, report=report, cancel=cancel)

        image = engine.take(into, asked.ref, size=copy.size, report=report, cancel=cancel)
        findings = tuple(dict.fromkeys((*planned.findings, *copy.findings)))
        made = Made(ref=asked.ref, image=image, before=before, method="copy", findings=findings)
        step = Step(3, STEPS, VERIFYING)
        return verified(
            made,
            copy.plan,
            engine,
            step,
            recipe=recipe.kept,
            check=asked.check,
            read_back=read_back if kept else None,
            started=asked.started,
            report=report,
            cancel=cancel,
        )


def copy_into_files(asked: Asked, typed: Path, *, report: Report, cancel: Cancel) -> Built:
    """The environment's own files as an OCI layout (a folder) or as an archive that every loader takes, read
    back and compared with them.

    No engine is asked, and no network but for a base and to lock the recipe, which nothing waits for long.
    Raises `OutputError` where ``typed`` cannot be written, or there is no room for it, before the work; it
    is there whole, or as it was.
    """
    output = output_of(typed)
    with contextlib.ExitStack() as stack:
        unfinished = stack.enter_context(disk.unfinished_folder(output.path.absolute().parent))
        layout = Layout.create(unfinished.path, lasting=output.folder)
        planned, copy, recipe = planned_copy(
            asked, lambda: layout, during=stack, report=report, cancel=cancel
        )
        below = [layer.descriptor for layer in (copy.base.layers if copy.base else ())]
        there = sum(blob.size for blob in below if layout.path(blob.digest).exists())
        # An archive is put together from blobs, which are there until it is finished.
        disk.check_room(unfinished.path, copy.packed * (1 if output.folder else 2) - there)
        report(Step(2, STEPS, COPYING))
        notes: tuple[Finding, ...] = ()

        def files() -> Mapping[str, bytes]:
            nonlocal notes
            kept = recipe.kept()
            notes = kept.findings
            return kept.files

        value, comparison = deliver(
            copy,
            asked.ref,
            output,
            unfinished,
            layout,
            check=asked.check,
            recipe=files,
            report=report,
            cancel=cancel,
        )
    for finding in notes:
        report(finding)
    built = copied(planned, copy, value, comparison, asked, how="read back", notes=notes)
    return replace(built, output=output.path, recipe=output.recipe)


def deliver(
    copy: Copy,
    ref: str,
    output: Output,
    unfinished: disk.UnfinishedFolder,
    layout: Layout,
    *,
    check: bool,
    recipe: Callable[[], Mapping[str, bytes]] | None = None,
    report: Report,
    cancel: Cancel,
) -> tuple[ImageValue, Comparison | None]:
    """Writes the image to ``output``, looked through before it has its name; no comparison without ``check``.
    Until then it is in ``layout``, which is in the folder ``unfinished``.

    The files of ``recipe``, which is called then, go beside it (`Output.recipe`). Raises what `write`
    raises; then both are as they were.
    """
    comparison = None

    def look(path: Path) -> None:
        nonlocal comparison
        if check:
            report(Step(3, STEPS, VERIFYING))
            comparison = compared(copy, value, path, report=report, cancel=cancel)
        if recipe:
            undo.enter_context(placed(output.recipe, recipe()))

    reference = Reference.parse(ref)
    with contextlib.ExitStack() as undo:
        value = write(copy, layout, compression="gzip", report=report, cancel=cancel)
        if output.folder:
            layout.name(value, reference)
            look(unfinished.path)
            unfinished.name(output.path)
        else:
            archive.write(output.path, layout, value, reference, look=look, cancel=cancel)
    return value, comparison


def compared(copy: Copy, value: ImageValue, path: Path, *, report: Report, cancel: Cancel) -> Comparison:
    """The image in the layout or archive at ``path`` against the files that it is a copy of, one by one."""
    read = Counter("compared", copy.captured.size, report)
    below = len(copy.base.layers) if copy.base else 0
    differences = readback.read_back(
        path, value, members(copy), below=below, progress=read.add, cancel=cancel
    )
    return compare_files(copy.plan, differences)


def copied(
    planned: Planned,
    copy: Copy,
    value: ImageValue,
    comparison: Comparison | None,
    asked: Asked,
    *,
    how: str,
    before: int = 0,
    notes: tuple[Finding, ...],
) -> Built:
    """What is known of an image of which nothing was run. ``how`` its files were compared, but for those that
    were compared ``before``, when they were sent."""
    summary = comparison.summary() if comparison else "not verified"
    if comparison and comparison.verdict == "identical":
        files = sum(group.files for group in copy.captured.groups)
        since = f", {before:,} unchanged since they were" if before else ""
        if before == files:
            summary += f", {count(files, 'file')} unchanged since they were compared"
        else:
            summary += f", {count(files - before, 'file')} {how}{since}"
    return Built(
        ref=asked.ref,
        digest=value.descriptor.digest,
        image_id=value.config_descriptor.digest,
        engine="builtin",
        method="copy",
        verdict=comparison.verdict if comparison else "skipped",
        summary=summary,
        fingerprint=planned.plan.fingerprint,
        packages=len(planned.plan.packages.pip) + len(planned.plan.packages.conda),
        differences=comparison.differences if comparison else (),
        findings=tuple(dict.fromkeys((*planned.findings, *copy.findings, *notes))),
        size=copy.size,
        seconds=round(time.monotonic() - asked.started, 1),
    )


@contextlib.contextmanager
def _kept() -> Iterator[Layout]:
    """A layout for the layers of a base, until the engine has them."""
    with disk.unfinished_folder(Path(tempfile.gettempdir())) as folder:
        yield Layout.create(folder.path, lasting=False)


def planned_copy(
    asked: Asked,
    keep: Callable[[], Layout] | None,
    *,
    during: contextlib.ExitStack,
    steps: int = STEPS,
    report: Report,
    cancel: Cancel,
) -> tuple[Planned, Copy, Locking]:
    """What is to be copied, as the first of ``steps``, and its recipe, which is being locked ``during`` it.

    Layers of its base that had to be read are in the layout ``keep`` then; else they travel again.
    """
    where, base = asked.where, asked.wishes.base
    wishes = replace(asked.wishes, base=None) if base == SCRATCH else asked.wishes
    planned = plan_image(
        where, wishes, steps=steps, hashes=asked.hashes, adapt=as_copied, report=report, cancel=cancel
    )
    build = planned.build or planned.plan
    recipe = during.enter_context(Locking(build, planned.snapshot, Later(where, wishes), cancel))
    server = server_for(planned.plan, planned.snapshot, cancel=cancel)
    copy = plan_on(base, planned.plan, planned.snapshot, keep, server, report=report, cancel=cancel)
    for finding in copy.findings:
        report(finding)
    return planned, copy, recipe


__all__ = ["compared", "copied", "copy_into_engine", "copy_into_files", "deliver", "planned_copy"]
