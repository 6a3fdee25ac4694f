"""pip packages locked: for each pin the index that serves it and every hash it may have.

One pin that is gone must not sink the others. With ``--no-deps`` pins do not touch one another, so
those that uv cannot serve are found by asking again without them: first without the ones
that its message names (a hint, checked by asking for them alone), then by halves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from ..cancel import Cancel
from ..errors import RegistryError
from ..recipe.resolution import LockedPip
from ..sizes import count
from .credentials import Access
from .indexes import Indexes, label_index
from .uv import Served, Target, Unsolved, compile_pins

PART = 48  # pins that are asked for together once it is known that some are lost
BESIDE = 4  # runs of uv at the same time
HINTED_ROUNDS = 12
FRUITLESS_RUNS = 48  # so many runs of uv, and not one package served: that is not about packages

_MENTION = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==")


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """``name==version``; the name normalized."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"

    @property
    def local(self) -> bool:
        """A local version (PEP 440), which the ecosystem's own index never has."""
        return "+" in self.version


@dataclass(frozen=True, slots=True)
class Locks:
    """``pip`` is what indexes serve, ``lost`` what none of them does; both sorted by name."""

    pip: tuple[LockedPip, ...] = ()
    lost: tuple[Pin, ...] = ()


Ask = Callable[[Sequence[Pin]], list[Served]]


def lock(pins: Sequence[Pin], target: Target, indexes: Indexes, access: Access, cancel: Cancel) -> Locks:
    """Asks the configured indexes, then for known local labels their own, for wheels, then for sources.

    Raises `RegistryError` where an index does not answer.
    """
    locked: dict[str, LockedPip] = {}
    waiting = sorted(pins)
    for build in (False, True):
        for default, extra, concerned in _attempts(indexes, waiting):
            group = [pin for pin in waiting if pin in concerned]

            def ask(
                some: Sequence[Pin],
                default: str | None = default,
                extra: tuple[str, ...] = extra,
                build: bool = build,
            ) -> list[Served]:
                return compile_pins(
                    [str(pin) for pin in some],
                    target,
                    default=default,
                    extra=extra,
                    build=build,
                    access=access,
                    cancel=cancel,
                )

            for served in serve(group, ask):
                locked[served.name] = LockedPip(
                    name=served.name,
                    version=served.version,
                    hashes=served.hashes,
                    index=indexes.other(served.index or default),
                    sdist=build,
                )
            waiting = [pin for pin in waiting if pin.name not in locked]
    return Locks(tuple(locked[name] for name in sorted(locked)), tuple(waiting))


def unlocked(pins: Sequence[Pin]) -> tuple[LockedPip, ...]:
    """The pins without hashes, for when no index can be asked; local labels keep their index."""
    return tuple(
        LockedPip(name=pin.name, version=pin.version, hashes=(), index=label_index(pin.version))
        for pin in sorted(pins)
    )


def serve(pins: Sequence[Pin], ask: Ask) -> list[Served]:
    """What ``ask`` serves of ``pins``: all at once, else in parts beside each other."""
    if not pins:
        return []
    patient = _Patience(ask, len(pins))
    try:
        return patient(pins)
    except Unsolved:
        parts = [pins[start : start + PART] for start in range(0, len(pins), PART)]
    with ThreadPoolExecutor(BESIDE, thread_name_prefix="uv") as pool:
        return [served for found in pool.map(lambda part: _part(part, patient), parts) for served in found]


class _Patience:
    """Asks on, until it is plain that this is not about packages."""

    def __init__(self, ask: Ask, total: int) -> None:
        self._ask, self._total = ask, total
        self._served, self._fruitless = False, 0

    def __call__(self, pins: Sequence[Pin]) -> list[Served]:
        if self._fruitless > FRUITLESS_RUNS and not self._served:
            raise RegistryError(
                f"the package index serves none of {count(self._total, 'package')}",
                why="it answers, but not as a package index would",
                fix="check the address of the index in pip's configuration",
            )
        try:
            found = self._ask(pins)
        except Unsolved:
            self._fruitless += 1
            raise
        self._served = self._served or bool(found)
        return found


def _part(pins: Sequence[Pin], ask: Ask) -> list[Served]:
    pending = list(pins)
    for _ in range(HINTED_ROUNDS):
        if not pending:
            return []
        try:
            return ask(pending)
        except Unsolved as no:
            named = {canonicalize_name(name) for name in _MENTION.findall(no.text)}
        guilty = [pin for pin in pending if pin.name in named]
        if not guilty or len(guilty) > 3 or any(_by_halves([pin], ask) for pin in guilty):
            break
        pending = [pin for pin in pending if pin not in guilty]
    return _by_halves(pending, ask)


def _by_halves(pins: Sequence[Pin], ask: Ask) -> list[Served]:
    try:
        return ask(pins) if pins else []
    except Unsolved:
        if len(pins) == 1:
            return []
        half = len(pins) // 2
        return _by_halves(pins[:half], ask) + _by_halves(pins[half:], ask)


def _attempts(indexes: Indexes, pins: Sequence[Pin]) -> list[tuple[str | None, tuple[str, ...], set[Pin]]]:
    """Default index, extra indexes, and the pins that they are asked for, in order.

    PyTorch's indexes carry old copies of common packages: they are asked for others than their own
    only when nobody else has them.
    """
    public = {pin for pin in pins if not pin.local}
    local = set(pins) - public
    attempts = [(indexes.default, indexes.extra, public)]
    if indexes.configured:
        attempts.append((indexes.default, (*indexes.extra, *indexes.labelled), local))
    by_label: dict[str, set[Pin]] = {}
    for pin in sorted(local):
        url = label_index(pin.version)
        if url:
            by_label.setdefault(url, set()).add(pin)
    attempts += [(url, (), those) for url, those in by_label.items()]
    attempts += [(url, (), public) for url in indexes.labelled]
    return [attempt for attempt in attempts if attempt[2]]


__all__ = ["Locks", "Pin", "lock", "serve", "unlocked"]
