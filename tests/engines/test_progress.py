"""Lines as a terminal leaves them, whatever a program prints, and steps that only rise."""

import tracemalloc
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.engines.progress import KEPT, LONGEST, Lines, Narrator
from jupyter_dockerize.events import Event, Log, Progress, Step


def lines_of(*chunks: bytes) -> list[str]:
    lines = Lines()
    found = [line for chunk in chunks for line in lines.feed(chunk)]
    return found + list(lines.end())


def test_a_progress_bar_leaves_its_last_state():
    assert lines_of(b"10%\r50%\r", b"100%\ndone") == ["100%", "done"]


def test_windows_line_ends_are_no_overwriting():
    assert lines_of(b"one\r\ntwo\r", b"\n") == ["one", "two"]


def test_a_character_may_arrive_in_two_pieces():
    data = "Säugetiere\n".encode()
    assert lines_of(data[:2], data[2:]) == ["Säugetiere"]


def test_bytes_that_are_no_text_are_shown_as_such():
    assert lines_of(b"\xff\xfe\n") == ["��"]


def test_a_line_of_ten_megabytes_is_cut_and_says_so():
    (line,) = lines_of(*[b"x" * 1000] * 10_000, b"\n")
    assert line.startswith("x" * LONGEST)
    assert line.endswith("… [9,983,616 more characters]")


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_lines_do_not_depend_on_how_the_bytes_arrive(data: bytes, cuts: list[int]):
    places = [0, *sorted(cuts), len(data)]
    chunks = [data[start:end] for start, end in pairwise(places)]
    assert lines_of(*chunks) == lines_of(data)


def test_only_the_last_lines_of_a_step_are_kept():
    narrator = Narrator(lambda event: None)
    narrator.log("a", b"".join(b"%d\n" % n for n in range(1000)))
    assert narrator.tail("a") == [str(n) for n in range(1000 - KEPT, 1000)]


def test_a_gigabyte_of_log_needs_little_memory():
    narrator = Narrator(lambda event: None)
    chunk = b"x" * 100_000 + b"\n" + b"y\n" * 10_000
    narrator.log("a", chunk)
    tracemalloc.start()
    for _ in range(30):  # more changes nothing: what is held no longer grows
        narrator.log("a", chunk)
    held, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 4 << 20


def test_numbers_rise_and_never_pass_the_total():
    events: list[Event] = []
    narrator = Narrator(events.append)
    narrator.begin("1", "FROM a", stage="tools", of=2)
    narrator.begin("2", "FROM b", stage="", of=3)
    narrator.begin("2", "FROM b", stage="", of=3)
    narrator.begin("3", "RUN x", stage="tools", of=2)
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.number for step in steps] == [1, 2, 3]
    assert all(step.number <= step.total for step in steps)
    assert steps[-1].total == 5


def test_bytes_of_all_layers_are_added_up():
    events: list[Event] = []
    narrator = Narrator(events.append)
    narrator.begin("1", "FROM a")
    narrator.transfer("1", "layer-1", 10, 100)
    narrator.transfer("1", "layer-2", 5, 50)
    narrator.transfer("1", "layer-2", 5, 50)
    assert events[1:] == [Progress("FROM a", 10, 100), Progress("FROM a", 15, 150)]


def test_the_last_line_counts_without_its_newline():
    events: list[Event] = []
    narrator = Narrator(events.append)
    narrator.log("1", b"out", "stdout")
    narrator.log("1", b"err", "stderr")
    narrator.end()
    assert events == [Log("out", "stdout"), Log("err", "stderr")]
