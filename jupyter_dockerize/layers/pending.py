"""What a command did to the environment and no image has yet: it is noted before anything more is done, and
stands in the way of everything else until it is in an image, or given up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from ..environment.model import SCHEMA, dump, parse
from ..environment.plan.planning import Plan
from ..errors import CancelledError, DockerizeError, FindingsError, UsageError
from ..image import disk
from ..image.copy.changed import Stamps
from .folders import kept, sweep
from .journal import Entry, files_below
from .locking import Owner
from .model import Layer, Typed
from .state import folder_for

PENDING = "pending.json"  # beside the state
_BEFORE, _FILES = "before.json", "before.files"
Phase = Literal["running", "installed", "built"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What a command did, or was doing, and no image has yet.

    ``before`` is what the environment's plan was; ``entry`` is there once it is known what changed,
    ``image`` once its image was built.
    """

    phase: Phase
    typed: Typed
    before: Plan | None = None
    files: Stamps | None = None  # what those of a copied image were like
    entry: Entry | None = None
    image: str = ""
    process: Owner | None = None  # the command's own, which may outlive the kernel that started it
    why: str = ""  # what went wrong

    @property
    def running(self) -> bool:
        """Whether the command is at work now, for all that can be seen from here."""
        return self.phase == "running" and bool(self.process and self.process.here and self.process.alive)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Noted:
    """A pending change as it is written; ``data`` is the folder, beside it, with all that is large."""

    phase: Phase
    typed: Typed
    data: str
    layer: Layer | None = None
    image: str = ""
    process: Owner | None = None
    why: str = ""
    schema: int = SCHEMA


def note(ref: str, found: Pending) -> None:
    """What is pending, before anything more is done: what it was until now, or this. Raises `OutputError`."""
    files: dict[str, bytes] = {"empty": b""}
    if found.before:
        files[_BEFORE] = dump(found.before)
    if found.files:
        files[_FILES] = msgspec.msgpack.encode(found.files)
    if found.entry:
        files |= {f"files/{name}": data for name, data in found.entry.files.items()}
    folder = folder_for(ref)
    said = _Noted(
        phase=found.phase,
        typed=found.typed,
        data=kept(folder, "pending", files),
        layer=found.entry.layer if found.entry else None,
        image=found.image,
        process=found.process,
        why=found.why,
    )
    disk.put(folder / PENDING, dump(said))
    sweep(folder, "pending", said.data)


def of(ref: str) -> Pending | None:
    """What is pending for this image. Raises `UsageError` where the note of it is broken."""
    folder = folder_for(ref)
    try:
        said: _Noted = parse((folder / PENDING).read_bytes(), _Noted)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(
            f"what is pending of {ref} cannot be read", why=error.strerror or str(error)
        ) from error
    files = files_below(folder / said.data)
    before, stamps = files.pop(_BEFORE, None), files.pop(_FILES, None)
    own = {name.removeprefix("files/"): data for name, data in files.items() if name.startswith("files/")}
    return Pending(
        phase=said.phase,
        typed=said.typed,
        before=parse(before, Plan) if before else None,
        files=msgspec.msgpack.decode(stamps, type=Stamps) if stamps else None,
        entry=Entry(layer=said.layer, files=own) if said.layer else None,
        image=said.image,
        process=said.process,
        why=said.why,
    )


def settled(ref: str) -> None:
    """Nothing is pending any more."""
    folder = folder_for(ref)
    (folder / PENDING).unlink(missing_ok=True)
    sweep(folder, "pending", "")


def refuse(ref: str) -> None:
    """Raises `UsageError` where something is pending, with the ways out."""
    left = of(ref)
    if left is None or left.phase == "built":
        return
    refuse_running(left)
    said = "was cut off" if left.phase == "running" else "is in no image yet"
    raise UsageError(
        f"“{left.typed.command}” {said}",
        why=left.why or "its process ended in the middle",
        fix=_ways_out(ref),
    )


def _ways_out(ref: str) -> str:
    return (
        f"`jupyter dockerize exec --image {ref} --retry` builds its layer again; "
        f"`jupyter dockerize undo {ref}` gives it up, and leaves here what it did"
    )


def refuse_running(left: Pending) -> None:
    """Raises `UsageError` where the command is still at work: what it does could be seen half-way only."""
    if left.running and left.process:
        raise UsageError(
            f"“{left.typed.command}” is still running, as process {left.process.pid}",
            why="whoever started it ended before it",
            fix=f"wait until it has ended; or end it: kill -- -{left.process.pid}",
        )


def failed(ref: str, error: BaseException) -> None:
    """What went wrong is noted with what is pending, and ``error`` says that something is."""
    left = of(ref)
    if left is None:
        return
    if isinstance(error, CancelledError):
        error.what = f"cancelled, and what “{left.typed.command}” did here is in no image yet"
    if isinstance(error, FindingsError):
        codes = " ".join(f"--allow {code}" for code in sorted({each.code for each in error.findings}))
        accept = f"accept it: `jupyter dockerize exec --image {ref} --retry {codes}`"
        gives_up = f"what was done here is pending: `jupyter dockerize undo {ref}` gives it up, and leaves it"
        error.fix = "; ".join(filter(None, (error.findings[0].fix, f"or {accept}", gives_up)))
        error.instead = ()  # the command has run
    elif isinstance(error, DockerizeError) and "pending" not in error.fix:
        error.fix = "; ".join(filter(None, (error.fix, f"what was done here is pending: {_ways_out(ref)}")))
    why = error.brief if isinstance(error, DockerizeError) else ""
    note(ref, replace(left, why=why[:500]))


__all__ = ["Pending", "Phase", "failed", "note", "of", "refuse", "refuse_running", "settled"]
