"""What code says by itself, whatever state it is in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.environment.project.imports import read


@pytest.mark.parametrize(
    ("source", "imports"),
    [
        ("import a, b.c as d", ("a", "b.c")),
        ("from a import b, c", ("a", "a.b", "a.c")),
        ("from . import x\nfrom ..y import z", ("..y", "..y.z", ".x")),
        ("from a import *", ("a",)),
        ("def f():\n    import late", ("late",)),
        ("%matplotlib inline\nimport a", ("a",)),
        ("if x:\n    !pip install y\nimport a", ("a",)),
        ("import a\nx = (", ("a",)),
        ("print 'two'\nimport a, b as c\n  from d.e import f", ("a", "b", "d.e", "d.e.f")),
        ("print 'two'\nfrom a.b import (c,\n    d)", ("a.b",)),
        ("x = !ls\nprint?\nimport a", ("a",)),
        ("%%bash\nimport nothing", ()),
        ("%%time\nimport a", ("a",)),
        ("x % y\nimport a", ("a",)),
        ("'import nothing'", ()),
    ],
)
def test_imports_are_found(source: str, imports: tuple[str, ...]) -> None:
    assert read([source]).imports == imports


def test_texts_are_found() -> None:
    assert read(["open('b.csv')", "x = 'a.csv'"]).texts == ("a.csv", "b.csv")


@given(st.lists(st.text(max_size=200), max_size=4))
def test_any_source_can_be_read(sources: list[str]) -> None:
    read(sources)
