"""The password for ``login``: asked for where nobody sees it, or read from a pipe; never a word of the line.

In the main thread, before the work begins: a prompt in another thread would outlive an interrupt, and leave a
terminal that shows nothing of what is typed.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from dataclasses import dataclass, field

from .errors import UsageError

LONGEST = 64 << 10  # bytes; tokens of clouds have a few thousand


@dataclass(frozen=True, slots=True)
class Typed:
    """A user's name and password."""

    user: str
    password: str = field(repr=False)


def asked(args: argparse.Namespace) -> Typed:
    """What the user types, or pipes. Raises `UsageError` where there is nobody to ask."""
    if getattr(args, "password_stdin", False):
        if not args.user:
            raise UsageError(
                "--password-stdin needs the user's name", fix="type it, too", instead=("", "-u", "USER")
            )
        return Typed(args.user, _piped())
    if not args.magic and not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask for the password on",
            fix="pipe it in, with -u USER --password-stdin",
        )
    try:
        user = args.user or _line(f"user at {args.registry}: ", magic=args.magic)
        return Typed(user, getpass.getpass(f"password of {user} at {args.registry}: "))
    except (EOFError, RuntimeError) as error:  # a front end that has no prompts raises the second
        raise UsageError(
            "nobody answered", fix=f"on the command line: `jupyter dockerize login {args.registry}`"
        ) from error


def _piped() -> str:
    data = sys.stdin.buffer.read(LONGEST + 1)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    if not text.strip() or len(data) > LONGEST:
        raise UsageError("there is no password on stdin", fix="pipe it in: `… --password-stdin < FILE`")
    return text.removesuffix("\n").removesuffix("\r")


def _line(prompt: str, *, magic: bool) -> str:
    """A line that is typed. In a terminal the prompt leaves stdout to the result."""
    if magic:
        return input(prompt).strip()
    print(prompt, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.strip()


__all__ = ["Typed", "asked"]
