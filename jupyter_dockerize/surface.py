"""The JSON objects that scripts rely on: each with ``schema``, keys added but never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .environment.model import SCHEMA, Snapshot, to_json
from .events import Finding

if TYPE_CHECKING:
    from .api import Recipe
    from .engines import Survey
    from .engines.base import Container, Image, Pushed
    from .engines.registry.login import LoggedIn
    from .environment.comparison import Comparison, Difference
    from .export.build import Built
    from .image.store import Pruned
    from .layers.adding import Done
    from .layers.consolidating import Consolidated
    from .layers.model import Layer
    from .layers.rebuilding import Rebuilt
    from .layers.timeline import History, Moved

Json = dict[str, Any]


def snapshot(value: Snapshot) -> Json:
    """``{fingerprint, system, python, packages, findings, …}``"""
    return to_json(value)


def build(value: Built) -> Json:
    """``{ref, digest, image_id, engine, method, verdict, differences, findings, size, seconds, recipe, …}``

    ``recipe`` is the folder beside it that rebuilds it, or null. ``pushed`` is there where it was (`push`).
    """
    return {
        "schema": SCHEMA,
        "ref": value.ref,
        "digest": value.digest,
        "image_id": value.image_id,
        "engine": value.engine,
        "method": value.method,
        "fingerprint": value.fingerprint,
        "packages": value.packages,
        "verdict": value.verdict,
        "summary": value.summary,
        "differences": [difference(d) for d in value.differences],
        "findings": findings(value.findings),
        "size": value.size,
        "seconds": value.seconds,
        "recipe": str(value.recipe) if value.recipe else None,
        **({"output": str(value.output)} if value.output else {}),
        **({"pushed": push(value.pushed)} if value.pushed else {}),
    }


def recipe(value: Recipe) -> Json:
    """``{folder, files, fingerprint, platform, base, secrets, choices, findings}``"""
    return {
        "schema": SCHEMA,
        "folder": str(value.folder),
        "files": list(value.files),
        "fingerprint": value.plan.fingerprint,
        "platform": value.plan.platform,
        "base": value.base,
        "secrets": list(value.secrets),
        "choices": [to_json(choice) for choice in value.plan.choices],
        "findings": findings(value.findings),
    }


def comparison(value: Comparison, **more: Any) -> Json:
    """``{verdict, summary, differences}`` and what is given by name (``ref``)."""
    return {
        "schema": SCHEMA,
        **more,
        "verdict": value.verdict,
        "summary": value.summary(),
        "differences": [difference(d) for d in value.differences],
    }


def difference(value: Difference) -> Json:
    """``{manager, name, field, expected, found, class}``"""
    plain = asdict(value)
    plain["class"] = plain.pop("class_")
    return plain


def layer(value: Layer) -> Json:
    """``{command, added, removed, changed, created, …}``; a package is ``{manager, name, before, after}``."""
    return {
        "command": value.command,
        "origin": value.origin,
        "literal": value.literal,
        "added": [asdict(each) for each in value.added],
        "removed": [asdict(each) for each in value.removed],
        "changed": [asdict(each) for each in value.changed],
        "created": value.created,
        "fingerprint": value.fingerprint,
    }


def history(value: History) -> Json:
    """``{ref, head, layers: [{number, size, undone, …}], pending}``; the rest as `layer` says.

    ``size`` is null for layers of an image that came from elsewhere.
    """
    rows = [{"number": r.number, "size": r.size, "undone": r.undone, **layer(r.layer)} for r in value.rows]
    pending = value.pending or None
    return {"schema": SCHEMA, "ref": value.image, "head": value.head, "layers": rows, "pending": pending}


def executed(value: Done) -> Json:
    """``{ref, number, layer, status, verdict, summary, findings, size, seconds, own}``; no layer: null."""
    return {
        "schema": SCHEMA,
        "ref": value.image,
        "number": value.number,
        "layer": layer(value.layer) if value.layer else None,
        "status": value.status,
        "image_id": value.image_id or None,
        "verdict": value.verdict or None,
        "summary": value.summary,
        "findings": findings(value.findings),
        "size": value.size,
        "seconds": round(value.seconds, 1),
        "own": round(value.own, 1),
    }


def moved(value: Moved) -> Json:
    """``{ref, head, layer, environment: [{manager, name, before, after}]}``

    ``before`` is what the image has, ``after`` what the environment has.
    """
    return {
        "schema": SCHEMA,
        "ref": value.image,
        "head": value.number,
        "layer": layer(value.layer),
        "environment": [asdict(each) for each in value.environment or ()],
    }


def consolidated(value: Consolidated) -> Json:
    """``{ref, before, layers, size, summary, findings, seconds}``: numbers of layers then and now."""
    return {
        "schema": SCHEMA,
        "ref": value.image,
        "before": value.before,
        "layers": value.number,
        "size": value.size,
        "summary": value.summary,
        "findings": findings(value.findings),
        "seconds": round(value.seconds, 1),
    }


def rebuilt(value: Rebuilt) -> Json:
    """``{ref, head, fingerprint, changed, findings, seconds}``"""
    return {
        "schema": SCHEMA,
        "ref": value.image,
        "head": value.number,
        "fingerprint": value.fingerprint,
        "changed": list(value.changed),
        "findings": findings(value.findings),
        "seconds": round(value.seconds, 1),
    }


def engines(value: Survey) -> Json:
    """``{chosen, engines: [{name, available, version, reason, …}]}``"""
    return {
        "schema": SCHEMA,
        "chosen": value.chosen,
        "engines": [asdict(status) for status in value.engines],
    }


def images(values: Sequence[Image]) -> Json:
    """``{images: [{refs, id, size, created, platform, labels}]}``"""
    keys = ("refs", "id", "digest", "size", "created", "platform", "labels")
    plain = [{key: getattr(i, key) for key in keys} | {"refs": list(i.refs)} for i in values]
    return {"schema": SCHEMA, "images": plain}


def pruned(value: Pruned) -> Json:
    """``{images: [name or id], recipes: [name of an image elsewhere], layers: [{image, command, name, size}],
    forgotten: [name], left: [{name, why}], freed}``; bytes."""
    return {
        "schema": SCHEMA,
        "images": list(value.images),
        "recipes": list(value.recipes),
        "layers": [asdict(each) for each in value.layers],
        "forgotten": list(value.forgotten),
        "left": [{"name": name, "why": why} for name, why in value.left],
        "freed": value.freed,
    }


def containers(values: Sequence[Container]) -> Json:
    """``{containers: [{name, ref, status, url, …}]}``"""
    return {"schema": SCHEMA, "containers": [asdict(value) for value in values]}


def push(value: Pushed) -> Json:
    """``{ref, digest, size, uploaded, mounted, skipped}``"""
    return {"schema": SCHEMA, **asdict(value)}


def login(value: LoggedIn) -> Json:
    """``{registry, user, helper, file, checked, findings}``: never the password."""
    plain = asdict(value) | {"file": str(value.file), "findings": findings(value.findings)}
    return {"schema": SCHEMA, **plain}


def stopped(name: str) -> Json:
    """``{stopped}``: the name of what is open no more."""
    return {"schema": SCHEMA, "stopped": name}


def logs(lines: Sequence[str]) -> Json:
    """``{lines}``"""
    return {"schema": SCHEMA, "lines": list(lines)}


def findings(values: Sequence[Finding]) -> list[Json]:
    """``[{code, severity, message, fix}]``"""
    return [asdict(value) for value in values]
