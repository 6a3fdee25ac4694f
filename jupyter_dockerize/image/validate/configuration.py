"""The image configuration. Quotes are of config.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import descriptor
from .violation import Say, counted, quoted

_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8})(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})")


@dataclass(frozen=True, slots=True)
class Configured:
    """What a configuration says of the image; ``diff_ids`` None where it does not."""

    platform: tuple[str, str] | None
    diff_ids: tuple[str, ...] | None


def config(plain: Mapping[str, Any], say: Say, layers: int) -> Configured:
    """An image configuration for a manifest with so many layers."""
    platform = descriptor.platform(plain, "", say)
    created = plain.get("created")
    # > combined date and time at which the image was created, formatted as defined by RFC 3339, section 5.6.
    if created is not None and not _is_time(created):
        say("config", f"created is no time: {quoted(created)}")
    _execution(plain.get("config"), say)
    diff_ids = _root(plain.get("rootfs"), say)
    if diff_ids is not None and len(diff_ids) != layers:
        say("diff-ids", f"{counted(len(diff_ids), 'diff id')} for {counted(layers, 'layer')}")
    _history(plain.get("history"), layers, say)
    return Configured(platform, diff_ids)


def _execution(plain: object, say: Say) -> None:
    # > The execution parameters […] This field can be `null`
    if plain is None:
        return
    if not isinstance(plain, dict):
        say("config", f"config is no object: {quoted(plain)}")
        return
    for key in ("Env", "Entrypoint", "Cmd"):
        if not _is_strings(plain.get(key)):
            say("config", f"config.{key} is no array of strings: {quoted(plain[key])}")
        # > Entries are in the format of VARNAME=VARVALUE.
        elif key == "Env" and not all(
            each.partition("=")[1] and each[0] != "=" for each in plain.get(key) or ()
        ):
            say("config", "config.Env has an entry without a name")
    for key in ("User", "WorkingDir", "StopSignal"):
        if plain.get(key) is not None and not isinstance(plain[key], str):
            say("config", f"config.{key} is no string: {quoted(plain[key])}")
    for key in ("ExposedPorts", "Volumes", "Labels"):
        if plain.get(key) is not None and not isinstance(plain[key], dict):
            say("config", f"config.{key} is no object: {quoted(plain[key])}")


def _root(plain: object, say: Say) -> tuple[str, ...] | None:
    # > MUST be set to `layers`.
    if not isinstance(plain, dict) or plain.get("type") != "layers":
        say("config", "rootfs is no object of type 'layers'")
        return None
    found = plain.get("diff_ids")
    if not isinstance(found, list):
        say("config", f"rootfs.diff_ids is no array: {quoted(found)}")
        return None
    for number, each in enumerate(found):
        if fault := descriptor.digest(each):
            say("digest-grammar", f"rootfs.diff_ids[{number}] {fault}")
    return tuple(each if isinstance(each, str) else "" for each in found)


def _history(plain: object, layers: int, say: Say) -> None:
    if plain is None:
        return
    if not isinstance(plain, list) or not all(isinstance(each, dict) for each in plain):
        say("history", "history is no array of objects")
        return
    # > [empty_layer] is set to true if this history item doesn't correspond to an actual layer
    written = sum(each.get("empty_layer") is not True for each in plain)
    if written != layers:
        say("history", f"{counted(written, 'entry')} of the history for {counted(layers, 'layer')}")


def _is_strings(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(each, str) for each in value))


def _is_time(value: object) -> bool:
    """With T and Z in capitals: RFC 3339 lets them be small, Go, in which loaders are written, does not."""
    read = _TIME.fullmatch(value) if isinstance(value, str) and len(value) < 60 else None
    try:
        return read is not None and datetime.fromisoformat(read[1]) is not None
    except ValueError:
        return False


__all__ = ["Configured", "config"]
