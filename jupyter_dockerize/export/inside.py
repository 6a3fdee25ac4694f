"""What is inside an image: what it holds, and what it says that it is meant to hold.

The image may be a stranger's: whatever runs in it runs in the engine's sandbox, and what comes
back is hostile until `interpret` and `model.parse` have read it.
"""

from __future__ import annotations

import platform
import re
import sys

from ..cancel import Cancel
from ..contents.identity import LABEL_FINGERPRINT, LABEL_PLAN, LABEL_PYTHON, PLAN_PATH, plan_digest
from ..engines.base import Engine, Image, Limits
from ..environment.interpret.machine import ARCHITECTURES
from ..environment.interpret.snapshot import interpret
from ..environment.layer import Layer, applied, layers_of
from ..environment.model import Snapshot, dump, parse
from ..environment.observe.ways import through
from ..environment.plan.planning import Plan
from ..errors import EngineError, UsageError, VerificationError
from ..events import Report, ignore
from ..image.manifest import digest_of
from ..recipe.layer import KEPT, LAYER

LOOKED_AT = frozenset({"libraries", "requires", "sizes"})
INTERPRETERS = ("python3", "python")  # for images that do not say which one the notebook uses
# How runc, crun and bubblewrap say it; "…: no such file" of a library is another matter.
_NO_PROGRAM = re.compile(
    r"executable file [^:]*not found in \$PATH|exec: \"[^\"]*python[^\"]*\": stat .{0,200}no such file"
    r"|execvp \S*python\S*: No such file"
)
_FOLDER = re.compile(r"[0-9a-z-]+")
HASHING = Limits(seconds=900)  # reads every file of every package: tens of gigabytes from a slow disk


def probe_image(
    engine: Engine, image: Image, *, hashes: bool = False, report: Report = ignore, cancel: Cancel
) -> Snapshot:
    """The snapshot of what is inside the image; ``hashes`` compares each file's digest, not its size.

    Raises `VerificationError` where no interpreter in it answers.
    """
    named = image.labels.get(LABEL_PYTHON)
    candidates = (named,) if named and named.startswith("/") else INTERPRETERS
    options, limits = (LOOKED_AT | {"hashes"}, HASHING) if hashes else (LOOKED_AT, Limits())
    reasons, absent = [], True
    for python in candidates:
        try:
            facts = through(
                lambda argv, stdin: engine.execute(
                    image.id, argv, stdin=stdin, limits=limits, report=report, cancel=cancel
                ),
                python,
                options,
            )
            return interpret(facts)
        except (EngineError, UsageError, VerificationError) as error:  # noqa: PERF203 - at most twice
            reasons.append(f"{python}: {error.why or error.what}")
            absent = absent and _NO_PROGRAM.search(error.why) is not None
    raise VerificationError(
        "the image cannot be looked into",
        why="there is no Python in it" if absent else "; ".join(reasons),
        fix=_emulator(image) or "rebuild the image, if it is meant to hold an environment",
    )


def _emulator(image: Image) -> str:
    """What to do where programs of the image do not run on this machine; "" where they should."""
    if not _foreign(image.platform):
        return ""
    return f"it is an image for {image.platform}, which needs an emulator (binfmt) here"


def _foreign(image: str) -> bool:
    """Whether the image's platform is known and has another architecture than this machine."""
    arch = image.partition("/")[2].partition("/")[0]
    here = platform.machine().lower()
    return bool(arch) and arch != ARCHITECTURES.get(here, here)


def has_plan(image: Image) -> bool:
    """Whether the image says that it was made here, and so carries its plan."""
    return LABEL_FINGERPRINT in image.labels


def stored_plan(engine: Engine, image: Image, *, report: Report = ignore, cancel: Cancel) -> Plan:
    """The plan that the image carries, with all layers that its labels name, held against its label.

    Raises `VerificationError` where there is none, or where it is not what the label says.
    """
    if not has_plan(image):
        raise VerificationError(
            "the image does not say what it is meant to hold",
            why="it was not made by jupyter-dockerize",
            fix="compare it with an environment, such as the one of this Python",
            instead=("", f"python:{sys.executable}"),
        )
    try:
        data = engine.read(image.id, PLAN_PATH, report=report, cancel=cancel)
        plan, layers = parse(data, Plan), layers_in(engine, image, report=report, cancel=cancel)
    except (EngineError, UsageError) as error:
        raise VerificationError(
            "the image's plan, which its labels name, cannot be read",
            why=error.why or error.what,
            fix=_emulator(image)
            or "rebuild the image: without its plan nobody knows what it is meant to hold",
        ) from error
    assert isinstance(plan, Plan)
    for layer in layers:
        plan = applied(plan, layer)
    data = dump(plan) if layers else data
    said = (image.labels.get(LABEL_FINGERPRINT), image.labels.get(LABEL_PLAN))
    if said != (plan.fingerprint, plan_digest(data)):
        raise VerificationError(
            "the image's plan is not the one that its labels name",
            why=f"the plan's fingerprint is {plan.fingerprint[:19]}…, the label's {str(said[0])[:19]}…"
            if said[0] != plan.fingerprint
            else "the packages are the same, the rest of the plan is not",
            fix="somebody changed the one or the other: rebuild the image",
        )
    return plan


def layers_in(engine: Engine, image: Image, *, report: Report = ignore, cancel: Cancel) -> tuple[Layer, ...]:
    """The layers that an image says it has, the lowest first, by its labels and by its files where a label
    would have been too large. Raises `UsageError` where one is no layer, and `EngineError`."""
    return tuple(
        _kept(engine, image, layer.kept, report, cancel) if layer.kept else layer
        for layer in layers_of(image.labels)
    )


def _kept(engine: Engine, image: Image, kept: str, report: Report, cancel: Cancel) -> Layer:
    name, _, digest = kept.partition("@")
    if not _FOLDER.fullmatch(name):
        raise UsageError("the labels of the image name a layer that is no file of it")
    data = engine.read(image.id, f"{KEPT}/{name}/{LAYER}", report=report, cancel=cancel)
    if digest_of(data) != digest:
        raise UsageError(f"the layer {name} of the image is not the one that its labels name")
    found: Layer = parse(data, Layer)
    return found
