"""The one grammar of verbs and options, for the command line and the magics alike.

``parser(prog)`` gives the parser; what it returns is turned into the arguments of `api` by
`where_of` and `wishes_of`. Texts teach: what it does, then how it is typed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from . import __version__
from .environment.observe import Where
from .environment.plan import Wishes
from .errors import UsageError

VERBS = (
    "build", "snapshot", "recipe", "verify", "diff",
    "run", "ps", "stop", "logs", "images", "engines",
)  # fmt: skip
PROGRESS = ("rich", "plain", "jsonl", "none")

Completer = Callable[..., list[str]]


class Parser(argparse.ArgumentParser):
    """Raises `UsageError` where argparse would print and leave the process."""

    verbs: dict[str, argparse.ArgumentParser]

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}", fix=f"`{self.prog} -h` shows how it is typed")


def parser(prog: str, *, magic: bool = False, images: Completer | None = None) -> Parser:
    """The parser of all verbs. ``magic``: for a line in a notebook, whose kernel is meant where nothing else is named.

    ``images`` completes image names in a shell (argcomplete's protocol).
    """
    top = Parser(
        prog=prog,
        description="Turns the environment that is running now into an image, and proves that it equals it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_examples(
            f"{prog} build penguins.ipynb        # → image penguins, verified",
            f"{prog} run penguins                # open it",
            f"{prog} recipe penguins.ipynb -o d  # only the Dockerfile and its files",
            f"{prog} VERB -h                     # how a verb is typed",
        ),
    )
    top.add_argument("--version", action="version", version=__version__)
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Parser)
    for verb in VERBS:
        _DEFINE[verb](_Verbs(verbs, prog, magic, images))
    top.verbs = dict(verbs.choices)
    return top


def where_of(args: argparse.Namespace) -> Where:
    """Which environment the arguments name."""
    named = [name for name in ("kernel", "live", "python") if getattr(args, name, None)]
    if len(named) > 1:
        both = " and ".join(f"--{name}" for name in named)
        raise UsageError(f"{both} name different environments", fix="give one of them")
    return Where(
        here=args.magic and not named,
        notebook=args.notebook,
        kernel=args.kernel,
        live=args.live,
        python=args.python,
    )


def wishes_of(args: argparse.Namespace) -> Wishes:
    """What the arguments want the image to be."""
    return Wishes(
        base=args.base,
        minimal=args.minimal,
        include=tuple(args.include),
        apt=tuple(args.apt),
        platform=args.platform,
        allow=tuple(args.allow),
    )


def completions(words: Sequence[str], start: str) -> list[str]:
    """What may follow ``words`` and begins with ``start``: verbs, options, names of images."""
    made = parser("%dockerize", magic=True)
    verbs = made.verbs
    if not words:
        return [word for word in (*VERBS, *_options(verbs["build"])) if word.startswith(start)]
    verb = words[0] if words[0] in verbs else "build"
    found = [word for word in _options(verbs[verb]) if word.startswith(start)]
    if not start.startswith("-") and verb in ("run", "verify"):
        from .api import images

        found += [ref for image in images() for ref in image.refs if ref.startswith(start)]
    return found


def _options(verb: argparse.ArgumentParser) -> list[str]:
    return sorted(word for action in verb._actions for word in action.option_strings if word.startswith("--"))


class _Verbs:
    """Adds verbs with the options that several share."""

    def __init__(self, verbs: Any, prog: str, magic: bool, images: Completer | None) -> None:
        self.verbs, self.prog, self.magic, self.images = verbs, prog, magic, images

    def add(self, name: str, summary: str, text: str = "", examples: Sequence[str] = ()) -> Parser:
        made: Parser = self.verbs.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}. {text}".strip(),
            epilog=_examples(*(f"{self.prog} {example}" for example in examples)),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.add_argument("--json", action="store_true", help="one JSON object on stdout, nothing else")
        made.add_argument(
            "--progress",
            choices=PROGRESS,
            help="how progress is shown on stderr (rich in a terminal, else plain)",
        )
        return made

    def environment(self, to: Parser) -> None:
        group = to.add_argument_group("which environment", "the notebook's kernelspec, where nothing is said")
        group.add_argument("notebook", nargs="?", type=Path, metavar="NB", help="the notebook")
        group.add_argument("--kernel", metavar="NAME", help="a kernelspec")
        group.add_argument("--live", metavar="ID", help="a running kernel: its id or connection file")
        group.add_argument("--python", metavar="PATH", help="an interpreter")
        to.set_defaults(magic=self.magic)
        group.add_argument("--hashes", action="store_true", help="also look for files edited after install")

    def image(self, to: Parser) -> None:
        group = to.add_argument_group("what the image is to be")
        group.add_argument("--base", metavar="IMAGE", help="start from this image")
        group.add_argument("--minimal", action="store_true", help="only what the notebook really uses")
        group.add_argument(
            "--include",
            action="append",
            default=[],
            metavar="PATH",
            help="a file or folder beside the notebook",
        )
        group.add_argument(
            "--apt", action="append", default=[], metavar="NAME", help="one more Debian package"
        )
        group.add_argument("--platform", metavar="OS/ARCH", help="linux/amd64 or linux/arm64")
        group.add_argument(
            "--allow", action="append", default=[], metavar="CODE", help="accept findings of this code"
        )

    def engine(self, to: Parser) -> None:
        to.add_argument("--engine", default="auto", metavar="NAME", help="auto or docker (default: auto)")

    def ref(self, to: Parser, name: str, text: str) -> None:
        action = to.add_argument(name, metavar="REF", help=text)
        if self.images is not None:
            action.completer = self.images  # type: ignore[attr-defined]  # argcomplete's convention


def _examples(*lines: str) -> str:
    return "examples:\n" + "\n".join(f"  {line}" for line in lines) if lines else ""


def _build(verbs: _Verbs) -> None:
    verb = verbs.add(
        "build",
        "the environment becomes an image, and is compared with it",
        "The image is named after the notebook; -t gives another name.",
        [
            "build penguins.ipynb",
            "build penguins.ipynb -t penguins:2026 --include data/",
            "build --python .venv/bin/python -t lab",
        ],
    )
    verbs.environment(verb)
    verbs.image(verb)
    verb.add_argument("-t", "--tag", metavar="REF", help="the image's name")
    verb.add_argument(
        "--no-verify", action="store_true", help="do not look whether the image equals the environment"
    )
    if verbs.magic:
        verb.add_argument("--background", action="store_true", help="give the cell back; the card keeps up")
    verbs.engine(verb)


def _snapshot(verbs: _Verbs) -> None:
    verb = verbs.add(
        "snapshot",
        "what is running: packages, where they came from, and what is wrong with them",
        examples=["snapshot penguins.ipynb", "snapshot --live 5f0c --json"],
    )
    verbs.environment(verb)


def _recipe(verbs: _Verbs) -> None:
    verb = verbs.add(
        "recipe",
        "writes the Dockerfile and its files, without building",
        examples=[
            "recipe penguins.ipynb -o image/",
            "recipe --kernel python3 -o image/ --platform linux/arm64",
        ],
    )
    verbs.environment(verb)
    verbs.image(verb)
    verb.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="a new or empty folder")
    verb.add_argument("--to", default="dockerfile", metavar="TARGET", help="dockerfile (default)")


def _verify(verbs: _Verbs) -> None:
    verb = verbs.add(
        "verify",
        "does the image hold the planned environment",
        "Without SOURCE: the environment that it was made from. SOURCE is file:PATH, image:REF, kernel:NAME, python:PATH or live[:ID].",
        ["verify penguins", "verify penguins kernel:python3"],
    )
    verbs.ref(verb, "ref", "the image")
    verb.add_argument("source", nargs="?", metavar="SOURCE", help="compare with what this has now")
    verbs.engine(verb)


def _diff(verbs: _Verbs) -> None:
    verb = verbs.add(
        "diff",
        "what two environments have otherwise",
        "A and B are file:PATH, image:REF, kernel:NAME, python:PATH or live[:ID].",
        ["diff image:penguins kernel:python3", "diff file:then.json live"],
    )
    verb.add_argument("a", metavar="A")
    verb.add_argument("b", metavar="B")
    verbs.engine(verb)


def _run(verbs: _Verbs) -> None:
    verb = verbs.add(
        "run",
        "opens the image: its JupyterLab on a free port, with a token",
        examples=["run penguins", "run penguins --port 8888 --mount ."],
    )
    verbs.ref(verb, "ref", "the image")
    verb.add_argument("--port", type=int, metavar="N", help="this port instead of a free one")
    verb.add_argument("--mount", type=Path, metavar="DIR", help="this folder as the work folder in the image")
    verb.add_argument("--gpus", metavar="all", help="give it the GPUs of this machine")
    verbs.engine(verb)


def _ps(verbs: _Verbs) -> None:
    verbs.engine(verbs.add("ps", "the images that are open", examples=["ps"]))


def _stop(verbs: _Verbs) -> None:
    verb = verbs.add("stop", "stops and removes what `run` opened", examples=["stop penguins-1"])
    verb.add_argument("name", metavar="NAME", help="as `ps` lists it")
    verbs.engine(verb)


def _logs(verbs: _Verbs) -> None:
    verb = verbs.add("logs", "what the opened image printed", examples=["logs penguins-1 --tail 50"])
    verb.add_argument("name", metavar="NAME", help="as `ps` lists it")
    verb.add_argument("--tail", type=int, default=200, metavar="N", help="so many lines (default: 200)")
    verbs.engine(verb)


def _images(verbs: _Verbs) -> None:
    verbs.engine(verbs.add("images", "the images that were made here", examples=["images", "images --json"]))


def _engines(verbs: _Verbs) -> None:
    verbs.add("engines", "who could build here, and why not where not", examples=["engines"])


_DEFINE: dict[str, Callable[[_Verbs], None]] = {
    "build": _build,
    "snapshot": _snapshot,
    "recipe": _recipe,
    "verify": _verify,
    "diff": _diff,
    "run": _run,
    "ps": _ps,
    "stop": _stop,
    "logs": _logs,
    "images": _images,
    "engines": _engines,
}
