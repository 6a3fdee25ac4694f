"""Differences in words, and many of them as one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_dockerize.display.differences import in_words, of_planned, total
from jupyter_dockerize.environment.compare import Difference

from .samples import LIBRARY, PATCH, PLANNED


def pip(**values: str) -> Difference:
    base = {
        "manager": "pip",
        "name": "numpy",
        "field": "version",
        "expected": "1",
        "found": "2",
        "class_": "unexpected",
    }
    return Difference(**{**base, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (pip(), "numpy: version 1 → 2"),
        (pip(field="package", found=""), "numpy 1 is missing"),
        (
            pip(field="package", expected="", found="2 (env)"),
            "numpy 2 (env) is there and was not meant to be",
        ),
        (pip(field="source", expected="index", found=""), "numpy: source index → –"),
        (LIBRARY, "libGL.so.1 is missing, cv2/cv2.abi3.so needs it"),
        (PATCH, "libssl3: version 3.0.19 → 3.0.22"),
    ],
)
def test_in_words(value: Difference, words: str) -> None:
    assert in_words(value) == words


def test_one_group_for_each_reason_the_rarest_kind_first() -> None:
    added, whole, left = of_planned((LIBRARY, *PLANNED))
    assert (added.kind, added.counted, added.shown) == ("added", "1 package", "ipykernel")
    assert (whole.kind, whole.counted, whole.shown) == ("left out", "515 Debian packages", "")
    assert (left.counted, left.reason) == (
        "180 Debian packages",
        "no package here links to it; --apt NAME takes it along",
    )
    assert left.shown == "lib0, lib1, lib2, lib3, lib4, lib5, lib6, lib7 and 172 more"
    assert total((added, whole, left)) == 696


def test_a_name_inside_another_word_is_not_its_place() -> None:
    r = replace(PLANNED[0], name="a", note="a package that is unused; --apt a takes it along")
    assert of_planned([r])[0].reason == "NAME package that is unused; --apt NAME takes it along"
