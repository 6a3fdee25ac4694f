"""The file form of what an environment is."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.environment.model import AptPackage, dump, parse

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(WORDS, VALUES, max_size=5))
def test_the_file_form_is_the_sorted_json_of_everybody(value: dict[str, Any]):
    said = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert dump(value).decode() == said


@given(WORDS, WORDS, st.booleans())
def test_what_was_written_is_read_again(name: str, version: str, manual: bool):
    package = AptPackage(name=name, version=version, arch="amd64", manual=manual)
    assert parse(dump(package), AptPackage) == package


def test_what_is_not_there_is_left_out():
    assert dump({"a": None, "b": [{"c": None}], "d": 0, "e": ""}) == (
        b'{\n  "b": [\n    {}\n  ],\n  "d": 0,\n  "e": ""\n}\n'
    )
