"""What is running now: the ways in, and which of them is meant.

Everything here gives raw facts; `interpret` makes a snapshot of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ...cancel import Cancel
from ...events import Log, Report, ignore
from ..facts import AnyFacts
from ..project.notebook import read_notebook
from .interpreter import interpreter, through
from .kernel import fresh, live, not_python
from .probing import Observed

__all__ = ["Observed", "Where", "fresh", "here", "interpreter", "live", "observe", "through"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which environment is meant: the first that is given, in the order kernel, live, python, here.

    ``kernel`` is a kernelspec's name, ``live`` a running kernel (see `kernel.live`), ``python`` an
    interpreter, ``here`` says that this very process is the kernel (magics). Else it is the
    kernelspec that ``notebook`` names, else the interpreter that runs the command.
    """

    notebook: Path | None = None
    kernel: str | None = None
    live: str | None = None
    python: str | None = None
    here: bool = False


def observe(
    where: Where,
    options: Collection[str] = (),
    *,
    cancel: Cancel | None = None,
    report: Report = ignore,
) -> Observed:
    """The facts of the environment that ``where`` means, and the kernel that it was reached by.

    Raises `NotebookError`, `KernelError`, `InterpreterError` and `CancelledError`. Ends within 5 s of
    a cancellation, except for the part that runs in this process.
    """
    cancel = cancel or Cancel()
    cancel.check()
    notebook = read_notebook(where.notebook) if where.notebook else None
    folder = where.notebook.absolute().parent if where.notebook else None
    if where.kernel is not None:
        report(Log(f"starting the kernel {where.kernel} to look at its environment"))
        return fresh(where.kernel, options, cwd=folder, cancel=cancel)
    if where.live is not None:
        report(Log(f"asking the running kernel {where.live}"))
        return live(where.live, options, cancel=cancel)
    if where.python is not None:
        report(Log(f"looking at the environment of {where.python}"))
        facts = interpreter(where.python, options, cancel=cancel)
        return Observed(facts, notebook.kernel if notebook else None)
    if notebook and notebook.language.lower() != "python":
        raise not_python(f"{notebook.path} is a notebook in", notebook.language)
    if notebook and notebook.kernel and not where.here:
        report(Log(f"starting the notebook's kernel {notebook.kernel.name} to look at its environment"))
        return fresh(notebook.kernel.name, options, cwd=folder, cancel=cancel)
    facts = here(options)
    cancel.check()
    return Observed(facts, notebook.kernel if notebook else None)


def here(options: Collection[str] = ()) -> AnyFacts:
    """The facts of the environment of this process."""
    from ..probe import gather

    return dict(gather(options))  # type: ignore[no-untyped-call]
