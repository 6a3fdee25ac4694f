"""Events as they come, on stderr: with rich in a terminal, as lines elsewhere, or as JSON lines."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, TextIO

from ..events import Event, Finding, Log, Progress, Report, Result, Step, ignore
from .text import SIGNS, size
from .untrusted import last_frame, plain

if TYPE_CHECKING:
    from rich.progress import TaskID


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


class JsonPrinter(Printer):
    """One JSON object per line: ``{"event": "step", …}``."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.report = self._print

    def _print(self, event: Event) -> None:
        body = event.value if isinstance(event, Result) else asdict(event)
        line = json.dumps({"event": type(event).__name__.lower(), **body}, ensure_ascii=True)
        with self.lock:
            print(line, file=self.stream, flush=True)


class PlainPrinter(Printer):
    """A line per step, log line and finding: for pipes and CI logs."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.report = self._print

    def _print(self, event: Event) -> None:
        line = as_line(event)
        if line is not None:
            with self.lock:
                print(line, file=self.stream, flush=True)


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


class RichPrinter(Printer):
    """Steps as spinners with their times, the log's last line under them, findings above."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        from rich.console import Console
        from rich.progress import Progress as Bars
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        self.console = Console(file=stream, highlight=False)
        self.bars = Bars(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.fields[place]} {task.description}", markup=False),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
            console=self.console,
        )
        self.current: TaskID | None = None
        self.report = self._show

    def __enter__(self) -> RichPrinter:
        self.bars.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.current is not None and exc[0] is None:
            self.bars.update(self.current, total=1, completed=1, note="")
        self.bars.stop()

    def _show(self, event: Event) -> None:
        with self.lock:
            if isinstance(event, Step) and not event.within:
                if self.current is not None:
                    self.bars.update(self.current, total=1, completed=1, note="")
                place = f"[{event.number}/{event.total}]"
                self.current = self.bars.add_task(plain(event.name), total=None, place=place, note="")
            elif isinstance(event, Finding):
                self.console.print(as_line(event), markup=False)
            elif self.current is not None:
                note = self._note(event)
                if note:
                    self.bars.update(self.current, note=note[: max(20, self.console.width - 50)])

    @staticmethod
    def _note(event: Event) -> str | None:
        if isinstance(event, Step):
            return f"{event.number}/{event.total} {plain(event.name)}"
        if isinstance(event, Log):
            return plain(last_frame(event.text)).strip()
        if isinstance(event, Progress):
            if event.unit == "bytes":
                total = f" of {size(event.total)}" if event.total else ""
                return f"{plain(event.what)}: {size(event.done)}{total}"
            return f"{plain(event.what)}: {event.done}" + (f" of {event.total}" if event.total else "")
        return None
