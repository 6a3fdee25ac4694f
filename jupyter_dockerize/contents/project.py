"""The notebook and what belongs to it: where each file is in the image, and that it is the planned one."""

from __future__ import annotations

import hashlib
import unicodedata
from pathlib import Path

from ..environment.choices import ProjectFile
from ..errors import UsageError
from . import layout


def place(file: ProjectFile) -> str:
    """Where the file is in the image. Raises `UsageError` for a name that cannot be taken along."""
    path = file.path
    parts = path.split("/")
    if path.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise UsageError(f"not a path inside the project: {path!r}", fix="include files below the notebook")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in path):
        raise UsageError(
            f"a file name holds a control character or is not Unicode: {path!r}", fix="rename the file"
        )
    if any(len(part.encode()) > 255 for part in parts):
        raise UsageError(f"a file name is longer than 255 bytes: {path[:60]!r}…", fix="rename the file")
    return f"{layout.WORK}/{path}"


def read(file: ProjectFile) -> bytes:
    """What is planned. Raises `UsageError` for a file that is gone or has changed since."""
    if file.source is None:
        raise UsageError(
            f"{file.path} is planned, and its file is not known here",
            why="the plan was stored without the places of its files",
            fix="plan the image again where the notebook is",
        )
    try:
        data = Path(file.source).read_bytes()
    except OSError as error:
        raise UsageError(f"{file.path} cannot be read", why=error.strerror or str(error)) from error
    if hashlib.sha256(data).hexdigest() != file.sha256.removeprefix("sha256:"):
        raise UsageError(f"{file.path} has changed since the image was planned", fix="build again")
    return data
