"""What was typed: words → arguments, or an error that says what to type instead.

Below the faces a text names a command as on the command line, in backticks: `jupyter dockerize VERB …`.
Here it becomes what the face types.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from .arguments import VERBS, Parser, parser
from .config import load
from .display.untrusted import plain
from .errors import DockerizeError, UsageError
from .events import Finding

COMMAND_LINE = "jupyter dockerize"
_OPTION = re.compile(r"-\S*(?:\s+|$)")
_WORD = re.compile(r"\S+(?:\s+|$)")
_WITH_VALUE = (
    "--image", "--container", "--kernel", "--live", "--python", "--notebook", "--engine", "--allow",
)  # fmt: skip
ALONE = ("-h", "--help", "--version")


def parse(words: Sequence[str], program: str, *, magic: bool = False) -> argparse.Namespace:
    """The arguments, with ``program`` and ``words`` as they were typed.

    A notebook's name where a verb is expected means `build`; in a magic so does an option, or nothing.
    Raises `UsageError`, made ready to be shown; SystemExit where a help was asked for and is printed.
    """
    try:
        args = _parsed(words, program, magic)
    except DockerizeError as error:
        told(error, program, words)
        raise
    args.program, args.words = program, tuple(words)
    return args


def executed(line: str, cell: str | None) -> argparse.Namespace | None:
    """What ``%docker_exec`` means: the options that stand before the command, and the command as it is.

    None where the help was asked for. Raises `UsageError`, made ready to be shown.
    """
    words, rest = _options(line)
    command = rest if cell is None else "\n".join(part for part in (rest, cell.strip("\n")) if part)
    typed = ["exec", *words, *(["--", command] if command.strip() else [])]
    try:
        return parse(typed, "%dockerize", magic=True)
    except SystemExit:
        return None


def _options(line: str) -> tuple[list[str], str]:
    """The words of the options in front, and the rest to the letter."""
    words: list[str] = []
    rest = line.strip()
    while match := _OPTION.match(rest):
        word, rest = match[0].strip(), rest[match.end() :]
        words.append(word)
        if word == "--":
            return words[:-1], rest
        if word in _WITH_VALUE and (value := _WORD.match(rest)):
            words.append(value[0].strip())
            rest = rest[value.end() :]
    return words, rest


def told(error: DockerizeError, program: str, words: Sequence[str]) -> None:
    """Makes an error ready to be shown: plain text, and the whole line to type where one would mend it."""
    if error.instead:
        line = _mended(words, error.instead[0], error.instead[1:])
        if line:
            whole = f"`{program} {shlex.join(line)}`"
            error.fix = f"{error.fix}: {whole}" if error.fix else f"type {whole}"
        error.instead = ()
    error.what, error.why, error.fix = (
        "\n".join(plain(line) for line in as_typed(text, program).splitlines())
        for text in (error.what, error.why, error.fix)
    )


def as_typed(text: str, program: str) -> str:
    """``text`` with its commands as they are typed where ``program`` is."""
    return text.replace(f"`{COMMAND_LINE} ", f"`{program} ")


def whole(finding: Finding, program: str, words: Sequence[str]) -> Finding:
    """``finding`` with its fix as it is typed: where that is options, the line that was typed, with them."""
    fix = finding.fix
    if fix.startswith("`--"):
        fix = f"`{' '.join(part for part in (program, shlex.join(words)) if part)} {fix[1:]}"
    return replace(finding, fix=as_typed(fix, program))


def _mended(words: Sequence[str], wrong: str, right: Sequence[str]) -> list[str]:
    """The words with ``right`` for ``wrong``; none where ``wrong`` was not typed (it is a default)."""
    if not wrong:  # what stands behind -- belongs to a command
        end = words.index("--") if "--" in words else len(words)
        return [*words[:end], *right, *words[end:]]
    for number, word in enumerate(words):
        if word == wrong:
            return [*words[:number], *right, *words[number + 1 :]]
        if word.startswith("--") and word.endswith(f"={wrong}") and len(right) == 1:
            return [*words[:number], word.removesuffix(wrong) + right[0], *words[number + 1 :]]
    return []


def _parsed(words: Sequence[str], program: str, magic: bool) -> argparse.Namespace:
    line = _with_verb(words, program, magic)
    made = parser(program, magic=magic, defaults=load().options())
    try:
        args, rest = made.parse_known_args(line)
    except UsageError:
        # A misspelt option is often missed as another: that name says more than "… is required".
        for word in line[1:]:
            if word.startswith("-") and word != "-" and (close := _close(made.verbs[line[0]], word)):
                raise _no_option(made, line[0], word, close) from None
        raise
    if line[0] not in words[:1] and (verb := _late(words, str(getattr(args, "notebook", "")))):
        raise _no_verb_before(words, verb, program)
    if rest and rest[0].startswith("-"):
        raise _no_option(made, args.verb, rest[0], _close(made.verbs[args.verb], rest[0]))
    if rest:
        raise UsageError(
            f"{rest[0]!r} is a word too many for {args.verb}",
            fix=f"`{program} {args.verb} -h` shows how it is typed",
        )
    return args


def _with_verb(words: Sequence[str], program: str, magic: bool) -> list[str]:
    first = words[0] if words else ""
    option = first.startswith("-") and first not in ALONE
    if first.endswith(".ipynb") or (magic and (not words or option)):
        return ["build", *words]
    if first in VERBS or first in ALONE:
        return list(words)
    lists = f"`{program} -h` lists the verbs"
    if option and (verb := _late(words)):
        raise _no_verb_before(words, verb, program)
    if option:
        close = get_close_matches(first, ALONE, 1)
        raise UsageError(
            f"no verb stands before {first}",
            fix="did you mean" if close else f"{lists}; `build` makes an image",
            instead=(first, *(close or ("build", first))),
        )
    notebook = f"{first}.ipynb"
    there = first and not first.endswith("/") and os.path.isfile(notebook)  # noqa: PTH113 - a Path raises
    close = [notebook] if there else get_close_matches(first, VERBS, 1)
    raise UsageError(
        f"no verb is called {first!r}",
        why=f"there is: {', '.join(VERBS)}",
        fix="did you mean" if close else f"{lists}; a notebook's name ends in .ipynb",
        instead=(first, *close) if close else (),
    )


def _late(words: Sequence[str], only: str = "") -> str:
    """The verb that stands behind an option; "" where there is none, or a file is called like it."""
    found = (word for word in words[1:] if word in VERBS and only in ("", word))
    return next((word for word in found if not Path(word).exists()), "")


def _no_verb_before(words: Sequence[str], verb: str, program: str) -> UsageError:
    others = list(words)
    others.remove(verb)
    return UsageError(
        f"no verb stands before {words[0]}", fix=f"did you mean: `{program} {shlex.join([verb, *others])}`"
    )


def _close(verb: Parser, word: str) -> str:
    """The option of ``verb`` that ``word`` may be meant for; "" where it is one, or like none."""
    name = word.partition("=")[0]
    options = [option for action in verb._actions for option in action.option_strings]
    near = [] if name in options else get_close_matches(name, options, 1)
    return near[0] if near else ""


def _no_option(made: Parser, verb: str, word: str, close: str) -> UsageError:
    name, equals, value = word.partition("=")
    others = [
        other
        for other in VERBS
        if any(name in action.option_strings for action in made.verbs[other]._actions)
    ]
    shows = f"`{made.verbs[verb].prog} -h` lists its options"
    return UsageError(
        f"{verb} has no option {name}",
        why=f"it is an option of {', '.join(others)}" if others else "",
        fix=f"{shows}; did you mean" if close else shows,
        instead=(word, close + equals + value) if close else (),
    )
