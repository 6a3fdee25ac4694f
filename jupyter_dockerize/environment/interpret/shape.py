"""Facts that anybody may have sent: checked for their shape and their size before anything reads them."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import UsageError
from ..facts import SCHEMA, Facts
from ..names import printable


def checked(facts: object) -> Facts:
    """``facts`` as `facts.Facts`, unknown keys passed over.

    Raises `UsageError` where the shape is another one, where there are more parts than an
    environment can have, or where a newer probe wrote them.
    """
    import msgspec

    schema = facts.get("schema") if isinstance(facts, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise UsageError(
            f"the facts were written by a newer probe (this one knows schema {SCHEMA})",
            fix="upgrade jupyter-dockerize",
        )
    try:
        known = msgspec.convert(facts, Facts)
    except (msgspec.MsgspecError, RecursionError, ValueError, TypeError) as error:
        raise UsageError(
            "these are not facts about an environment",
            why=printable(str(error), 200),
            fix="observe the environment again; if that does not help, what answered was not the probe",
        ) from error
    for what, many, most in _sizes(known):
        if many > most:
            raise UsageError(
                f"the facts are too large: {many} {what}, where at most {most} are possible",
                why="no real environment has that many",
            )
    return known


def _sizes(facts: Facts) -> Iterable[tuple[str, int, int]]:
    found = facts["pip"]
    yield "folders on sys.path", len(found["paths"]), 1_000
    yield "Python packages", len(found["distributions"]), 20_000
    yield "indexes", len(found["indexes"]), 1_000
    yield "leftovers", len(found["leftovers"]), 20_000
    yield "faults", len(facts["probe"]["faults"]), 100_000
    yield "environment variables", len(facts["environ"]["kept"]) + len(facts["environ"]["withheld"]), 10_000
    if facts["conda"] is not None:
        yield "conda records", len(facts["conda"]["records"]), 20_000
    if facts["apt"] is not None:
        yield "Debian packages", len(facts["apt"]["packages"]), 100_000
        yield "dependencies", len(facts["apt"]["depends"] or ()), 100_000
    if facts["libraries"] is not None:
        yield "libraries", len(facts["libraries"]["system"]) + len(facts["libraries"]["loaded"]), 20_000
        yield "missing libraries", len(facts["libraries"]["missing"]), 100_000
    if facts["modules"] is not None:
        yield "modules", len(facts["modules"]["files"]), 100_000
