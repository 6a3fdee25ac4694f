"""Whatever the input is, the judge ends with an answer."""

from __future__ import annotations

import io
import os
import random
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_dockerize.image.validate.layout import validate

from .layouts import (
    GOOD,
    Changed,
    entry,
    foreign,
    good,
    plain_tar,
    rules,
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
paths = st.lists(st.integers(0, 30), min_size=1, max_size=4)
loose = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)


def replace(plain: object, path: list[int], value: object) -> None:
    """Somewhere in the document, ``value``."""
    while True:
        keys = (
            sorted(plain) if isinstance(plain, dict) else range(len(plain)) if isinstance(plain, list) else ()
        )
        if not keys:
            return
        key = keys[path[0] % len(keys)]
        inner = plain[key]  # type: ignore[index]
        path = path[1:]
        if not path or not isinstance(inner, (dict, list)) or not inner:
            plain[key] = value  # type: ignore[index]
            return
        plain = inner


@loose
@given(document=st.sampled_from(["index", "manifest", "config"]), path=paths, value=values)
def test_no_document_breaks_the_judge(
    document: str, path: list[int], value: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    changed = Changed(tmp_path_factory.mktemp("case") / "layout")
    getattr(changed, document)(lambda plain: replace(plain, path, value))
    validate(changed.folder)


@loose
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 8), cut=st.integers(0, 4000))
def test_no_layer_breaks_the_judge(
    seed: int, flips: int, cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What comes in place of a good layer's bytes is judged, and its digests are right."""
    dice = random.Random(seed)
    data = bytearray(plain_tar(*GOOD[0], *GOOD[1]))
    for _ in range(flips):
        data[dice.randrange(len(data))] = dice.randrange(256)
    changed = Changed(tmp_path_factory.mktemp("case") / "layout")
    changed.tar(bytes(data[: len(data) - cut]))
    assert not rules(changed.folder) & {"digest", "size", "diff-id", "compression"}


@loose
@given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_any_flipped_bit_of_any_blob_is_seen(
    at: int, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    layout, _ = good(tmp_path_factory.mktemp("case") / "layout")
    blobs = sorted((layout.folder / "blobs/sha256").iterdir())
    at %= sum(path.stat().st_size for path in blobs)
    for path in blobs:
        if at < path.stat().st_size:
            data = bytearray(path.read_bytes())
            data[at] ^= 1 << bit
            path.write_bytes(data)
            break
        at -= path.stat().st_size
    assert "digest" in rules(layout.folder)


@loose
@given(members=st.lists(st.tuples(st.binary(max_size=30), st.sampled_from("0123456LKxgS7")), max_size=6))
def test_what_we_read_as_sound_tarfile_reads_alike(
    members: list[tuple[bytes, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Where we find nothing wrong, another reader has the same names: nobody is shown another image."""
    data = foreign(*(entry(os.fsdecode(name), kind.encode()) for name, kind in members))
    changed = Changed(tmp_path_factory.mktemp("case") / "layout")
    changed.tar(data)
    if not rules(changed.folder):
        with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as opened:
            names = [os.fsencode(name) for name in opened.getnames()]
        assert len(names) == len(set(names)) == len(members)
