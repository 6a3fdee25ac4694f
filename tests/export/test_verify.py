"""What an image answers is hostile until it is parsed: no verdict, but never a crash and never a blame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.base import Image
from jupyter_dockerize.errors import EngineError, VerificationError
from jupyter_dockerize.export.verify import probe_image

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
