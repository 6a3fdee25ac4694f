"""What is in the image that an archive holds."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path


def files(image: Path) -> dict[str, bytes]:
    """Every path of its layers, and the bytes of files."""
    found: dict[str, bytes] = {}
    with tarfile.open(image) as archive:
        listed = archive.extractfile("manifest.json")
        assert listed
        for name in json.load(listed)[0]["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(name)) as layer:
                for member in layer:
                    file = layer.extractfile(member) if member.isfile() else None
                    found[member.name] = file.read() if file else b""
    return found
