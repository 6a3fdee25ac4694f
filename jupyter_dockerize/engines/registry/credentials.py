"""Who we are to a registry: the logins that Docker and Podman have written down.

Docker's config.json (docs.docker.com, "docker login", "Credential stores"), and Podman's auth.json
(containers-auth.json(5)), which is only read. Nothing here has a password in its ``repr``.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...cancel import Cancel
from ..endpoint import config_folder
from . import credential_helper
from .credential_helper import CredentialsError
from .names import key_of, server_of

LIMIT = 4 << 20  # bytes of a file of logins
TOKEN_USER = "<token>"  # noqa: S105 - > Username "<token>": the secret is an identity token


@dataclass(frozen=True, slots=True)
class Login:
    """A user and the password; or, as ``is_token``, an identity token that stands for both."""

    user: str
    secret: str = field(repr=False)
    is_token: bool = False


Logins = Callable[[str, str], Login | None]
"""The login for a registry, as references name it, and a repository there; None where there is none."""


def nobody(domain: str, repository: str) -> None:
    """`Logins` of who has none."""


class StoredLogins:
    """The logins of this user, looked up when a registry asks for one, and not before.

    ``REGISTRY_AUTH_FILE`` was named on purpose and goes first; then Docker's file, then Podman's.
    ``forgiving``: a credential helper that does not work has none; for reading, which most may do without.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        forgiving: bool = False,
        cancel: Cancel | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._forgiving, self._cancel = forgiving, cancel

    def __call__(self, domain: str, repository: str = "") -> Login | None:
        """Raises `CredentialsError` where a credential helper is configured and does not work."""
        for path in files(self._environ):
            found = self._in(read(path), domain, repository)
            if found:
                return found
        return None

    def _in(self, plain: Mapping[str, Any], domain: str, repository: str) -> Login | None:
        if name := helper_of(plain, domain):
            server = server_of(domain)
            try:
                found = credential_helper.get(name, server, environ=self._environ, cancel=self._cancel)
            except CredentialsError:
                if not self._forgiving:
                    raise
                found = None
            if found:
                user, secret = found
                return Login(user, secret, is_token=user == TOKEN_USER)
        entries = {key_of(key): entry for key, entry in _object(plain, "auths").items()}
        for key in _narrowest_first(domain, repository):
            if login := _login(entries.get(key)):
                return login
        return None


def files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where logins may stand, first come first."""
    if named := environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    yield docker_file(environ)
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime, "containers", "auth.json")
    elif sys.platform == "linux":
        yield Path(f"/run/containers/{os.getuid()}/auth.json")
    if home := environ.get("HOME"):  # where there is no runtime folder: macOS
        yield Path(environ.get("XDG_CONFIG_HOME") or f"{home}/.config", "containers", "auth.json")


def docker_file(environ: Mapping[str, str]) -> Path:
    return config_folder(environ) / "config.json"


def read(path: Path) -> Mapping[str, Any]:
    """The file's object; {} where it is not there or none: who logs in hears of that, who pulls need not."""
    try:
        with path.open("rb") as file:
            plain = json.loads(file.read(LIMIT))
    except (OSError, ValueError, RecursionError):
        return {}
    return plain if isinstance(plain, dict) else {}


def helper_of(plain: Mapping[str, Any], domain: str) -> str:
    """The short name of the credential helper that is configured for the registry, "" for none."""
    own = {key_of(key): name for key, name in _object(plain, "credHelpers").items()}
    name = own.get(domain) or plain.get("credsStore")
    return name if isinstance(name, str) else ""


def encoded(login: Login) -> dict[str, str]:
    """The login as an entry of ``auths``."""
    return {"auth": base64.b64encode(f"{login.user}:{login.secret}".encode()).decode()}


def _login(entry: object) -> Login | None:
    """An entry of ``auths``; None for what holds none (an empty one only says that a helper has it)."""
    if not isinstance(entry, dict):
        return None
    token = entry.get("identitytoken")
    if isinstance(token, str) and token:
        return Login(TOKEN_USER, token, is_token=True)
    try:
        user, colon, secret = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    except (KeyError, ValueError, TypeError):
        return None
    secret = secret.rstrip("\0")  # old versions of Docker filled the field up
    return Login(user, secret) if colon and user and secret else None


def _narrowest_first(domain: str, repository: str) -> Iterator[str]:
    """> keys […] registry.example.org/namespace/repository: the most specific one counts."""
    parts = [part for part in repository.split("/") if part]
    for end in range(len(parts), 0, -1):
        yield "/".join((domain, *parts[:end]))
    yield domain


def _object(plain: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = plain.get(key)
    return found if isinstance(found, dict) else {}


__all__ = [
    "Login",
    "Logins",
    "StoredLogins",
    "docker_file",
    "encoded",
    "files",
    "helper_of",
    "nobody",
    "read",
]
