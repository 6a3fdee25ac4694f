"""What is meant is what a builder reads: quoting, refusals, and the shape of the text.

The model of a builder's word rules below is written after the Dockerfile reference and BuildKit's
behaviour; `test_hostile_build` asks real builders.
"""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyter_dockerize.errors import NoEngineError, UsageError
from jupyter_dockerize.recipe import dockerfile
from jupyter_dockerize.recipe.steps import (
    BUILDKIT,
    CLASSIC,
    BindFile,
    Cache,
    Cmd,
    Comment,
    Copy,
    Entrypoint,
    Env,
    From,
    Label,
    Run,
    SearchPath,
    Secret,
    Step,
    Unpack,
)

SAYABLE = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\n\r\0"))
START = Comment("ours")


def text(*steps: Step, features: frozenset = BUILDKIT) -> str:
    return dockerfile.write([START, *steps], features)


def logical_lines(source: str) -> list[str]:
    """Physical lines → instructions: a backslash at the end continues, comments and blanks vanish."""
    lines, current = [], None
    for line in source.split("\n"):
        stripped = line.strip(" \t")
        if stripped.startswith("#") or not stripped:
            continue
        continued = re.search(r"(?:^|[^\\])\\[ \t]*$", line)
        piece = line[: line.rindex("\\")] if continued else line
        current = piece if current is None else current + piece
        if not continued:
            lines.append(current)
            current = None
    return lines


def word(quoted: str, variables: dict[str, str]) -> str:
    """A double-quoted word as a builder reads it. Fails where the word ends early."""
    assert quoted[0] == '"'
    value, at = "", 1
    while quoted[at] != '"':
        char = quoted[at]
        if char == "\\" and quoted[at + 1] in '"$\\':
            value += quoted[at + 1]
            at += 2
        elif char == "$":
            name = re.match(r"\$\{?(\w*)", quoted[at:])
            assert name
            value += variables.get(name[1], "")
            at += name.end()
        else:
            value += char
            at += 1
    assert at == len(quoted) - 1, "something follows the word"
    return value


@settings(deadline=None)
@given(SAYABLE)
@example('say "hi" for $5 \\')
@example("${X:-y} $HOME `id` $(id) <<EOF")
@example("\u2028\u2029\x85\x0b\x0c\t ")
@example("# syntax=evil")
@example("a" * 40_000)
@example("ä#\\$" + "ab \\\\#" * 9_000)
def test_a_value_is_read_as_it_was_meant(value: str) -> None:
    for step, key in ((Env("A", value), "ENV A="), (Label("a.b", value), "LABEL a.b=")):
        found = [line for line in logical_lines(text(step)) if line.startswith(key)]
        assert [word(line[len(key) :], {"HOME": "evil"}) for line in found] == [value]
        assert len(logical_lines(text(step))) == 1


@settings(deadline=None)
@given(st.text(), st.sampled_from("\n\r\0\ud800"), st.text())
def test_what_no_dockerfile_can_hold_is_refused_by_name(before: str, char: str, after: str) -> None:
    value = before + char + after
    for step, name in ((Env("SECRET", value), "SECRET"), (Label("a", value), "label a")):
        with pytest.raises(UsageError, match=name) as caught:
            text(step)
        assert caught.value.fix


@pytest.mark.parametrize("size", [30_000, 90_000])
def test_long_values_stay_on_safe_lines(size: int) -> None:
    written = text(Env("A", "x1\N{SNOWMAN}" * (size // 5)))
    assert max(len(line.encode()) for line in written.split("\n")) < 32 << 10


def test_a_value_that_no_process_could_be_given_is_refused() -> None:
    with pytest.raises(UsageError, match="the variable A is 200,000 bytes long"):
        text(Env("A", "x" * 200_000))


def test_a_long_value_that_cannot_be_cut_safely_is_refused() -> None:
    with pytest.raises(UsageError, match="too long"):
        text(Env("A", "#" * 40_000))


@pytest.mark.parametrize("name", ["", "A B", "A=B", "1A", "A\nRUN", "Ä", "$A"])
def test_what_is_no_variable_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not the name of a variable"):
        text(Env(name, "x"))


@pytest.mark.parametrize("image", ["", "-x", "a b", "$IMAGE", "python:3\nRUN evil", "a\\", "--platform=x"])
def test_what_is_no_image_is_refused(image: str) -> None:
    with pytest.raises(UsageError, match="not an image reference"):
        text(From(image))


@pytest.mark.parametrize("digest", ["", "sha256:../../x", "sha256:" + "0" * 63, "sha256:" + "0" * 64 + "\n"])
def test_what_is_no_digest_is_refused(digest: str) -> None:
    with pytest.raises(UsageError, match="not a digest"):
        text(From("python", digest))


@pytest.mark.parametrize("path", ["a b", "a[1]", "*", "$X", "--from=x", "a\nb", "", "a'b", "é"])
def test_user_text_never_stands_in_copy_or_add(path: str) -> None:
    if path.startswith("--"):
        path += " "
    for step in (Copy(path, "/x"), Copy("x", path), Unpack(path, "/"), SearchPath(path)):
        with pytest.raises(ValueError, match="not a name of ours"):
            text(step)


@settings(deadline=None)
@given(st.lists(SAYABLE, min_size=1))
def test_a_command_is_read_as_it_was_meant(argv: list[str]) -> None:
    line = logical_lines(text(Cmd(tuple(argv))))[0]
    assert json.loads(line.removeprefix("CMD ")) == argv


def test_a_command_with_a_line_feed_is_refused() -> None:
    with pytest.raises(UsageError, match="an argument holds a line feed"):
        text(Entrypoint(("a\nb",)))


@pytest.mark.parametrize("comment", ["syntax=x\r", "a\x00", "päng", "a\u2028b"])
def test_a_comment_holds_only_our_own_words(comment: str) -> None:
    with pytest.raises(ValueError, match="not a comment of ours"):
        text(Comment(comment))


def test_the_first_line_is_a_comment_of_ours() -> None:
    with pytest.raises(ValueError, match="begins with a comment"):
        dockerfile.write([From("python")], BUILDKIT)


RUN = Run(
    ("first", "second\n--option\nlast"),
    caches=(Cache("/cache"),),
    binds=(BindFile("env/a.txt", "/build/a.txt"),),
)


def test_mounts_where_the_builder_has_them() -> None:
    assert text(RUN).splitlines()[1:] == [
        "RUN --mount=type=bind,source=env/a.txt,target=/build/a.txt \\",
        "    --mount=type=cache,target=/cache \\",
        "    first \\",
        " && second \\",
        "      --option \\",
        "      last",
    ]


def test_copies_where_it_has_none_each_once_in_a_stage() -> None:
    written = text(From("a"), RUN, RUN, From("b"), RUN, features=CLASSIC).splitlines()
    assert [line for line in written if line.startswith(("FROM", "COPY"))] == [
        "FROM a",
        "COPY env/a.txt /build/a.txt",
        "FROM b",
        "COPY env/a.txt /build/a.txt",
    ]
    assert "--mount" not in "".join(written)


def test_a_secret_is_a_mount_or_a_refusal() -> None:
    step = Run(("fetch",), secrets=(Secret("ca", "/run/secrets/ca"),))
    assert "--mount=type=secret,id=ca,target=/run/secrets/ca" in text(step)
    with pytest.raises(NoEngineError, match="secret"):
        text(step, features=CLASSIC)


def test_owners_are_changed_afterwards_where_copy_cannot() -> None:
    step = Copy("/opt/env", "/opt/env", stage="build", owner=1000)
    assert text(step).splitlines()[1:] == ["COPY --from=build --chown=1000:1000 /opt/env /opt/env"]
    assert text(step, features=frozenset()).splitlines()[1:] == [
        "COPY --from=build /opt/env /opt/env",
        "RUN chown -R 1000:1000 /opt/env",
    ]
