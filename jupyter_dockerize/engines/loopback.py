"""This machine as a host: is a name its own, and does a server answer at a port of it?"""

from __future__ import annotations

import http.client
import ipaddress
from urllib.parse import urlsplit

ADDRESS = "127.0.0.1"


def is_loopback(host: str) -> bool:
    """Whether ``host`` (a name or address, with or without a port) is this machine."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def serves(port: int) -> bool:
    """Whether a Jupyter server answers at this port."""
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=2)
    try:
        connection.request("GET", "/api")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


__all__ = ["ADDRESS", "is_loopback", "serves"]
