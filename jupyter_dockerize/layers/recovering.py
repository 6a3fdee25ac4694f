"""What an image says of its own layers, where nothing is known of it here, as after a pull: its history, the
layers as they stand in a state, and the journal.

In the image are its plan, labels, and the files of its layers (`recipe.layer.KEPT`), but for wheels. The
recipe of its first layer is not: that is locked anew, from the plan.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..cancel import Cancel
from ..contents import project
from ..contents.identity import LABEL_METHOD, PLAN, PLAN_PATH
from ..engines.base import Engine, Image
from ..environment.choices import ProjectFile
from ..environment.model import Snapshot, dump, parse
from ..environment.plan.planning import Plan
from ..errors import EngineError, OutputError, UsageError
from ..events import Finding, Report, ignore
from ..export.inside import layers_in, stored_plan
from ..image import disk
from ..recipe import render
from ..recipe.bundle import Bundle
from ..recipe.layer import KEPT
from ..recipe.pip import named_in
from ..recipe.resolution import Base, Resolution
from ..recipe.steps import BUILDKIT, SecretId
from ..resolve import resolve
from ..resolve.credentials import asking, files_for
from . import journal
from .journal import Entry
from .layered import Layered, base_of
from .model import LAYER, Layer
from .pinning import secrets_of
from .state import State

_FILE = re.compile(r"([0-9a-z-]+)/([A-Za-z0-9._+-]+)")  # of KEPT: a layer's folder, a file of that
_ANEW = "build the image again where the environment is"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an image says of itself: the ``plan`` of its first layer, as it was stored, and the others."""

    plan: Plan
    entries: tuple[Entry, ...]
    method: str

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What of the layers cannot be had of the image."""
        return tuple(
            _lacks(number, why)
            for number, entry in enumerate(self.entries, 2)
            if (why := _missing(entry, self.method))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A journal that was written: ``plan`` and ``base`` are its first layer's.

    ``secrets`` is what its builds are handed, ``secret_files`` where on this machine that is one file.
    """

    plan: Plan
    base: str
    secrets: tuple[SecretId, ...]
    secret_files: Mapping[str, str]
    findings: tuple[Finding, ...]


def said_by(engine: Engine, image: Image, *, report: Report = ignore, cancel: Cancel) -> Said:
    """Raises `VerificationError` where it was not made by us or is not what it says, and `UsageError`."""
    stored_plan(engine, image, report=report, cancel=cancel)
    plan: Plan = parse(engine.read(image.id, PLAN_PATH, report=report, cancel=cancel), Plan)
    layers = layers_in(engine, image, report=report, cancel=cancel)
    files = _kept(engine, image, report, cancel) if layers else {}
    return Said(
        plan=plan,
        entries=tuple(_entry(layer, files) for layer in layers),
        method=image.labels.get(LABEL_METHOD, "rebuild"),
    )


def recover(
    engine: Engine,
    ref: str,
    image: Image,
    folder: Path,
    snapshot: Snapshot,
    *,
    report: Report,
    cancel: Cancel,
) -> Recovered:
    """Writes the journal of ``image``, called ``ref``, to ``folder``, which is made, or must be empty.

    ``snapshot`` is of the environment whose logins and certificates indexes are asked with. Raises what
    `said_by` raises, and `OutputError`.
    """
    journal.check(folder, ref)
    if (folder / journal.JOURNAL).exists():  # its wheels and locks may be more than the image holds
        raise OutputError(
            f"{folder} has a journal of {ref} already",
            fix=f"`jupyter dockerize rebuild {folder}` makes its images; or name another folder",
        )
    said = said_by(engine, image, report=report, cancel=cancel)
    base = base_of(said.plan, image)
    bundle, notes = _first_recipe(said, engine, image, base, snapshot, report=report, cancel=cancel)
    now = State(
        image=ref,
        engine=engine.name,
        method=said.method,
        journal=str(folder.absolute()),
        notebook=said.plan.notebook,
    )
    files = bundle.files if bundle else {PLAN: dump(said.plan)}
    layered = Layered(now, said.plan, files, engine, base)
    layered.begin(image, said.entries)
    layered.write_journal(said.entries)
    plan, secrets = layered.plan(), bundle.secrets if bundle else ()
    if bundle:
        secrets = tuple(dict.fromkeys((*secrets, *secrets_of(plan))))
    asked = asking(snapshot, (*plan.indexes, *named_in(files)))
    return Recovered(
        plan=said.plan,
        base=base.ref,
        secrets=secrets,
        secret_files=files_for(Resolution(base=base, secrets=secrets), asked),
        findings=(*said.findings, *notes),
    )


def _first_recipe(
    said: Said,
    engine: Engine,
    image: Image,
    base: Base,
    snapshot: Snapshot,
    *,
    report: Report,
    cancel: Cancel,
) -> tuple[Bundle | None, tuple[Finding, ...]]:
    """The recipe of the first layer, locked anew; None where that cannot be had, and then why."""
    if said.method != "rebuild":
        return None, (_no_recipe("its first layer was not built from a recipe"),)
    try:
        with tempfile.TemporaryDirectory() as folder:
            files = tuple(
                _fetched(file, Path(folder) / str(number), engine, image, report, cancel)
                for number, file in enumerate(said.plan.files)
            )
            plan = replace(said.plan, files=files)
            resolved, found = resolve(plan, snapshot, base, report=report, cancel=cancel)
            wrong = [each for each in found.findings if each.severity == "error"]
            if wrong:
                return None, (_no_recipe(wrong[0].message),)
            bundle = render(resolved, found, BUILDKIT)
    except (EngineError, UsageError) as error:
        return None, (_no_recipe(f"{error.what}{f' ({error.why})' if error.why else ''}"),)
    # Byte for byte what the labels name.
    whole = Bundle({**bundle.files, PLAN: dump(said.plan)}, secrets=bundle.secrets, platform=bundle.platform)
    return whole, found.findings


def _fetched(
    file: ProjectFile, path: Path, engine: Engine, image: Image, report: Report, cancel: Cancel
) -> ProjectFile:
    disk.put(path, engine.read(image.id, project.place(file), report=report, cancel=cancel))
    return replace(file, source=str(path))


def _kept(engine: Engine, image: Image, report: Report, cancel: Cancel) -> dict[str, dict[str, bytes]]:
    """The files of the layers in the image: folder → name → bytes. Anybody may have made it."""
    found: dict[str, dict[str, bytes]] = {}
    # Layers of copies and of containers have none.
    for path, data in engine.read_folder(image.id, KEPT, report=report, cancel=cancel).items():
        if match := _FILE.fullmatch(path):
            found.setdefault(match[1], {})[match[2]] = data
    return found


def _entry(layer: Layer, files: Mapping[str, Mapping[str, bytes]]) -> Entry:
    """The layer with those of its files that the image has."""
    data = dump(layer)
    own = next((each for each in files.values() if each.get(LAYER) == data), {})
    return Entry(layer=layer, files={name: data for name, data in own.items() if name != LAYER})


def _missing(entry: Entry, method: str) -> str:
    """Why it cannot be built again by the files that the image has; "" where it can."""
    new = entry.layer.packages
    locked = any(name.startswith(("requirements", "conda", "run.sh")) for name in entry.files)
    if method == "copy":
        return "it was copied, so that its files are in the image and no lock is"
    if "requirements-carried.txt" in entry.files:
        return "it installs wheels that no index has, and those are not kept"
    if not locked and (new.pip or new.conda or entry.layer.literal):
        return "its locks are not in the image"
    return ""


def _lacks(number: int, why: str) -> Finding:
    return Finding(
        "not-recovered",
        "warning",
        f"layer {number} of the image cannot be built from its journal: {why}",
        _ANEW,
    )


def _no_recipe(why: str) -> Finding:
    return Finding(
        "not-recovered",
        "warning",
        f"the journal tells what the image holds, and cannot be rebuilt: {why}",
        _ANEW,
    )


__all__ = ["Recovered", "Said", "recover", "said_by"]
