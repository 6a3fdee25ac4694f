"""Bytes and numbers as people say them."""

from __future__ import annotations


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


__all__ = ["count", "size"]
