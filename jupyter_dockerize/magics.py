"""``%dockerize``: the verbs, typed in a notebook."""

from __future__ import annotations

import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand

from .environment.observe.watch import Watch

if TYPE_CHECKING:
    import argparse

    from IPython.core.interactiveshell import InteractiveShell

PROGRAM = "%dockerize"
_USES = (
    "exec",
    "keep",
    "undo",
    "redo",
    "rollback",
    "consolidate",
)  # verbs that change the layers of an image


@magics_class
class DockerizeMagics(Magics):
    """The environment of this kernel, as an image. Imports wait until a magic is typed."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._watch = Watch()
        self._looked = False
        self._named: Path | None = None  # the notebook, where it was typed
        self._image: str | None = None  # that layers were put on last, where its name was typed
        shell.set_hook("complete_command", _complete, str_key=PROGRAM)  # type: ignore[no-untyped-call]

    @line_magic
    def dockerize(self, line: str) -> Any:
        """The environment of this kernel becomes an image, proven to equal it.

        ::

            %dockerize                          this notebook's environment → an image of its name
            %dockerize -t penguins:2026         the same under another name
            %dockerize penguins.ipynb           where the kernel does not know its notebook
            %dockerize --include data/          with files beside the notebook
            %dockerize --minimal                only what this notebook really uses
            %dockerize --background             gives the cell back; the card keeps up

            %dockerize run penguins             opens the image: its address
            %dockerize ps                       what is open; `%dockerize stop penguins` closes it
            %dockerize verify penguins live     does it still hold this environment?
            %dockerize snapshot                 what is running
            %dockerize recipe -o image/         only the Dockerfile and its files
            %dockerize push ghcr.io/me/penguins puts an image into a registry; `%dockerize login` before
            %dockerize engines                  who could build here, and why not where not

        ``%dockerize -h`` lists every verb, ``%dockerize VERB -h`` its options. An interrupt of the kernel
        cancels: nothing is left behind. With ``--background`` the value of the cell has ``wait()``,
        ``cancel()``, ``running`` and ``result``; with ``--json`` it is the result as a dict.
        """
        return self._perform(line)

    def _perform(self, line: str) -> Any:
        args = self._parse(line)
        if args is None:
            return None
        from .grammar import QUICK, SPOKEN

        if args.verb in QUICK or args.verb in SPOKEN:  # no card
            return self._shown(args)
        from .background import Background

        self._image = self._used(args)

        work = Background(args, alone=getattr(args, "background", False))
        if getattr(args, "background", False):
            return work
        work.wait()
        return work.result if args.json else None

    @no_var_expand
    @line_cell_magic
    def docker_exec(self, line: str, cell: str | None = None) -> Any:
        """Runs a command here, and keeps what it installed as a layer of this notebook's image.

        ::

            %docker_exec pip install humanize          pinned: the versions that were really installed
            %docker_exec --image-only apt-get install -y graphviz     without root here
            %docker_exec --container lab pip install humanize         in a container, which is committed
            %docker_exec --retry                       make the layer that failed again
            %docker_history                            the layers; %docker_undo, %docker_rollback 2

        In a cell, ``%%docker_exec`` keeps several lines as one layer. The image is made first where there is
        none. Options stand before the command, which runs as it is typed. A command that fails makes no
        layer, and raises.
        """
        from .typed import executed

        args = executed(line, cell)
        if args is None:
            return None
        self._meant(args)
        return self._shown(args)

    def _shown(self, args: argparse.Namespace) -> Any:
        """What is done and shown; what was not typed right is no use of an image."""
        from .errors import UsageError

        before, self._image = self._image, self._used(args)
        try:
            return _show(args)
        except UsageError:
            self._image = before
            raise

    def _used(self, args: argparse.Namespace) -> str | None:
        """The image that is meant from now on where none is named; None for the notebook's own."""
        if args.verb == "build" and not (args.kernel or args.live or args.python or args.output):
            name: str | None = args.tag
            return name
        return args.image if args.verb in _USES and not getattr(args, "container", None) else self._image

    @line_magic
    def docker_history(self, line: str) -> Any:
        """The layers of this notebook's image: ``%docker_history``, or ``%docker_history REF``."""
        return self._perform(f"history {line}")

    @line_magic
    def docker_undo(self, line: str) -> Any:
        """This notebook's image goes one layer back; the environment stays."""
        return self._perform(f"undo {line}")

    @line_magic
    def docker_rollback(self, line: str) -> Any:
        """This notebook's image goes to layer N: ``%docker_rollback 2``."""
        return self._perform(f"rollback {line}")

    def look_for_drift(self, result: object) -> None:
        """IPython's hook ``post_run_cell``: a line below the cell that installed something past us.

        It costs microseconds where nothing was installed. Below the first cell it says what went past while
        no kernel ran, where the notebook has a journal. Whatever goes wrong is no fault of the cell's.
        """
        with suppress(Exception):
            if self._watch.moved() or self._begins():
                from .layers.drift import note

                if said := note(self._notebook(), self._image):
                    print(said)

    def _begins(self) -> bool:
        """Whether this is the first cell, and layers lie beside the notebook."""
        first, self._looked = not self._looked, True
        notebook = self._notebook() if first else None
        return notebook is not None and (notebook.parent / "dockerize").is_dir()

    def _parse(self, line: str) -> argparse.Namespace | None:
        """The arguments, or None where the help was asked for and has been printed."""
        from .errors import UsageError
        from .typed import parse

        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UsageError(
                f"the line cannot be split into words: {str(error).lower()}",
                fix="close the quotes; a quote that is meant as such is written \\'",
            ) from error
        try:
            args = parse(words, PROGRAM, magic=True)
        except SystemExit:
            return None
        self._meant(args)
        return args

    def _meant(self, args: argparse.Namespace) -> None:
        """Notebook and image need not be typed where they are known, or were typed for this kernel before."""
        if getattr(args, "image", "") is None and not getattr(args, "container", None):
            args.image = self._image
        if "notebook" not in args:
            return
        if args.notebook is None:
            args.notebook = self._notebook()
        elif args.verb in ("build", "exec") and not (args.kernel or args.live or args.python):
            self._named = args.notebook.absolute() if args.notebook.is_file() else None

    def _notebook(self) -> Path | None:
        """The notebook of this kernel: as the server says, as VS Code does, or as it was named before."""
        from .environment.project.notebook import current_notebook

        named = self.shell.user_ns.get("__vsc_ipynb_file__") if self.shell else None
        if isinstance(named, str) and Path(named).is_file():
            return Path(named)
        return current_notebook() or self._named


def _show(args: argparse.Namespace) -> Any:
    from .display.console import Console
    from .errors import CommandError
    from .foreground import wait_for
    from .verbs import ask, perform

    ask(args)
    console = Console(sys.stdout)
    outcome = wait_for(lambda cancel: perform(args, console.report, cancel))
    if args.verb == "exec" and outcome.status:
        print(outcome.text)
        raise CommandError(f"the command failed with status {outcome.status}", outcome.status)
    if args.json:
        return outcome.json
    print(outcome.text)
    return None


def _complete(shell: Any, event: Any) -> list[str]:
    """Words that can follow: verbs, then the verb's options, files, and names of images."""
    from .completion import completions

    line: str = event.text_until_cursor
    words = line.split()[1:]
    start = words.pop() if words and not line[-1:].isspace() else ""
    # IPython ends a word at ":" or "=", and inserts in place of what is behind that.
    behind = len(start) - len(event.symbol)
    return [word[behind:] for word in completions(words, start)]
