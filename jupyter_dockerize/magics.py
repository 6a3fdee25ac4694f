"""``%dockerize``: the verbs, typed in a notebook."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_magic, magics_class

if TYPE_CHECKING:
    import argparse

    from IPython.core.interactiveshell import InteractiveShell

PROGRAM = "%dockerize"
ALONE = ("-h", "--help", "--version")


@magics_class
class DockerizeMagics(Magics):
    """The environment of this kernel, as an image. Imports wait until a magic is typed."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        shell.set_hook("complete_command", _complete, str_key=PROGRAM)  # type: ignore[no-untyped-call]

    @line_magic
    def dockerize(self, line: str) -> Any:
        """The environment of this kernel becomes an image, proven to equal it.

        ::

            %dockerize                          this notebook's environment → an image named after it
            %dockerize -t penguins:2026         the same under another name
            %dockerize --include data/          with files beside the notebook
            %dockerize --minimal                only what this notebook really uses
            %dockerize --background             gives the cell back; the card keeps up

            %dockerize run penguins             opens the image
            %dockerize verify penguins live     does it still hold this environment?
            %dockerize snapshot                 what is running
            %dockerize recipe -o image/         only the Dockerfile and its files

        ``%dockerize -h`` lists every verb, ``%dockerize VERB -h`` its options.
        """
        args = _parse(line)
        if args is None:
            return None
        if args.verb == "build":
            return _build(args)
        return _show(args)


def _parse(line: str) -> argparse.Namespace | None:
    """The arguments, or None where the help was asked for and has been printed."""
    from .arguments import VERBS, parser
    from .environment.notebook import current_notebook
    from .errors import UsageError

    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"the line cannot be split into words: {error}") from error
    if not words or (words[0] not in VERBS and words[0] not in ALONE):
        words = ["build", *words]
    try:
        args = parser(PROGRAM, magic=True).parse_args(words)
    except SystemExit:
        return None
    if "notebook" in args and args.notebook is None:
        args.notebook = current_notebook()
    return args


def _show(args: argparse.Namespace) -> Any:
    from .events import ignore
    from .foreground import wait_for
    from .verbs import perform

    outcome = wait_for(lambda cancel: perform(args, ignore, cancel))
    if args.json:
        return outcome.json
    print(outcome.text)
    return None


def _build(args: argparse.Namespace) -> Any:
    from .background import Background

    job = Background(args)
    if args.background:
        return job
    outcome = job.wait()
    return outcome.json if args.json else None


def _complete(shell: Any, event: Any) -> list[str]:
    """Words that can follow: verbs, then the verb's options and the images' names."""
    from .arguments import completions

    before = event.line[: event.line.rfind(event.symbol)] if event.symbol else event.line
    return completions(before.split()[1:], event.symbol)
