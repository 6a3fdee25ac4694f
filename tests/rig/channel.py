"""The conda channel as containers see it: served over HTTP at an address that builds can reach."""

from __future__ import annotations

import http.client
import os
import sys
from pathlib import Path

from . import bridge, conda_channel, conda_env, daemon, place

NAME = "channel"
PORT = 8808


def up() -> str:
    """Serve the channel unless it is served; give the URL that stands for conda-forge's.

    No container reaches the host's loopback, and each engine has another bridge: the address
    is that of a bridge of its own, to which every container is routed by its engine's. It lasts,
    because it is part of the base image for conda.
    """
    folder = conda_env.prepare_channel()
    bridge.up(place.bridge(NAME), lasting=True)
    host = bridge.address(place.bridge(NAME))
    script = Path(__file__).with_name("channel_server.py")
    argv = [sys.executable, os.fspath(script), os.fspath(folder), host, str(PORT)]
    if not daemon.running(NAME, argv):
        daemon.stop(NAME)
        daemon.start(NAME, argv, env=os.environ, answers=lambda: _answers(host))
    return f"http://{host}:{PORT}/{conda_channel.NAME}"


def down() -> None:
    """Stop serving."""
    daemon.stop(NAME)
    bridge.down(place.bridge(NAME))


def _answers(host: str) -> bool:
    connection = http.client.HTTPConnection(host, PORT, timeout=5)
    try:
        connection.request("HEAD", f"/{conda_channel.NAME}/noarch/repodata.json")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
