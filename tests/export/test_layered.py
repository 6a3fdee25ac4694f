"""Layers of a copied image, in real engines: what the environment has, a container of each layer has."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.contents.identity import LABEL_FINGERPRINT, LABEL_PLAN, PLAN_PATH, plan_digest
from jupyter_dockerize.engines.base import Engine, Image
from jupyter_dockerize.engines.builtin import BuiltinEngine
from jupyter_dockerize.engines.builtin.settings import Settings
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.layer import LABEL, Layer, applied
from jupyter_dockerize.environment.model import dump, to_json
from jupyter_dockerize.environment.plan.planning import Plan, redacted
from jupyter_dockerize.errors import EngineError, VerificationError
from jupyter_dockerize.events import ignore
from jupyter_dockerize.export.copying import Copy, plan_copy, write
from jupyter_dockerize.export.inside import stored_plan
from jupyter_dockerize.export.layered import above, append, moment
from jupyter_dockerize.export.verify import verify_against_plan
from jupyter_dockerize.image.copy.changed import Above, Stamps
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import ImageValue, canonical
from jupyter_dockerize.image.unpack import unpack
from jupyter_dockerize.image.validate.layout import validate
from jupyter_dockerize.layers.model import difference

from ..conftest import Rig
from ..image.copy.environments import install, planned, site, venv
from ..image.copy.test_changed import tree
from ..judges import accepted


@dataclass
class Layered:
    """A copied image that gets layers, as `layers` makes them."""

    engine: Engine
    python: Path
    ref: str
    head: Image = field(init=False)
    plan: Plan = field(init=False)
    moment: Stamps = field(init=False)
    seen: Plan = field(init=False)
    number: int = 1
    images: list[str] = field(default_factory=list)  # that have lost their name

    def begin(self) -> Layered:
        copy, self.seen = self.copy()
        self.moment = moment(self.seen, planned(self.python)[1])[0]
        self.plan = redacted(copy.plan)
        self.head = self.engine.take(
            lambda layout, compression: write(
                copy, layout, compression=compression, report=ignore, cancel=Cancel()
            ),
            self.ref,
            size=copy.size,
            report=ignore,
            cancel=Cancel(),
        )
        return self

    def copy(self) -> tuple[Copy, Plan]:
        plan, snapshot = planned(self.python, Wishes(allow=("no-server",)))
        return plan_copy(plan, snapshot, plan.wishes.allow), plan

    def changed(self) -> Above:
        plan, snapshot = planned(self.python, Wishes(allow=("no-server",)))
        found, _ = above(self.head, self.plan, self.moment, plan, snapshot)
        self.moment = moment(plan, snapshot)[0]
        packages, was = difference(self.seen, plan)
        layer = Layer(command=self.command, origin="exec", packages=packages, was=was)
        self.seen, self.number = plan, self.number + 1
        self.plan = applied(self.plan, layer)
        self.labels = {
            f"{LABEL}{self.number}": canonical(to_json(layer)).decode(),
            LABEL_FINGERPRINT: self.plan.fingerprint,
            LABEL_PLAN: plan_digest(dump(self.plan)),
        }
        return found

    def add(self, command: str) -> Image:
        self.command = command
        self.images.append(self.head.id)
        self.head = self.append(self.changed())
        return self.head

    def append(self, found: Above, report: Any = ignore) -> Image:
        return append(
            self.engine, self.head, found, labels=self.labels, created_by=self.command,
            ref=self.ref, report=report, cancel=Cancel(),
        )  # fmt: skip

    def says(self, code: str, ref: str = "") -> str:
        return self.engine.execute(ref or self.ref, [str(self.python), "-c", code]).decode().strip()

    def fails(self, code: str) -> bool:
        try:
            self.says(code)
        except EngineError:
            return True
        return False


@pytest.fixture
def python(tmp_path: Path) -> Path:
    return venv(tmp_path / "env", "humanize", "six==1.16.0")


@pytest.fixture
def own(tmp_path: Path) -> BuiltinEngine:
    return BuiltinEngine(settings=Settings(store=tmp_path / "store", quota=0))


@pytest.fixture
def docker(engine_matrix: DockerEngine, python: Path, rig: Rig) -> Iterator[Layered]:
    made = Layered(engine_matrix, python, f"{rig.registry}/layered-{os.urandom(4).hex()}")
    yield made.begin()
    engine_matrix.remove(made.ref)
    for image in made.images:
        engine_matrix.remove(image)


@pytest.mark.engine
def test_each_layer_is_what_the_environment_was_then(docker: Layered, judges: Path, tmp_path: Path) -> None:
    """And the image goes to a registry whole, whatever store the engine has."""
    story(docker)
    docker.engine.push(docker.ref, report=ignore, cancel=Cancel())
    copied = (judges / "skopeo", "copy", "--quiet", f"docker://{docker.ref}", f"oci:{tmp_path / 'back'}:1")
    subprocess.run(copied, check=True)
    assert [each for each in validate(tmp_path / "back") if each.severity == "error"] == []
    client: Any = docker.engine
    history = client._connected().client().history(docker.head.id)
    assert [each["CreatedBy"] for each in history[:3]] == [
        "pip uninstall -y six", "pip install six==1.17.0", "pip install toolz",
    ]  # fmt: skip


def test_the_builtin_engine_does_the_same(
    own: BuiltinEngine, python: Path, judges: Path, tmp_path: Path
) -> None:
    made = Layered(own, python, "analysis").begin()
    story(made)
    assert validate(own.store.folder) == []
    accepted(judges, f"oci:{own.store.folder}:latest", tmp_path / "judged")


def test_all_layers_unpacked_are_a_whole_copy(own: BuiltinEngine, python: Path, tmp_path: Path) -> None:
    """Of the system, too: a package whose libraries link to it, and what apt says of it."""
    made = Layered(own, python, "analysis").begin()
    install(python, "pyyaml", "pyzmq")
    made.add("pip install pyyaml pyzmq")
    install(python, "pyyaml", verb="uninstall")
    (site(python) / "humanize/filesize.py").unlink()
    (site(python) / "six.py").write_text("six = 6\n")
    made.add("pip uninstall -y pyyaml")
    layered = unpacked(own.store.layout, own.value("analysis"), tmp_path / "layered")
    copy, _ = made.copy()
    fresh = Layout.create(tmp_path / "fresh", lasting=False)
    value = write(copy, fresh, compression="gzip", report=ignore, cancel=Cancel())
    whole = unpacked(fresh, value, tmp_path / "whole")
    other = {path for path in layered.keys() | whole.keys() if layered.get(path) != whole.get(path)}
    assert other == {PLAN_PATH.lstrip("/")}


def unpacked(layout: Layout, value: ImageValue, to: Path) -> dict[str, tuple[object, ...]]:
    to.mkdir()
    unpack([layer.descriptor for layer in value.layers], layout, to)
    return tree(to)


def test_labels_that_do_not_fit_each_other_are_no_plan(own: BuiltinEngine, python: Path) -> None:
    made = Layered(own, python, "analysis").begin()
    install(python, "toolz")
    head = made.add("pip install toolz")
    layer = json.loads(made.labels[f"{LABEL}2"])
    layer["packages"]["pip"][0]["version"] = "0"
    for name in (LABEL_FINGERPRINT, LABEL_PLAN, f"{LABEL}2", f"{LABEL}3"):
        told = json.dumps(layer) if name.startswith(LABEL) else "sha256:" + "0" * 64
        with pytest.raises(VerificationError, match="not the one that its labels name"):
            stored_plan(own, replace(head, labels={**head.labels, name: told}), cancel=Cancel())
    for name, told in ((f"{LABEL}x", json.dumps(layer)), (f"{LABEL}3", "{")):
        with pytest.raises(VerificationError, match="cannot be read"):
            stored_plan(own, replace(head, labels={**head.labels, name: told}), cancel=Cancel())


def story(made: Layered) -> None:
    python, first = made.python, made.head
    before: Any = made.engine.value(first.id)
    install(python, "toolz")
    second = made.add("pip install toolz")
    assert made.says("import toolz, humanize; print(toolz.__name__)") == "toolz"
    install(python, "six==1.17.0")
    third = made.add("pip install six==1.17.0")
    assert made.says("import six; print(six.__version__)") == "1.17.0"
    install(python, "six", verb="uninstall")
    fourth = made.add("pip uninstall -y six")
    assert made.fails("import six")
    assert made.says("import toolz; print(1)") == "1"
    assert len({image.id for image in (first, second, third, fourth)}) == 4
    now: Any = made.engine.value(fourth.id)
    assert now.layers[: len(before.layers)] == before.layers
    assert len(now.layers) == len(before.layers) + 3
    same = {"Env", "Cmd", "Entrypoint", "User", "WorkingDir", "ExposedPorts"}
    assert {k: v for k, v in now.head["config"].items() if k in same} == {
        k: v for k, v in before.head["config"].items() if k in same
    }
    assert before.head["config"].keys() >= same
    plan = stored_plan(made.engine, fourth, cancel=Cancel())
    assert "toolz" in {package.name for package in plan.packages.pip}
    assert "six" not in {package.name for package in plan.packages.pip}
    verdict = verify_against_plan(made.engine, fourth, plan, cancel=Cancel())
    assert verdict.verdict == "identical", verdict
