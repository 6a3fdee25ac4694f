"""Typed words → verbs of `api` → what is shown: the part that every face has in common."""

from __future__ import annotations

import argparse
import errno
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from . import api, surface
from .arguments import where_of, wishes_of
from .cancel import Cancel
from .display import layers, text
from .display.untrusted import plain
from .environment.comparison import Comparison
from .errors import DockerizeError, OutputError, UsageError, VerificationError
from .events import Finding, Report
from .password import asked
from .typed import as_typed, told, whole

if TYPE_CHECKING:
    from .layers.timeline import Moved

DONE, DIFFERENT = 0, 1
FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a verb gives to show: as text, as JSON, its exit status, and the value itself."""

    text: str
    json: dict[str, Any]
    status: int = DONE
    value: Any = None


def ask(args: argparse.Namespace) -> None:
    """Asks for what no line may hold: a password. In the main thread, before `perform`.

    Raises `UsageError`, made ready to be shown.
    """
    if args.verb == "login":
        try:
            args.typed = asked(args)
        except DockerizeError as error:
            told(error, args.program, args.words)
            raise


def perform(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    """Does what the parsed arguments say.

    An image that cannot be looked into is a result where JSON is asked for. Raises what `api` raises, made
    ready to be shown; `OutputError` where the disk is full and `UsageError` where a name is too long for a
    file, wherever that was noticed.
    """
    try:
        return VERBS[args.verb](args, report, cancel)
    except DockerizeError as error:
        told(error, args.program, args.words)
        if isinstance(error, VerificationError) and args.json:
            return _impossible(error, args)
        raise
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            name = plain(str(error.filename or ""))
            raise UsageError(
                f"{name[:40]}… is too long for the name of a file",
                why=f"it has {len(name)} characters",
                fix="check what was typed",
            ) from error
        if error.errno in FULL or "No usable temporary directory" in str(error):
            raise OutputError(
                "the disk is full",
                why=plain(str(error)),
                fix="make room and try again; `docker system df` shows what Docker holds",
            ) from error
        raise


def _build(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    built = api.build(
        where_of(args),
        wishes_of(args),
        args.tag,
        engine=args.engine,
        method=args.method,
        output=args.output,
        verify=not args.no_verify,
        push=args.push,
        hashes=args.hashes,
        report=report,
        cancel=cancel,
    )
    shown = replace(built, findings=_whole(built.findings, args))
    return Outcome(
        text.build(shown, args.program), surface.build(built), DONE if built.ok else DIFFERENT, shown
    )


def _snapshot(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    found = api.snapshot(where_of(args), hashes=args.hashes, report=report, cancel=cancel)
    bad = any(finding.severity == "error" for finding in found.findings)
    return Outcome(text.snapshot(found), surface.snapshot(found), DIFFERENT if bad else DONE, found)


def _recipe(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    kind, _, ref = str(args.notebook or "").partition(":")
    if kind == "image":
        if args.kernel or args.live or args.python or wishes_of(args) != api.NO_WISHES:
            raise UsageError("the recipe of an image is what the image holds", fix="leave other options out")
        found = api.recover(ref, args.output, report=report, cancel=cancel)
        return Outcome(text.recovered(found), surface.recipe(found), DONE, found)
    written = api.recipe(
        where_of(args),
        wishes_of(args),
        args.output,
        to=args.to,
        hashes=args.hashes,
        report=report,
        cancel=cancel,
    )
    shown = replace(written, findings=_whole(written.findings, args))
    return Outcome(text.recipe(shown), surface.recipe(written), DONE, shown)


def _whole(findings: Iterable[Finding], args: argparse.Namespace) -> tuple[Finding, ...]:
    return tuple(whole(finding, args.program, args.words) for finding in findings)


def _verify(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    found = api.verify(
        args.ref,
        args.source,
        engine=args.engine,
        here=args.magic,
        hashes=args.hashes,
        report=report,
        cancel=cancel,
    )
    return _compared(found, ref=args.ref)


def _diff(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    found = api.diff(args.a, args.b, engine=args.engine, here=args.magic, report=report, cancel=cancel)
    return _compared(found, a=args.a, b=args.b)


def _impossible(error: VerificationError, args: argparse.Namespace) -> Outcome:
    found = Comparison(verdict="impossible", reason=error.cause)
    names = {name: getattr(args, name) for name in ("ref", "a", "b") if name in args}
    json = {**surface.comparison(found, **names), "fix": error.fix}
    return Outcome(str(error), json, DIFFERENT, found)


def _compared(found: Comparison, **names: str) -> Outcome:
    status = DONE if found.verdict in ("identical", "equivalent") else DIFFERENT
    return Outcome(text.comparison(found), surface.comparison(found, **names), status, found)


def _exec(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    where = where_of(args)
    if args.container and (args.retry or args.image_only):
        other = "--retry" if args.retry else "--image-only"
        raise UsageError(
            f"--container and {other} do not go together",
            why="the container is the environment that the command runs in",
            fix="`jupyter dockerize commit --container NAME -t REF` makes a layer of what a container has",
        )
    if args.retry:
        if args.command or args.image_only:
            raise UsageError("--retry takes no command", why="it makes a layer of what was installed already")
        done = api.keep(
            where,
            args.image,
            retry=True,
            allow=args.allow,
            engine=args.engine,
            report=report,
            cancel=cancel,
        )
        return Outcome(layers.done(done), surface.executed(done), DONE, done)
    if not args.command:
        raise UsageError("no command was typed", fix="it stands behind --: -- pip install humanize")
    command = args.command[0] if len(args.command) == 1 else shlex.join(args.command)
    if args.container:
        done = api.execute_in(
            args.container,
            command,
            args.image,
            allow=args.allow,
            notebook=where.notebook,
            engine=args.engine,
            report=report,
            cancel=cancel,
        )
        return Outcome(layers.done(done), surface.executed(done), done.status, done)
    done = api.execute(
        where,
        command,
        args.image,
        image_only=args.image_only,
        allow=args.allow,
        engine=args.engine,
        report=report,
        cancel=cancel,
    )
    return Outcome(layers.done(done), surface.executed(done), done.status, done)


def _commit(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    done = api.commit(
        args.container,
        args.tag,
        allow=args.allow,
        notebook=args.notebook,
        engine=args.engine,
        report=report,
        cancel=cancel,
    )
    return Outcome(layers.done(done), surface.executed(done), DONE, done)


def _keep(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    done = api.keep(
        where_of(args), args.image, allow=args.allow, engine=args.engine, report=report, cancel=cancel
    )
    return Outcome(layers.done(done), surface.executed(done), DONE, done)


def _history(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    found = api.history(where_of(args), args.image, engine=args.engine)
    return Outcome(as_typed(layers.history(found), args.program), surface.history(found), DONE, found)


def _undo(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    return _moved(api.undo(where_of(args), args.image, **_options(args, report, cancel)), args)


def _redo(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    return _moved(api.redo(where_of(args), args.image, **_options(args, report, cancel)), args)


def _rollback(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    found = api.rollback(where_of(args), args.number, args.image, **_options(args, report, cancel))
    return _moved(found, args)


def _options(args: argparse.Namespace, report: Report, cancel: Cancel) -> dict[str, Any]:
    return {"env": args.env, "engine": args.engine, "report": report, "cancel": cancel}


def _consolidate(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    found = api.consolidate(where_of(args), args.image, engine=args.engine, report=report, cancel=cancel)
    return Outcome(layers.consolidated(found), surface.consolidated(found), DONE, found)


def _rebuild(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    found = api.rebuild(args.folder, engine=args.engine, report=report, cancel=cancel)
    status = DIFFERENT if found.changed else DONE
    return Outcome(layers.rebuilt(found), surface.rebuilt(found), status, found)


def _moved(found: Moved, args: argparse.Namespace) -> Outcome:
    named = f" --image {args.image}" if args.image else ""
    to = f"{found.number}{named}" if args.magic else f"{args.image} {found.number}"
    follow = f"{args.program} rollback {to} --env"
    return Outcome(layers.moved(found, follow), surface.moved(found), DONE, found)


def _open(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    started = api.run(
        args.ref,
        port=args.port,
        mount=args.mount,
        gpus=args.gpus,
        engine=args.engine,
        report=report,
        cancel=cancel,
    )
    return Outcome(text.opened(started, args.program), surface.containers([started]), DONE, started)


def _ps(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    found = api.ps(engine=args.engine)
    return Outcome(as_typed(text.containers(found), args.program), surface.containers(found))


def _stop(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    api.stop(args.name, engine=args.engine)
    return Outcome(f"{plain(args.name)} is stopped and removed", surface.stopped(args.name))


def _logs(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    lines = api.logs(args.name, tail=args.tail, engine=args.engine)
    return Outcome("\n".join(map(plain, lines)), surface.logs(lines))


def _push(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    done = api.push(args.ref, engine=args.engine, report=report, cancel=cancel)
    return Outcome(text.pushed(done), surface.push(done), DONE, done)


def _login(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    kept = api.login(args.registry, args.typed.user, args.typed.password, cancel=cancel)
    return Outcome(text.logged_in(kept), surface.login(kept))


def _images(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    found = api.images(engine=args.engine)
    return Outcome(as_typed(text.images(found), args.program), surface.images(found))


def _prune(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    gone = api.prune(args.refs, undone=args.undone, dry_run=args.dry_run)
    return Outcome(text.pruned(gone, dry_run=args.dry_run), surface.pruned(gone))


def _engines(args: argparse.Namespace, report: Report, cancel: Cancel) -> Outcome:
    found = api.engines()
    return Outcome(as_typed(text.engines(found), args.program), surface.engines(found))


VERBS: dict[str, Callable[[argparse.Namespace, Report, Cancel], Outcome]] = {
    "build": _build,
    "snapshot": _snapshot,
    "recipe": _recipe,
    "verify": _verify,
    "diff": _diff,
    "exec": _exec,
    "history": _history,
    "undo": _undo,
    "redo": _redo,
    "rollback": _rollback,
    "keep": _keep,
    "commit": _commit,
    "consolidate": _consolidate,
    "rebuild": _rebuild,
    "run": _open,
    "ps": _ps,
    "stop": _stop,
    "logs": _logs,
    "push": _push,
    "login": _login,
    "images": _images,
    "prune": _prune,
    "engines": _engines,
}
