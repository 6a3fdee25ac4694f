"""Credential helpers: programs that keep logins where they are safe, such as a desktop's key ring.

The protocol is docker-credential-helpers': `docker-credential-NAME get|store`, the question on stdin,
the answer on stdout, also that of a failure. What a helper says is capped, and its time is limited.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO

from ...cancel import Cancel
from ...environment.names import one_line
from ...errors import UsageError

PREFIX = "docker-credential-"
SECONDS = 60.0  # some ask the user for the key ring's password
LIMIT = 1 << 20  # bytes of an answer
SAID = 300  # characters of a failure that are passed on
NOT_FOUND = ("credentials not found in native keychain", "no credentials")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class CredentialsError(UsageError):
    """A credential helper is configured, and does not work."""


def get(
    name: str, server: str, *, environ: Mapping[str, str] | None = None, cancel: Cancel | None = None
) -> tuple[str, str] | None:
    """User and secret for ``server``; None where the helper has none. Raises `CredentialsError`."""
    status, said = _run(name, "get", server.encode(), environ, cancel)
    if status != 0:
        if any(known in said.decode(errors="replace").lower() for known in NOT_FOUND):
            return None
        raise _failed(name, "get", said)
    try:
        plain = json.loads(said)
        user, secret = plain["Username"], plain["Secret"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _failed(name, "get", b"its answer is not what the protocol says") from None
    if not isinstance(user, str) or not isinstance(secret, str):
        raise _failed(name, "get", b"its answer is not what the protocol says")
    return (user, secret) if user and secret else None  # docker-credential-pass: both are empty


def store(
    name: str,
    server: str,
    user: str,
    secret: str,
    *,
    environ: Mapping[str, str] | None = None,
    cancel: Cancel | None = None,
) -> None:
    """Has the helper keep it. Raises `CredentialsError`."""
    question = json.dumps({"ServerURL": server, "Username": user, "Secret": secret}).encode()
    status, said = _run(name, "store", question, environ, cancel)
    if status != 0:
        for told in (secret.encode(), json.dumps(secret)[1:-1].encode()):
            said = said.replace(told, "…".encode())
        raise _failed(name, "store", said)


def _run(
    name: str, verb: str, question: bytes, environ: Mapping[str, str] | None, cancel: Cancel | None
) -> tuple[int, bytes]:
    env = dict(os.environ if environ is None else environ)
    program = shutil.which(PREFIX + name, path=env.get("PATH")) if _NAME.fullmatch(name) else None
    if program is None:
        raise CredentialsError(
            f"the credential helper {PREFIX}{name[:64]} is not there",
            why="Docker's configuration (credsStore, credHelpers) names it, and no such program is on PATH",
            fix="install it, or take its name out of config.json and log in again",
        )
    try:
        process = subprocess.Popen(
            [program, verb],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise _failed(name, verb, str(error).encode()) from error
    assert process.stdin is not None
    assert process.stdout is not None
    late = threading.Event()

    def too_late() -> None:
        late.set()
        _end(process)

    timer = threading.Timer(SECONDS, too_late)
    timer.daemon = True
    timer.start()
    forget = cancel.on_cancel(lambda: _end(process)) if cancel else lambda: None
    try:
        feeder = threading.Thread(target=_feed, args=(process.stdin, question), daemon=True)
        feeder.start()
        said = process.stdout.read(LIMIT + 1)
        if len(said) > LIMIT:
            raise _failed(name, verb, b"its answer has no end")
        status = process.wait()
    finally:
        forget()
        timer.cancel()
        _end(process)
        process.wait()
        process.stdout.close()
    if cancel:
        cancel.check()
    if late.is_set():
        raise _failed(name, verb, b"it did not answer in time")
    return status, said


def _feed(pipe: IO[bytes], data: bytes) -> None:
    # A helper that ends early has its reasons, and tells them on stdout.
    with contextlib.suppress(OSError), pipe:
        pipe.write(data)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is not None:
        return  # waited for: its number may be somebody else's by now
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:  # and what it started, which may hold the pipe
            os.killpg(process.pid, signal.SIGKILL)


def _failed(name: str, verb: str, said: bytes) -> CredentialsError:
    return CredentialsError(
        f"the credential helper {PREFIX}{name} failed to {verb}",
        why=one_line(said[: 4 * SAID].decode(errors="replace"), SAID) or "it did not say why",
        fix=f"try it by hand: `echo SERVER | {PREFIX}{name} get`",
    )


__all__ = ["CredentialsError", "get", "store"]
