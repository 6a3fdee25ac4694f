"""What it takes to rebuild an image, as files that are kept beside it: recipe with locks, and snapshot.

For a copy nothing of that is needed, so nothing waits for it long: it is locked beside the copying, in a
thread of its own. What cannot be locked is named, and the image is whole without it.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..cancel import Cancel
from ..contents import identity
from ..environment.choices import Wishes
from ..environment.model import Snapshot, dump
from ..environment.observe.ways import Where
from ..environment.plan import redact
from ..environment.plan.planning import Plan, redacted
from ..errors import DockerizeError
from ..events import Finding, ignore
from ..recipe import pip, project, readme, render
from ..recipe.base import ASKED, choose_base
from ..recipe.bundle import DOCKERFILE, Bundle
from ..recipe.recipe import SYSTEM
from ..recipe.resolution import Resolution
from ..recipe.steps import BUILDKIT
from ..resolve import resolve

SNAPSHOT = "snapshot.json"
OURS = frozenset({
    DOCKERFILE, readme.README, identity.PLAN, SNAPSHOT, SYSTEM, project.ARCHIVE, pip.FOLDER, pip.WHEELS,
})  # fmt: skip
PATIENCE = 4.0  # seconds that an image which is finished waits for its locks
ENDING = 2.0  # seconds that it may take to put its things away
_HERE = "in the builtin engine's store here: push it to a registry before this is built elsewhere"
LARGEST = 32 << 20  # bytes: it is held in memory, and homes are small
_UNLOCKED = frozenset({"not-locked", "not-solved", "index-unreachable", "index-refused"})


@dataclass(frozen=True, slots=True)
class Kept:
    """What goes beside an image: relative path → bytes; and what is to be said of it."""

    files: Mapping[str, bytes]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Later:
    """The command that writes the recipe another time."""

    where: Where = Where()  # noqa: RUF009 - frozen
    wishes: Wishes = Wishes()  # noqa: RUF009 - frozen

    def __str__(self) -> str:
        where, wishes = self.where, self.wishes
        words = [str(where.notebook)] if where.notebook else []
        for option in ("kernel", "live", "python"):
            words += [f"--{option}", value] if (value := getattr(where, option)) else []
        for name in wishes.include:
            words += ["--include", name]
        for name in wishes.apt:
            words += ["--apt", name]
        words += ["--base", wishes.base] if wishes.base else []
        words += ["--platform", wishes.platform] if wishes.platform else []
        words += ["--minimal"] if wishes.minimal else []
        for code in wishes.allow:
            words += ["--allow", code]
        return f"`jupyter dockerize {shlex.join(['recipe', *words, '-o', 'DIR'])}` writes it later"


def kept(plan: Plan, snapshot: Snapshot, bundle: Bundle, later: Later) -> Kept:
    """Beside an image that was built from ``bundle``."""
    size = sum(len(data) for data in bundle.files.values())
    if size > LARGEST:
        return _alone(plan, snapshot, _large(size), later)
    return Kept({**bundle.files, SNAPSHOT: dump(redact.snapshot(snapshot))})


def _alone(plan: Plan, snapshot: Snapshot, why: str, later: Later) -> Kept:
    """What is known without anybody."""
    files = {identity.PLAN: dump(redacted(plan)), SNAPSHOT: dump(redact.snapshot(snapshot))}
    said = f"beside the image lie its plan and its snapshot, and no recipe: {why}"
    return Kept(files, (_not_locked(said, later),))


def _large(size: int) -> str:
    return f"with the files that go in it takes {size / 1e6:,.0f} MB"


def _not_locked(message: str, later: Later) -> Finding:
    return Finding("recipe-not-locked", "info", message, str(later))


class Locking:
    """The recipe of an image that is copied, locked meanwhile; to be used in a ``with``, which ends it."""

    def __init__(self, plan: Plan, snapshot: Snapshot, later: Later, cancel: Cancel) -> None:
        self._plan, self._snapshot, self._later = plan, snapshot, later
        self._cancel, self._stop = cancel, Cancel()
        self._done = threading.Event()
        self._kept: Kept | None = None
        # A daemon: who asks an index that does not answer holds nobody up.
        self._thread = threading.Thread(target=self._work, name="recipe", daemon=True)

    def __enter__(self) -> Locking:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.cancel()
        # A process that ends cuts its threads off, and what they would have removed stays.
        self._thread.join(ENDING)

    def kept(self, patience: float = PATIENCE) -> Kept:
        """What there is, after ``patience`` seconds at most. Raises `CancelledError`."""
        forget = self._cancel.on_cancel(self._done.set)
        try:
            self._done.wait(patience)
        finally:
            forget()
        self._cancel.check()
        if self._kept is None:
            self._stop.cancel()
            return self._without("the package index or the base's registry did not answer in time")
        return self._kept

    def _without(self, why: str) -> Kept:
        return _alone(self._plan, self._snapshot, why, self._later)

    def _work(self) -> None:
        try:
            self._kept = self._locked()
        except DockerizeError as error:
            self._kept = self._without(error.brief)
        except Exception as error:  # the image is not to be lost to a fault of ours
            self._kept = self._without(f"a fault of jupyter-dockerize, {type(error).__name__}: {error}")
        finally:
            self._done.set()

    def _locked(self) -> Kept:
        plan, snapshot = self._plan, self._snapshot
        size = sum(file.size for file in plan.files)
        if size > LARGEST:
            return self._without(_large(size))
        plan, found = resolve(
            plan, snapshot, choose_base(plan), wheel_limit=LARGEST, report=ignore, cancel=self._stop
        )
        wrong = [each for each in found.findings if each.severity == "error"]
        if wrong:
            return self._without(wrong[0].message)
        found, own = _on_our_own(found)
        whole = kept(plan, snapshot, render(plan, found, BUILDKIT), self._later)
        unlocked = [each for each in found.findings if each.code in _UNLOCKED]
        others = [each for each in found.findings if each.severity != "info" and each not in unlocked]
        said = [
            _not_locked(f"the recipe beside the image is not locked: {each.message}", self._later)
            for each in unlocked[:1]
        ]
        for each in others[:1]:
            more = f" (and {len(others) - 1} more)" if others[1:] else ""
            message = f"an image of the recipe beside this one would differ from it: {each.message}{more}"
            said.append(Finding("recipe-differs", "info", message, each.fix))
        return replace(whole, findings=(*whole.findings, *said, *own))


def _on_our_own(found: Resolution) -> tuple[Resolution, tuple[Finding, ...]]:
    """A base that our own store has, and its registry not as far as is known, is pinned as what it is: then
    nobody starts from another image of that name. And it is said."""
    from ..engines.builtin import BuiltinEngine  # Unix only

    base = found.base
    stored = BuiltinEngine().store.find(base.ref) if base.reason == ASKED else None
    if stored is None or "@" in base.ref or stored.manifest.digest == base.digest:
        return found, ()
    said = Finding(
        "recipe-differs",
        "info",
        f"the recipe beside the image cannot be built elsewhere: its base {base.ref} is in the builtin "
        "engine's store here, and no registry is known to have it",
        f"`jupyter dockerize push {base.ref}` puts it there, where its name is one of a registry",
    )
    return replace(found, base=replace(base, digest=stored.manifest.digest, reason=_HERE)), (said,)


__all__ = ["OURS", "Kept", "Later", "Locking", "kept"]
