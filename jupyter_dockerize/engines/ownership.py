"""Which containers and names of an engine are ours. Everything else there is left alone."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Literal

ROLE = "jupyter-dockerize.role"
EXPIRES = "jupyter-dockerize.expires"  # seconds since 1970, by the clock of who made the container
GRACE = 600  # seconds; clocks of machines that share an engine differ
BUILDING = "jupyter-dockerize-building"  # the repository of an image that is not yet finished
_DAY = 24 * 3600

Role = Literal["sandbox", "run"]


def labels(role: Role, *, seconds: float | None = None) -> dict[str, str]:
    """The labels of a container of ours; with ``seconds``, the time after which nobody waits for it."""
    found: dict[str, str] = {ROLE: role}
    if seconds is not None:
        found[EXPIRES] = str(int(time.time() + seconds + GRACE))
    return found


def expired(labels: Mapping[str, str]) -> bool:
    """Whether the one who waited for this container is certainly gone."""
    until = labels.get(EXPIRES, "")
    return not until.isdecimal() or int(until) < time.time()


def building() -> str:
    """A fresh name for an image while it is built."""
    return f"{BUILDING}:{int(time.time())}-{secrets.token_hex(8)}"


def abandoned(name: str) -> bool:
    """Whether ``name`` was made by `building` longer than a day ago."""
    repository, _, tag = name.rpartition(":")
    began = tag.partition("-")[0]
    return repository.endswith(BUILDING) and began.isdecimal() and int(began) < time.time() - _DAY
