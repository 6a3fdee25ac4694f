"""Recorded output of real builders becomes the same events."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.engines.buildkit_output import Output, Plain, RawJson
from jupyter_dockerize.engines.progress import Narrator
from jupyter_dockerize.events import Event, Log, Progress, Step

RECORDED = Path(__file__).parent / "recorded"


def read(kind: type[RawJson] | type[Plain], lines: list[bytes]) -> tuple[list[Event], Output, Narrator]:
    events: list[Event] = []
    narrator = Narrator(events.append)
    output = kind(narrator)
    for line in lines:
        output.line(line)
    narrator.end()
    return events, output, narrator


def recorded(name: str) -> list[bytes]:
    # Not splitlines: a carriage return ends no line.
    return [line + b"\n" for line in (RECORDED / name).read_bytes().split(b"\n")]


def objects(lines: list[bytes]) -> list[bytes]:
    """The same stream as newer versions of buildx write it: one object per line."""
    text = b"".join(lines).decode()
    decoder, found, place = json.JSONDecoder(), [], 0
    while (place := text.find("{\n", place)) >= 0 and not text[place - 1 : place].strip():
        value, place = decoder.raw_decode(text, place)
        found.append(json.dumps(value).encode() + b"\n")
    return found + [line for line in lines if line.startswith(b"ERROR")]


RAWJSON = recorded("buildx-0.13-rawjson.txt")


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        pytest.param(RawJson, RAWJSON, id="rawjson, indented"),
        pytest.param(RawJson, objects(RAWJSON), id="rawjson, one line each"),
        pytest.param(Plain, recorded("docker-20.10-plain.txt"), id="plain"),
    ],
)
def test_a_recorded_build(kind: type[RawJson] | type[Plain], lines: list[bytes]):
    events, output, narrator = read(kind, lines)
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    assert steps[-1].name == 'RUN echo to-stderr >&2; echo "no wheel for that"; exit 3'
    assert steps[-1].total in (4, 5)  # a base of two stages counts once where the builder says so
    said = [event.text for event in events if isinstance(event, Log)]
    assert sorted(said) == ["building", "done", "no wheel for that", "to-stderr"]
    assert narrator.name(output.failed) == steps[-1].name
    assert sorted(narrator.tail(output.failed)) == ["no wheel for that", "to-stderr"]
    assert any("exit code: 3" in line for line in output.errors)


def test_rawjson_tells_the_streams_apart():
    events, _, _ = read(RawJson, RAWJSON)
    assert Log("to-stderr", "stderr") in events
    assert Log("no wheel for that", "stdout") in events


def test_bytes_of_a_pull():
    status = {"vertexes": [{"digest": "sha256:1", "name": "[1/2] FROM debian", "started": "now"}]}
    moved = {"statuses": [{"id": "sha256:l", "vertex": "sha256:1", "current": 5, "total": 10}]}
    events, _, _ = read(RawJson, [json.dumps(one).encode() for one in (status, moved)])
    assert events == [Step(1, 1, "FROM debian"), Progress("FROM debian", 5, 10)]


def test_bytes_of_a_pull_in_plain():
    events, _, _ = read(Plain, [b"#4 [1/1] FROM debian", b"#4 sha256:0123456789ab 1.05MB / 2.10MB 0.2s"])
    assert events == [Step(1, 1, "FROM debian"), Progress("FROM debian", 1_050_000, 2_100_000)]


def test_a_step_that_was_cancelled_is_not_the_one_that_failed():
    vertexes = [
        {
            "digest": "a",
            "name": "[x 1/2] RUN a",
            "started": "now",
            "error": "did not complete successfully: signal: killed: context canceled: context canceled",
        },
        {"digest": "b", "name": "[y 1/2] RUN b", "started": "now", "error": "exit code: 1"},
    ]
    _, output, _ = read(RawJson, [json.dumps({"vertexes": vertexes}).encode()])
    assert output.failed == "b"
    assert list(output.errors) == ["exit code: 1"]


@pytest.mark.parametrize("kind", [RawJson, Plain])
@given(
    lines=st.lists(
        st.one_of(st.binary(max_size=80), st.sampled_from([b"{", b"}", b"#1 [1/2] x", b"#1 0.1 y"]))
    )
)
def test_nonsense_is_no_fault(kind: type[RawJson] | type[Plain], lines: list[bytes]):
    read(kind, lines)


def test_an_object_that_never_ends_is_let_go():
    narrator = Narrator(lambda event: None)
    output = RawJson(narrator)
    output.line(b"{\n")
    for _ in range(100):
        output.line(b' "x": "' + b"y" * 100_000 + b'",\n')
    output.line(b"}\n")
    output.line(b'{"vertexes": [{"digest": "a", "name": "n", "error": "e"}]}\n')
    assert output.failed == "a"
