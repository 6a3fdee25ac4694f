"""What goes into the header Authorization: by the challenge of a 401 answer, and only for whom it is meant.

RFC 9110, 11.6.1, for challenges; for tokens the distribution project's "Token Authentication Specification"
and "Oauth2 Token Authentication".
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .credentials import Login
from .faults import Faults
from .names import HUB_HOST, HUB_TOKENS, place_of

_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z]+)\s+(?=[A-Za-z_]+\s*=)")
_FIELD = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"([^"]*)"|([^\s",]+))')
_TOKEN = re.compile(r"[\x21-\x7e]{1,65536}")
CLIENT = "jupyter-dockerize"  # > client_id


@dataclass(frozen=True, slots=True)
class Challenge:
    """How a registry wants to be asked: ``realm`` is where tokens are had, "" for a password."""

    scheme: str  # "basic", "bearer"
    realm: str = ""
    service: str = ""
    scope: str = ""

    @classmethod
    def parse(cls, header: str) -> Challenge | None:
        """Of several the one with tokens; None for what we cannot do."""
        parts = _SCHEME.split(header)[1:]
        found = {scheme.lower(): _fields(rest) for scheme, rest in zip(parts[::2], parts[1::2], strict=True)}
        if "realm" in (bearer := found.get("bearer", {})):
            return cls("bearer", bearer["realm"], bearer.get("service", ""), bearer.get("scope", ""))
        return cls("basic") if "basic" in found else None

    def question(self, scopes: Sequence[str]) -> list[tuple[str, str]]:
        """What the token server is asked for: the scopes of the challenge, and those that we want besides."""
        asked = dict.fromkeys([*scopes, *self.scope.split()])
        service = [("service", self.service)] if self.service else []
        return [*service, *(("scope", scope) for scope in asked)]


Pairs = list[tuple[str, str]]
Fetch = Callable[[str, "str | None", Pairs, "Pairs | None"], dict[str, Any]]
"""Asks a token server: its address, what to show, the question, and the form to send where there is one."""


class Authorization:
    """What is shown to the registry on ``host``, and where it is had from. For any thread.

    ``look`` gives the login, and is called when one is asked for; ``scopes`` are wanted of every token.
    """

    def __init__(
        self, host: str, look: Callable[[], Login | None], scopes: Sequence[str], faults: Faults, fetch: Fetch
    ) -> None:
        self._host, self._look, self._scopes, self._faults, self._fetch = host, look, scopes, faults, fetch
        self._lock = threading.Lock()
        self._login: Login | None = None
        self._looked = False
        self.header: str | None = None
        self.taken: str | None = None  # the last header that the registry let pass

    def renew(self, challenge: str, shown: str | None) -> None:
        """``header`` is another one than ``shown``; another thread may have seen to it meanwhile.

        Raises `RegistryError` where the registry wants what we do not have, or its token server refuses.
        """
        with self._lock:
            if self.header != shown:
                return
            wanted = Challenge.parse(challenge)
            if not self._looked:
                self._login, self._looked = self._look(), True
            if wanted and wanted.scheme == "basic" and self._login and not self._login.is_token:
                self.header = basic(self._login)
            elif wanted and wanted.scheme == "bearer":
                self.header = self._token(wanted)
            else:
                raise self._faults.refused(401)

    def _token(self, challenge: Challenge) -> str:
        login, question = self._login, challenge.question(self._scopes)
        server = place_of(challenge.realm)
        if login and not may_have(server, self._host):
            login = None
            self._faults.note = f"its logins are for {server}, another host, which was not shown yours"
        if login and login.is_token:
            # > grant_type refresh_token […] client_id […] refresh_token
            scopes = " ".join(value for key, value in question if key == "scope")
            form = [pair for pair in question if pair[0] == "service"]
            form += [("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", login.secret)]
            answer = self._fetch(challenge.realm, None, [], [*form, ("scope", scopes)])
        else:
            answer = self._fetch(challenge.realm, basic(login) if login else None, question, None)
        token = bearer(answer)
        if token is None:
            raise self._faults.broken("it gives no token")
        return token


def basic(login: Login) -> str:
    return "Basic " + base64.b64encode(f"{login.user}:{login.secret}".encode()).decode()


def bearer(answer: object) -> str | None:
    """The header, from the token server's answer; None where it has no token.

    > token […] or access_token: for compatibility with OAuth 2.0 either may be there.
    """
    plain = answer if isinstance(answer, dict) else {}
    token = plain.get("token") or plain.get("access_token")
    return f"Bearer {token}" if isinstance(token, str) and _TOKEN.fullmatch(token) else None


def may_have(realm: str, host: str) -> bool:
    """Whether the token server on ``realm`` may see the password for the registry on ``host``.

    It is the same host; or a domain above it, whose owner decides anyway who answers by the registry's
    name (registry.gitlab.com asks for tokens at gitlab.com); or Docker Hub's.
    """
    host = host.lower().removesuffix(":443")
    if realm == host or (host, realm) == (HUB_HOST, HUB_TOKENS):
        return True
    domain = "." in realm and ":" not in realm and not realm.replace(".", "").isdigit()
    return domain and host.partition(":")[0].endswith(f".{realm}")


def _fields(text: str) -> dict[str, str]:
    return {name.lower(): quoted or plain for name, quoted, plain in _FIELD.findall(text)}


__all__ = ["CLIENT", "Authorization", "Challenge", "basic", "bearer", "may_have"]
