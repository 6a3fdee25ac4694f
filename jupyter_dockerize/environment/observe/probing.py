"""The probe as something to send, and its answer as facts.

Three ways to send it: as a script over stdin (`argv`, `source`), as one expression for a kernel's
``user_expressions`` (`expression`), and as a function in this process (`observe.here`). What
comes back is hostile until `interpret` has parsed it: here it is only capped and read as JSON.
"""

from __future__ import annotations

import ast
import base64
import json
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..facts import SCHEMA, AnyFacts
from ..model import Kernel

OPTIONS = ("hashes", "libraries", "modules", "requires", "sizes")
LIMIT = 64 << 20  # bytes of JSON; 400 distributions and 900 Debian packages make 0.5 MB

# Read by whatever was named as an interpreter, so it is also valid in Python 2. The folder that it runs
# in leaves sys.path: a json.py beside the notebook is not the standard library's.
_TOO_OLD = "jupyter-dockerize needs Python 3.8 or newer, and this is "
_START = (
    "import sys; "
    f"sys.version_info < (3, 8) and sys.exit('{_TOO_OLD}%d.%d' % sys.version_info[:2]); "
    "sys.path[:1] == [''] and sys.path.pop(0); "
    "exec(compile(sys.stdin.buffer.read(), '<jupyter-dockerize probe>', 'exec'))"
)

# One expression that leaves no name behind: the probe lives in a dictionary of its own, and the
# builtins are fetched anew, because a notebook may well have its own `exec` or `compile`.
_EXPRESSION = (
    "(lambda b, z, a, own: (b.exec(b.compile(z.decompress(a.b85decode({source!r})),"
    " '<jupyter-dockerize probe>', 'exec', 0, True), own),"
    " a.b85encode(z.compress(own['json'].dumps(own['gather']({options!r})).encode())).decode())[1])"
    "(__import__('builtins'), __import__('zlib'), __import__('base64'),"
    " {{'__name__': 'jupyter_dockerize_probe', 'json': __import__('json')}})"
)


@dataclass(frozen=True, slots=True)
class Observed:
    """Raw facts, and the kernel that they were reached by (None for interpreters and this process).

    Of a running kernel also the code that it ``executed``, as `session.executed` has it, and the
    ``notebook`` that it was started for, "" where unknown.
    """

    facts: AnyFacts
    kernel: Kernel | None = None
    executed: tuple[str, ...] = ()
    notebook: str = ""


def source() -> bytes:
    """The probe, as Python source."""
    return (Path(__file__).parents[1] / "probe.py").read_bytes()


def argv(python: str, options: Collection[str], pid: int | None = None) -> list[str]:
    """The command that runs what stands on its stdin as the probe; its stdout holds one line of JSON.

    The user's site-packages, ``.pth`` files and ``PYTHON*`` variables stay in force, because a kernel
    sees them too (no ``-I``, ``-E``, ``-s``); ``-B`` so that nothing is written beside what is read.
    ``modules`` is not asked: a process that runs nothing but the probe has imported nothing. ``pid`` is the
    process that it stands in for, whose loaded libraries count.
    """
    flags = [f"--{option}" for option in _known(options) if option != "modules"]
    flags += [f"--pid={pid}"] if pid else []
    return [python, "-B", "-c", _START, *flags]


def expression(options: Collection[str]) -> str:
    """The probe as one Python expression: its value is an ASCII string for `from_repr`."""
    packed = base64.b85encode(zlib.compress(source(), 9)).decode()
    return _EXPRESSION.format(source=packed, options=_known(options))


def from_output(stdout: bytes) -> AnyFacts:
    """The facts in what a script printed: its last line that is a JSON object.

    A ``sitecustomize`` may have printed before it. Raises ValueError where there are none.
    """
    for line in reversed(stdout.splitlines()):
        if line.startswith(b"{"):
            return _facts(line)
    raise ValueError("it printed no facts")


def from_repr(text: str) -> AnyFacts:
    """The facts in the ``repr`` of an `expression`'s value. Raises ValueError where there are none."""
    if len(text) > LIMIT:
        raise ValueError(f"the answer is longer than {LIMIT >> 20} MiB")
    try:
        packed = ast.literal_eval(text)
        inflate = zlib.decompressobj()
        plain = inflate.decompress(base64.b85decode(packed), LIMIT)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError, zlib.error) as error:
        raise ValueError("the answer is not what the probe gives") from error
    if not inflate.eof:
        raise ValueError(f"the answer is longer than {LIMIT >> 20} MiB, or cut off")
    return _facts(plain)


def too_old(stderr: str) -> str | None:
    """The version ("2.7") of an interpreter that refused because it is too old."""
    _, found, version = stderr.rpartition(_TOO_OLD)
    return version.split()[0] if found and version.split() else None


def _facts(data: bytes) -> AnyFacts:
    if len(data) > LIMIT:
        raise ValueError(f"the answer is longer than {LIMIT >> 20} MiB")
    try:
        facts = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError("the answer is not JSON") from error
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        raise ValueError("the answer is not what the probe gives")
    return facts


def _known(options: Collection[str]) -> list[str]:
    unknown = set(options).difference(OPTIONS)
    if unknown:
        raise ValueError(f"the probe has no option {', '.join(sorted(unknown))}")
    return sorted(set(options))
