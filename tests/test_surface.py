"""The JSON that scripts rely on: these keys stay."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize import surface
from jupyter_dockerize.api import Recipe
from jupyter_dockerize.arguments import parser
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines import Survey
from jupyter_dockerize.engines.base import Container, Image, Status
from jupyter_dockerize.engines.registry.login import LoggedIn
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.plan.planning import make_plan
from jupyter_dockerize.errors import OutputError
from jupyter_dockerize.events import ignore
from jupyter_dockerize.image.store import Pruned
from jupyter_dockerize.verbs import perform

from .display.samples import BUILT, COMPARED, EDITED, PUSHED, SNAPSHOT

RECIPE = Recipe(
    folder=Path("d"),
    files=("Dockerfile",),
    plan=make_plan(SNAPSHOT, Wishes()),
    base="b",
    secrets=(),
    findings=(EDITED,),
)
IMAGE = Image(id="sha256:1", refs=("x:latest",), size=1, created="2026", platform="linux/amd64")
CONTAINER = Container(name="x", id="1", ref="x", status="running", url=None)
LOGGED_IN = LoggedIn(registry="r.example.org", user="ada", helper="", file=Path("config.json"), checked=True)
SURVEY = Survey(chosen="docker", engines=(Status(name="docker", available=True, reason="it answers"),))

OBJECTS = {
    "snapshot": (surface.snapshot(SNAPSHOT), {"fingerprint", "system", "python", "findings", "packages"}),
    "build": (
        surface.build(BUILT),
        {
            "ref",
            "digest",
            "image_id",
            "engine",
            "method",
            "verdict",
            "differences",
            "findings",
            "size",
            "seconds",
        },
    ),
    "recipe": (
        surface.recipe(RECIPE),
        {"folder", "files", "fingerprint", "platform", "base", "secrets", "findings"},
    ),
    "verify": (surface.comparison(COMPARED, ref="x"), {"ref", "verdict", "differences"}),
    "push": (surface.push(PUSHED), {"ref", "digest", "size", "uploaded", "mounted", "skipped"}),
    "build --push": (surface.build(replace(BUILT, pushed=PUSHED)), {"pushed"}),
    "login": (surface.login(LOGGED_IN), {"registry", "user", "helper", "file", "checked", "findings"}),
    "engines": (surface.engines(SURVEY), {"chosen", "engines"}),
    "images": (surface.images([IMAGE]), {"images"}),
    "prune": (
        surface.pruned(Pruned(images=("a:old",), recipes=("b:old",), freed=1)),
        {"images", "recipes", "freed"},
    ),
    "containers": (surface.containers([CONTAINER]), {"containers"}),
}


@pytest.mark.parametrize("verb", OBJECTS)
def test_each_verb_gives_its_keys_and_a_schema(verb: str) -> None:
    value, keys = OBJECTS[verb]
    assert keys | {"schema"} <= value.keys()
    assert json.loads(json.dumps(value)) == value


def test_a_snapshot_says_where_packages_came_from() -> None:
    value = surface.snapshot(SNAPSHOT)
    assert {"os", "version", "arch"} <= value["system"].keys()
    assert {"implementation", "version", "executable", "prefix"} <= value["python"].keys()
    (numpy, mine), (zlib,), (libpq,) = (value["packages"][kind] for kind in ("pip", "conda", "apt"))
    assert {"name", "version", "scope", "source"} <= numpy.keys()
    assert mine["source"] == {"kind": "vcs", "url": "https://example.org/mine.git", "commit": "c" * 40}
    assert {"name", "version", "build", "channel", "subdir", "url"} <= zlib.keys()
    assert {"name", "version", "arch", "manual"} == libpq.keys() & {"name", "version", "arch", "manual"}


def test_a_difference_has_its_class_and_its_note() -> None:
    first = surface.comparison(COMPARED)["differences"][0]
    assert first.keys() == {"manager", "name", "field", "expected", "found", "class", "note"}
    assert first["class"] == "unexpected"


def test_a_finding_is_code_severity_message_and_fix() -> None:
    assert surface.findings([EDITED]) == [
        {
            "code": "edited-files",
            "severity": "warning",
            "message": "numpy has files that were edited",
            "fix": "reinstall it",
        }
    ]


def test_an_engine_says_why() -> None:
    assert {"name", "available", "version", "reason"} <= surface.engines(SURVEY)["engines"][0].keys()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
    ],
)
def test_a_full_disk_is_no_fault_of_ours(error: OSError, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **more: object) -> None:
        raise error

    monkeypatch.setattr("jupyter_dockerize.api.engines", full)
    with pytest.raises(OutputError, match="the disk is full"):
        perform(parser("x").parse_args(["engines"]), ignore, Cancel())
