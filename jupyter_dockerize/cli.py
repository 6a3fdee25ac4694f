"""``jupyter dockerize VERB …``: parse, call, show."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Sequence

from . import api
from .arguments import parser
from .display.progress import JsonPrinter, reporter
from .display.untrusted import plain
from .errors import CancelledError, DockerizeError
from .events import Result
from .foreground import wait_for
from .verbs import Outcome, perform

DONE, FAULT = 0, 70


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb and returns the exit status of DESIGN: 0, 1, 2, 3, 4, 70 or 130."""
    made = parser("jupyter dockerize", images=_image_names)
    _complete(made)
    try:
        args = made.parse_args(argv)
        outcome = _run(args)
    except DockerizeError as error:
        return _failed(error)
    except BrokenPipeError:
        # Whoever read us has gone; the interpreter's own flush at exit must not complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception:
        traceback.print_exc()
        print(
            "error: this is a fault of jupyter-dockerize; please report it with the lines above",
            file=sys.stderr,
        )
        return FAULT
    return outcome.status


def _run(args: argparse.Namespace) -> Outcome:
    with reporter(args.progress) as printer:
        outcome = wait_for(lambda cancel: perform(args, printer.report, cancel))
        if isinstance(printer, JsonPrinter):
            printer.report(Result(outcome.json))
    print(json.dumps(outcome.json, ensure_ascii=False) if args.json else outcome.text, flush=True)
    return outcome


def _failed(error: DockerizeError) -> int:
    prefix = "" if isinstance(error, CancelledError) else "error: "
    for number, line in enumerate(str(error).splitlines()):
        print(f"{prefix if number == 0 else '  '}{plain(line)}", file=sys.stderr)
    return error.exit_status


def _image_names(**_: object) -> list[str]:
    return [ref for image in api.images() for ref in image.refs]


def _complete(made: argparse.ArgumentParser) -> None:
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(made)
