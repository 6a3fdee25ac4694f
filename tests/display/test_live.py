"""What a live card knows, and when it draws."""

from __future__ import annotations

import threading

from jupyter_dockerize.display.live import Live
from jupyter_dockerize.display.progress import LAST
from jupyter_dockerize.events import Finding, Log, Progress, Step


def test_drawing_is_throttled_but_no_step_and_no_end_is_missed() -> None:
    drawn: list[int] = []
    live = Live("x", lambda state: drawn.append(len(state.log)))
    live.report(Step(1, 1, "one"))
    for number in range(10_000):
        live.report(Log(str(number)))
    live.finish()
    assert len(drawn) < 100
    assert drawn[-1] == LAST


def test_it_knows_what_is_being_done() -> None:
    live = Live("x", lambda state: None)
    live.report(Step(1, 2, "Building"))
    live.report(Log("pulling"))
    assert live.note == "pulling"
    live.report(Step(3, 9, "RUN apt-get", within="Building"))
    live.report(Log("Reading package lists"))
    assert (live.note, live.count, live.total) == ("RUN apt-get", 2, 9)
    live.report(Progress("pull", 1000, 2000))
    assert live.note == "pull: 1 kB of 2 kB"
    live.report(Step(2, 2, "Verifying"))
    assert (live.note, live.count, live.total) == ("", 0, 0)


def test_a_finding_that_is_reported_twice_is_shown_once() -> None:
    live = Live("x", lambda state: None)
    for _ in range(2):
        live.report(Finding("c", "info", "m"))
    assert len(live.findings) == 1


def test_after_the_end_nothing_is_drawn_over_it() -> None:
    drawn: list[str] = []
    live = Live("x", lambda state: drawn.append(state.state))
    assert live.heartbeat()
    live.finish("failed", "it did")
    live.report(Step(2, 2, "late"))
    assert not live.heartbeat()
    assert drawn == ["running", "failed"]
    assert live.as_text() == "x\nit did"


def test_events_may_come_from_many_threads() -> None:
    live = Live("x", lambda state: None)
    live.report(Step(1, 1, "one"))
    threads = [
        threading.Thread(target=lambda: [live.report(Finding(f"c{n}", "info", "m")) for n in range(200)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(live.findings) == 200
