"""What an image is called when nobody says: like its notebook."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath

from ..errors import UsageError

LONGEST = 128  # characters; the grammar allows 255 for a whole name


def image_name(notebook: PurePath | str) -> str:
    """The image name of a notebook: "Säugetiere 2.ipynb" → "saugetiere-2".

    Always a valid repository name (OCI distribution specification 1.1, "Pulling manifests",
    <name>). Raises `UsageError` where no letter or digit of the file's name is left.
    """
    stem = PurePath(notebook).name.removesuffix(".ipynb")
    ascii_stem = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", ascii_stem)[:LONGEST].strip("-")
    if not name:
        raise UsageError(f"no image name can be made from {stem!r}", fix="give one with -t NAME")
    return name
