"""How the image that is asked for is made: rebuilt or copied, by an engine, into a file, into a registry."""

from __future__ import annotations

import sys
from dataclasses import replace

from ..cancel import Cancel
from ..engines import check_name, choose
from ..engines.base import Engine
from ..environment.interpret.machine import system_name
from ..environment.plan.platform import is_another
from ..errors import UsageError
from ..events import Finding, Report
from .asked import Asked
from .build import Built, build
from .prepare import prepare
from .pushing import Longer, check_push, push_built
from .recipes import Later


def make(asked: Asked, *, report: Report, cancel: Cancel) -> Built:
    """The image, verified, and pushed where that is asked for, too.

    Raises `UsageError` for what does not go together, and `NoEngineError` where there is no engine, before
    any work; and what planning, building and pushing raise.
    """
    if asked.push:
        check_push(asked.ref, asked.output)
    if sys.platform != "linux" and (asked.output is not None or asked.method == "copy"):
        raise UsageError(
            f"files of {system_name()} cannot be copied into an image, which is Linux",
            fix="leave --method copy and -o out: rebuilt, each package is taken for Linux",
        )
    if asked.output is not None:
        if asked.method == "rebuild":
            raise UsageError("only a copied image is written to a file", fix="leave --method rebuild out")
        from .copy import copy_into_files  # Unix only

        notes = _passed_over(asked.engine)
        _tell(notes, report)
        built = copy_into_files(asked, asked.output, report=report, cancel=cancel)
    else:
        engine = _engine(asked)
        notes = _instead(engine)
        _tell(notes, report)
        built = _made(asked, engine, report, cancel)
    return replace(built, findings=(*notes, *built.findings))


def _made(asked: Asked, engine: Engine, report: Report, cancel: Cancel) -> Built:
    if not asked.push:
        return _in_store(asked, engine, report, cancel)
    if engine.name == "builtin":
        from .copy_registry import copy_into_registry

        return copy_into_registry(asked, engine, report=report, cancel=cancel)
    longer = Longer(report)
    return push_built(_in_store(asked, engine, longer, cancel), engine, report=longer, cancel=cancel)


def _in_store(asked: Asked, engine: Engine, report: Report, cancel: Cancel) -> Built:
    if engine.name == "builtin" or asked.method == "copy":
        from .copy import copy_into_engine

        return copy_into_engine(asked, engine, report=report, cancel=cancel)
    return build(
        prepare(asked.where, asked.wishes, hashes=asked.hashes, report=report, cancel=cancel),
        engine,
        asked.ref,
        later=Later(asked.where, asked.wishes),
        overwrite=asked.overwrite,
        check=asked.check,
        started=asked.started,
        report=report,
        cancel=cancel,
    )


def _engine(asked: Asked) -> Engine:
    """What another platform needs is installed anew: nobody's files are for it."""
    rebuild = asked.method == "rebuild" or (asked.method is None and is_another(asked.wishes.platform))
    return choose(asked.engine, rebuild=rebuild)


def _instead(engine: Engine) -> tuple[Finding, ...]:
    """What is to be said where it is not the engine that people expect."""
    if engine.instead is None:
        return ()
    message = f"the image is written without Docker: {engine.instead.reason}"
    return (Finding("no-docker", "info", message, engine.instead.fix),)


def _passed_over(engine: str) -> tuple[Finding, ...]:
    """What is to be said where a file is written, and an engine was named that takes no part in it."""
    check_name(engine)
    if engine != "docker":
        return ()
    return (
        Finding(
            "engine-not-used",
            "info",
            "a file is written without an engine: docker, which was asked for, takes no part in it",
            "leave -o out to have the image made by Docker; `docker save` writes that to a file",
        ),
    )


def _tell(notes: tuple[Finding, ...], report: Report) -> None:
    for note in notes:
        report(note)


__all__ = ["make"]
