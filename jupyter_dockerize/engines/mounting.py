"""The folder of this machine that an open image sees, and whether what is saved there can be kept."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..contents.identity import LABEL_NOTEBOOK
from ..contents.layout import WORK
from ..errors import UsageError
from .base import Image
from .connection import Connection
from .faults import mapped

_WRITABLE = 'for path; do test -w "$path" || exit 1; done'
_REFUSED = 1  # other statuses say that nothing could be tested


def mount_of(connection: Connection, image: Image, folder: Path) -> dict[str, Any]:
    """The mount of the Engine API. Raises `UsageError` where there is no such folder on its machine."""
    if connection.endpoint.machine:
        raise UsageError(
            f"{folder} cannot be mounted: the engine runs on {connection.endpoint.machine}",
            fix="use an engine of this machine, or copy the files there",
        )
    source = folder.expanduser().absolute()
    if not source.is_dir():
        raise UsageError(f"there is no folder {folder}", fix="--mount takes a folder that exists")
    notebook = image.labels.get(LABEL_NOTEBOOK)
    whole = bool(notebook) and (source / str(notebook)).is_file()
    target = WORK if whole else f"{WORK}/{source.name or 'mounted'}"
    return {"Type": "bind", "Source": str(source), "Target": target}


def complaint(
    connection: Connection, container: str, labels: Mapping[str, str], mount: dict[str, Any]
) -> str:
    """What to know where the container's user cannot save in the mounted folder; "" where it can.

    Asked inside: which user of this machine that is, and whether its rights count at all, differs
    between engines (rootless, remapped users, Docker Desktop).
    """
    target, notebook = mount["Target"], labels.get(LABEL_NOTEBOOK)
    paths = [target, f"{target}/{notebook}"] if notebook and target == WORK else [target]
    client = connection.client()
    with mapped("look whether the folder can be written"):
        asked = client.exec_create(container, ["sh", "-c", _WRITABLE, "sh", *paths])["Id"]
        client.exec_start(asked)
        status = client.exec_inspect(asked).get("ExitCode")
    if status != _REFUSED:
        return ""
    source = mount["Source"]
    return (
        f"nothing can be saved in {source}: the image's user may not write there; "
        f"`chmod -R a+rwX {shlex.quote(source)}` allows it, to all users of this machine"
    )
