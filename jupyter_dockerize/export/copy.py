"""Observe → plan → copy → verify: an image without a builder, into an engine's store or into a file."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from pathlib import Path

from ..cancel import Cancel
from ..engines.base import Engine
from ..environment.choices import Wishes
from ..environment.observe.ways import Where
from ..environment.plan.copied import as_copied
from ..errors import OutputError, UsageError
from ..events import Report, Step
from ..image import archive, disk
from ..image.layout import Layout
from ..image.manifest import ImageValue
from ..image.reference import Reference
from .build import Built, Made, refuse_to_overwrite, verified
from .copying import Copy, plan_copy, write
from .prepare import VERIFYING, Planned, plan_image

COPYING = "Copying the files"
STEPS = 3


def copy_into_engine(
    where: Where,
    wishes: Wishes,
    engine: Engine,
    ref: str,
    *,
    overwrite: bool,
    check: bool,
    hashes: bool,
    started: float,
    report: Report,
    cancel: Cancel,
) -> Built:
    """The environment's own files as the image ``ref`` of the engine, verified.

    Raises what `plan_image`, `plan_copy` and the engine raise; then nothing of it is left.
    """
    planned, copy = _planned(where, wishes, STEPS, hashes=hashes, report=report, cancel=cancel)
    if not overwrite:
        refuse_to_overwrite(engine, ref, planned.plan.notebook)
    report(Step(2, STEPS, COPYING))
    before = engine.inspect(ref)
    image = engine.take(
        lambda layout, compression: write(
            copy, layout, compression=compression, report=report, cancel=cancel
        ),
        ref,
        size=copy.captured.size,
        report=report,
        cancel=cancel,
    )
    findings = tuple(dict.fromkeys((*planned.findings, *copy.findings)))
    made = Made(ref=ref, image=image, before=before, method="copy", findings=findings)
    step = Step(3, STEPS, VERIFYING)
    return verified(made, copy.plan, engine, step, check=check, started=started, report=report, cancel=cancel)


def copy_into_files(
    where: Where,
    wishes: Wishes,
    ref: str,
    output: Path,
    *,
    hashes: bool,
    started: float,
    report: Report,
    cancel: Cancel,
) -> Built:
    """The environment's own files as an OCI layout (a folder) or as an archive that every loader takes.

    No engine is asked and no network. Raises `OutputError` where ``output`` cannot be written; it is there
    whole, or as it was.
    """
    folder = _is_folder(output)
    _check_output(output, folder)
    planned, copy = _planned(where, wishes, STEPS - 1, hashes=hashes, report=report, cancel=cancel)
    report(Step(2, STEPS - 1, COPYING))
    reference = Reference.parse(ref)
    temporary = output.parent / f"{disk.TEMPORARY}{secrets.token_hex(8)}"
    try:
        layout = Layout.create(temporary)
        value = write(copy, layout, compression="gzip", report=report, cancel=cancel)
        if folder:
            layout.name(value, reference)
            disk.rename(temporary, output)
            disk.sync_folder(output.parent)
        else:
            archive.write(output, layout, value, reference, cancel=cancel)
    except OSError as error:
        raise OutputError(f"{output} cannot be written", why=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return _written(planned, copy, value, ref, output, started)


def _planned(
    where: Where, wishes: Wishes, steps: int, *, hashes: bool, report: Report, cancel: Cancel
) -> tuple[Planned, Copy]:
    if wishes.base is not None:
        raise UsageError("--base does not go with --method copy", fix="leave one of them out")
    planned = plan_image(
        where, wishes, steps=steps, hashes=hashes, adapt=as_copied, report=report, cancel=cancel
    )
    copy = plan_copy(planned.plan, planned.snapshot, wishes.allow)
    for finding in copy.findings:
        report(finding)
    return planned, copy


def _written(
    planned: Planned, copy: Copy, value: ImageValue, ref: str, output: Path, started: float
) -> Built:
    return Built(
        ref=ref,
        digest=value.descriptor.digest,
        image_id=value.config_descriptor.digest,
        engine="builtin",
        output=output,
        method="copy",
        verdict="skipped",
        summary="written, and no engine has looked into it",
        fingerprint=planned.plan.fingerprint,
        packages=len(planned.plan.packages.pip) + len(planned.plan.packages.conda),
        differences=(),
        findings=tuple(dict.fromkeys((*planned.findings, *copy.findings))),
        size=copy.captured.size,
        seconds=round(time.monotonic() - started, 1),
    )


def _is_folder(output: Path) -> bool:
    return output.is_dir() or output.suffix not in (".tar", ".oci")


def _check_output(output: Path, folder: bool) -> None:
    """Before any work is done for it."""
    if folder and output.exists() and any(output.iterdir()):
        raise OutputError(
            f"{output} is not empty", fix="name a folder that does not exist yet, or a file: image.tar"
        )
    if not output.absolute().parent.is_dir() or not os.access(output.absolute().parent, os.W_OK):
        raise OutputError(
            f"{output} cannot be written",
            why=f"{output.absolute().parent} is not a folder that may be written",
            fix="name another place",
        )


__all__ = ["copy_into_engine", "copy_into_files"]
