"""Observe → plan → copy → a registry: what `build --push` does without an engine's store."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from ..cancel import Cancel
from ..engines.base import Engine
from ..engines.builtin import BuiltinEngine
from ..engines.registry.names import check_pushable
from ..errors import CancelledError, NamingCancelledError
from ..events import Finding, Report, Step
from ..image.cache import LayerCache
from .asked import Asked
from .build import Built
from .copy import copied, planned_copy
from .keeping import REGISTRY, keep_named
from .pushing import NOT_THE_SAME
from .sending import Sent, send

SENDING = "Copying the files into the registry"
STEPS = 2


def copy_into_registry(asked: Asked, engine: Engine, *, report: Report, cancel: Cancel) -> Built:
    """The environment's own files as an image of its registry, compared on their way.

    Raises what `plan_image` and `plan_copy` raise, and what `send` raises; then the name is what it was.
    Cancelled later it is the new image, and its recipe is not kept: the error says so.
    """
    assert isinstance(engine, BuiltinEngine)
    ref = asked.ref
    name = check_pushable(ref)
    with contextlib.ExitStack() as stack:
        planned, copy, recipe = planned_copy(
            asked, None, during=stack, steps=STEPS, report=report, cancel=cancel
        )
        report(Step(2, STEPS, SENDING))
        try:
            known = LayerCache(engine.store.folder)
            sent = send(copy, name, check=asked.check, known=known, report=report, cancel=cancel)
        except NamingCancelledError:
            raise
        except CancelledError as error:
            raise CancelledError(f"cancelled: {ref} is what it was before") from error
        extra = _findings(ref, sent, engine)
        folder = None
        if sent.pushed:
            try:
                kept = recipe.kept()
            except CancelledError as error:
                said = f"cancelled: {ref} is in its registry already; its recipe is not kept"
                raise CancelledError(said) from error
            folder, notes = keep_named(REGISTRY, ref, kept)
            extra = (*extra, *notes)
    for finding in extra:
        report(finding)
    built = copied(
        planned,
        copy,
        sent.value,
        sent.comparison,
        asked,
        how="compared as they were sent",
        before=sent.before,
        notes=extra,
    )
    digest = sent.pushed.digest if sent.pushed else None
    return replace(built, digest=digest, pushed=sent.pushed, kept=False, recipe=folder)


def _findings(ref: str, sent: Sent, engine: Engine) -> tuple[Finding, ...]:
    if sent.pushed is None:
        fix = "build again when nothing is written to the environment; without --push the image is kept here"
        return (Finding("not-pushed", "warning", f"{ref} {NOT_THE_SAME}", fix),)
    there = engine.inspect(ref)
    if there is not None and there.digest != sent.pushed.digest:
        return (
            Finding(
                "registry-only",
                "warning",
                f"{ref} is in its registry only, and the image that has this name here is another one",
                f"`jupyter dockerize prune {ref}` removes that one; to have the new one here, too: build "
                f"without --push, then `jupyter dockerize push {ref}`",
            ),
        )
    if there is not None:
        return ()
    return (
        Finding(
            "registry-only",
            "info",
            f"{ref} is in its registry only, and nothing of it is kept here",
            f"to have it here, too: build without --push, then `jupyter dockerize push {ref}`",
        ),
    )


__all__ = ["SENDING", "copy_into_registry"]
