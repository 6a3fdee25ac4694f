"""Steps → text: the only place that knows how a Dockerfile is written down.

Format: the Dockerfile reference (docs.docker.com/reference/dockerfile), "Format", "Environment
replacement", "Shell and exec form". What builders do beyond it was tried: they end a line at
LF, drop a CR before it, pass NUL on, and some lose a line of 65,535 bytes with all that follow.
No heredocs and no ``# syntax=``: the classic builder and Podman read the same text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from ..errors import NoEngineError, UsageError
from .steps import (
    BindFile,
    Cmd,
    Comment,
    Copy,
    Entrypoint,
    Env,
    Expose,
    Feature,
    From,
    Label,
    NoHealthcheck,
    Run,
    SearchPath,
    Step,
    Unpack,
    User,
    Workdir,
)

LONGEST_LINE = 32 << 10  # bytes; half of what loses a builder the rest of the file
LONGEST_VALUE = 96 << 10  # bytes; Linux takes 128 KiB for NAME=VALUE (MAX_ARG_STRLEN)

_CHECKED = re.compile(r"[A-Za-z0-9._/+-]+")  # our own paths and names: nothing that a builder expands
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_REFUSED = {"\n": "a line feed", "\r": "a carriage return", "\0": "a NUL"}


def write(steps: Iterable[Step], features: frozenset[Feature]) -> str:
    """The Dockerfile's text. The first step must be a `Comment`, so that no directive can be read.

    Raises `UsageError` for a value that no Dockerfile can hold, and `NoEngineError` where a step
    needs a secret and the builder has no secret mounts.
    """
    steps = tuple(steps)
    if not steps or not isinstance(steps[0], Comment):
        raise ValueError("a Dockerfile of ours begins with a comment")
    lines = list(_lines(steps, features))
    for line in lines:
        if len(line.encode()) > LONGEST_LINE:
            raise UsageError(f"a line of the Dockerfile is too long to be safe: {line[:60]!r}…")
    return "\n".join(lines) + "\n"


def quote(value: str, what: str = "value") -> str:
    r"""``value`` as one double-quoted word, with ``\``, ``"`` and ``$`` escaped.

    A long one is continued on further lines. Raises `UsageError`, which names ``what``, for LF,
    CR, NUL, text that is not Unicode, and a length that no process could be given.
    """
    for char, name in _REFUSED.items():
        if char in value:
            raise UsageError(
                f"{what} holds {name}", why="a Dockerfile cannot say it", fix="leave it out, or change it"
            )
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{what} is not valid Unicode", why=str(error.reason), fix="leave it out, or change it"
        ) from error
    if size > LONGEST_VALUE:
        raise UsageError(
            f"{what} is {size:,} bytes long",
            why=f"more than {LONGEST_VALUE:,} cannot be passed on to a process",
            fix="put it into a file",
        )
    escaped = re.sub(r'[\\"$]', r"\\\g<0>", value)
    return '"' + "\\\n".join(_chunks(escaped, what)) + '"'


def _chunks(escaped: str, what: str) -> Iterator[str]:
    """Pieces that a trailing backslash may join again.

    Cut between two letters or digits only: builders drop a continued line that begins with ``#`` or
    is blank, and a backslash before the cut would swallow ours.
    """
    longest = LONGEST_LINE // 8  # characters; four bytes each at most, and room for the key
    while len(escaped) > longest:
        cut = longest
        while cut and not (_plain(escaped[cut - 1]) and _plain(escaped[cut])):
            cut -= 1
        if not cut:
            raise UsageError(
                f"{what} is too long to be written down safely",
                why=f"it has {longest:,} characters without two letters or digits in a row",
                fix="put it into a file",
            )
        yield escaped[:cut]
        escaped = escaped[cut:]
    yield escaped


def _plain(char: str) -> bool:
    return char.isascii() and char.isalnum()


def _lines(steps: tuple[Step, ...], features: frozenset[Feature]) -> Iterator[str]:
    there: set[BindFile] = set()  # what this stage holds already, where a bind had to be a copy
    before: Step | None = None
    for step in steps:
        if before is not None and _begins_a_section(before, step):
            yield ""
        if isinstance(step, From):
            there = set()
        yield from _instruction(step, features, there)
        before = step


def _begins_a_section(before: Step, step: Step) -> bool:
    if isinstance(before, Comment):
        return False
    return isinstance(step, Comment | From)


def _instruction(step: Step, features: frozenset[Feature], there: set[BindFile]) -> Iterator[str]:
    match step:
        case Comment(text):
            yield from _comment(text)
        case From():
            yield _from(step)
        case Run():
            yield from _run(step, features, there)
        case Copy():
            yield from _copy(step, features)
        case Unpack(source, target):
            yield f"ADD {_checked(source)} {_checked(target)}"
        case Env(name, value):
            yield from _pair("ENV", _variable(name), value, f"the variable {name}")
        case SearchPath(folder):
            yield f'ENV PATH="{_checked(folder)}:$PATH"'
        case Label(name, value):
            yield from _pair("LABEL", _key(name), value, f"the label {name}")
        case User(name):
            yield f"USER {_checked(name)}"
        case Workdir(path):
            yield f"WORKDIR {_checked(path)}"
        case Expose(port):
            yield f"EXPOSE {port:d}"
        case NoHealthcheck():
            yield "HEALTHCHECK NONE"
        case Entrypoint(argv):
            yield f"ENTRYPOINT {_exec(argv)}"
        case Cmd(argv):
            yield f"CMD {_exec(argv)}"


def _comment(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        if not line.isprintable() or not line.isascii():
            raise ValueError(f"not a comment of ours: {line!r}")
        yield f"# {line}"


def _from(step: From) -> str:
    if not _IMAGE.fullmatch(step.image):
        raise UsageError(f"not an image reference: {step.image!r}", fix="write it like python:3.11-slim")
    if step.digest is not None and not _DIGEST.fullmatch(step.digest):
        raise UsageError(f"not a digest: {step.digest!r}", fix="a digest is sha256: and 64 hex digits")
    platform = f"--platform={_checked(step.platform)} " if step.platform else ""
    digest = f"@{step.digest}" if step.digest else ""
    stage = f" AS {_checked(step.stage)}" if step.stage else ""
    return f"FROM {platform}{step.image}{digest}{stage}"


def _run(step: Run, features: frozenset[Feature], there: set[BindFile]) -> Iterator[str]:
    mounts: list[str] = []
    if "mounts" in features:
        mounts += [_bind(bind) for bind in step.binds]
        mounts += [f"--mount=type=cache,target={_checked(c.target)}" for c in step.caches]
        mounts += [
            f"--mount=type=secret,id={_checked(s.id)},target={_checked(s.target)}" for s in step.secrets
        ]
    elif step.secrets:
        raise NoEngineError(
            "this builder cannot be handed a secret",
            why=f"it needs {' and '.join(s.id for s in step.secrets)}, and build arguments stay in images",
            fix="use an engine with BuildKit",
        )
    else:
        for bind in step.binds:
            if bind not in there:
                there.add(bind)
                stage = f"--from={_checked(bind.stage)} " if bind.stage else ""
                yield f"COPY {stage}{_checked(bind.source)} {_checked(bind.target)}"
    commands = "\n && ".join(line.replace("\n", "\n      ") for line in step.lines)
    text = "\n".join([*mounts, commands])
    if mounts:
        text = text.replace("\n--", "\n    --").replace(f"\n{commands}", f"\n    {commands}")
    yield from f"RUN {text}".replace("\n", " \\\n").splitlines()


def _bind(bind: BindFile) -> str:
    stage = f"from={_checked(bind.stage)}," if bind.stage else ""
    return f"--mount=type=bind,{stage}source={_checked(bind.source)},target={_checked(bind.target)}"


def _copy(step: Copy, features: frozenset[Feature]) -> Iterator[str]:
    source, target = _checked(step.source), _checked(step.target)
    flags = f"--from={_checked(step.stage)} " if step.stage else ""
    if step.owner is None:
        yield f"COPY {flags}{source} {target}"
    elif "chown-copy" in features:
        yield f"COPY {flags}--chown={step.owner:d}:{step.owner:d} {source} {target}"
    else:
        yield f"COPY {flags}{source} {target}"
        yield f"RUN chown -R {step.owner:d}:{step.owner:d} {target}"


def _pair(instruction: str, key: str, value: str, what: str) -> Iterator[str]:
    yield from f"{instruction} {key}={quote(value, what)}".split("\n")


def _exec(argv: tuple[str, ...]) -> str:
    for word in argv:
        quote(word, "an argument")  # the same refusals
    return json.dumps(argv)


def _checked(text: str) -> str:
    if not _CHECKED.fullmatch(text):
        raise ValueError(f"not a name of ours: {text!r}")
    return text


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise UsageError(f"not the name of a variable: {name!r}", fix="use letters, digits and _")
    return name


def _key(name: str) -> str:
    if not _KEY.fullmatch(name):
        raise ValueError(f"not a label of ours: {name!r}")
    return name
