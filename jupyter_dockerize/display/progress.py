"""Events as they come, on stderr: with rich in a terminal, as lines elsewhere, or as JSON lines."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import CancelledError, DockerizeError
from ..events import Event, Finding, Log, Progress, Report, Result, Step, ignore
from .text import SIGNS, size
from .untrusted import coloured, last_frame, plain

if TYPE_CHECKING:
    from rich.progress import TaskID

LAST = 20  # lines of the log that are shown when the work failed


def reporter(kind: str | None, stream: TextIO | None = None) -> Printer:
    """What shows events: ``rich``, ``plain``, ``jsonl`` or ``none``; None chooses by the stream."""
    out = stream or sys.stderr
    if kind is None:
        kind = "rich" if out.isatty() else "plain"
    return {"rich": RichPrinter, "plain": PlainPrinter, "jsonl": JsonPrinter, "none": Printer}[kind](out)


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
        self.report = lambda event: self.line(in_json(event))


def in_json(event: Event | DockerizeError) -> str:
    """An event, or the error that ended the work (``{"event": "error", "status": 2, …}``), on one line."""
    if isinstance(event, DockerizeError):
        body: dict[str, Any] = {"event": "error", "status": event.exit_status, "kind": type(event).__name__}
        body |= {"what": event.what, "why": event.why, "fix": event.fix}
    else:
        values = {"result": event.value} if isinstance(event, Result) else asdict(event)
        body = {"event": type(event).__name__.lower(), **values}
    return json.dumps(body, ensure_ascii=True)


class PlainPrinter(Printer):
    """A line per step, log line and finding: for pipes and CI logs."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.report = self._print

    def _print(self, event: Event) -> None:
        text = as_line(event)
        if text is not None:
            self.line(text)


def as_line(event: Event) -> str | None:
    """The event as one line of text; None for those that would only scroll by."""
    if isinstance(event, Step):
        place = f"{event.number}/{event.total}" if event.total else str(event.number)
        return f"{'  ' if event.within else ''}[{place}] {plain(event.name)}"
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
        return f"{plain(event.what)}: {show(event.done)}{of}"
    return None


def brief(step: str) -> str:
    """A step of a Dockerfile without its mounts and the test for a CA, which say nothing to who waits."""
    return _FRAME.sub("", " ".join(plain(step).split()))


_FRAME = re.compile(r"--(?:mount|network|chown|from)=\S+ |if \[ -s [^]]*\]; then .*?; fi && ")


class RichPrinter(Printer):
    """Steps with their times and what they are doing. The log and findings are shown where the work fails;
    else the result has what is worth reading."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        from rich.console import Console
        from rich.progress import Progress as Bars
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

        self.console = Console(file=stream, highlight=False)
        self.bars = Bars(
            Mark(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
            console=self.console,
        )
        self.current: TaskID | None = None
        self.log: deque[str] = deque(maxlen=LAST)
        self.findings: dict[Finding, None] = {}
        self.report = self._show

    def __enter__(self) -> RichPrinter:
        self.bars.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.report = ignore
        with self.lock:
            failed = exc[0] is not None
            self._end(failed=failed)
            self.bars.stop()
            if failed and not isinstance(exc[1], CancelledError):
                self._tell()

    def _show(self, event: Event) -> None:
        with self.lock:
            if isinstance(event, Step) and not event.within:
                self._end()
                self.current = self.bars.add_task(plain(event.name), total=None, note="")
            elif isinstance(event, Finding):
                self.findings[event] = None
            else:
                if isinstance(event, Log):
                    self.log.append(event.text)
                words = note(event)
                if words and self.current is not None:
                    self.bars.update(self.current, note=words[: max(20, self.console.width - 50)])

    def _end(self, *, failed: bool = False) -> None:
        if self.current is None:
            return
        if failed:
            self.bars.update(self.current, failed=True, note="")
            self.bars.stop_task(self.current)
        else:
            self.bars.update(self.current, total=1, completed=1, note="")

    def _tell(self) -> None:
        """The log's end, in its colours, and the findings."""
        from rich.text import Text

        for text in self.log:
            self.console.print(
                Text("    ").append_text(Text.from_ansi(coloured(last_frame(text)))), soft_wrap=True
            )
        for finding in self.findings:
            self.console.print(as_line(finding), markup=False, soft_wrap=True)
