"""Each verb with its options and its help: what it does, then how it is typed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any, NoReturn

from . import completers
from .completers import Completer
from .config import NAME, PROGRESS
from .errors import UsageError

VERBS = (
    "build", "snapshot", "recipe", "verify", "diff",
    "exec", "history", "undo", "redo", "rollback", "keep", "commit", "consolidate", "rebuild",
    "run", "ps", "stop", "logs", "push", "login", "images", "prune", "engines",
)  # fmt: skip
# Over before any progress could be seen.
QUICK = ("history", "ps", "stop", "logs", "login", "images", "prune", "engines")
# Watched line by line, as in a terminal.
SPOKEN = ("exec", "undo", "redo", "rollback", "keep", "commit", "consolidate", "rebuild")
WIDTH = 79  # characters of a line of help
SOURCES = (
    "file:PATH (what `snapshot --json` wrote), image:REF or image:REF#LAYER, kernel:NAME, python:PATH or "
    "live[:ID]"
)
HERE = "Unless named: that of the notebook's kernel; without a notebook, of this command's own interpreter."
HASHES = "also look for files edited after install"
STATUS = """\
exit status:
  0 done   1 different, or a finding that stops the work   2 not typed right
  3 no engine   4 the engine or a registry failed   70 a fault of ours
  130 cancelled"""


def _output(text: str) -> Path:
    if text == "-":
        raise UsageError(
            "nothing is written to standard output but what is said of it",
            why="what is written is looked through first, and takes its name when it is whole",
            fix="name a file or a folder behind -o; ./- is a file of that name",
        )
    if not text:  # a variable that is not set; to Path it is the current folder
        raise argparse.ArgumentTypeError("it names nothing")
    return Path(text)


class Parser(argparse.ArgumentParser):
    """Raises `UsageError` where argparse would print and leave the process."""

    verbs: dict[str, Parser]

    def __init__(self, **options: Any) -> None:
        super().__init__(add_help=False, **options)
        self._positionals.title = "arguments"
        self.add_argument("-h", "--help", action="help", help="this help, and nothing else")

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}", fix=f"`{self.prog} -h` shows how it is typed")


class Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=WIDTH)

    def _format_action(self, action: argparse.Action) -> str:
        if isinstance(action, argparse._SubParsersAction):  # the verbs, without a line that says VERB
            return "".join(map(super()._format_action, action._get_subactions()))
        return super()._format_action(action)


class Verbs:
    """Adds verbs with the options that several share."""

    def __init__(self, verbs: Any, prog: str, magic: bool) -> None:
        self.verbs, self.prog, self.magic = verbs, prog, magic

    def add(
        self, name: str, typed: str, summary: str, text: str = "", examples: Sequence[tuple[str, str]] = ()
    ) -> Parser:
        """A verb that is typed as ``typed`` says; ``examples`` are what is typed, and what it gives."""
        prog = f"{self.prog} {name}"
        made: Parser = self.verbs.add_parser(
            name,
            help=summary,
            usage=f"%(prog)s {typed}".rstrip(),
            description=fill(
                f"{summary[0].upper()}{summary[1:]}{'' if summary.endswith('?') else '.'} {text}", WIDTH
            ),
            epilog=_examples([(f"{prog} {line}".rstrip(), gives) for line, gives in examples]),
            formatter_class=Help,
            allow_abbrev=False,
        )
        made.set_defaults(magic=self.magic)
        return made

    def output(self, to: Parser, *, progress: bool) -> None:
        """How the result and the way to it are shown."""
        what = "a dict, the value of the cell" if self.magic else "one JSON object, alone on stdout"
        to.add_argument("--json", action="store_true", help=f"the result as {what}")
        if not self.magic:  # scripts give it to every verb; shown where there is some
            said = "on stderr: rich (in a terminal), plain (elsewhere), jsonl or none"
            to.add_argument(
                "--progress", choices=PROGRESS, metavar="HOW", help=said if progress else argparse.SUPPRESS
            )

    def environment(self, to: Parser) -> None:
        """NB and the options that name an environment."""
        text = "Unless named: that of this kernel." if self.magic else fill(HERE, WIDTH - 2)
        group = to.add_argument_group("which environment", text)
        group.add_argument("notebook", nargs="?", type=Path, metavar="NB", help="the notebook (.ipynb)")
        kernel = group.add_argument(
            "--kernel", metavar="NAME", help="this kernelspec (see `jupyter kernelspec list`)"
        )
        kernel.completer = completers.kernels  # type: ignore[attr-defined]  # argcomplete's convention
        group.add_argument(
            "--live", metavar="ID", help="a running kernel: its id, connection file or notebook"
        )
        group.add_argument("--python", metavar="PATH", help="this interpreter, such as .venv/bin/python")
        group.add_argument("--hashes", action="store_true", help=HASHES)

    def image(self, to: Parser) -> None:
        """The options that say what the image is to be."""
        group = to.add_argument_group("what the image is to be")
        group.add_argument(
            "--base",
            metavar="IMAGE",
            help="start from this image; scratch: from none, though this container's is known",
        )
        uses = "only what the notebook really uses; its kernel has to run, with all cells done"
        group.add_argument("--minimal", action="store_true", help=uses if self.magic else f"{uses} (--live)")
        for option, metavar, text in (
            ("--include", "PATH", "take this file or folder beside the notebook along"),
            ("--apt", "NAME", "take this Debian package along"),
        ):
            again = f"{text}; may be given again"
            group.add_argument(option, action="append", default=[], metavar=metavar, help=again)
        self.allow(group)
        group.add_argument("--platform", metavar="OS/ARCH", help="for linux/amd64 or linux/arm64")

    def allow(self, to: Any) -> None:
        """The findings that may not stop it."""
        action = to.add_argument(
            "--allow",
            action="append",
            default=[],
            metavar="CODE",
            help="go on in spite of findings of this code; may be given again",
        )
        action.completer = completers.codes

    def engine(self, to: Parser) -> None:
        action = to.add_argument(
            "--engine",
            default="auto",
            metavar="NAME",
            help="who does it: docker, builtin (no Docker needed) or auto, which takes what is there",
        )
        action.completer = completers.engines  # type: ignore[attr-defined]

    def named(self, to: Parser, name: str, metavar: str, text: str, known: Completer, **more: Any) -> None:
        """A positional that is completed by ``known``."""
        action = to.add_argument(name, metavar=metavar, help=text, **more)
        action.completer = known  # type: ignore[attr-defined]


def _examples(lines: Sequence[tuple[str, str]]) -> str:
    """Each with what it gives behind it; above it where one line would be too long."""
    width = max((len(line) for line, gives in lines if gives), default=0)
    rows = [f"  {line.ljust(width)}  {'# ' + gives if gives else ''}".rstrip() for line, gives in lines]
    if max(map(len, rows)) > WIDTH:
        rows = [f"  # {gives}\n  {line}" if gives else f"  {line}" for line, gives in lines]
    return "\n".join(("examples:", *rows))


def epilog(prog: str, magic: bool) -> str:
    first = (
        ("", "this notebook → an image of its name")
        if magic
        else ("build penguins.ipynb", "→ image penguins, verified")
    )
    examples = _examples([
        (f"{prog} {first[0]}".rstrip(), first[1]),
        (f"{prog} run penguins", "open it in JupyterLab"),
        (f"{prog} verify penguins", "does it hold what it should?"),
        (f"{prog} recipe penguins.ipynb -o image/", "only its Dockerfile"),
        (f"{prog} VERB -h", "how a verb is typed"),
    ])  # fmt: skip
    where = fill(
        f"Defaults of options stand in {NAME}.py, in a configuration folder of `jupyter --paths`.", WIDTH
    )
    return "\n\n".join((examples, where) if magic else (examples, where, STATUS))


def _build(verbs: Verbs) -> None:
    verb = verbs.add(
        "build",
        "[NB] [-t REF] [options]",
        "makes an image of the environment, and compares the two",
        "The image is named after the notebook, or by -t, and opens in JupyterLab with the notebook there.",
        [
            ("" if verbs.magic else "penguins.ipynb", "→ image penguins"),
            ("penguins.ipynb -t penguins:2026 --include data/", "with files beside the notebook"),
            ("--python .venv/bin/python -t lab", "no notebook, only an environment"),
            *([("--background", "give the cell back at once")] if verbs.magic else []),
        ],
    )
    verb.add_argument("-t", "--tag", metavar="REF", help="the image's name; replaces an image of that name")
    verb.add_argument(
        "--method",
        choices=("rebuild", "copy"),
        help="rebuild: install the packages anew; copy: take the environment's own files "
        "(default: rebuild, without Docker copy)",
    )
    verb.add_argument(
        "-o",
        "--output",
        type=_output,
        metavar="FILE",
        help="copy into an archive (image.tar) or an OCI layout (a folder); needs no engine",
    )
    verb.add_argument(
        "--no-verify", action="store_true", help="do not compare the image with the environment"
    )
    verb.add_argument(
        "--push",
        action="store_true",
        help="put it into its registry, where it is the same environment (without Docker: only there)",
    )
    if verbs.magic:
        verb.add_argument(
            "--background", action="store_true", help="give the cell back; the value has wait() and cancel()"
        )
    verbs.engine(verb)
    verbs.environment(verb)
    verbs.image(verb)


def _snapshot(verbs: Verbs) -> None:
    verb = verbs.add(
        "snapshot",
        "[NB] [options]",
        "what is running: packages, where they came from, what is wrong with them",
        "Nothing is built, and no engine is needed.",
        [
            ("penguins.ipynb", "of the notebook's kernel"),
            ("--live 5f0c9c3e", "of a kernel that is running"),
            *([] if verbs.magic else [("--json > then.json", "to compare with: `diff file:then.json …`")]),
        ],
    )
    verbs.environment(verb)


def _recipe(verbs: Verbs) -> None:
    verb = verbs.add(
        "recipe",
        "[NB] -o DIR [options]",
        "writes the Dockerfile and its files, without building",
        "Everything is pinned, so that it builds the same image elsewhere and later. NB may be image:REF: "
        "then the journal of an image is written again, with its layers, from the image alone.",
        [
            ("penguins.ipynb -o image/", ""),
            ("image:penguins -o dockerize/penguins", "the journal that `rebuild` takes"),
            ("--kernel python3 -o image/ --platform linux/arm64", ""),
        ],
    )
    verb.add_argument(
        "-o", "--output", metavar="DIR", type=_output, required=True, help="a new or empty folder"
    )
    verb.add_argument(
        "--to",
        default="dockerfile",
        metavar="TARGET",
        help="what to write: dockerfile (default: %(default)s)",
    )
    verbs.environment(verb)
    verbs.image(verb)


def _verify(verbs: Verbs) -> None:
    verb = verbs.add(
        "verify",
        "REF [SOURCE]",
        "does the image hold the planned environment?",
        f"Without SOURCE: what it was meant to hold when it was made. SOURCE is {SOURCES}.",
        [
            ("penguins", "is it what it was meant to be?"),
            ("penguins kernel:python3", "and still what I have?"),
            ("penguins#2", "its second layer"),
        ],
    )
    verbs.named(verb, "ref", "REF", "the image; also one that others made", completers.images)
    verbs.named(verb, "source", "SOURCE", "compare with what this has now", completers.sources, nargs="?")
    verb.add_argument("--hashes", action="store_true", help=f"{HASHES}, with their size unchanged")
    verbs.engine(verb)


def _diff(verbs: Verbs) -> None:
    verb = verbs.add(
        "diff",
        "A B",
        "how two environments differ",
        f"A and B are {SOURCES}.",
        [
            ("image:penguins kernel:python3", ""),
            ("file:then.json live", ""),
            ("image:penguins#2 image:penguins#4", "what two layers brought"),
        ],
    )
    verbs.named(verb, "a", "A", "what is expected", completers.sources)
    verbs.named(verb, "b", "B", "what there is", completers.sources)
    verbs.engine(verb)


def _exec(verbs: Verbs) -> None:
    verb = verbs.add(
        "exec",
        "[--image REF] [options] -- CMD …",
        "runs a command here and keeps what it installed as a layer of the image",
        "The versions that were really installed are pinned; any other command is kept as it was typed. One "
        "that fails makes no layer. The image is made first where there is none.",
        [
            ("--image penguins -- pip install humanize", ""),
            ("--image penguins --image-only -- apt-get install -y jq", "without root"),
            ("--container lab -- pip install humanize", "in a running container, which is committed"),
            ("--image penguins --retry", "build the layer that failed again"),
        ],
    )
    _layered(verbs, verb)
    verb.add_argument(
        "--image-only", action="store_true", help="run it in the image, as root; the environment stays"
    )
    verb.add_argument(
        "--container", metavar="NAME", help="run it in this container of Docker, and commit that"
    )
    verb.add_argument("--retry", action="store_true", help="make a layer of what is pending; no command then")
    verbs.allow(verb)
    verb.add_argument("command", nargs="*", metavar="CMD", help="the command and its words, behind --")


def _layered(verbs: Verbs, verb: Parser, *, named: bool = False) -> None:
    """Which layered image, and which environment it is of."""
    if named:
        known: dict[str, Any] = {"nargs": "?"} if verbs.magic else {}
        verbs.named(
            verb, "image", "REF", "the image" + _OF_NOTEBOOK * verbs.magic, completers.images, **known
        )
    else:
        action = verb.add_argument("--image", metavar="REF", help="the image (default: the notebook's)")
        action.completer = completers.images  # type: ignore[attr-defined]
    for option, metavar, text in (
        ("--kernel", "NAME", "the environment of this kernelspec"),
        ("--live", "ID", "of a running kernel"),
        ("--python", "PATH", "of this interpreter (default: the one that runs the command)"),
    ):
        verb.add_argument(option, metavar=metavar, help=text)
    verb.add_argument("--notebook", type=Path, metavar="NB", help="the notebook whose image it is")
    verbs.engine(verb)


_OF_NOTEBOOK = " (default: the notebook's)"


def _history(verbs: Verbs) -> None:
    verb = verbs.add(
        "history",
        "[REF]" if verbs.magic else "REF",
        "the layers of an image: when, which command, which packages, how large",
        examples=[("penguins", ""), ("penguins#2", "all that one layer changed")],
    )
    _layered(verbs, verb, named=True)


def _undo(verbs: Verbs) -> None:
    verb = verbs.add(
        "undo",
        "[REF]" if verbs.magic else "REF",
        "the image goes one layer back",
        "At once, and nothing is lost: `redo` goes forth again. The environment stays; what it then has "
        "otherwise is said.",
        [("penguins", "")],
    )
    _layered(verbs, verb, named=True)
    _environment_too(verb)


def _redo(verbs: Verbs) -> None:
    verb = verbs.add(
        "redo",
        "[REF]" if verbs.magic else "REF",
        "the image goes forth again, to the layer that was undone",
        examples=[("penguins", "")],
    )
    _layered(verbs, verb, named=True)
    _environment_too(verb)


def _rollback(verbs: Verbs) -> None:
    verb = verbs.add(
        "rollback",
        "N [--image REF]" if verbs.magic else "REF N",
        "the image goes to layer N",
        "Back or forth, at once; nothing is lost before `prune`.",
        [("2" if verbs.magic else "penguins 2", "")],
    )
    _layered(verbs, verb, named=not verbs.magic)
    _environment_too(verb)
    verb.add_argument("number", type=int, metavar="N", help="as `history` lists it")


def _environment_too(verb: Parser) -> None:
    verb.add_argument("--env", action="store_true", help="the environment follows, as far as it can")


def _consolidate(verbs: Verbs) -> None:
    verb = verbs.add(
        "consolidate",
        "[REF]" if verbs.magic else "REF",
        "folds all layers of an image into one recipe",
        "It is built, found to be the same environment, and takes the image's name. Commands that were kept "
        "as they were typed stay layers on top of it.",
        [("penguins", "")],
    )
    _layered(verbs, verb, named=True)


def _rebuild(verbs: Verbs) -> None:
    verb = verbs.add(
        "rebuild",
        "DIR",
        "makes every image of a journal again, as after a clone",
        "DIR is the journal: dockerize/NAME beside the notebook. Every layer is verified; what was pinned is "
        "the same again.",
        [("dockerize/penguins", "")],
    )
    verb.add_argument("folder", type=Path, metavar="DIR", help="the journal's folder")
    verbs.engine(verb)


def _keep(verbs: Verbs) -> None:
    verb = verbs.add(
        "keep",
        "[--image REF] [options]",
        "what the environment has and the image lacks becomes a layer",
        "For installs that went past `exec`: %pip, a terminal, conda.",
        [("--image penguins", "")],
    )
    _layered(verbs, verb)
    verbs.allow(verb)


def _commit(verbs: Verbs) -> None:
    verb = verbs.add(
        "commit",
        "--container NAME -t REF [options]",
        "the state of a running container becomes a layer of an image",
        "On the image that it was started from, and starting as that does: nothing that the container was "
        "given, such as variables, is in it. The container is paused meanwhile.",
        [("--container lab -t analysis", "")],
    )
    verb.add_argument("--container", metavar="NAME", required=True, help="as `docker ps` lists it")
    verb.add_argument("-t", "--tag", metavar="REF", required=True, help="the image's name, which may be new")
    verbs.allow(verb)
    verb.add_argument("--notebook", type=Path, metavar="NB", help="the notebook whose image it is")
    verbs.engine(verb)


def _run(verbs: Verbs) -> None:
    verb = verbs.add(
        "run",
        "REF [options]",
        "opens the image in JupyterLab, on a free port and with a token",
        "The address is printed; it answers on this machine only. What is open like this already is not "
        "opened twice.",
        [
            ("penguins", ""),
            ("penguins --port 8888 --mount .", "with the files of this folder"),
            ("penguins#2", "as it was at layer 2"),
        ],
    )
    verbs.named(verb, "ref", "REF", "the image", completers.images)
    verb.add_argument("--port", type=int, metavar="N", help="this port instead of a free one")
    verb.add_argument(
        "--mount", type=Path, metavar="DIR", help="this folder is seen, and written, in the image"
    )
    verb.add_argument("--gpus", metavar="WHICH", help="give it GPUs of this machine: all, 2 or device=0,1")
    verbs.engine(verb)


def _ps(verbs: Verbs) -> None:
    verbs.engine(verbs.add("ps", "", "the images that are open, and their addresses", examples=[("", "")]))


def _stop(verbs: Verbs) -> None:
    verb = verbs.add(
        "stop", "NAME", "closes what `run` opened, and removes the container", examples=[("penguins", "")]
    )
    verbs.named(verb, "name", "NAME", "as `ps` lists it", completers.containers)
    verbs.engine(verb)


def _logs(verbs: Verbs) -> None:
    verb = verbs.add("logs", "NAME", "what the opened image printed", examples=[("penguins --tail 50", "")])
    verbs.named(verb, "name", "NAME", "as `ps` lists it", completers.containers)
    verb.add_argument(
        "--tail", type=int, default=200, metavar="N", help="its last N lines (default: %(default)s)"
    )
    verbs.engine(verb)


def _push(verbs: Verbs) -> None:
    verb = verbs.add(
        "push",
        "REF",
        "puts an image into the registry that its name begins with",
        "What the registry has already is not sent. The logins are Docker's and Podman's; `login` adds one.",
        [("registry.example.org/team/penguins:2026", ""), ("docker.io/ada/penguins", "on Docker Hub")],
    )
    verbs.named(verb, "ref", "REF", "the image", completers.images)
    verbs.engine(verb)


def _login(verbs: Verbs) -> None:
    verb = verbs.add(
        "login",
        "REGISTRY [-u USER]" + ("" if verbs.magic else " [--password-stdin]"),
        "keeps a login for a registry, where docker finds it, too",
        "The password is asked for, tried, and kept by Docker's credential helper, where one is configured.",
        [
            ("registry.example.org -u ada", ""),
            *([] if verbs.magic else [("docker.io -u ada --password-stdin < token", "in scripts")]),
        ],
    )
    verbs.named(verb, "registry", "REGISTRY", "its host name; docker.io is Docker Hub", completers.registries)
    verb.add_argument("-u", "--user", metavar="USER", help="the user's name; asked for where it is not given")
    if not verbs.magic:
        verb.add_argument(
            "--password-stdin", action="store_true", help="read the password from a pipe, and ask nobody"
        )


def _images(verbs: Verbs) -> None:
    verbs.engine(verbs.add("images", "", "the images that were made here", examples=[("", "")]))


def _prune(verbs: Verbs) -> None:
    verb = verbs.add(
        "prune",
        "[REF …] [--undone] [--dry-run]",
        "removes what nothing needs any more, and says what goes",
        "In every engine: images of layers that no head and no redo needs. In the builtin engine's store: "
        "images that lost their name; and recipes of images elsewhere, when Docker answers and does not have "
        "the image, and a year after a push. Other images of Docker are Docker's own: `docker image prune` "
        "removes those.",
        [
            ("--dry-run", "what would go"),
            ("--undone", "also what could be redone"),
            ("penguins:old", "this one and all its layers, too"),
        ],
    )
    verbs.named(
        verb,
        "refs",
        "REF",
        "an image, or the recipe of one elsewhere, to go, too",
        completers.images,
        nargs="*",
    )
    verb.add_argument("--undone", action="store_true", help="layers that were undone go, too: no redo then")
    verb.add_argument("--dry-run", action="store_true", help="only say what would go")


def _engines(verbs: Verbs) -> None:
    verbs.add("engines", "", "which engines can build here, and what the others lack", examples=[("", "")])


DEFINE: dict[str, Callable[[Verbs], None]] = {
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
    "run": _run,
    "ps": _ps,
    "stop": _stop,
    "logs": _logs,
    "push": _push,
    "login": _login,
    "images": _images,
    "prune": _prune,
    "engines": _engines,
}
