"""The proxies that downloads inside a build need."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from .loopback import is_loopback

_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY")


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """The proxy variables for a build; all or none, and none that only this machine could reach.

    They become Docker's predefined build arguments: those stay in no layer and in no history.
    """
    found = {
        name: value for upper in _NAMES for name in (upper, upper.lower()) if (value := environ.get(name))
    }
    for name, value in found.items():
        host = urlsplit(value if "://" in value else f"//{value}").netloc
        if name.upper() != "NO_PROXY" and is_loopback(host):
            return {}
    return found
