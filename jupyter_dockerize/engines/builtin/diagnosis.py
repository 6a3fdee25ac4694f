"""What can be done here without a daemon: whether images can be written, and whether they can be opened."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from ... import __version__
from ...environment.interpret.machine import system_name
from ...errors import NoEngineError, OutputError, UsageError
from ...image.store import Store
from ..base import Status
from . import bwrap, stranger

NAME = "builtin"
_ELSEWHERE = "c.Dockerize.store names another folder"


def status(of: Callable[[], Store], environ: Mapping[str, str]) -> Status:
    """See `Engine.status`; ``of`` gives the store, or raises `UsageError` where the configuration is wrong.

    Where images are that can be used it is available, if no more can be written, or none be opened.
    """
    if sys.platform != "linux":
        return _none(
            f"files of {system_name()} do not run in an image, which is Linux",
            "start Docker Desktop; or write the recipe by `jupyter dockerize recipe NB -o DIR`, and build it "
            "where Docker is",
        )
    try:
        store = of()
        holds = bool(store.images())
    except UsageError as error:
        return _none(error.cause, error.fix)
    except OSError as error:
        return _none(f"{error.filename} cannot be read: {error.strerror}", _ELSEWHERE)
    reasons, fixes = [f"writes images into {store.folder}"], []
    try:
        store.check_writable()
    except OutputError as error:
        fix = f"{error.fix}: {_ELSEWHERE}"
        if not holds:
            return _none(error.cause, fix)
        reasons, fixes = [f"has images in {store.folder}; cannot write new ones: {error.why}"], [fix]
    try:
        bwrap.program(environ, user=stranger.number())
    except NoEngineError as error:
        reasons.append(f"cannot open them: {error.why}")
        fixes.append(error.fix)
    return Status(
        name=NAME,
        available=True,
        version=__version__,
        reason="; ".join(reasons),
        fix="; ".join(fixes),
        endpoint=str(store.folder),
        flavour=NAME,
        builder="copy",
    )


def _none(reason: str, fix: str) -> Status:
    return Status(name=NAME, available=False, reason=reason, fix=fix)


__all__ = ["NAME", "status"]
