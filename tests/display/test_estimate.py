"""How long the rest will take: honest, or silent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.display.estimate import SHORTEST, SOONEST, STILL, Estimate, in_words
from jupyter_dockerize.events import Progress

WHAT = "copied"
MB = 1_000_000
# Seconds until the next report, and the bytes that were done meanwhile.
STEPS = st.lists(
    st.tuples(st.floats(0, 60, allow_subnormal=False), st.integers(0, 1 << 32)), min_size=1, max_size=60
)


def heard(estimate: Estimate, done: int, total: int, now: float, what: str = WHAT) -> float | None:
    estimate.hear(Progress(what, done, total), now)
    return estimate.left(now)


@given(STEPS, st.integers(-1, 1 << 40))
def test_whatever_comes_it_is_a_time_or_nothing(steps: list[tuple[float, int]], total: int) -> None:
    estimate, now, done = Estimate(), 0.0, 0
    for seconds, more in steps:
        now, done = now + seconds, done + more
        left = heard(estimate, done, total, now)
        assert left is None or left > 0
        assert left is None or (done < total and now >= SOONEST)
        assert in_words(left).isprintable()


@given(st.floats(1e4, 1e9), st.floats(0.05, 2), st.integers(10, 400), st.floats(1, 20))
def test_of_an_even_pace_it_says_what_is_true(pace: float, every: float, reports: int, longer: float) -> None:
    total = int(pace * every * reports * longer) + 1
    estimate = Estimate()
    for number in range(reports):
        now = number * every
        done = int(pace * now)
        left = heard(estimate, done, total, now)
        if left is not None:
            assert left == pytest.approx((total - done) / pace, rel=0.01, abs=0.1)
    assert left is not None or now < SOONEST or done >= total


@given(st.lists(st.integers(20, 200), min_size=100, max_size=300))
def test_it_does_not_jump_about_where_the_pace_does(paces: list[int]) -> None:
    """Large files go ten times as fast as small ones."""
    estimate, done, before = Estimate(), 0, None
    for number, pace in enumerate(paces):
        done += pace * MB
        left = heard(estimate, done, 10**12, number / 2)
        if before is not None and number / 2 > 3 * SHORTEST:
            assert left is not None and 0.75 < left / before < 1.25
        before = left


def test_it_is_silent_until_there_is_something_to_go_by() -> None:
    estimate = Estimate()
    assert estimate.left(0) is None
    assert heard(estimate, 500, 1000, 0) is None  # half of it may have been there
    assert heard(estimate, 510, 1000, SOONEST / 2) is None
    assert heard(estimate, 530, 1000, SOONEST) == pytest.approx(47, abs=0.5)


def test_a_pause_makes_it_longer_and_then_nobody_knows() -> None:
    estimate = Estimate()
    for second in range(20):
        before = heard(estimate, second * 100, 4000, second)
    assert before == pytest.approx(21)
    paused = estimate.left(19 + STILL / 2)
    assert paused and paused > 21
    assert estimate.left(19 + STILL + 1) is None
    heard(estimate, 1900, 4000, 19 + STILL + 1)  # the same again is nothing done
    assert estimate.left(19 + STILL + 1) is None


def test_without_a_total_and_at_the_end_it_says_nothing() -> None:
    estimate = Estimate()
    for second in range(10):
        assert heard(estimate, second, 0, second) is None
    assert heard(estimate, 10, 10, 10) is None


def test_something_else_is_a_new_beginning() -> None:
    estimate = Estimate()
    for second in range(10):
        heard(estimate, second, 100, second)
    assert heard(estimate, 50, 100, 10, "compared") is None
    assert heard(estimate, 10, 100, 20, "compared") is None  # another run of it


def test_many_reports_take_little_memory_and_are_as_true() -> None:
    estimate = Estimate()
    for number in range(20_000):
        left = heard(estimate, number, 40_000, number / 100)
    assert left == pytest.approx(200, rel=0.02)
    assert len(estimate._points) <= 501


@pytest.mark.parametrize(("left", "words"), [
    (None, ""),
    (0.1, ", a few seconds left"),
    (7, ", about 10 s left"),
    (44, ", about 40 s left"),
    (57, ", about 1 min left"),
    (125, ", about 2 min left"),
    (5000, ", about 1.4 h left"),
    (1e9, ""),
])  # fmt: skip
def test_it_is_rounded_as_far_as_it_is_to_be_trusted(left: float | None, words: str) -> None:
    assert in_words(left) == words
