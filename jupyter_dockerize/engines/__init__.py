"""Who builds images, looks into them and runs them: the engines, and which of them is used."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import NoEngineError, UsageError
from .base import Container, Engine, Image, Limits, Status

NAMES = ("auto", "docker", "builtin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Every engine and its state; ``chosen`` is the name of the one that `choose` gives, None for none."""

    chosen: str | None
    engines: tuple[Status, ...]


def engines(environ: Mapping[str, str] | None = None) -> list[Engine]:
    """All engines that there are, best first, available or not. Nothing is asked of them yet."""
    from .docker import DockerEngine

    docker = DockerEngine(environ=environ)
    if sys.platform == "win32":
        return [docker]
    from .builtin import BuiltinEngine

    return [docker, BuiltinEngine(environ=environ)]


def survey(environ: Mapping[str, str] | None = None) -> Survey:
    """The state of every engine, within 2 s."""
    states = tuple(engine.status() for engine in engines(environ))
    return Survey(chosen=next((one.name for one in states if one.available), None), engines=states)


def choose(name: str = "auto", *, rebuild: bool = False, environ: Mapping[str, str] | None = None) -> Engine:
    """The engine called ``name``, or for "auto" the best one that is available.

    ``rebuild``: it has to follow a recipe, which the builtin one does not. Raises `UsageError` for a name
    that there is not, `NoEngineError` with the diagnosis.
    """
    check_name(name)
    if rebuild and name == "builtin" and sys.platform == "linux":
        raise UsageError(
            "the builtin engine copies files, and what was asked for is installed anew",
            fix="leave --method rebuild and --platform out, or --engine builtin",
        )
    first: Status | None = None
    for engine in engines(environ):
        if rebuild and engine.name == "builtin" != name:
            continue
        if name in ("auto", engine.name):
            status = engine.status()
            if status.available:
                engine.instead = first
                return engine
            first = first or status
    if first is None:
        raise NoEngineError("the builtin engine is for Linux", fix="start Docker Desktop")
    raise NoEngineError("no engine can be used", why=first.reason, fix=first.fix)


def check_name(name: str) -> None:
    """Raises `UsageError` where no engine is called ``name``."""
    if name not in NAMES:
        raise UsageError(f"there is no engine {name!r}", fix=f"choose one of {', '.join(NAMES)}")


def available(name: str = "auto") -> list[Engine]:
    """The engine called ``name``; for "auto" all that can be used, best first. Raises as `choose`."""
    first = choose(name)
    if name != "auto":
        return [first]
    every = engines()
    behind = every[[engine.name for engine in every].index(first.name) + 1 :]
    return [first, *(engine for engine in behind if engine.status().available)]


def that_has(image: str, name: str = "auto") -> Engine:
    """The engine called ``name``; for "auto" the first that has the image, else the best one.

    Raises what `choose` raises.
    """
    found = available(name)
    return next((engine for engine in found if engine.inspect(image) is not None), found[0])


__all__ = [
    "NAMES", "Container", "Engine", "Image", "Limits", "Status", "Survey", "available", "check_name",
    "choose", "engines", "survey", "that_has",
]  # fmt: skip
