"""The same work on several things at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ..cancel import Cancel
from ..errors import CancelledError

MOST = 8  # more only seek

Item = TypeVar("Item")
Made = TypeVar("Made")


def side_by_side(
    work: Callable[[Item, Cancel], Made],
    items: Sequence[Item],
    *,
    size: Callable[[Item], int],
    cancel: Cancel,
    workers: int | None = None,
) -> list[Made]:
    """What ``work`` makes of each, in their order, the largest begun first: the last one to end should be a
    small one.

    ``workers`` is how many at once; without it as many as keep this machine busy. Work asks the token that
    it is given. Raises what the first one raised that failed; the others are cancelled then, as all are with
    ``cancel``.
    """
    stop = Cancel()
    forget = cancel.on_cancel(stop.cancel)

    def one(item: Item) -> Made:
        try:
            stop.check()
            return work(item, stop)
        except BaseException:
            stop.cancel()  # what the others do is of no use any more
            raise

    order = sorted(range(len(items)), key=lambda number: -size(items[number]))
    try:
        # One more than there are processors: somebody always waits for the disk.
        with ThreadPoolExecutor(workers or min(MOST, (os.cpu_count() or 1) + 1)) as pool:
            running = {number: pool.submit(one, items[number]) for number in order}
    finally:
        forget()
    failed = [error for each in running.values() if (error := each.exception())]
    if failed:
        raise next((e for e in failed if not isinstance(e, CancelledError)), failed[0])
    return [running[number].result() for number in range(len(items))]


__all__ = ["side_by_side"]
