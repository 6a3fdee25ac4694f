"""uv, which resolves and installs: what it is asked, what it is told of this machine, and what it answers.

uv is given everything by argument: neither its own configuration files nor ``UV_INDEX`` and the
like have a say, so that the same question has the same answer. Its messages are not an
interface; its exit statuses (docs.astral.sh/uv, "Exit codes": 1 no solution, 2 anything else)
and the requirements format that it prints are.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..cancel import Cancel
from ..errors import EngineError, RegistryError
from .credentials import Access

ANONYMOUS = Access()
#: Variables of uv's that concern this machine and not the question.
KEPT = frozenset(
    (
        "UV_CACHE_DIR",
        "UV_CONCURRENT_DOWNLOADS",
        "UV_HTTP_TIMEOUT",
        "UV_NATIVE_TLS",
        "UV_OFFLINE",
        "UV_SYSTEM_CERTS",
    )
)
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_PIN = re.compile(rf"({_NAME})==([A-Za-z0-9.!+_-]+)( \\)?")
_HASH = re.compile(r"    --hash=(sha(?:256|384|512):[0-9a-f]+)( \\)?")
_FROM = re.compile(r"    # from (\S+)")


class Unsolved(Exception):  # noqa: N818 - an answer, not a fault
    """uv says that there is no solution; ``text`` is what it printed, a hint and no more."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class Target:
    """What is resolved for: the full version of Python, and the platform in uv's words."""

    python: str  # "3.11.7"
    platform: str | None  # "x86_64-manylinux_2_36"; None: this machine's own


@dataclass(frozen=True, slots=True)
class Served:
    """A distribution that an index serves."""

    name: str
    version: str
    hashes: tuple[str, ...]
    index: str | None


def binary() -> str:
    """The path of uv: the one that this package depends on, else the one on PATH."""
    import uv

    try:
        return uv.find_uv_bin()
    except FileNotFoundError:
        found = shutil.which("uv")
        if found is None:
            raise EngineError("uv is not here", fix="pip install uv") from None
        return found


def compile_pins(
    requirements: Sequence[str],
    target: Target,
    *,
    default: str | None = None,
    extra: Sequence[str] = (),
    constraints: Sequence[str] = (),
    without: Sequence[str] = (),
    dependencies: bool = False,
    build: bool = False,
    access: Access = ANONYMOUS,
    cancel: Cancel,
) -> list[Served]:
    """What the indexes serve for ``requirements``, sorted by name, with every hash.

    ``default`` None is the ecosystem's own index. Of ``extra`` and then ``default`` the first one that
    has a name is the only one that is asked for it (uv's strategy "first-index"): no other
    index can put its own package in place of it. Without ``build``, what has no wheel for the target
    counts as not served; nothing is ever built as long as ``dependencies`` is False. ``without`` are names
    that are there by other means: whoever depends on them gets none from an index.

    Raises `Unsolved`, or `RegistryError` where an index could not be asked.
    """
    argv = [
        binary(), "pip", "compile", "requirements.in",
        "--quiet", "--no-config", "--no-progress", "--color=never", "--no-header", "--no-annotate",
        "--generate-hashes", "--emit-index-annotation", "--no-python-downloads",
        "--keyring-provider=disabled", "--index-strategy=first-index",
        f"--python={sys.executable}", f"--python-version={target.python}",
    ]  # fmt: skip
    argv += [f"--python-platform={target.platform}"] if target.platform else []
    argv += [] if dependencies else ["--no-deps"]
    argv += [] if build else ["--no-build"]
    argv += _asking(default, extra)
    with tempfile.TemporaryDirectory(prefix="jupyter-dockerize-") as folder:
        place = Path(folder)  # made by mkdtemp: nobody else can read it
        (place / "requirements.in").write_text("\n".join(requirements) + "\n", "utf-8")
        if constraints:
            (place / "constraints.txt").write_text("\n".join(constraints) + "\n", "utf-8")
            argv.append("--constraints=constraints.txt")
        if without:
            # An override whose marker never holds takes a dependency away.
            lines = [f"{name} ; python_version < '0'\n" for name in without]
            (place / "overrides.txt").write_text("".join(lines), "utf-8")
            argv.append("--overrides=overrides.txt")
        with _file_of(access.netrc, place) as (netrc, handed):
            status, out, err = _run(argv, place, _environ(access, netrc), handed, cancel)
    if status == 1:
        raise Unsolved(err)
    if status != 0:
        raise RegistryError(
            "uv could not ask the package index",
            why=_last_cause(err),
            fix="check the network, the proxy and the CA bundle (SSL_CERT_FILE)",
        )
    return parse(out)


def change(
    verb: Literal["install", "uninstall"],
    names: Sequence[str],
    python: str,
    *,
    default: str | None = None,
    extra: Sequence[str] = (),
    links: Sequence[str] = (),
    again: bool = False,
    access: Access = ANONYMOUS,
    cancel: Cancel,
) -> list[str]:
    """Installs or uninstalls ``names`` and nothing beyond them, in the environment of the interpreter
    ``python``; what uv said, by lines.

    Indexes are asked as by `compile_pins`; ``links`` are folders with wheels. All that is to be
    installed is there before anything changes. With ``again`` what has that version is installed anew.

    Raises `EngineError`.
    """
    argv = [
        binary(), "pip", verb, f"--python={python}", "--break-system-packages",
        "--no-config", "--no-progress", "--color=never", "--no-python-downloads",
        "--keyring-provider=disabled",
    ]  # fmt: skip
    if verb == "install":
        argv += ["--no-deps", "--index-strategy=first-index", *_asking(default, extra)]
        argv += [f"--find-links={place}" for place in links]
        argv += ["--reinstall"] if again else []
    with tempfile.TemporaryDirectory(prefix="jupyter-dockerize-") as folder:
        place = Path(folder)
        with _file_of(access.netrc, place) as (netrc, handed):
            status, _, err = _run([*argv, *names], place, _environ(access, netrc), handed, cancel)
    if status != 0:
        raise EngineError(f"uv could not {verb} {', '.join(names)}", why=_last_cause(err))
    return err.splitlines()


def _asking(default: str | None, extra: Sequence[str]) -> list[str]:
    return [*(f"--index={url}" for url in extra), *([f"--default-index={default}"] if default else [])]


def parse(text: str) -> list[Served]:
    """The pins of a requirements file as uv writes it; anything else in it raises `EngineError`."""
    served: list[Served] = []
    pin: tuple[str, str] | None = None
    hashes: list[str] = []
    index: str | None = None

    def close() -> None:
        if pin is not None:
            served.append(Served(pin[0].lower().replace("_", "-"), pin[1], tuple(sorted(hashes)), index))

    for line in text.splitlines():
        if match := _PIN.fullmatch(line):
            close()
            pin, hashes, index = (match[1], match[2]), [], None
        elif pin and (match := _HASH.fullmatch(line)):
            hashes.append(match[1])
        elif pin and (match := _FROM.fullmatch(line)):
            index = match[1]
        elif line.strip():
            raise EngineError(
                "uv's answer was not understood",
                why=f"unexpected line {line[:120]!r}",
                fix="pip install --upgrade uv",
            )
    close()
    return served


@contextlib.contextmanager
def _file_of(secret: bytes, place: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """A path under which a child reads ``secret``, and what it inherits for that.

    On Linux it is in memory only, so that a process that is killed leaves nothing behind.
    """
    if sys.platform != "linux":
        path = place / "netrc"
        path.touch(0o600)
        path.write_bytes(secret)
        yield str(path), ()
        return
    number = os.memfd_create("netrc")
    try:
        os.write(number, secret)
        yield f"/proc/self/fd/{number}", (number,)
    finally:
        os.close(number)


def _environ(access: Access, netrc: str) -> dict[str, str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("UV_") or k in KEPT}
    environ["NETRC"] = netrc  # also where it is empty: ~/.netrc has hosts that are none of our business
    if access.ca:
        environ["SSL_CERT_FILE"] = access.ca
        environ.pop("SSL_CERT_DIR", None)
    return environ


def _run(
    argv: list[str], cwd: Path, environ: dict[str, str], handed: tuple[int, ...], cancel: Cancel
) -> tuple[int, str, str]:
    cancel.check()
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env=environ,
        pass_fds=handed,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    forget = cancel.on_cancel(process.kill)
    try:
        out, err = process.communicate()
    finally:
        forget()
        if process.poll() is None:
            process.kill()
            process.wait()
    cancel.check()
    return process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def _last_cause(err: str) -> str:
    """The innermost cause, without addresses: they may hold what is secret."""
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    cause = next(
        (line for line in reversed(lines) if "cause:" in line), lines[-1] if lines else "it said nothing"
    )
    return re.sub(r"\w+://\S+", "…", cause.partition("cause:")[2] or cause).strip()[:300]


__all__ = ["Served", "Target", "Unsolved", "binary", "change", "compile_pins", "parse"]
