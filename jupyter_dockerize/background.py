"""A verb in a thread of its own, and what is seen of it: a live card in a notebook, else lines."""

from __future__ import annotations

import argparse
from typing import Any

from .cancel import Cancel
from .display.card import of as card_of
from .display.cell import Cell, in_notebook
from .display.progress import reporter
from .errors import CancelledError, DockerizeError, VerificationError
from .foreground import PATIENCE, Task, wait_for
from .verbs import DIFFERENT, Outcome, perform

TITLES = {
    "build": "Building {}",
    "recipe": "Writing the recipe of {}",
    "snapshot": "Looking at {}",
    "verify": "Same environment? {}",
    "diff": "Comparing {}",
    "run": "Opening {}",
    "push": "Pushing {}",
}
FAILED = {
    "build": "{} was not built",
    "recipe": "The recipe of {} was not written",
    "snapshot": "{} could not be looked at",
    "verify": "{} could not be compared",
    "diff": "{} could not be compared",
    "run": "{} was not opened",
    "push": "{} was not pushed",
}
OURS = "this is a fault of jupyter-dockerize"
REPORT = "please report it, with what was typed"


class Background:
    """``wait()`` for its end, ``cancel()`` it, ask whether it is ``running``.

    ``result`` is the JSON object of the surface once it has ended well, else None.
    """

    def __init__(self, args: argparse.Namespace, *, alone: bool = True) -> None:
        """``alone``: nobody waits who would be told of a failure at once."""
        self._args, self._alone = args, alone
        self._title = TITLES[args.verb].format(_subject(args))
        self._failed = FAILED[args.verb].format(_subject(args))
        self._cell = Cell(self._title) if in_notebook() else None
        self._task: Task[Outcome] = Task(self._work)

    def __repr__(self) -> str:
        if self._task.running:
            return (
                f"{self._title}, in the background\n"
                "    with `job = %dockerize … --background`: job.wait() waits for it, job.cancel() ends it"
            )
        end = "cancelled" if self._task.cancelled else "failed" if self._task.failed else "done"
        return f"{self._title}: {end}"

    @property
    def running(self) -> bool:
        return self._task.running

    @property
    def result(self) -> dict[str, Any] | None:
        return None if self._task.running or self._task.failed else self._task.result().json

    def cancel(self) -> None:
        """Ends the work; nothing of it stays. Returns when it has ended, at most 5 s later."""
        self._task.cancel()
        self._task.wait(PATIENCE)

    def wait(self) -> Any:
        """What the verb gave: of a build the `Built`. Raises what the work raised; an interrupt cancels it.

        An image that is not the same environment raises `VerificationError`; it is kept.
        """
        outcome = wait_for(lambda cancel: self._task.result(), token=self._task.token)
        if self._args.verb in ("build", "verify") and outcome.status == DIFFERENT:
            built = self._args.verb == "build"
            raise VerificationError(
                f"{outcome.json['ref']} is not the same environment",
                why=outcome.json["summary"],
                fix="the image was kept, so that you can look into it" if built else "",
            )
        return outcome.value

    def _work(self, cancel: Cancel) -> Outcome:
        if self._cell is None:
            # In the background nothing may write between the lines that are being typed.
            with reporter("none" if self._alone else None, logs=self._args.verb != "run") as printer:
                outcome = perform(self._args, printer.report, cancel)
            print(outcome.text)
            return outcome
        with self._cell.clock() as live:
            try:
                outcome = perform(self._args, live.report, cancel)
            except CancelledError as error:
                live.finish("cancelled", error.what if self._alone else "")
                raise
            except DockerizeError as error:
                live.finish("failed", str(error), self._failed)
                error.on_card = not self._alone
                raise
            except BaseException as error:
                live.finish("failed", f"{OURS}\nwhy: {error!r}\nfix: {REPORT}", self._failed)
                raise
            live.finish()
        self._cell.show(card_of(outcome.value), outcome.text)
        return outcome


def _subject(args: argparse.Namespace) -> str:
    """What the work is about, for its title."""
    if args.verb == "diff":
        return f"{args.a} and {args.b}"
    if args.verb in ("verify", "run", "push"):
        return str(args.ref)
    if getattr(args, "tag", None):
        return str(args.tag)
    if args.notebook:
        return str(args.notebook.stem)
    return "this environment" if not (args.kernel or args.live or args.python) else "the environment"
