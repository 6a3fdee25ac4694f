"""The product's own magics in a notebook's cells."""

from __future__ import annotations

import re

_OWN = re.compile(
    r"^[ \t]*(?:[\w., ]+=[ \t]*)?%{1,2}"
    r"(?:(?:re)?load_ext[ \t]+jupyter_dockerize|dockerize|docker_(?:exec|history|undo|rollback))\b",
    re.M,
)


def types_magics(source: str) -> bool:
    """Whether a cell loads the magics or types one, also as ``built = %dockerize``."""
    return _OWN.search(source) is not None
