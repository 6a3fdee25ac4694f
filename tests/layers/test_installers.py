"""Whoever installs, and whatever comes along by it: the layer has the versions that are there afterwards."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from uv import find_uv_bin

from jupyter_dockerize import api

from .conftest import Own, session, with_magics

pytestmark = pytest.mark.engine

# Whatever is written below /usr and /var is gone when the interpreter ends.
APART = """#!/bin/sh
[ -n "$APART" ] || APART=1 exec unshare --mount "$0" "$@"
mount -t tmpfs tmpfs {folder}
for name in usr var; do
    mkdir {folder}/$name {folder}/$name.work
    mount -t overlay overlay -o lowerdir=/$name,upperdir={folder}/$name,workdir={folder}/$name.work /$name
done
exec {python} "$@"
"""


def test_what_uv_installs_is_pinned_as_what_pip_does(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(find_uv_bin()).parent), os.environ["PATH"]]))
    done = own.exec("uv pip install humanize==4.8.0")
    assert done.layer is not None
    assert (done.layer.literal, done.verdict) == (False, "equivalent")
    assert [str(each) for each in done.layer.changes] == ["humanize 4.8.0"]
    assert (own.imports("humanize"), own.here("humanize")) == ([True], [True])


def test_a_dependency_that_an_install_takes_back_is_older_in_the_image_too(own: Own) -> None:
    own.exec("pip install urllib3==2.2.0")
    done = own.exec("pip install requests==2.29.0")
    assert done.layer is not None
    (taken_back,) = [each for each in done.layer.changes if each.name == "urllib3"]
    assert taken_back.before == "2.2.0"
    assert taken_back.after.startswith("1.26.")
    assert str(taken_back) == f"urllib3 2.2.0 → {taken_back.after}"
    version = "import urllib3; print(urllib3.__version__)"
    said = own.engine.execute(own.ref, ["/opt/env/bin/python", "-c", version]).decode()
    assert said.strip() == taken_back.after
    assert done.verdict == api.verify(own.ref, engine="docker").verdict == "equivalent"
    assert api.keep(own.where, own.ref).layer is None


@pytest.mark.rig
@pytest.mark.skipif(os.getuid() != 0, reason="only root has a system of its own")
def test_what_root_installs_with_apt_is_here_and_in_the_image(own: Own, tmp_path: Path) -> None:
    """What apt writes, only this kernel sees."""
    with_magics(own.python)
    (tmp_path / "system").mkdir()
    python = own.python.with_name("python-apart")
    python.write_text(APART.format(folder=tmp_path / "system", python=own.python))
    python.chmod(0o755)
    assert not shutil.which("hello")
    with session(python, own.where.notebook) as kernel:
        out = kernel.run("%docker_exec apt-get update && apt-get install -y hello")
        assert out.error is None, out.error
        assert f"layer 2 of {own.ref}: hello 2." in out.stdout
        assert kernel.run("!LC_ALL=C hello").stdout == "Hello, world!\r\n"
        assert "hello" in kernel.run("%docker_history").stdout.splitlines()[-1]
    assert own.engine.execute(own.ref, ["hello"]) == b"Hello, world!\n"
    assert not shutil.which("hello")
    assert api.verify(own.ref, engine="docker").verdict in ("identical", "equivalent")
