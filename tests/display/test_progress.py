"""Progress on stderr, in each of its forms."""

from __future__ import annotations

import io
import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.display.progress import RichPrinter, brief, in_json, note, reporter
from jupyter_dockerize.errors import CancelledError, UsageError
from jupyter_dockerize.events import Event, Finding, Log, Progress, Result, Step

EVENTS: list[Event] = [
    Step(1, 2, "Reading"),
    Log("\x1b[31mred\x1b[0m 10%\r20%"),
    Finding("a-code", "warning", "be careful", "do this"),
    Step(2, 2, "Building"),
    Step(3, 9, "RUN apt-get", within="Building"),
    Progress("pull", 2_000_000, 4_000_000),
    Result({"ref": "x"}),
]


def shown(kind: str | None, events: list[Event] = EVENTS, *, failing: bool = False) -> str:
    stream = io.StringIO()
    try:
        with reporter(kind, stream) as printer:
            for event in events:
                printer.report(event)
            if failing:
                raise RuntimeError
    except RuntimeError:
        pass
    return stream.getvalue()


PLAIN = ["[1/2] Reading", "    20%", "[2/2] Building", "  [3/9] RUN apt-get"]


def test_plain_is_a_line_for_each_and_leaves_findings_to_the_result() -> None:
    assert shown("plain").splitlines() == PLAIN


def test_plain_tells_how_far_it_is_where_nothing_was_said_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    with reporter("plain", stream) as printer:
        for second in range(60):
            now[0] += 1
            printer.report(Progress("copied", second * 10_000_000, 2_000_000_000))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 6
    assert lines[1] == "    copied: 190 MB of 2.0 GB, about 3 min left"


def test_a_screen_shows_how_much_is_done_and_how_long_the_rest_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    with reporter("rich", stream) as printer:
        assert isinstance(printer, RichPrinter)
        printer.report(Step(1, 3, "Copying the files"))
        for second in range(10):
            now[0] += 1
            printer.report(Progress("copied", second * 10_000_000, 390_000_000))
        printer.steps.refresh()
        printer.report(Log("something else"))
        printer.steps.refresh()
    told = [line for line in stream.getvalue().split("\n") if "copied: 90.0 MB of 390 MB" in line]
    assert told and "about 30 s left" in told[-1]
    assert "left" not in stream.getvalue().rpartition("something else")[2]


def test_json_lines_say_how_long_the_rest_takes_where_that_is_known() -> None:
    events: list[Event] = [Progress("copied", 1, 2)]
    assert json.loads(shown("jsonl", events))["left"] is None
    assert json.loads(in_json(events[0], 12.345))["left"] == 12.3


def test_plain_tells_the_findings_where_there_is_no_result() -> None:
    assert shown("plain", failing=True).splitlines() == [*PLAIN, "! be careful [a-code] → do this"]


def test_plain_says_once_what_several_steps_of_the_builder_are_for() -> None:
    steps: list[Event] = [Step(n, 9, "An init", within="Building") for n in (1, 2)]
    assert shown("plain", steps).splitlines() == ["  [1/9] An init"]


def test_where_there_is_no_terminal_it_is_plain() -> None:
    assert shown(None) == shown("plain")


def test_json_lines_hold_everything() -> None:
    found = [json.loads(line) for line in shown("jsonl").splitlines()]
    assert [line["event"] for line in found] == [
        "step",
        "log",
        "finding",
        "step",
        "step",
        "progress",
        "result",
    ]
    assert found[1]["text"] == EVENTS[1].text  # type: ignore[union-attr]
    assert found[-1]["result"] == {"ref": "x"}


def test_none_is_silent() -> None:
    assert shown("none") == ""


def test_rich_ticks_off_what_is_done_and_keeps_findings_for_the_result() -> None:
    said = shown("rich")
    assert "✓ Reading" in said and "✓ Building" in said
    assert "be careful" not in said


def test_rich_keeps_to_the_width_of_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    long: list[Event] = [Step(1, 1, "Opening " + "a" * 99), Log("b" * 200), Log("c" * 200)]
    lines = re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]", "\n", shown("rich", long)).splitlines()
    assert max(map(len, lines)) <= 30
    assert any("Opening aa" in line for line in lines) and any("0:00:00" in line for line in lines)


def test_rich_tells_the_end_of_the_log_and_the_findings_where_the_work_failed() -> None:
    said = shown("rich", failing=True)
    assert "✓ Reading" in said and "✗ Building" in said
    assert "20%" in said and "10%" not in said
    assert "be careful [a-code]" in said


def test_rich_does_not_go_on_about_what_was_cancelled() -> None:
    stream = io.StringIO()
    with pytest.raises(CancelledError), reporter("rich", stream) as printer:
        printer.report(EVENTS[0])
        printer.report(EVENTS[2])
        raise CancelledError
    assert "✗ Reading" in stream.getvalue()
    assert "be careful" not in stream.getvalue()


@pytest.mark.parametrize("kind", ["plain", "rich"])
def test_escape_sequences_of_others_do_nothing(kind: str) -> None:
    hostile = "\x1b]52;c;ZXZpbA==\x07\x1b]0;owned\x07\x1b[2J\x9b2J[bold]markup[/bold]"
    said = shown(
        kind, [Step(1, 1, hostile), Log(hostile), Finding(hostile, "error", hostile, hostile)], failing=True
    )
    assert "\x1b]" not in said and "\x1b[2J" not in said and "\x9b" not in said
    assert "[bold]markup[/bold]" in said


@pytest.mark.parametrize("kind", ["plain", "jsonl"])
def test_work_goes_on_where_nobody_reads_any_more(kind: str) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with reporter(kind, Gone()) as printer:
        for event in EVENTS:
            printer.report(event)


def test_a_step_is_told_without_its_mounts() -> None:
    typed = (
        "RUN --mount=type=bind,source=env,target=/build/env     --mount=type=secret,id=ca"
        "     if [ -s /run/secrets/ca ]; then export PIP_CERT=/ca; fi  && uv pip install -r /x.txt"
    )
    assert brief(typed) == "RUN uv pip install -r /x.txt"
    assert note(Step(4, 9, typed)) == "4/9 RUN uv pip install -r /x.txt"


def test_a_base_is_told_without_its_digest_and_the_usual_registry() -> None:
    typed = "FROM docker.io/library/python:3.11-slim@sha256:" + "a" * 64
    assert brief(typed) == "FROM python:3.11-slim"
    assert note(Progress(typed, 1000, 2000)) == "FROM python:3.11-slim: 1 kB of 2 kB"


def test_amounts_read_as_people_say_them() -> None:
    assert note(Progress("pull", 2_000_000, 4_000_000)) == "pull: 2.0 MB of 4.0 MB"
    assert note(Progress("wheels", 3, 0, "packages")) == "wheels: 3"


@given(st.text())
def test_an_error_is_one_line_of_json(hostile: str) -> None:
    line = in_json(UsageError(hostile, why=hostile, fix=hostile))
    assert len(line.splitlines()) == 1
    assert json.loads(line)["what"] == hostile
