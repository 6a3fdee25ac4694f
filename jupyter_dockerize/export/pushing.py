"""``build --push``: an image that is the same environment goes on into its registry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..cancel import Cancel
from ..engines.base import Engine
from ..engines.registry.names import check_pushable
from ..errors import CancelledError, EngineError, NamingCancelledError, UsageError
from ..events import Event, Finding, Report, Step
from .build import Built

PUSHING = "Pushing the image"
NOT_THE_SAME = "was not pushed: it is not found to be the same environment"


def check_push(ref: str, output: Path | None = None) -> None:
    """Raises `UsageError` where ``ref`` is no name in a registry, before any work is done for it."""
    if output is not None:
        raise UsageError(
            "an image that is written to a file is not pushed",
            fix="leave out --push or -o; `skopeo copy` puts such a file into a registry",
        )
    check_pushable(ref)


class Longer:
    """A report of steps which one more comes after."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._total = 1

    def __call__(self, event: Event) -> None:
        if isinstance(event, Step) and not event.within and event.total:
            event = replace(event, total=event.total + 1)
            self._total = event.total
        self._report(event)

    def last(self, name: str) -> None:
        self._report(Step(self._total, self._total, name))


def push_built(built: Built, engine: Engine, *, report: Longer, cancel: Cancel) -> Built:
    """Pushes it, unless it is not the same environment: a finding then says that it was not pushed.

    Raises what `Engine.push` raises; the image itself stays.
    """
    if not built.ok:
        finding = Finding(
            "not-pushed",
            "warning",
            f"{built.ref} {NOT_THE_SAME}",
            f"`jupyter dockerize push {built.ref}` pushes it as it is",
        )
        report(finding)
        return replace(built, findings=(*built.findings, finding))
    report.last(PUSHING)
    try:
        pushed = engine.push(built.ref, report=report, cancel=cancel)
    except NamingCancelledError:
        raise
    except CancelledError as error:
        raise CancelledError(f"cancelled: {built.ref} was made, and not pushed") from error
    except EngineError as error:
        again = f"the image is here: `jupyter dockerize push {built.ref}` tries again"
        error.fix = f"{error.fix}; {again}" if error.fix else again
        raise
    return replace(built, pushed=pushed, digest=pushed.digest)


__all__ = ["NOT_THE_SAME", "PUSHING", "Longer", "check_push", "push_built"]
