"""Buildah's working containers: what Podman 4 leaves behind when a build's connection is cut.

They are no containers that Docker's API knows of, and yet they keep their image from being removed.
Nothing tells those of a build that was cut from those of one that still runs, so only those of an
image that is itself being removed are taken away.
"""

from __future__ import annotations

import contextlib
from typing import Any

import requests

from .connection import Connection

_API = "/v4.0.0/libpod/containers"  # Podman's own API, docs.podman.io/en/latest/_static/api.html


def remove_working_containers(connection: Connection, image: str) -> int:
    """Removes those that were made from the image with this id (or the beginning of one); how many."""
    client = connection.client()
    removed = 0
    with contextlib.suppress(requests.RequestException, ValueError):
        listed = client.get(
            f"{client.base_url}{_API}/json", params={"all": "true", "external": "true"}, timeout=30
        ).json()
        for one in listed if isinstance(listed, list) else ():
            if _made_from(one, image.removeprefix("sha256:")):
                client.delete(f"{client.base_url}{_API}/{one['Id']}", params={"force": "true"}, timeout=30)
                removed += 1
    return removed


def _made_from(container: dict[str, Any], image: str) -> bool:
    return container.get("State") == "storage" and str(container.get("ImageID", "")).startswith(image)
