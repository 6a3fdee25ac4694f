"""Image references: what is one, what is not, and that each survives being written down."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.errors import ReferenceError  # noqa: A004
from jupyter_dockerize.image.reference import Reference

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "full", "short"),
    [
        ("python", "docker.io/library/python:latest", "python:latest"),
        ("python:3.11.7-slim", "docker.io/library/python:3.11.7-slim", "python:3.11.7-slim"),
        ("docker.io/python:3", "docker.io/library/python:3", "python:3"),
        ("index.docker.io/library/python:3", "docker.io/library/python:3", "python:3"),
        ("mambaorg/micromamba:2", "docker.io/mambaorg/micromamba:2", "mambaorg/micromamba:2"),
        ("localhost/analysis", "localhost/analysis:latest", "localhost/analysis:latest"),
        ("localhost:5000/a/b:v1", "localhost:5000/a/b:v1", "localhost:5000/a/b:v1"),
        ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
        (f"a@{DIGEST}", f"docker.io/library/a@{DIGEST}", f"a@{DIGEST}"),
        (f"quay.io/a/b:1@{DIGEST}", f"quay.io/a/b:1@{DIGEST}", f"quay.io/a/b:1@{DIGEST}"),
        ("Registry/a", "Registry/a:latest", "Registry/a:latest"),
        ("a__b/c--d_e.f", "docker.io/a__b/c--d_e.f:latest", "a__b/c--d_e.f:latest"),
    ],
)
def test_what_people_write_is_read_in_full(text: str, full: str, short: str) -> None:
    reference = Reference.parse(text)
    assert (reference.full, str(reference)) == (full, short)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("-it", "dash"),
        ("--privileged", "dash"),
        ("Analysis", "lower case"),
        ("team/Analysis:v1", "lower case"),
        ("a b", "space"),
        ("a\n", "control"),
        ("a\x00b", "control"),
        ("naïve", "ASCII"),
        ("a:", "tag"),
        ("a:-x", "tag"),
        ("a:" + "x" * 129, "tag"),
        ("a@", "sha256"),
        ("a@sha256:../../x", "sha256"),
        (f"a@{DIGEST[:-1]}", "sha256"),
        (f"a@{DIGEST.upper()}", "sha256"),
        ("a//b", "name"),
        ("../a", "host"),
        ("a/../b", "name"),
        ("/a", "name"),
        ("a___b", "name"),
        ("user:pass@host/a", "sha256"),
        ("https://host.org/a", "host"),
        ("host.org:port/a", "host"),
        ("0123456789abcdef" * 4, "id"),
        ("a/" + "b" * 255, "longer"),
    ],
)
def test_what_is_no_reference_is_refused_with_why_and_what_to_write(text: str, why: str) -> None:
    with pytest.raises(ReferenceError, match="not an image reference") as refused:
        Reference.parse(text)
    assert why in refused.value.why
    assert refused.value.fix
    assert refused.value.exit_status == 2


label = st.from_regex(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,8}[a-zA-Z0-9])?", fullmatch=True)
domain = st.one_of(
    st.just("docker.io"),
    st.just("localhost"),
    st.lists(label, min_size=2, max_size=4).map(".".join),
    st.tuples(label, st.integers(0, 65535)).map(lambda pair: f"{pair[0]}:{pair[1]}"),
)
component = st.from_regex(r"[a-z0-9]{1,8}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,8}){0,3}", fullmatch=True)
path = st.lists(component, min_size=1, max_size=4).map("/".join)
tag = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}", fullmatch=True)
digest = st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True)


@given(domain, path, st.none() | tag, st.none() | digest)
def test_each_reference_is_read_back_from_both_of_its_forms(
    domain: str, path: str, tag: str | None, digest: str | None
) -> None:
    text = f"{domain}/{path}" + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    reference = Reference.parse(text)
    assert Reference.parse(str(reference)) == reference
    assert Reference.parse(reference.full) == reference


@given(st.text(max_size=60))
def test_anything_else_is_a_reference_or_a_named_refusal(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except ReferenceError as refused:
        assert all(char.isprintable() or char == "\n" for char in str(refused))
    else:
        assert re.fullmatch(r"[A-Za-z0-9\[\]._:/@-]+", str(reference))
        assert not str(reference).startswith("-")
        assert Reference.parse(str(reference)) == reference
