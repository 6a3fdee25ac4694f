"""The verbs, one function each: arguments in, result out.

Every face calls these and nothing below. Long ones take ``report``, called with each event,
and ``cancel``; what they raise is in `errors`. Nothing is printed here.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cancel import Cancel
from .environment.choices import Wishes
from .environment.model import Snapshot
from .environment.observe.ways import Where
from .environment.plan.planning import Plan
from .errors import UsageError, VerificationError
from .events import Finding, Log, Report, Step, ignore

if TYPE_CHECKING:
    from .contents.identity import Method
    from .engines import Survey
    from .engines.base import Container, Engine, Image, Pushed
    from .engines.registry.login import LoggedIn
    from .environment.comparison import Comparison
    from .export.build import Built
    from .image.store import Pruned
    from .layers.adding import Done
    from .layers.consolidating import Consolidated
    from .layers.rebuilding import Rebuilt
    from .layers.timeline import History, Moved
    from .recipe.steps import SecretId

TARGETS = ("dockerfile",)
NO_WISHES = Wishes()
NO_NOTEBOOK = Finding(
    "no-notebook",
    "info",
    "the image holds the environment and no notebook: this kernel does not know which one it belongs to",
    "name it: %dockerize NOTEBOOK.ipynb",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A bundle that was written to ``folder``; ``files`` are the names in it, sorted."""

    folder: Path
    files: tuple[str, ...]
    plan: Plan
    base: str
    secrets: tuple[SecretId, ...]
    secret_files: Mapping[str, str] = field(default_factory=dict)  # those that are one file of this machine
    name: str = "analysis"  # of the image, as the line that builds it says
    findings: tuple[Finding, ...]


def snapshot(
    where: Where, *, hashes: bool = False, report: Report = ignore, cancel: Cancel | None = None
) -> Snapshot:
    """What is running, and what is wrong with it and with the notebook.

    ``hashes`` also looks for files that were edited after install.
    """
    from .export.prepare import look_with_notebook

    return look_with_notebook(where, hashes=hashes, report=report, cancel=cancel or Cancel())


def recipe(
    where: Where,
    wishes: Wishes,
    folder: Path,
    *,
    to: str = "dockerfile",
    hashes: bool = False,
    report: Report = ignore,
    cancel: Cancel | None = None,
) -> Recipe:
    """Writes the Dockerfile and its files to ``folder``, which is made, or must be empty."""
    from .export.asked import check, suggested
    from .export.prepare import prepare
    from .recipe.steps import BUILDKIT
    from .recipe.writing import check_folder
    from .resolve.credentials import files_for

    if to not in TARGETS:
        raise UsageError(f"no target is called {to!r}", fix=f"there is: {', '.join(TARGETS)}")
    check(where, wishes)
    check_folder(folder)
    prepared = prepare(where, wishes, hashes=hashes, report=report, cancel=cancel or Cancel())
    bundle = prepared.bundle(BUILDKIT)
    bundle.write(folder)
    return Recipe(
        folder=folder,
        files=tuple(name for name, _ in bundle),
        plan=prepared.plan,
        base=prepared.resolution.base.ref,
        secrets=bundle.secrets,
        secret_files=files_for(prepared.resolution, prepared.snapshot),
        name=(where.notebook and suggested(where.notebook.stem)) or "analysis",
        findings=prepared.findings,
    )


def recover(
    ref: str,
    folder: Path,
    *,
    engine: str = "auto",
    report: Report = ignore,
    cancel: Cancel | None = None,
) -> Recipe:
    """Writes the journal of an image to ``folder``, which is made, or must be empty: from the image alone.

    What the image does not hold is named by findings. Raises `VerificationError` where it was not made by us,
    and `OutputError`.
    """
    from .export.prepare import look
    from .layers.naming import layer_named
    from .layers.recovering import recover as recover_journal

    cancel = cancel or Cancel()
    image = _layer(ref)
    chosen = _engine(engine, image)
    found = recover_journal(
        chosen,
        layer_named(ref)[0],
        chosen.find(image),
        folder,
        look(Where(), report=report, cancel=cancel),
        report=report,
        cancel=cancel,
    )
    return Recipe(
        folder=folder,
        files=tuple(
            sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        ),
        plan=found.plan,
        base=found.base,
        secrets=found.secrets,
        secret_files=found.secret_files,
        name=layer_named(ref)[0],
        findings=found.findings,
    )


def build(
    where: Where,
    wishes: Wishes,
    ref: str | None = None,
    *,
    engine: str = "auto",
    method: Method | None = None,
    output: Path | None = None,
    verify: bool = True,
    push: bool = False,
    hashes: bool = False,
    report: Report = ignore,
    cancel: Cancel | None = None,
) -> Built:
    """The environment that ``where`` names becomes the image ``ref``, verified.

    ``method`` "rebuild" installs the packages anew, "copy" takes the environment's own files; without it
    the engine decides: the builtin one copies. With ``output``, a folder or a file that ends in .tar, the
    copy goes there, and no engine is needed. ``push`` puts the image into its registry, unless it is found
    not to be the same environment; the builtin engine keeps nothing of it here then.

    Without ``ref`` the image is named after the notebook, and takes no name that another
    notebook's image has. Raises `NoEngineError` before any work where there is no engine.
    """
    from .export.asked import Asked, check, image_of
    from .export.making import make

    started = time.monotonic()
    cancel = cancel or Cancel()
    check(where, wishes)
    asked = Asked(
        where=where,
        wishes=wishes,
        ref=image_of(where, ref),
        engine=engine,
        method=method,
        output=output,
        check=verify,
        push=push,
        hashes=hashes,
        overwrite=ref is not None,
        started=started,
    )
    notes: tuple[Finding, ...] = ()
    with contextlib.ExitStack() as stack:
        if sys.platform != "win32" and output is None:
            from .layers.beginning import alone

            stack.enter_context(alone(asked.ref, report=report, cancel=cancel))
        built = make(asked, report=report, cancel=cancel)
        if sys.platform != "win32" and output is None:
            from .layers.beginning import begin

            notes = begin(built, where, report=report, cancel=cancel)
    if where.here and where.notebook is None:
        notes = (*notes, NO_NOTEBOOK)
    return replace(built, findings=(*built.findings, *notes))


def verify(
    ref: str,
    source: str | None = None,
    *,
    engine: str = "auto",
    here: bool = False,
    hashes: bool = False,
    report: Report = ignore,
    cancel: Cancel | None = None,
) -> Comparison:
    """Does the image hold what it was planned to hold, or what ``source`` holds now?

    An image, also as the source, may be a layer of one: ``analysis#2``. ``here``: this process is the kernel
    that the source ``live`` means. ``hashes`` also looks for files that were edited after install and kept
    their size.
    """
    from .export.verify import verify as verify_image

    cancel = cancel or Cancel()
    image, other = _layer(ref), _source(source) if source else None
    chosen = _engine(engine, image)
    found = verify_image(chosen, image, other, here=here, hashes=hashes, report=report, cancel=cancel)
    return replace(found, expected=source or "", found=ref)


def diff(
    a: str,
    b: str,
    *,
    engine: str = "auto",
    here: bool = False,
    report: Report = ignore,
    cancel: Cancel | None = None,
) -> Comparison:
    """What ``b`` has otherwise than ``a``; layers of images and ``here`` as for `verify`."""
    from .export.verify import diff as diff_of

    named = _source(a), _source(b)
    images = [each.removeprefix("image:") for each in named if each.startswith("image:")]
    found = diff_of(
        *named,
        lambda: _engine(engine, images[0] if images else None),
        here=here,
        report=report,
        cancel=cancel or Cancel(),
    )
    return replace(found, expected=a, found=b)


def run(
    ref: str,
    *,
    port: int | None = None,
    mount: Path | None = None,
    gpus: str | None = None,
    engine: str = "auto",
    report: Report = ignore,
    cancel: Cancel | None = None,
) -> Container:
    """Opens the image: its JupyterLab on a free port of this machine, with a token.

    What is open like this already is not opened twice. Returns when it answers. Raises `UsageError` where
    there is no such image, folder or port. ``ref`` may name one of its layers: ``analysis#2``.
    """
    image = _layer(ref)
    chosen = _engine(engine, image)
    chosen.find(image)  # before anything is said to be opened
    report(Step(1, 1, f"Opening {ref}"))
    return chosen.start(image, port=port, mount=mount, gpus=gpus, report=report, cancel=cancel or Cancel())


def ps(*, engine: str = "auto") -> list[Container]:
    """What `run` started and nobody stopped yet."""
    from .engines import available

    return [container for one in available(engine) for container in one.containers()]


def stop(name: str, *, engine: str = "auto") -> None:
    """Stops and removes what `run` started."""
    _engine_of(name, engine).stop(name)


def logs(name: str, *, tail: int = 200, engine: str = "auto") -> list[str]:
    """The last lines of what `run` started."""
    return _engine_of(name, engine).logs(name, tail=tail)


def push(ref: str, *, engine: str = "auto", report: Report = ignore, cancel: Cancel | None = None) -> Pushed:
    """Puts the image into the registry that its name names.

    Raises `UsageError` where there is no such image or its name is none of a registry, and `EngineError`
    where the registry does not take it; then the name there is what it was.
    """
    from .export.pushing import PUSHING, check_push

    check_push(ref)
    chosen = _engine(engine, ref)
    chosen.find(ref)
    report(Step(1, 1, PUSHING))
    return chosen.push(ref, report=report, cancel=cancel or Cancel())


def login(registry: str, user: str, password: str, *, cancel: Cancel | None = None) -> LoggedIn:
    """Keeps the login for ``registry`` where Docker keeps them, when the registry has taken it.

    Raises `UsageError` for what is no registry or no login, `RegistryError` where it is not taken, and
    `OutputError` where it cannot be kept.
    """
    from .engines.registry.credentials import Login
    from .engines.registry.login import login as log_in

    return log_in(registry, Login(user, password), cancel=cancel)


def execute(
    where: Where,
    command: str,
    ref: str | None = None,
    *,
    image_only: bool = False,
    wishes: Wishes = NO_WISHES,
    allow: Sequence[str] = (),
    engine: str = "auto",
    report: Report = ignore,
    cancel: Cancel | None = None,
) -> Done:
    """Runs ``command`` in the environment and keeps what it did as one layer of the image ``ref``.

    Without ``ref`` it is the notebook's; it is built first where there is none. With ``image_only`` the
    command runs in the image, as root, and the environment stays as it is. A command that fails makes no
    layer: `Done.status` is its own. ``allow`` are codes of findings that are accepted. Raises what `build`
    raises, and `UsageError` where a change is pending.
    """
    from .export.asked import check_codes
    from .layers import shell, transaction
    from .layers.command import Command
    from .layers.image_only import in_image
    from .layers.model import Typed
    from .layers.naming import image_for
    from .layers.opening import opened

    cancel = cancel or Cancel()
    check_codes(allow)
    wishes = replace(wishes, allow=(*wishes.allow, *allow))
    parsed = Command.parse(command)
    if parsed.needs_root and not image_only:
        raise UsageError(
            f"{parsed.needs_root} needs root, and this environment's user is not",
            fix="install it into the image only: --image-only",
        )
    if parsed.secret and (parsed.literal or image_only):
        raise UsageError(
            "the command holds a secret, and would be run again without it",
            why="it is kept as it was typed, and nothing secret is kept",
            fix="give the login in ~/.netrc or pip's configuration; or run it outside, and `keep` that",
        )
    name = image_for(where, ref)
    report(Log(_place(where, name, engine=engine, image_only=image_only)))
    with opened(
        name,
        parsed.safe,
        engine=engine,
        notebook=where.notebook,
        make=lambda: _first_layer(where, name, wishes, engine, report, cancel),
        report=report,
        cancel=cancel,
    ) as layered:
        typed = Typed(
            command=parsed.safe,
            origin="image-only" if image_only else "exec",
            script=parsed.safe,
            literal=parsed.literal,
            indexes=parsed.indexes,
        )
        layered.allow = tuple(allow)
        layered.logins = {host: (user, password) for host, user, password in parsed.logins}
        if image_only:
            return in_image(layered, typed, where, report=report, cancel=cancel)
        return transaction.execute(
            layered,
            typed,
            lambda python, begun: shell.run(
                parsed, python=python, started=begun, report=report, cancel=cancel
            ),
            where,
            report=report,
            cancel=cancel,
        )


def execute_in(
    container: str,
    command: str,
    ref: str | None = None,
    *,
    allow: Sequence[str] = (),
    notebook: Path | None = None,
    engine: str = "auto",
    report: Report = ignore,
    cancel: Cancel | None = None,
) -> Done:
    """Runs ``command`` in a running container, and commits that as one layer of the image ``ref``.

    Without ``ref`` it is the image that the container was started from, by its name. A command that fails
    makes no layer: `Done.status` is its own. ``allow`` are codes of findings that are accepted. Raises
    `UsageError` where there is no such container or its environment lies on a mount, and `FindingsError` for
    secrets in files.
    """
    from .export.asked import check_codes
    from .layers import container as of_container
    from .layers.command import Command

    check_codes(allow)
    parsed, chosen = Command.parse(command), of_container.docker(engine)
    found = chosen.container(container)
    name = of_container.ref_of(found, ref)
    report(Log(_in_container(found.name, name)))
    return of_container.execute(
        chosen,
        found,
        parsed,
        name,
        allow=tuple(allow),
        notebook=notebook,
        report=report,
        cancel=cancel or Cancel(),
    )


def commit(
    container: str,
    ref: str,
    *,
    allow: Sequence[str] = (),
    notebook: Path | None = None,
    engine: str = "auto",
    report: Report = ignore,
    cancel: Cancel | None = None,
) -> Done:
    """The state of a running container becomes a layer of the image ``ref``, which may be a new name.

    ``allow`` are codes of findings that are accepted. Raises what `execute_in` raises.
    """
    from .export.asked import check_codes
    from .layers import container as of_container

    check_codes(allow)
    chosen = of_container.docker(engine)
    found = chosen.container(container)
    report(Log(_in_container(found.name, ref)))
    return of_container.commit(
        chosen,
        found,
        ref,
        allow=tuple(allow),
        notebook=notebook,
        report=report,
        cancel=cancel or Cancel(),
    )


def keep(
    where: Where,
    ref: str | None = None,
    *,
    retry: bool = False,
    allow: Sequence[str] = (),
    engine: str = "auto",
    report: Report = ignore,
    cancel: Cancel | None = None,
) -> Done:
    """What the environment has and the image lacks becomes a layer; with ``retry`` what is pending does.

    ``allow`` are codes of findings that are accepted.
    """
    from .export.asked import check_codes
    from .layers import transaction
    from .layers.model import Typed
    from .layers.naming import image_for
    from .layers.opening import opened

    cancel = cancel or Cancel()
    check_codes(allow)
    name = image_for(where, ref)
    with opened(
        name, "keep", engine=engine, notebook=where.notebook, report=report, cancel=cancel
    ) as layered:
        layered.allow = tuple(allow)
        if retry:
            return transaction.retry(layered, where, report=report, cancel=cancel)
        typed = Typed(command="%dockerize keep", origin="keep")
        return transaction.keep(layered, typed, where, report=report, cancel=cancel)


def rebuild(
    folder: Path, *, engine: str = "auto", report: Report = ignore, cancel: Cancel | None = None
) -> Rebuilt:
    """Makes every image of the journal in ``folder`` again, as after a clone. Raises what building raises."""
    from .engines import choose
    from .layers.rebuilding import rebuild as rebuild_journal

    return rebuild_journal(folder, choose(engine, rebuild=True), report=report, cancel=cancel or Cancel())


def consolidate(
    where: Where,
    ref: str | None = None,
    *,
    engine: str = "auto",
    report: Report = ignore,
    cancel: Cancel | None = None,
) -> Consolidated:
    """All layers of the image folded into one recipe, built, found to be the same, and the head moved to it.

    Raises `UsageError` where there is nothing to fold, and what building raises; then all is as it was.
    """
    from .layers.consolidating import consolidate as fold
    from .layers.naming import image_for
    from .layers.opening import opened

    cancel = cancel or Cancel()
    name = image_for(where, ref)
    with opened(
        name, "consolidate", engine=engine, notebook=where.notebook, report=report, cancel=cancel
    ) as layered:
        return fold(layered, where, report=report, cancel=cancel)


def history(where: Where, ref: str | None = None, *, engine: str = "auto") -> History:
    """The layers of an image, or the one that is named. Raises `UsageError` where it has none."""
    from .layers.naming import image_for
    from .layers.timeline import history as history_of

    return history_of(ref if ref and "#" in ref else image_for(where, ref), engine)


def undo(where: Where, ref: str | None = None, **options: Any) -> Moved:
    """One layer back; ``options`` as for `rollback`."""
    return _move(where, ref, lambda now: now - 1, "undo", **options)


def redo(where: Where, ref: str | None = None, **options: Any) -> Moved:
    """One layer forth again; ``options`` as for `rollback`."""
    return _move(where, ref, lambda now: now + 1, "redo", **options)


def rollback(where: Where, number: int, ref: str | None = None, **options: Any) -> Moved:
    """The head is layer ``number``; ``options`` are ``env``, ``engine``, ``report`` and ``cancel``.

    The image moves, and with ``env`` the environment, as far as it can: what it then has otherwise is in the
    result. Raises `UsageError`
    where there is no such layer.
    """
    return _move(where, ref, lambda now: number, "rollback", **options)


def _move(
    where: Where,
    ref: str | None,
    to: Callable[[int], int],
    what: str,
    *,
    env: bool = False,
    engine: str = "auto",
    report: Report = ignore,
    cancel: Cancel | None = None,
) -> Moved:
    from .layers.naming import image_for
    from .layers.opening import opened
    from .layers.timeline import rollback as roll

    cancel = cancel or Cancel()
    name = image_for(where, ref)
    with opened(name, what, engine=engine, notebook=where.notebook, report=report, cancel=cancel) as layered:
        return roll(
            layered,
            to(layered.state.number),
            where,
            what=what,
            env=env,
            report=report,
            cancel=cancel,
        )


def _first_layer(
    where: Where, name: str, wishes: Wishes, engine: str, report: Report, cancel: Cancel
) -> None:
    """The image that gets a layer; its lock is held."""
    from .export.asked import Asked, check
    from .export.making import make

    check(where, wishes)
    started = time.monotonic()
    asked = Asked(where=where, wishes=wishes, ref=name, engine=engine, overwrite=True, started=started)
    built = make(asked, report=report, cancel=cancel)
    if not built.ok:
        raise VerificationError(
            f"{name} is not the same environment, so it gets no layers",
            why=built.summary,
            fix="`jupyter dockerize build` says what differs",
        )


def _place(where: Where, name: str, *, engine: str, image_only: bool) -> str:
    """Where things happen: "here: .venv + image analysis, layer 4"."""
    from .layers.naming import next_number

    image = f"image {name}, layer {next_number(name, engine)}"
    if image_only:
        return f"here: {image}, and not the environment"
    named = where.kernel or where.live or where.python
    return f"here: {named or Path(sys.prefix).name} + {image}"


def _in_container(container: str, name: str) -> str:
    from .layers.naming import next_number

    return f"container {container} + image {name}, layer {next_number(name)}"


def images(*, engine: str = "auto") -> list[Image]:
    """The images that this product made, newest first, and those of our own store that are damaged. Those
    that only layers stand on are not among them."""
    from .engines import available
    from .image.reference import REPOSITORY

    found = []
    for image in (image for one in available(engine) for image in one.images()):
        refs = tuple(ref for ref in image.refs if not ref.startswith(f"{REPOSITORY}/"))
        if image.damaged:
            found.append(image)
        elif refs or not image.refs:
            found.append(replace(image, refs=refs))
    return found


def prune(refs: Sequence[str] = (), *, undone: bool = False, dry_run: bool = False) -> Pruned:
    """Removes the images ``refs`` from the builtin engine's store, and those that have no name any more; and
    recipes that are kept there by the name of an image which Docker lost, or which is long in a registry.

    In every engine images go that were made for layers and that no head and no redo needs; with ``undone``
    what could be redone, too, and of ``refs`` all layers. What is worked on is left alone, and named.
    With ``dry_run`` nothing is removed. Raises `UsageError` where there is no such image; then nothing goes.
    """
    if sys.platform == "win32":
        raise UsageError(
            "nothing is kept here that could be pruned",
            why="on Windows all images are Docker's",
            fix="`docker image rm NAME` removes one, `docker image prune` those that have no name any more",
        )
    from .layers.pruning import prune as prune_layers

    return prune_layers(refs, undone=undone, dry_run=dry_run)


def engines() -> Survey:
    """Who could build here, and why not where not; within 2 s."""
    from .engines import survey

    return survey()


def _layer(ref: str) -> str:
    """The image that ``ref`` names, where that is a layer of one."""
    if "#" not in ref:
        return ref
    from .layers.naming import image_of_layer

    return image_of_layer(ref)


def _source(source: str) -> str:
    """The same of what `export.source` reads."""
    kind, mark, name = source.partition(":")
    return f"{kind}{mark}{_layer(name)}" if kind == "image" else source


def _engine(name: str, image: str | None = None) -> Engine:
    """The engine called ``name``; for "auto" the one that has ``image``, else the best one."""
    from .engines import choose, that_has

    return choose(name) if image is None else that_has(image, name)


def _engine_of(container: str, name: str) -> Engine:
    """The engine called ``name``; for "auto" the one that has opened ``container``, else the best one."""
    from .engines import available

    found = available(name)
    if len(found) == 1:
        return found[0]
    has = (one for one in found if any(container in (c.name, c.ref) for c in one.containers()))
    return next(has, found[0])


__all__ = [
    "Recipe", "Where", "Wishes",
    "build", "commit", "consolidate", "diff", "engines", "execute", "execute_in", "history", "images", "keep",
    "login", "logs", "prune", "ps", "push", "rebuild", "recipe", "recover", "redo", "rollback", "run",
    "snapshot", "stop", "undo", "verify",
]  # fmt: skip
