"""Where a notebook or a file holds a token (`tokens`): a finding for each, by its kind and its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ...events import Finding
from .tokens import kinds, tokens

SCAN_LIMIT = 8 << 20  # bytes of one file that are looked at
_TOKEN = 1000  # characters: what follows a name is looked at together with it so far
_PLACES = 12  # of one token that are listed
_BINARY = ("image/", "audio/", "video/", "font/", "application/pdf", "application/octet-stream")


def scan_notebook(notebook: dict[str, Any], name: str) -> tuple[Finding, ...]:
    """A `secret-in-notebook` finding of severity error per token, with every place that holds it.

    ``notebook`` is nbformat 4's JSON (or 3's), cells counted from 1; a ``map`` may give them one by one.
    Images and other binary outputs are not looked at, everything else is: sources, outputs, error texts,
    attachments, metadata.
    """
    found: dict[tuple[str, str], list[str]] = {}
    cells = notebook.get("cells")
    if not isinstance(cells, (list, map)):
        sheets = notebook.get("worksheets")
        cells = (
            [c for s in sheets if isinstance(s, dict) for c in s.get("cells", ())]
            if isinstance(sheets, list)
            else []
        )
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict):
            continue
        for place, value in cell.items():
            where = {"source": "the source", "input": "the source", "outputs": "an output"}.get(
                place, f"the {place}"
            )
            parts = value if place == "outputs" and isinstance(value, list) else (value,)
            for token in set().union(*(tokens("\n".join(_texts(part))) for part in parts)):
                found.setdefault(token, []).append(f"{where} of cell {number}")
    for token in tokens("\n".join(_texts(notebook.get("metadata")))):
        found.setdefault(token, []).append("the metadata")
    told = sorted({(tuple(places), kind) for (kind, _), places in found.items()})
    return tuple(
        Finding(
            "secret-in-notebook",
            "error",
            f"{_listed(places)} of {name} hold{'' if places[1:] else 's'} what looks like a secret: {kind}",
            "take it out, save the notebook, and have the secret replaced where it was issued",
        )
        for places, kind in told
    )


def _listed(places: tuple[str, ...]) -> str:
    """ "the source of cell 2, an output of cell 2 and 3 more places"."""
    places = tuple(dict.fromkeys(places))
    if len(places) > _PLACES:
        places = (*places[: _PLACES - 1], f"{len(places) - _PLACES + 1} more places")
    *first, last = places
    return f"{', '.join(first)} and {last}" if first else last


def scan_file(data: bytes | bytearray, path: str) -> tuple[Finding, ...]:
    """A `secret-in-file` finding of severity error per kind of token in a text file; none for binary data."""
    if b"\0" in data[:8192]:
        return ()
    return tuple(
        Finding(
            "secret-in-file",
            "error",
            f"{path} holds what looks like a secret: {kind}",
            "take it out of the file, or leave the file out",
        )
        for kind in kinds(data[:SCAN_LIMIT].decode("utf-8", "replace"))
    )


def _texts(value: Any) -> Iterator[str]:
    """Every text of a part of a notebook; lists of lines joined, binary outputs passed over.

    A name and its text stay on one line, as in ``password: "…"``.
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        if value and all(isinstance(line, str) for line in value):
            yield "".join(value)
        else:
            for item in value:
                if isinstance(item, (str, list, dict)):  # a figure has millions of numbers
                    yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if str(key).startswith(_BINARY):
                continue
            if isinstance(item, str):
                yield f"{json.dumps(str(key))}: {json.dumps(item[:_TOKEN], ensure_ascii=False)}"
                yield item
            else:
                yield from _texts(item)
