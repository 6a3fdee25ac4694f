"""An interrupt ends work tidily: it undoes what it began before anybody hears of it."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from jupyter_dockerize import foreground
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.errors import CancelledError, UsageError
from jupyter_dockerize.foreground import Task, wait_for


def interrupt_soon(number: int = signal.SIGINT) -> None:
    threading.Timer(0.3, lambda: os.kill(os.getpid(), number)).start()


def test_it_gives_what_the_work_returns() -> None:
    assert wait_for(lambda cancel: 42) == 42


def test_it_raises_what_the_work_raises() -> None:
    def work(cancel: Cancel) -> None:
        raise UsageError("no such notebook")

    with pytest.raises(UsageError, match="no such notebook"):
        wait_for(work)


@pytest.fixture
def heard() -> Iterator[None]:
    """Signals mean what they mean in a terminal, also where the tests are run with ``nohup``."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(each, signal.SIG_DFL) for each in numbers]
    yield
    for each, handler in zip(numbers, before, strict=True):
        signal.signal(each, handler)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_lets_the_work_clean_up_first(number: int) -> None:
    cleaned: list[bool] = []

    def work(cancel: Cancel) -> None:
        try:
            while True:
                cancel.check()
                time.sleep(0.01)
        finally:
            time.sleep(0.2)
            cleaned.append(True)

    interrupt_soon(number)
    with pytest.raises(CancelledError):
        wait_for(work)
    assert cleaned == [True]


def test_work_that_was_cancelled_says_itself_what_is_left() -> None:
    def work(cancel: Cancel) -> None:
        while not cancel.cancelled:
            time.sleep(0.01)
        raise CancelledError("cancelled: the name is what it was before")

    interrupt_soon()
    with pytest.raises(CancelledError, match="the name is what it was before"):
        wait_for(work)


def test_work_that_ignores_the_token_is_left_after_five_seconds() -> None:
    over = threading.Event()
    interrupt_soon()
    began = time.monotonic()
    with pytest.raises(CancelledError, match="background"):
        wait_for(lambda cancel: over.wait(60))
    assert time.monotonic() - began < 6.5
    over.set()


def test_a_task_in_the_background_can_be_cancelled() -> None:
    def work(cancel: Cancel) -> None:
        woken = threading.Event()
        cancel.on_cancel(woken.set)
        woken.wait()
        cancel.check()

    task = Task(work)
    assert task.running
    task.cancel()
    with pytest.raises(CancelledError):
        task.result()


def test_a_second_interrupt_does_not_tear_the_cleaning_apart() -> None:
    cleaned: list[bool] = []

    def work(cancel: Cancel) -> None:
        try:
            while True:
                cancel.check()
                time.sleep(0.01)
        finally:
            time.sleep(0.6)
            cleaned.append(True)

    interrupt_soon()
    threading.Timer(0.6, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(CancelledError):
        wait_for(work)
    assert cleaned == [True]


def test_work_that_was_finished_all_the_same_counts() -> None:
    """Else "cancelled" would be said of an image that is there."""

    def work(cancel: Cancel) -> str:
        time.sleep(0.6)
        return "made"

    interrupt_soon()
    assert wait_for(work) == "made"


def test_sigterm_means_what_it_meant_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    wait_for(lambda cancel: None)
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_nohup_has_set_stays_set() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        interrupt_soon(signal.SIGHUP)
        assert wait_for(lambda cancel: time.sleep(1) or 42) == 42
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_it_works_in_another_thread_too() -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(wait_for(lambda cancel: 1)))
    thread.start()
    thread.join()
    assert found == [1]


def test_a_process_that_ends_waits_for_what_is_still_cleaning_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreground, "PATIENCE", 0.1)
    cleaned: list[bool] = []

    def work(cancel: Cancel) -> None:
        try:
            while True:
                cancel.check()
                time.sleep(0.01)
        finally:
            time.sleep(0.8)
            cleaned.append(True)

    interrupt_soon()
    with pytest.raises(CancelledError, match="background"):
        wait_for(work)
    assert cleaned == []
    foreground.settle()
    assert cleaned == [True]
