"""The environment that is running now, as an image that is proven to equal it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"


def load_ipython_extension(shell: InteractiveShell) -> None:
    """``%load_ext jupyter_dockerize``: registers the magics."""
    from .environment.observe.session import note
    from .magics import DockerizeMagics

    magics = DockerizeMagics(shell)
    shell.register_magics(magics)
    shell.events.register("post_run_cell", note)
    shell.events.register("post_run_cell", magics.look_for_drift)
