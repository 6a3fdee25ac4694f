"""The one grammar of verbs and options, for the command line and the magics alike.

``parser(prog)`` gives the parser; what it returns is turned into the arguments of `api` by
`where_of` and `wishes_of`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from textwrap import fill

from . import __version__
from .environment.choices import Wishes
from .environment.observe.ways import Where
from .errors import UsageError
from .grammar import DEFINE, QUICK, VERBS, WIDTH, Help, Parser, Verbs, epilog

__all__ = ["VERBS", "Parser", "parser", "where_of", "wishes_of"]


def parser(prog: str, *, magic: bool = False, defaults: Mapping[str, object] | None = None) -> Parser:
    """The parser of all verbs. ``magic``: for a line in a notebook, whose kernel is meant by default.

    ``defaults`` are the values of options that are not typed (`config.Dockerize.options`).
    """
    top = Parser(
        prog=prog,
        usage=f"%(prog)s {'[VERB]' if magic else 'VERB'} [options]",
        description=fill(
            "The environment that is running now becomes an image, and is proven to equal it."
            + f" Without a verb{'' if magic else ', but with a notebook'}: build.",
            WIDTH,
        ),
        formatter_class=Help,
        allow_abbrev=False,
        epilog=epilog(prog, magic),
    )
    top.add_argument("--version", action="version", version=__version__, help="the version, and nothing else")
    verbs = top.add_subparsers(
        title="verbs", prog=prog, dest="verb", metavar="VERB", required=True, parser_class=Parser
    )  # fmt: skip
    shared = Verbs(verbs, prog, magic)
    for verb in VERBS:
        DEFINE[verb](shared)
    top.verbs = dict(verbs.choices)
    for verb, made in top.verbs.items():
        shared.output(made, progress=verb not in QUICK)
        known = {action.dest for action in made._actions}
        made.set_defaults(**{name: value for name, value in (defaults or {}).items() if name in known})
    return top


def where_of(args: argparse.Namespace) -> Where:
    """Which environment the arguments name."""
    named = [name for name in ("kernel", "live", "python") if getattr(args, name) is not None]
    if len(named) > 1:
        both = " and ".join(f"--{name}" for name in named)
        raise UsageError(f"{both} name different environments", fix="give one of them")
    for name in named:
        if not getattr(args, name):
            raise UsageError(
                f"--{name} names nothing", fix=f"`jupyter dockerize {args.verb} -h` shows what it takes"
            )
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
