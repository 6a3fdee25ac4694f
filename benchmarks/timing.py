"""Measuring: each work several times in turn, the median quoted, the ratio taken pair by pair."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """Seconds: the median of several runs, and the fastest and slowest."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        return f"{show(self.median)} ({self.spread})"

    @property
    def spread(self) -> str:
        low, high = min(self.seconds), max(self.seconds)
        runs = len(self.seconds)
        return f"{show(low)} to {show(high)}, {runs} runs" if runs > 1 else "1 run"


def show(seconds: float) -> str:
    if seconds < 0.001:
        return f"{seconds * 1_000_000:.0f} µs"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def in_turn(
    works: dict[str, Callable[[], object]],
    *,
    runs: int,
    warm: int = 1,
    after: Callable[[], object] = lambda: None,
) -> list[Figure]:
    """Times each work ``runs`` times, A B A B …, after ``warm`` runs that are not counted; nor is what
    clears up ``after`` each."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(warm + runs):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if number >= warm:
                times[name].append(time.perf_counter() - began)
            after()
    return [Figure(name, tuple(seconds)) for name, seconds in times.items()]


def ratio(slow: Figure, fast: Figure) -> float:
    """How many times faster: the median of the ratios of each pair."""
    return statistics.median(a / b for a, b in zip(slow.seconds, fast.seconds, strict=True))


def met(*conditions: bool) -> str:
    """The sentence that ends a section."""
    return "The target is met." if all(conditions) else "The target is missed."


def command(*argv: str) -> Callable[[], object]:
    """A command as work; its output is thrown away, a failure raises."""
    return lambda: subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def inside(python: str, program: str, *argv: str) -> list[float]:
    """Seconds that a program printed, one a line: for work that is timed within a process."""
    done = subprocess.run([python, "-c", program, *argv], check=True, capture_output=True, text=True)
    return [float(line) for line in done.stdout.split()]


def table(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
