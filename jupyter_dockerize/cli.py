"""``jupyter dockerize VERB …``: parse, call, show.

Everything that takes long to import is imported inside `main`, where an interrupt is already answered.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from .errors import CancelledError, DockerizeError, OutputError
from .foreground import Terminated, settle, terminable, too_late

if TYPE_CHECKING:
    from .display.progress import Printer
    from .verbs import Outcome

PROGRAM = "jupyter dockerize"
FAULT = 70


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb and returns the exit status of DESIGN: 0, 1, 2, 3, 4, 70 or 130."""
    words = sys.argv[1:] if argv is None else list(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # ✓ in a terminal that has no such letter
    try:
        with terminable():
            return _main(words)
    except DockerizeError as error:
        status = _failed(error, words)
        with suppress(KeyboardInterrupt, Terminated), terminable():
            settle()
        return status
    except (KeyboardInterrupt, Terminated):
        return _failed(CancelledError(), words)
    except Exception:
        traceback.print_exc()
        print(
            "error: this is a fault of jupyter-dockerize; please report it with the lines above",
            file=sys.stderr,
        )
        return FAULT


def _main(words: Sequence[str]) -> int:
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        from .arguments import parser

        argcomplete.autocomplete(parser(PROGRAM))
    if not words:  # as docker does: who types only the name wants to know what there is
        from .arguments import parser

        parser(PROGRAM).print_help()
        return 0
    from .typed import parse

    return _run(parse(words, PROGRAM)).status


def _run(args: argparse.Namespace) -> Outcome:
    from .display.progress import JsonPrinter
    from .events import Result
    from .foreground import wait_for
    from .verbs import ask, perform

    ask(args)
    with _printer(args) as printer:
        outcome = wait_for(lambda cancel: perform(args, printer.report, cancel))
        too_late()
        if isinstance(printer, JsonPrinter):
            printer.report(Result(outcome.json))
    _show(json.dumps(outcome.json) if args.json else outcome.text)
    return outcome


def _printer(args: argparse.Namespace) -> Printer:
    """What shows events: a command that becomes a layer is watched as in a terminal."""
    from .display.console import Console
    from .display.progress import reporter
    from .grammar import SPOKEN

    if args.verb in SPOKEN and args.progress is None:
        return Console(sys.stderr if args.json else sys.stdout)
    return reporter(args.progress, logs=args.verb != "run")


def _show(text: str) -> None:
    """The result on stdout. Raises `OutputError` where it cannot be written; but a reader may go."""
    try:
        print(text, flush=True)
    except OSError as error:
        # The interpreter's own flush at exit must not complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise OutputError("the result cannot be written", why=error.strerror or str(error)) from error


def _failed(error: DockerizeError, words: Sequence[str]) -> int:
    """The error on stderr: as text, or as one more JSON line where those were asked for."""
    from .display.progress import in_json
    from .display.untrusted import plain

    if "--progress=jsonl" in words or ("--progress", "jsonl") in pairwise(words):
        print(in_json(error), file=sys.stderr)
        return error.exit_status
    prefix = "" if isinstance(error, CancelledError) else "error: "
    for number, line in enumerate(str(error).splitlines()):
        print(f"{prefix if number == 0 else '  '}{plain(line)}", file=sys.stderr)
    return error.exit_status
