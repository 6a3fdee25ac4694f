"""What an image answers is hostile until it is parsed: no verdict, but never a crash and never a blame."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.contents.identity import LABEL_FINGERPRINT
from jupyter_dockerize.display import text
from jupyter_dockerize.engines.base import Image
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.comparison import Comparison
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.environment.plan.packages import added
from jupyter_dockerize.environment.plan.planning import make_plan
from jupyter_dockerize.errors import EngineError, VerificationError
from jupyter_dockerize.export.inside import probe_image, stored_plan
from jupyter_dockerize.export.verify import planned_like
from jupyter_dockerize.typed import told

from ..conftest import missing
from ..environment.environments import pip, snapshot

IMAGE = Image(
    id="sha256:" + "0" * 64,
    refs=("stranger:latest",),
    digest=None,
    size=1,
    created="2026-01-01T00:00:00Z",
    platform="linux/amd64",
)


class Answering:
    """An engine whose containers print ``answer``, whatever runs in them."""

    name = "docker"

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def execute(self, ref: str, argv: Sequence[str], **more: Any) -> bytes:
        return self.answer

    def read(self, ref: str, path: str, **more: Any) -> bytes:
        return self.execute(ref, ["cat", path])


class Refusing(Answering):
    """An engine that cannot start what is in the image."""

    def execute(self, ref: str, argv: Sequence[str], **more: Any) -> bytes:
        raise EngineError("the container does not start", why="exec format error")


@pytest.mark.parametrize(
    ("machine", "image", "emulator"),
    [
        ("x86_64", "linux/amd64", False),
        ("arm64", "linux/amd64", True),
        ("aarch64", "linux/arm64/v8", False),
        ("x86_64", "", False),
    ],
)
def test_an_emulator_is_advised_only_where_the_image_is_for_another_machine(
    machine: str, image: str, emulator: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(VerificationError) as error:
        probe_image(Refusing(b""), replace(IMAGE, platform=image), cancel=Cancel())  # type: ignore[arg-type]
    assert ("emulator" in (error.value.fix or "")) is emulator
    ours = replace(IMAGE, platform=image, labels={LABEL_FINGERPRINT: "sha256:" + "0" * 64})
    with pytest.raises(VerificationError) as error:
        stored_plan(Refusing(b""), ours, cancel=Cancel())  # type: ignore[arg-type]
    assert ("emulator" in (error.value.fix or "")) is emulator


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no facts\n",
        b'{"schema": 1}\n',
        b'{"schema": 1, "pip": {"distributions": 5}, "python": [], "system": "x"}\n',
        b'{"schema": 1, "a": ' + b"[" * 200_000 + b"}\n",
        b'{"schema": 99}\n',
    ],
)
def test_what_is_no_description_of_an_environment_cannot_be_verified(answer: bytes) -> None:
    with pytest.raises(VerificationError):
        probe_image(Answering(answer), IMAGE, cancel=Cancel())  # type: ignore[arg-type]


def test_the_second_interpreter_is_tried_whatever_the_first_one_answered() -> None:
    asked = []

    class Half(Answering):
        def execute(self, ref: str, argv: Sequence[str], **more: Any) -> bytes:
            asked.append(argv[0])
            return super().execute(ref, argv, **more)

    with pytest.raises(VerificationError) as error:
        probe_image(Half(b"hello\n"), IMAGE, cancel=Cancel())  # type: ignore[arg-type]
    assert asked == ["python3", "python"]
    assert "python3: " in error.value.why and "python: " in error.value.why


def test_who_asks_what_a_strangers_image_is_meant_to_hold_is_told_what_to_type() -> None:
    with pytest.raises(VerificationError) as error:
        stored_plan(Answering(b""), IMAGE, cancel=Cancel())  # type: ignore[arg-type]
    told(error.value, "jupyter dockerize", ("verify", "stranger"))
    assert f"`jupyter dockerize verify stranger python:{sys.executable}`" in error.value.fix


def test_a_plan_that_is_named_and_cannot_be_read_stays_an_error() -> None:
    ours = replace(IMAGE, labels={LABEL_FINGERPRINT: "sha256:0"})
    with pytest.raises(VerificationError, match="cannot be read"):
        stored_plan(Answering(b"{}"), ours, cancel=Cancel())  # type: ignore[arg-type]


def test_what_was_added_with_the_locks_is_planned_for_the_source_too() -> None:
    stored = make_plan(snapshot(pip("numpy")), Wishes())
    stored = replace(stored, choices=(*stored.choices, added("comm", "ipykernel needs it", "0.2")))
    stored = replace(
        stored, packages=replace(stored.packages, pip=(*stored.packages.pip, pip("comm", "0.2")))
    )
    plan = planned_like(stored, snapshot(pip("numpy"), pip("humanize")))
    assert [p.name for p in plan.packages.pip] == ["comm", "humanize", "ipykernel", "numpy"]
    assert [c.name for c in plan.choices if c.kind == "added"] == ["comm"]


@pytest.fixture(scope="module")
def built(tiny: Path) -> Iterator[str]:
    """An image of an environment that has ipykernel and little else."""
    ref = f"verified-{secrets.token_hex(6)}"
    engine = DockerEngine()
    if not engine.status(seconds=10).available:
        missing("no engine here")
    made = api.build(Where(python=str(tiny)), Wishes(), ref)
    assert made.verdict in ("identical", "equivalent"), made.differences
    yield ref
    engine.remove(ref)
    engine.close()


@pytest.fixture
def derived(built: str, tmp_path: Path, engine: DockerEngine) -> Iterator[Callable[[str], str]]:
    """Makes an image of the built one, as somebody else would."""
    name = f"{built}-changed"

    def make(instructions: str) -> str:
        (tmp_path / "Dockerfile").write_text(f"FROM {built}\n{instructions}\n")
        subprocess.run(["docker", "build", "-q", "-t", name, tmp_path], check=True, capture_output=True)
        return name

    yield make
    engine.remove(name)


def unexpected(found: Comparison) -> list[tuple[str, str]]:
    return [(d.name, d.field) for d in found.differences if d.class_ == "unexpected"]


EDIT = "RUN sed -i 's/return/retur_/' /opt/env/lib/python3*/site-packages/ipykernel/kernelbase.py"


@pytest.mark.engine
def test_a_file_that_was_changed_and_kept_its_size_is_found_by_its_hash(
    derived: Callable[[str], str],
) -> None:
    changed = derived(EDIT)
    assert unexpected(api.verify(changed)) == []  # sizes are what is looked at by default
    found = api.verify(changed, hashes=True)
    assert (found.verdict, unexpected(found)) == ("different", [("ipykernel", "files")])
    assert "✗ ipykernel: edited or gone: ipykernel/kernelbase.py" in text.comparison(found)


@pytest.mark.engine
def test_a_sound_image_has_no_edited_files(built: str) -> None:
    assert unexpected(api.verify(built, hashes=True)) == []


@pytest.mark.engine
def test_a_package_that_was_edited_since_is_different_until_it_is_built_again(
    tmp_path: Path, engine: DockerEngine
) -> None:
    uv, python = find_uv_bin(), tmp_path / "env" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "env"], check=True)
    # Copies: an edit must not reach the installer's cache.
    install = [uv, "pip", "install", "--quiet", "--link-mode", "copy", "--python", python]
    subprocess.run([*install, "ipykernel", "six"], check=True)
    where, ref = Where(python=str(python)), f"edited-{secrets.token_hex(6)}"
    assert api.build(where, Wishes(), ref).ok
    [six] = (tmp_path / "env").glob("lib/python3*/site-packages/six.py")
    six.write_text(six.read_text().replace("Benjamin", "Benjamim", 1))
    try:
        old = api.verify(ref, f"python:{python}", hashes=True)
        assert (old.verdict, unexpected(old)) == ("different", [("six", "files")])
        again = api.build(where, Wishes(), ref, hashes=True)
        assert again.verdict in ("identical", "equivalent"), again.differences
        new = api.verify(ref, f"python:{python}", hashes=True)
        assert new.verdict in ("identical", "equivalent"), new.differences
        six.write_text(six.read_text().replace("Benjamim", "Benjamen", 1))
        assert unexpected(api.verify(ref, f"python:{python}", hashes=True)) == [("six", "files")]
    finally:
        engine.remove(ref)


@pytest.mark.engine
def test_a_strangers_image_is_compared_by_the_default_wishes(
    derived: Callable[[str], str], tiny: Path
) -> None:
    # The same files, and nothing of ours that says what they are meant to be.
    stranger = derived("FROM debian:bookworm-slim\nCOPY --from=0 / /\nENV PATH=/opt/env/bin:$PATH")
    found = api.verify(stranger, f"python:{tiny}")
    assert unexpected(found) == []
    assert found.verdict in ("identical", "equivalent")
    with pytest.raises(VerificationError, match="does not say what it is meant to hold"):
        api.verify(stranger)


@pytest.mark.engine
def test_a_diff_with_an_image_does_not_list_what_was_left_out_of_it_on_purpose(
    built: str, tiny: Path
) -> None:
    here, there = f"python:{tiny}", f"image:{built}"
    for a, b in ((here, there), (there, here)):
        found = api.diff(a, b)
        assert unexpected(found) == []
        assert len(text.comparison(found).splitlines()) < 10
        assert text.comparison(found).startswith("✓ A and B: ")
        assert f"\nA: {a}\nB: {b}\n" in text.comparison(found)


@pytest.mark.engine
def test_an_image_that_lost_its_name_to_a_newer_one_is_mentioned(
    built: str, tiny: Path, tmp_path: Path, engine: DockerEngine
) -> None:
    before = engine.inspect(built)
    assert before is not None
    ref = f"{built}-again"
    engine.tag(before.id, ref)
    alone = api.build(Where(python=str(tiny)), Wishes(apt=("less",)), ref, verify=False)
    assert not [f for f in alone.findings if f.code == "image-replaced"]  # it has another name still
    again = api.build(Where(python=str(tiny)), Wishes(apt=("tree",)), ref, verify=False)
    (told,) = [f for f in again.findings if f.code == "image-replaced"]
    assert told.fix == f"`docker rmi {alone.image_id[7:19]}` removes it"
    left = [image for image in api.images() if image.id == alone.image_id]
    try:
        assert "(replaced)" in text.images(left)
    finally:
        engine.remove(ref)
        engine.remove(alone.image_id)
