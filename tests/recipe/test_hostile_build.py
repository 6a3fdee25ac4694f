"""Hostile values through real builders: what comes out is what went in, or it was refused by name.

Thousands of values in a few builds, many in each, read back from the images themselves. The values
are made of what builders, shells and templates care about, from a fixed seed.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.contents import layout
from jupyter_dockerize.engines.base import Image
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.environment.choices import ProjectFile
from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.events import ignore
from jupyter_dockerize.recipe import dockerfile, pip, project
from jupyter_dockerize.recipe.bundle import DOCKERFILE, Bundle
from jupyter_dockerize.recipe.resolution import LockedPip, Resolution
from jupyter_dockerize.recipe.steps import Cmd, Comment, Env, From, Label, Step, Unpack

from .test_recipe import load

BASE = "debian:bookworm-slim"
PARTS = [
    '"', "'", "\\", "\\\\", "$", "${", "}", "$HOME", "${X:-y}", "${PATH#/}", "`id`", "$(id)", "<<EOF",
    "EOF", "#", "# syntax=evil", "# escape=`", " ", "   ", "\t", "\u2028", "\u2029", "\x85", "\x0b",
    "\x0c", "\x1b[31m", "\x7f", "\xe9", "e\u0301", "\U0001d11e", "\ufeff", "\u200b", "\u202e", "=",
    "&&", ";", "|", "%", "{{.}}", "RUN id", "--from=x", "-", "*", "[a]", "?", "~", "/", "..", "a", "B",
    "0", "\\n", "\\x00", "$$", '\\"', "^", "!", "@",
]  # fmt: skip
UNSAYABLE = ["\n", "\r", "\0", "\ud800", "\nRUN id\n", "\r\n"]


def values(seed: int, count: int) -> Iterator[str]:
    """``count`` values, one in eight with something that no Dockerfile can say."""
    dice = random.Random(seed)
    for _ in range(count):
        parts = PARTS + UNSAYABLE * 5 if dice.random() < 0.125 else PARTS
        yield "".join(dice.choice(parts) for _ in range(dice.randint(0, 12)))


def sayable(value: str) -> bool:
    return not any(char in value for char in "\n\r\0\ud800")


def accepted(make: Callable[[str], Step], candidates: Iterator[str]) -> dict[Step, str]:
    """The steps of those values that are taken; each of the others was refused, with a reason."""
    taken: dict[Step, str] = {}
    for value in candidates:
        step = make(value)
        try:
            dockerfile.write([Comment("ours"), step], frozenset())
        except UsageError as error:
            assert not sayable(value)
            assert error.what
        else:
            assert sayable(value)
            taken[step] = value
    return taken


def build(engine: DockerEngine, name: str, steps: list[Step], files: dict[str, bytes] | None = None) -> Image:
    text = dockerfile.write([Comment("ours"), From(BASE), *steps], engine.features())
    bundle = Bundle({DOCKERFILE: text.encode(), **(files or {})})
    return engine.build(bundle, name, secrets={}, report=ignore, cancel=Cancel())


def configuration(engine: DockerEngine, image: Image) -> dict[str, Any]:
    """The image's configuration, as the engine tells it."""
    return dict(engine._connected().client().inspect_image(image.id)["Config"])


def variables_of(engine: DockerEngine, image: Image) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in configuration(engine, image)["Env"])


@pytest.fixture
def name(engine: DockerEngine) -> Iterator[str]:
    ref = "jupyter-dockerize-test/hostile:1"
    yield ref
    engine.remove(ref)


@pytest.mark.engine
def test_a_thousand_variables_arrive_as_they_were(engine: DockerEngine, name: str) -> None:
    # Their own names, so that none stands in for another.
    numbers = iter(range(10**6))
    taken = accepted(lambda value: Env(f"V{next(numbers)}", value), values(1, 1000))
    image = build(engine, name, list(taken))
    found = variables_of(engine, image)
    expected = {step.name: value for step, value in taken.items() if isinstance(step, Env)}
    assert {key: value for key, value in found.items() if key.startswith("V")} == expected
    assert set(found) - set(expected) <= {"PATH", "HOME", "LANG"}


@pytest.mark.engine
def test_a_thousand_labels_arrive_as_they_were(engine: DockerEngine, name: str) -> None:
    numbers = iter(range(10**6))
    taken = accepted(lambda value: Label(f"v{next(numbers)}", value), values(2, 1000))
    image = build(engine, name, list(taken))
    expected = {step.name: value for step, value in taken.items() if isinstance(step, Label)}
    assert {key: value for key, value in image.labels.items() if key.startswith("v")} == expected


@pytest.mark.engine
def test_three_hundred_arguments_arrive_as_they_were(engine: DockerEngine, name: str) -> None:
    taken = accepted(lambda value: Cmd((value,)), values(3, 300))
    image = build(engine, name, [Cmd(tuple(taken.values()))])
    assert configuration(engine, image)["Cmd"] == list(taken.values())


@pytest.mark.engine
def test_three_hundred_file_names_arrive_as_they_were(
    engine: DockerEngine, name: str, tmp_path: Path
) -> None:
    (tmp_path / "content").write_bytes(b"content")
    digest = hashlib.sha256(b"content").hexdigest()
    paths: list[str] = []
    for number, value in enumerate(values(4, 400)):
        path = f"{number}{value}"
        file = ProjectFile(path=path, size=7, sha256=digest, source=str(tmp_path / "content"))
        try:
            project.archive([file])
        except UsageError as error:
            assert error.what
        else:
            paths.append(path)
    assert len(paths) > 150
    files = [ProjectFile(path=p, size=7, sha256=digest, source=str(tmp_path / "content")) for p in paths]
    build(engine, name, [Unpack(project.ARCHIVE, "/")], {project.ARCHIVE: project.archive(files)})
    listing = engine.execute(name, ["find", layout.WORK, "-type", "f", "-printf", "%P\\0%s %U\\0"])
    entries = listing.decode().split("\0")[:-1]
    assert sorted(entries[0::2]) == sorted(paths)
    assert set(entries[1::2]) == {f"7 {layout.UID}"}


@pytest.mark.engine
@pytest.mark.timeout(900)
def test_every_builder_reads_them_alike(engine_matrix: DockerEngine) -> None:
    """A smaller share in one build: the classic builders commit an image for each instruction."""
    numbers = iter(range(10**6))
    variables = accepted(lambda value: Env(f"V{next(numbers)}", value), values(6, 8))
    labels = accepted(lambda value: Label(f"v{next(numbers)}", value), values(7, 8))
    arguments = [value for value in values(8, 40) if sayable(value)]
    ref = "jupyter-dockerize-test/hostile-matrix:1"
    try:
        image = build(engine_matrix, ref, [*variables, *labels, Cmd(tuple(arguments))])
        found = variables_of(engine_matrix, image)
        command = configuration(engine_matrix, image)["Cmd"]
    finally:
        engine_matrix.remove(ref)
    assert {key: found[key] for key in found if key.startswith("V")} == {
        step.name: value for step, value in variables.items() if isinstance(step, Env)
    }
    assert {key: image.labels[key] for key in image.labels if key.startswith("v")} == {
        step.name: value for step, value in labels.items() if isinstance(step, Label)
    }
    assert command == arguments


def test_hostile_names_and_versions_are_refused_or_are_one_requirement() -> None:
    """Nothing but ``name==version`` can stand in a lock, whatever an index or an image said."""
    _, resolution = load("venv")
    refused = 0
    for field in ("name", "version"):
        for value in values(5, 1000):
            package = replace(LockedPip(name="six", version="1.0", hashes=()), **{field: value})
            try:
                found = pip.locks_of(Resolution(base=resolution.base, pip=(package,)))
            except UsageError:
                refused += 1
            else:
                assert found[0].text == f"{package.name}=={package.version}\n"
                assert package.name.replace("-", "").isalnum()
                assert found[0].text.count("\n") == 1
    assert refused > 1900
