"""``login``: asks the registry whether it knows us, and has it remembered where Docker looks, too."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...cancel import Cancel
from ...errors import OutputError, RegistryError, UsageError
from ...events import Finding
from . import credential_helper
from .credentials import LIMIT, Login, docker_file, encoded, helper_of
from .faults import RefusedError
from .names import domain_of, server_of
from .session import Session

SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """A login that was kept. ``helper`` is the credential helper that has it, "" where ``file`` has it.

    ``checked`` is False where the registry lets everybody in, so that nobody knows whether it is right.
    """

    registry: str
    user: str
    helper: str
    file: Path
    checked: bool

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the user should know of it."""
        found = []
        if not self.helper:
            found.append(
                Finding(
                    "login-in-plain-text",
                    "warning",
                    f"the password stands in {self.file} as plain text, which only you may read",
                    "name a credential helper there as credsStore (pass, secretservice), and log in again",
                )
            )
        if not self.checked:
            found.append(
                Finding(
                    "login-not-checked",
                    "info",
                    f"{self.registry} did not ask who you are, so nobody knows whether the login is right",
                    "a push will tell; where a registry asks nobody, no login is needed",
                )
            )
        return tuple(found)


def login(
    registry: str,
    login: Login,
    *,
    environ: Mapping[str, str] | None = None,
    ca: str | None = None,
    cancel: Cancel | None = None,
) -> LoggedIn:
    """Keeps ``login`` for ``registry`` where Docker keeps logins, when the registry has taken it.

    Raises `UsageError` for what is no registry or no login, `RegistryError` where the registry refuses or
    does not answer, `OutputError` where it cannot be kept.
    """
    env = os.environ if environ is None else environ
    domain = domain_of(registry)
    if not login.user or ":" in login.user or not login.secret:
        raise UsageError(
            f"{login.user[:80]!r} cannot be a user's name" if login.user else "there is no user's name"
            if not login.user else "the password is empty",
            fix="a name has no colon, and neither it nor the password is empty",
        )  # fmt: skip
    checked = _ask(domain, login, ca, cancel)
    file = docker_file(env)
    plain = _read(file)
    if helper := helper_of(plain, domain):
        server = server_of(domain)
        credential_helper.store(helper, server, login.user, login.secret, environ=env, cancel=cancel)
    else:
        _write(file, {**plain, "auths": {**_auths(plain), server_of(domain): encoded(login)}})
    return LoggedIn(registry=domain, user=login.user, helper=helper, file=file, checked=checked)


def _ask(domain: str, login: Login, ca: str | None, cancel: Cancel | None) -> bool:
    """> GET /v2/: 200 for whoever may speak with the registry. Whether it wanted to know who we are."""
    with Session(domain, logins=lambda *_: login, ca=ca, seconds=SECONDS, cancel=cancel) as session:
        try:
            answer = session.ask("GET", "/v2/")
            if answer.status in (401, 403):
                raise session.faults.refused(answer.status, answer.body)
        except RefusedError as error:
            error.what = f"{error.who} does not take this login"
            error.fix = "check user and password; many registries want a token in place of the password"
            raise
        if answer.status != 200:
            raise session.faults.broken(f"HTTP status {answer.status} at /v2/: perhaps it is no registry")
        if session.faults.note:
            raise RegistryError(
                f"the login for {session.host} was not tried",
                why=session.faults.note,
                fix="have the image pushed by Docker, whose `docker login` shows it to that host",
            )
        return session.asked


def _read(file: Path) -> dict[str, Any]:
    """Docker's configuration, {} where there is none. Raises `OutputError` for what we would spoil."""
    try:
        with file.open("rb") as opened:
            plain = json.loads(opened.read(LIMIT) or b"{}")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _unwritable(file, error) from error
    if not isinstance(plain, dict):
        raise _unwritable(file, ValueError("it holds no JSON object"))
    return plain


def _auths(plain: Mapping[str, Any]) -> dict[str, Any]:
    found = plain.get("auths")
    return found if isinstance(found, dict) else {}


def _write(file: Path, plain: Mapping[str, Any]) -> None:
    """The file is the old one or the new one, and only its owner reads it. A link stays a link."""
    target = file.resolve()
    temporary = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, temporary = tempfile.mkstemp(prefix=".config.json-", dir=target.parent)  # mode 0600
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(json.dumps(plain, indent="\t").encode())
            opened.flush()
            os.fsync(opened.fileno())
        Path(temporary).replace(target)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise _unwritable(file, error) from error


def _unwritable(file: Path, error: Exception) -> OutputError:
    return OutputError(
        f"the login cannot be kept in {file}",
        why=getattr(error, "strerror", None) or str(error),
        fix="mend that file, or name another folder in DOCKER_CONFIG",
    )


__all__ = ["LoggedIn", "login"]
