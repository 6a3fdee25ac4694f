"""Whoever installs, and whatever comes along by it: the layer has the versions that are there afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from uv import find_uv_bin

from jupyter_dockerize import api

from .conftest import Own

pytestmark = pytest.mark.engine


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
    said = own.engine.execute(
        own.ref, ["/opt/env/bin/python", "-c", "import urllib3 as u; print(u.__version__)"]
    )
    assert said.decode().strip() == taken_back.after
    assert done.verdict == api.verify(own.ref, engine="docker").verdict == "equivalent"
    assert api.keep(own.where, own.ref).layer is None
