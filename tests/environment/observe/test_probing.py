"""The probe as an expression, and answers that nobody should trust."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.environment.observe import probing

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def packed(data: bytes) -> str:
    return repr(base64.b85encode(zlib.compress(data)).decode())


def test_the_expression_leaves_its_namespace_alone() -> None:
    hostile = dict.fromkeys(["exec", "compile", "repr", "json", "gather", "b", "z", "a", "own"])
    namespace = {**hostile, "__builtins__": __builtins__}
    before = dict(namespace)
    answer = eval(probing.expression({"requires"}), namespace)
    assert namespace == before
    assert answer.isascii()
    facts = probing.from_repr(repr(answer))
    assert facts["probe"]["pid"] == os.getpid()
    assert facts["probe"]["options"] == ["requires"]


def test_options_that_the_probe_does_not_have_are_a_fault_of_ours() -> None:
    for ask in (probing.expression, lambda options: probing.argv("python", options)):
        with pytest.raises(ValueError, match="no option bogus"):
            ask({"bogus"})


@given(st.dictionaries(st.text(), JSON))
def test_any_facts_come_back_as_they_were(facts: dict[str, object]) -> None:
    facts["schema"] = 1
    plain = json.dumps(facts).encode()
    assert probing.from_repr(packed(plain)) == facts
    assert probing.from_output(b"noise\n" + plain + b"\n") == facts


@given(st.text() | st.binary().map(packed) | st.binary().map(repr))
def test_other_answers_are_refused(answer: str) -> None:
    with pytest.raises(ValueError):
        probing.from_repr(answer)


@given(st.binary())
def test_other_output_is_refused(output: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert probing.from_output(output)["schema"] == 1


def test_a_bomb_does_not_go_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "LIMIT", 1 << 16)
    bomb = packed(b'{"schema": 1, "x": "' + b" " * (1 << 24) + b'"}')
    assert len(bomb) < 1 << 16
    with pytest.raises(ValueError, match="longer than"):
        probing.from_repr(bomb)
    for deep in ("[" * 100_000, "(" * 100_000 + ")" * 100_000, packed(b'{"schema":' * 100_000)):
        with pytest.raises(ValueError):
            probing.from_repr(deep)
