"""How an image is made that is asked for: what does not go together is refused before anything is done."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.events import Event
from jupyter_dockerize.export.asked import Asked
from jupyter_dockerize.export.making import make

FILE = Path("analysis.tar")


def refused(**options: Any) -> str:
    events: list[Event] = []
    asked = Asked(where=Where(), wishes=Wishes(), ref="analysis", started=time.monotonic(), **options)
    with pytest.raises(UsageError) as caught:
        make(asked, report=events.append, cancel=Cancel())
    assert events == []
    return caught.value.what


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"method": "rebuild", "output": FILE}, "only a copied image is written to a file"),
        ({"push": True, "output": FILE}, "an image that is written to a file is not pushed"),
        ({"engine": "none"}, "no engine 'none'"),
        ({"engine": "none", "output": FILE}, "no engine 'none'"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], what: str) -> None:
    assert what in refused(**options)


@pytest.mark.parametrize("options", [{"method": "copy"}, {"output": FILE}])
def test_files_of_another_system_are_copied_into_no_image(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert refused(**options) == "files of macOS cannot be copied into an image, which is Linux"
