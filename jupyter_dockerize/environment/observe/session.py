"""What was typed in this process, where it is an IPython."""

from __future__ import annotations

import sys
from typing import Any


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
