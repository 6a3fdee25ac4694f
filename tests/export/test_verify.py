"""What an image answers is hostile until it is parsed: no verdict, but never a crash and never a blame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.base import Image
from jupyter_dockerize.errors import VerificationError
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
