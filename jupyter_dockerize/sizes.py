"""Bytes and numbers as people say them."""

from __future__ import annotations

from collections.abc import Iterable


def size(count: int) -> str:
    """``1.2 GB`` (powers of ten, as docker writes them)."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit in ("B", "kB") or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def count(number: int, one: str, many: str = "") -> str:
    """``1 file``, ``2 files``; ``many`` where that is not ``one`` with an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def and_more(names: Iterable[str], most: int) -> str:
    """``a, b and 3 more``: the first ``most`` of the names, and how many there are besides."""
    every = list(names)
    more = f" and {len(every) - most:,} more" if every[most:] else ""
    return ", ".join(every[:most]) + more


__all__ = ["and_more", "count", "size"]
