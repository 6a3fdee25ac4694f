"""An install is one layer of the engine's image, and none of those below it is made again."""

from __future__ import annotations

import json
import subprocess

import pytest

from jupyter_dockerize import api

from .conftest import Own

pytestmark = pytest.mark.engine


def layers(own: Own) -> list[str]:
    """The digests of the head's layers, as the engine has them."""
    form = "{{json .RootFS.Layers}}"
    found = json.loads(subprocess.check_output(["docker", "image", "inspect", "--format", form, own.ref]))
    assert isinstance(found, list)
    return found


def test_each_install_puts_one_layer_on_those_that_are_there(own: Own) -> None:
    own.exec("pip install humanize==4.8.0")
    before = layers(own)
    for command in (
        "pip install cowsay==6.0",
        "pip install humanize==4.9.0 && pip uninstall -y cowsay",
        "echo kept > $VIRTUAL_ENV/said",
    ):
        own.exec(command)
        after = layers(own)
        assert after[:-1] == before, command
        before = after
    own.exec("pip install six==1.16.0", image_only=True)
    assert layers(own)[:-1] == before
    api.undo(own.where, own.ref)
    assert layers(own) == before
