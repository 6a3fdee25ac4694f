"""A journal is rebuilt by an engine that did not make it, a command gives something else the second time, and
a layer is opened by its number."""

from __future__ import annotations

import contextlib
import http.server
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.layers import state
from tests.rig import bridge, channel, place

from ..image.copy.environments import venv
from .conftest import Own

pytestmark = pytest.mark.engine


def test_the_journal_of_a_copy_is_rebuilt_by_docker(own: Own, tmp_path: Path) -> None:
    """From its recipe, and the locks of its layers: the packages are the same, and its method is another."""
    where = replace(own.where, python=str(venv(tmp_path / "copied", "pip")))
    for command in ("pip install humanize==4.8.0", "pip install cowsay==6.0"):
        api.execute(where, command, own.ref, engine="builtin")
    told = {row.number: row.layer.changes for row in api.history(where, own.ref).rows}
    copied = state.load(own.ref)
    assert copied is not None
    assert (copied.engine, copied.method) == ("builtin", "copy")
    clone = tmp_path / "clone/dockerize" / own.ref
    shutil.copytree(own.journal, clone)
    shutil.rmtree(state.folder_for(own.ref))
    rebuilt = api.rebuild(clone, engine="docker")
    assert (rebuilt.number, rebuilt.changed) == (3, ())
    assert own.imports("humanize", "cowsay") == [True, True]
    made = state.load(own.ref)
    assert made is not None
    assert (made.engine, made.method) == ("docker", "rebuild")
    assert {row.number: row.layer.changes for row in api.history(where, own.ref).rows} == told


@contextlib.contextmanager
def answering(answer: list[str]) -> Iterator[str]:
    """An address that containers reach, too; what it says can change."""
    channel.up()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer[0].encode())

        def log_message(self, *arguments: object) -> None:
            pass

    host = bridge.address(place.bridge(channel.NAME))
    server = http.server.ThreadingHTTPServer((host, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_port}/"
    finally:
        server.shutdown()


@pytest.mark.rig
def test_a_command_that_gives_something_else_the_second_time_is_named(own: Own) -> None:
    """The image is made, and the layer is said to be another."""
    answer = ["humanize==4.8.0"]
    with answering(answer) as address:
        ask = (
            "import urllib.request as u; by = u.build_opener(u.ProxyHandler({}));"
            f"print(by.open('{address}').read().decode())"
        )
        done = own.exec(f'pip install $(python -c "{ask}")')
        assert done.layer is not None
        assert done.layer.literal
        answer[0] = "humanize==4.9.0 cowsay==6.0"
        (script,) = own.journal.glob("layers/0002-*/run.sh")
        script.write_text(f"{script.read_text()}# as on another machine, whose builder has nothing of it\n")
        rebuilt = api.rebuild(own.journal, engine="docker")
    assert (rebuilt.number, rebuilt.changed) == (2, (2,))
    assert [each.code for each in rebuilt.findings] == ["literal-differs"]
    code = "import importlib.metadata as m; print(*map(m.version, ('humanize', 'cowsay')))"
    said = own.engine.execute(own.ref, ["/opt/env/bin/python", "-c", code])
    assert said.decode().split() == ["4.8.0", "6.0"]  # what it gave the first time is pinned


def test_a_layer_is_opened_by_its_number(own: Own) -> None:
    own.exec("pip install humanize==4.8.0")
    own.exec("pip install cowsay==6.0")
    now = state.load(own.ref)
    assert now is not None
    opened = api.run(f"{own.ref}#2", engine="docker")
    try:
        assert opened.url
        assert own.engine.container(opened.name).image == now.layers[1].image
        assert api.run(f"{own.ref}#2", engine="docker").already
        assert opened.name in [one.name for one in api.ps(engine="docker")]
    finally:
        api.stop(opened.name, engine="docker")
    assert opened.name not in [one.name for one in api.ps(engine="docker")]
