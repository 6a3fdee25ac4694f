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
        ("import importlib\nimportlib.import_module('a.b')", ("a.b", "importlib")),
        (
            "from importlib import import_module\nimport_module('a', x)",
            ("a", "importlib", "importlib.import_module"),
        ),
        ("m = __import__('a')\n__import__(name), __import__('no name')", ("a",)),
    ],
)
def test_imports_are_found(source: str, imports: tuple[str, ...]) -> None:
    assert read([source]).imports == imports


@pytest.mark.parametrize(
    ("source", "variables"),
    [
        ("import os\nkey = os.environ['A_KEY']", ("A_KEY",)),
        ("from os import environ, getenv\nenviron.get('A', 1), getenv('B')", ("A", "B")),
        ("os.getenv(key='A'), os.getenv(name), os.environ[name]", ()),
        ("'DEBUG' in os.environ or os.environ.pop('OLD', None)", ("DEBUG", "OLD")),
        ("os.environ['A'] = '1'\nos.environ['A']", ()),
        ("os.environ.setdefault('A', '1')\nos.getenv('A')", ()),
        ("del os.environ['A']", ()),
        ("%env A\n%env B=1\n%env C 2\n%set_env D=3\nos.getenv('B')", ("A",)),
        ("settings['A'], settings.get('A')", ()),
        ("x = (\nos.environ['A']", ()),
    ],
)
def test_variables_that_are_read_and_not_set_are_found(source: str, variables: tuple[str, ...]) -> None:
    assert read([source]).variables == variables


def test_a_variable_that_another_cell_sets_is_not_missed() -> None:
    assert read(["os.getenv('A')", "os.environ['A'] = '1'"]).variables == ()


def test_texts_are_found() -> None:
    assert read(["open('b.csv')", "x = 'a.csv'"]).texts == ("a.csv", "b.csv")


@given(st.lists(st.text(max_size=200), max_size=4))
def test_any_source_can_be_read(sources: list[str]) -> None:
    read(sources)
