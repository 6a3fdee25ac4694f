"""What was typed in this process, and when it had run, where it is an IPython."""

from __future__ import annotations

import sys
import time
from typing import Any

_REMEMBERED = 10_000  # cells of which it is known when they ended
_ended: dict[int, float] = {}


def note(result: Any) -> None:
    """IPython's hook ``post_run_cell``: remembers when the cell ended, and nothing else of it."""
    count = getattr(result, "execution_count", None)
    if isinstance(count, int):
        _ended[count] = time.time()
        if len(_ended) > _REMEMBERED:
            del _ended[next(iter(_ended))]


def ended() -> dict[int, float]:
    """When this session's cells ended, by execution count, in seconds since the epoch; those since `note`."""
    return dict(_ended)


def executed() -> tuple[str, ...]:
    """The code of this session's cells as typed, by execution count; without the one that runs now.

    () where no IPython runs here; else the first is "", because counts begin with 1.
    """
    if "IPython" not in sys.modules:
        return ()
    from IPython.core import getipython

    get: Any = getipython.get_ipython
    history = getattr(get(), "history_manager", None)
    return tuple(history.input_hist_raw[:-1]) if history is not None else ()
