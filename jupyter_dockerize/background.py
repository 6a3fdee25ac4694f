"""A build whose card keeps up while it goes on, in a notebook or a terminal."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from .display import card, text
from .display.live import Live
from .display.progress import PlainPrinter
from .errors import CancelledError, DockerizeError, VerificationError
from .events import Cancel, Report
from .foreground import PATIENCE, Task, wait_for
from .verbs import DIFFERENT, Outcome, perform


class Background:
    """A build in its own thread. ``wait()`` gives its outcome, ``cancel()`` ends it."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._title = f"Building {args.tag or (args.notebook.stem if args.notebook else 'the image')}"
        self._card = _Card(self._title) if _in_notebook() else None
        self._task: Task[Outcome] = Task(self._work)

    def __repr__(self) -> str:
        if self._task.running:
            return f"{self._title} in the background: .wait() waits for it, .cancel() ends it"
        return f"{self._title}: ended"

    @property
    def running(self) -> bool:
        return self._task.running

    def cancel(self) -> None:
        """Ends the build; nothing of it stays. Returns when it has ended, at most 5 s later."""
        self._task.cancel()
        self._task.wait(PATIENCE)

    def wait(self) -> Outcome:
        """The build's outcome. Raises what the build raised; an interrupt cancels it."""
        return wait_for(lambda cancel: self._joined(cancel), token=self._task.token)

    def _joined(self, cancel: Cancel) -> Outcome:
        outcome = self._task.result()
        if outcome.status == DIFFERENT:
            raise VerificationError(
                f"{outcome.value.ref} is not the same environment",
                why=outcome.value.summary,
                fix="the differences are listed with the image; it was kept, so that you can look into it",
            )
        return outcome

    def _work(self, cancel: Cancel) -> Outcome:
        report: Report = self._card.live.report if self._card else PlainPrinter(sys.stderr).report
        try:
            outcome = perform(self._args, report, cancel)
        except CancelledError:
            self._end("cancelled; nothing was left behind")
            raise
        except DockerizeError as error:
            self._end(str(error))
            raise
        except BaseException as error:
            self._end(f"a fault of jupyter-dockerize: {error!r}")
            raise
        if self._card:
            self._card.result(outcome)
        else:
            print(outcome.text)
        return outcome

    def _end(self, failed: str) -> None:
        if self._card:
            self._card.live.finish(failed)


class _Card:
    """The display under the cell: one, redrawn."""

    def __init__(self, title: str) -> None:
        from IPython.display import display

        self.live = Live(title, self._draw)
        self._handle: Any = display(_bundle(card.progress(self.live), title), raw=True, display_id=True)

    def _draw(self, live: Live) -> None:
        self._handle.update(_bundle(card.progress(live), live.as_text()), raw=True)

    def result(self, outcome: Outcome) -> None:
        self._handle.update(_bundle(card.built(outcome.value), text.build(outcome.value)), raw=True)


def _bundle(html: str, plain: str) -> dict[str, str]:
    return {"text/html": html, "text/plain": plain}


def _in_notebook() -> bool:
    """A frontend that redraws displays is listening, not a terminal."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()  # type: ignore[no-untyped-call]
    return shell is not None and getattr(shell, "kernel", None) is not None
