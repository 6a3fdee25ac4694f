"""Events as they come, on stderr: with rich in a terminal, as lines elsewhere, or as JSON lines."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import CancelledError, DockerizeError
from ..events import Event, Finding, Log, Progress, Report, Result, Step, ignore
from ..sizes import size
from .estimate import Estimate, in_words
from .text import SIGNS
from .untrusted import coloured, last_frame, plain

if TYPE_CHECKING:
    from rich.progress import TaskID

LAST = 20  # lines of the log that are shown when the work failed
SILENCE = 10.0  # seconds after which plain text says how far it is


def reporter(kind: str | None, stream: TextIO | None = None, *, logs: bool = True) -> Printer:
    """What shows events: ``rich``, ``plain``, ``jsonl`` or ``none``; None chooses by the stream.

    ``logs`` False: plain lines without what others print, because an error has its end.
    """
    out = stream or sys.stderr
    if kind is None:
        kind = "rich" if out.isatty() else "plain"
    if kind == "plain":
        return PlainPrinter(out, logs=logs)
    return {"rich": RichPrinter, "jsonl": JsonPrinter, "none": Printer}[kind](out)


class Printer:
    """Shows nothing. Use as a context: what is drawn on a screen is put away at the end."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.lock = threading.Lock()
        self.report: Report = ignore

    def __enter__(self) -> Printer:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def line(self, text: str) -> None:
        """Writes a line. Where nobody reads any more the work goes on, unseen."""
        with self.lock:
            try:
                print(text, file=self.stream, flush=True)
            except (OSError, ValueError):
                self.report = ignore


class JsonPrinter(Printer):
    """One JSON object per line: ``{"event": "step", …}``."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.estimate = Estimate()
        self.report = self._print

    def _print(self, event: Event) -> None:
        left = None
        if isinstance(event, Progress):
            with self.lock:
                self.estimate.hear(event)
                left = self.estimate.left()
        self.line(in_json(event, left))


def in_json(event: Event | DockerizeError, left: float | None = None) -> str:
    """An event, or the error that ended the work (``{"event": "error", "status": 2, …}``), on one line.

    ``left``: seconds that the rest of this progress is likely to take, None where nobody knows.
    """
    if isinstance(event, DockerizeError):
        body: dict[str, Any] = {"event": "error", "status": event.exit_status, "kind": type(event).__name__}
        body |= {"what": event.what, "why": event.why, "fix": event.fix}
    else:
        values = {"result": event.value} if isinstance(event, Result) else asdict(event)
        body = {"event": type(event).__name__.lower(), **values}
        if isinstance(event, Progress):
            body["left"] = None if left is None else round(left, 1)
    return json.dumps(body, ensure_ascii=True)


class PlainPrinter(Printer):
    """A line per step and log line, and one now and then of how far it is: for pipes and CI logs. Findings
    are in the result, or at the end of what failed."""

    def __init__(self, stream: TextIO, *, logs: bool = True) -> None:
        super().__init__(stream)
        self.logs = logs
        self.findings: dict[Finding, None] = {}
        self.told: set[str] = set()  # what the inner steps are called: several may make one
        self.estimate, self.last = Estimate(), time.monotonic()
        self.report = self._print

    def __exit__(self, *exc: object) -> None:
        if exc[0] is not None and not isinstance(exc[1], CancelledError):
            for finding in self.findings:
                self.line(as_line(finding) or "")

    def _print(self, event: Event) -> None:
        if isinstance(event, Finding):
            self.findings[event] = None
            return
        if isinstance(event, Step):
            if event.within and event.name in self.told:
                return
            self.told.add(event.name)
        text = self._how_far(event) if isinstance(event, Progress) else as_line(event)
        if text is not None and (self.logs or not isinstance(event, Log)):
            self.last = time.monotonic()
            self.line(text)

    def _how_far(self, event: Progress) -> str | None:
        """None where something was said a moment ago."""
        with self.lock:
            self.estimate.hear(event)
            if time.monotonic() - self.last < SILENCE:
                return None
            self.last = time.monotonic()
            return f"    {note(event)}{in_words(self.estimate.left())}"


def as_line(event: Event) -> str | None:
    """The event as one line of text; None for those that would only scroll by."""
    if isinstance(event, Step):
        place = f"{event.number}/{event.total}" if event.total else str(event.number)
        return f"  [{place}] {brief(event.name)}" if event.within else f"[{place}] {plain(event.name)}"
    if isinstance(event, Log):
        return f"    {plain(last_frame(event.text))}"
    if isinstance(event, Finding):
        fix = f" → {plain(event.fix)}" if event.fix else ""
        return f"{SIGNS[event.severity]} {plain(event.message)} [{plain(event.code)}]{fix}"
    return None


def note(event: Event) -> str | None:
    """What is being done right now, in a few words: an inner step, the log's last line, an amount."""
    if isinstance(event, Step):
        place = f"{event.number}/{event.total} " if event.total else ""
        return f"{place}{brief(event.name)}"
    if isinstance(event, Log):
        return plain(last_frame(event.text)).strip()
    if isinstance(event, Progress):
        show = size if event.unit == "bytes" else str
        of = f" of {show(event.total)}" if event.total else ""
        return f"{brief(event.what)}: {show(event.done)}{of}"
    return None


def brief(step: str) -> str:
    """A step of a Dockerfile without what says nothing to who waits: mounts, digests, the test for a CA."""
    return _FRAME.sub("", " ".join(plain(step).split()))


_FRAME = re.compile(
    r"--(?:mount|network|chown|from)=\S+ |if \[ -s [^]]*\]; then .*?; fi && "
    r"|(?<=FROM )docker\.io/(?:library/)?|@sha256:[0-9a-f]{64}|^\[internal\] "
)


class RichPrinter(Printer):
    """Steps with their times and what they are doing. The log and findings are shown where the work fails;
    else the result has what is worth reading."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        from rich.console import Console, RenderableType
        from rich.progress import Progress as Rows
        from rich.progress import ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Task as Row
        from rich.text import Text

        class Mark(ProgressColumn):
            """✓ for what is done, ✗ for what failed, else something that moves."""

            moving = SpinnerColumn()

            def render(self, task: Row) -> Any:
                if task.fields.get("failed"):
                    return Text("✗", style="red")
                return Text("✓", style="green") if task.finished else self.moving.render(task)

        class Steps(Rows):
            """A row per step; below them what is being done, on one line however narrow the terminal is."""

            note = ""
            amount: Estimate | None = None  # of what the note tells: its rest is drawn anew each time

            def get_renderables(self) -> Iterable[RenderableType]:
                yield from super().get_renderables()
                if self.note:
                    left = in_words(self.amount.left()) if self.amount else ""
                    yield Text(f"  {self.note}{left}", style="dim", no_wrap=True, overflow="ellipsis")

        self.console = Console(file=stream, highlight=False)
        self.steps = Steps(
            Mark(), TextColumn("{task.description}", markup=False), TimeElapsedColumn(), console=self.console
        )
        self.current: TaskID | None = None
        self.place = ""  # of the inner step
        self.estimate = Estimate()
        self.log: deque[str] = deque(maxlen=LAST)
        self.findings: dict[Finding, None] = {}
        self.report = self._show

    def __enter__(self) -> RichPrinter:
        self.steps.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.report = ignore
        with self.lock:
            failed = exc[0] is not None
            self._end(failed=failed)
            self.steps.stop()
            if failed and not isinstance(exc[1], CancelledError):
                self._tell()

    def _show(self, event: Event) -> None:
        with self.lock:
            if isinstance(event, Step) and not event.within:
                self._end()
                self.current = self.steps.add_task(self._fitting(event.name), total=None)
            elif isinstance(event, Finding):
                self.findings[event] = None
            else:
                if isinstance(event, Log):
                    self.log.append(event.text)
                if isinstance(event, Step):
                    self.place = f"{event.number}/{event.total} "
                if isinstance(event, Progress):
                    self.estimate.hear(event)
                self.steps.amount = self.estimate if isinstance(event, Progress) else None
                if words := note(event):
                    self.steps.note = words if isinstance(event, Step) else f"{self.place}{words}"

    def _fitting(self, name: str) -> str:
        """The name of a step, cut so that its mark and its time stay beside it."""
        from rich.text import Text

        text = Text(plain(name))
        text.truncate(max(10, self.console.width - len("✓  0:00:00 ")), overflow="ellipsis")
        return text.plain

    def _end(self, *, failed: bool = False) -> None:
        self.steps.note = self.place = ""
        self.steps.amount = None
        if self.current is None:
            return
        if failed:
            self.steps.update(self.current, failed=True)
            self.steps.stop_task(self.current)
        else:
            self.steps.update(self.current, total=1, completed=1)

    def _tell(self) -> None:
        """The log's end, in its colours, and the findings."""
        from rich.text import Text

        for text in self.log:
            self.console.print(
                Text("    ").append_text(Text.from_ansi(coloured(last_frame(text)))), soft_wrap=True
            )
        for finding in self.findings:
            self.console.print(as_line(finding), markup=False, soft_wrap=True)
