"""Completion of a line that is being typed in a notebook; shells ask argcomplete, from the same parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from .arguments import VERBS, Parser, parser


def completions(words: Sequence[str], start: str) -> list[str]:
    """What may follow ``words`` and begins with ``start``: verbs, options, names, files."""
    made = parser("%dockerize", magic=True)
    if words and words[0] in VERBS:
        found = _within(made.verbs[words[0]], words[1:], start)
    else:
        found = _within(made.verbs["build"], words, start)
        if not words:
            found = [*VERBS, *found]
    return [word for word in dict.fromkeys(found) if word.startswith(start)]


def _within(verb: Parser, words: Sequence[str], start: str) -> list[str]:
    """What may follow ``words`` of one verb: the value of an option, an option, or a positional."""
    options = {name: action for action in verb._actions for name in action.option_strings}
    positionals = [action for action in verb._actions if not action.option_strings]
    waiting: argparse.Action | None = None
    taken = 0
    for word in words:
        if waiting is not None:
            waiting = None
        elif word in options:
            waiting = options[word] if options[word].nargs is None else None
        elif not word.startswith("-"):
            taken += 1
    if waiting is not None:
        return _values(waiting, start)
    name, equals, value = start.partition("=")
    if equals and name in options:
        return [f"{name}={found}" for found in _values(options[name], value)]
    if start.startswith("-"):
        return sorted(name for name in options if name.startswith("--"))
    return _values(positionals[taken], start) if taken < len(positionals) else []


def _values(action: argparse.Action, start: str) -> list[str]:
    if action.choices is not None:
        return [str(choice) for choice in action.choices]
    completer = getattr(action, "completer", None)
    if completer is not None:
        return list(completer(prefix=start))
    if action.type is Path or action.dest in ("python", "include", "output"):
        return list(_files(start, ending=".ipynb" if action.dest == "notebook" else ""))
    return []


def _files(start: str, ending: str) -> Iterable[str]:
    """Files of that ending, and folders (with a slash), that begin like ``start``."""
    folder, slash, stem = start.rpartition("/")
    try:
        entries = sorted(Path(folder + slash or ".").expanduser().iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") and not stem.startswith("."):
            continue
        if entry.is_dir():
            yield f"{folder}{slash}{entry.name}/"
        elif entry.name.endswith(ending):
            yield f"{folder}{slash}{entry.name}"
