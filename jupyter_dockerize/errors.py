"""Everything that can go wrong on purpose.

    DockerizeError                    exit status
    ├── UsageError                    2    the input is not what it should be
    │   ├── NotebookError                  not a notebook, or not readable
    │   ├── KernelError                    no such kernelspec, or it does not start or answer
    │   ├── InterpreterError               not a Python interpreter
    │   ├── ReferenceError                 not an image reference
    │   └── OutputError                    the output folder cannot be written or is not empty
    ├── FindingsError                 1    findings of severity error that nobody allowed
    ├── VerificationError             1    the image could not be probed at all
    ├── NoEngineError                 3    no engine can do what was asked
    ├── CommandError                  its own   the command that was to become a layer failed
    ├── EngineError                   4    the engine failed
    │   ├── BuildError                     a step of the build failed
    │   ├── DamagedError                   an image of our store is not whole
    │   └── RegistryError                  a registry or index refused or did not answer
    └── CancelledError                130  the user changed their mind
        └── NamingCancelledError           … while a registry was told a name

Whatever else is raised is a fault of ours (exit status 70). Adapters of third-party
libraries raise these and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from .events import Finding


class DockerizeError(Exception):
    """What happened, why, and what to do next: the three parts that every error has.

    ``what`` is one sentence without a full stop, ``why`` the cause where it is known,
    ``fix`` the next thing to do. ``str()`` gives all that is there, a line each; where a part has more
    lines, as words of others may, these are indented and pass for no other part.

    Commands stand in backticks as on the command line, `jupyter dockerize VERB …`; faces write them
    as they are typed there. ``instead`` is the typed word that was wrong ("" for one that is missing)
    and the words to type in its place; of that faces make the whole line (`typed.told`).
    """

    exit_status = 70

    def __init__(self, what: str, *, why: str = "", fix: str = "", instead: Sequence[str] = ()) -> None:
        super().__init__(what)
        self.what, self.why, self.fix, self.instead = what, why, fix, tuple(instead)
        self.on_card = False  # whether a card above the traceback tells all of it

    def __str__(self) -> str:
        parts = [self.what]
        if self.why:
            parts.append(f"why: {self.why}")
        if self.fix:
            parts.append(f"fix: {self.fix}")
        return "\n".join("\n  ".join(part.splitlines()) for part in parts)

    @property
    def brief(self) -> str:
        """What happened and why, within another sentence: ``what (why)``."""
        return f"{self.what} ({self.why})" if self.why else self.what

    @property
    def cause(self) -> str:
        """What happened and why, as the ``why`` of something else: ``what: why``."""
        return f"{self.what}: {self.why}" if self.why else self.what

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback: the cause is the user's, not in our code.

        Where a card tells it all, what and why on one line, for logs that have no cards.
        """
        told = str(self)
        if self.on_card:
            told = f"{self.brief}; the card says what to do".replace("\n", " ")
        return [
            (f"{type(self).__name__}: " if n == 0 else "")
            + "".join(char if char.isprintable() else " " for char in line)
            for n, line in enumerate(told.splitlines())
        ]


class UsageError(DockerizeError):
    """The input is not what it should be; nothing was done."""

    exit_status = 2


class NotebookError(UsageError):
    """The notebook cannot be read or is not a notebook."""


class KernelError(UsageError):
    """There is no such kernel, or it does not start or answer."""


class InterpreterError(UsageError):
    """What was named is not a Python interpreter that the probe can run in."""


class ReferenceError(UsageError):  # noqa: A001 - the field's word; always imported from here by name
    """Not an image reference."""


class OutputError(UsageError):
    """The output folder or file cannot be written, or would overwrite something."""


class FindingsError(DockerizeError):
    """Findings of severity error stopped the work; ``--allow CODE`` lets them through."""

    exit_status = 1

    def __init__(self, findings: Sequence[Finding]) -> None:
        first = findings[0]
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        allow = [word for code in sorted({f.code for f in findings}) for word in ("--allow", code)]
        accept = f"accept it with {' '.join(allow)}"
        super().__init__(
            f"{first.message}{more}",
            fix=f"{first.fix}; or {accept}" if first.fix else accept,
            instead=("", *allow),
        )
        self.findings = tuple(findings)


class VerificationError(DockerizeError):
    """The image could not be probed, so nothing can be said about it."""

    exit_status = 1


class CommandError(DockerizeError):
    """The command that was to become a layer failed, with this exit status; the image is as it was."""

    def __init__(self, what: str, status: int, *, why: str = "", fix: str = "") -> None:
        super().__init__(what, why=why, fix=fix)
        self.exit_status = status


class NoEngineError(DockerizeError):
    """No engine here can do what was asked; ``why`` is the diagnosis."""

    exit_status = 3


class EngineError(DockerizeError):
    """The engine was there and failed."""

    exit_status = 4


class BuildError(EngineError):
    """A step of the build failed; ``log`` holds the last lines that the step printed, ``status`` is the exit
    status of its command, where that is what failed."""

    def __init__(
        self, what: str, *, why: str = "", fix: str = "", log: Sequence[str] = (), status: int | None = None
    ) -> None:
        super().__init__(what, why=why, fix=fix)
        self.log = tuple(log)
        self.status = status


class DamagedError(EngineError):
    """An image of our own store is not whole, or no image: the disk lost some of it, or others wrote it."""


class RegistryError(EngineError):
    """A registry or package index refused, or did not answer."""


class CancelledError(DockerizeError):
    """The user cancelled; everything is as it was before."""

    exit_status = 130

    def __init__(self, what: str = "cancelled; nothing was left behind") -> None:
        super().__init__(what)


class NamingCancelledError(CancelledError):
    """The user cancelled while a registry was told a name: it is the old image's, or the new one's."""
