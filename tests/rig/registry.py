"""The rig's image registry, on a loopback port: it stands for the public one.

Engines use it as their mirror, so `FROM python:3.11-slim-bookworm` is served from
`library/python` in here.
"""

from __future__ import annotations

import http.client
import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path

from . import apt, daemon, place

NAME = "registry"
ACCEPT = ", ".join(
    [
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    ]
)


def up() -> str:
    """Start the registry unless it runs; give its address, host:port."""
    home = place.folder("registry")
    program = apt.unpack("bookworm", ["docker-registry"], place.state() / "packages" / "registry")
    address = _address(home)
    config = home / "config.yml"
    argv = [os.fspath(program / "usr/bin/docker-registry"), "serve", os.fspath(config)]
    if daemon.running(NAME, argv) and answers(address):
        return address
    daemon.stop(NAME)
    if not _free(address):
        (home / "address").unlink()
        address = _address(home)
    config.write_text(_configuration(home, address))
    daemon.start(
        NAME, argv, env={"PATH": os.defpath, "HOME": "/nonexistent"}, answers=lambda: answers(address)
    )
    return address


def down() -> None:
    """Stop the registry; what it holds stays."""
    daemon.stop(NAME)


def has(address: str, repository: str, tag: str) -> bool:
    """Tell whether the registry holds a tag."""
    return digest(address, repository, tag) is not None


def digest(address: str, repository: str, tag: str) -> str | None:
    """Give the digest of the manifest behind a tag; None where the registry does not hold it."""
    status, headers = _ask(address, "HEAD", f"/v2/{repository}/manifests/{tag}")
    return headers["Docker-Content-Digest"] if status == 200 else None


def answers(address: str) -> bool:
    """Tell whether a registry answers at an address."""
    return _ask(address, "GET", "/v2/")[0] == 200


def _ask(address: str, method: str, path: str) -> tuple[int | None, Mapping[str, str]]:
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request(method, path, headers={"Accept": ACCEPT})
        response = connection.getresponse()
        return response.status, response.headers
    except OSError:
        return None, {}
    finally:
        connection.close()


def _address(home: Path) -> str:
    """Give the recorded address, or a free one: it is part of image names, so it must last."""
    kept = home / "address"
    if not kept.is_file():
        # Below the range from which the kernel hands out ports, so that it stays free while we are down.
        candidates = (f"127.0.0.1:{port}" for port in range(5050, 5150))
        kept.write_text(next(filter(_free, candidates)))
    return kept.read_text()


def _free(address: str) -> bool:
    host, _, port = address.partition(":")
    try:
        socket.create_server((host, int(port))).close()
    except OSError:
        return False
    return True


def _configuration(home: Path, address: str) -> str:
    kept = home / "secret"
    if not kept.is_file():
        # Without a lasting secret an upload cannot be resumed after a restart.
        kept.write_text(secrets.token_hex(16))
        kept.chmod(0o600)
    return f"""\
version: 0.1
log:
  level: warn
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: {home / "storage"}
  delete:
    enabled: true
http:
  addr: {address}
  secret: {kept.read_text()}
"""
