"""One conversation with one registry: HTTP, authentication, redirects, and the rules for what it may do.

OCI distribution specification 1.1. Everything that a registry says is hostile: sizes are capped, digests
are computed from the bytes and never believed, credentials and tokens go to the host that they are for, and
nowhere else.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from ...cancel import Cancel
from ...environment.names import one_line
from ...errors import RegistryError
from ..loopback import is_loopback
from .connections import CONNECT, IDLE, Breakable, open_session
from .credentials import Logins, nobody
from .faults import Faults, why_silent
from .names import host_of, is_speakable, key_of, place_of
from .tokens import CLIENT, Authorization

ANSWER_LIMIT = 4 << 20  # bytes: > Registries SHOULD enforce some limit [of a manifest]; clients, too: 4 MiB
TOKEN_LIMIT = 1 << 20
REDIRECTS = 3
ASKED = 3  # times that a token is asked for where the one before was good until others had used it up
PIECE = 256 << 10  # bytes that are read or sent at once
AGAIN = (408, 429, 500, 502, 503, 504)  # what the same question may be answered otherwise than with later

_DIRECT = {"http": "", "https": ""}
_HEADERS = {
    "User-Agent": CLIENT,
    # Digests are of the bytes themselves, so nothing may be compressed on the way.
    "Accept-Encoding": "identity",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a registry answered, all of it."""

    status: int
    headers: Mapping[str, str]  # whatever the case of their names
    body: bytes = field(repr=False)
    url: str = field(repr=False)  # that gave it; it may hold a token

    @property
    def kind(self) -> str:
        """The media type."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip()


class Body:
    """Bytes to be sent, made anew each time that they are: ``pieces`` gives ``size`` of them."""

    def __init__(self, pieces: Callable[[], Iterable[bytes]], size: int) -> None:
        self._pieces, self._size = pieces, size

    def __len__(self) -> int:  # the header Content-Length
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces())


class Endless:
    """The same where nobody knows yet how many bytes there are: they go in chunks (RFC 9112, 7.1)."""

    def __init__(self, pieces: Callable[[], Iterable[bytes]]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces())


class Session:
    """``host`` is a registry as references name it, and may carry a scheme; http is spoken with loopback
    addresses only. ``seconds`` is for all of it, redirects and tokens too; None: as long as bytes flow.

    ``scopes`` are what tokens are asked for beside what a challenge names, ``repository`` is what `Logins`
    are asked for. Requests may be made from any thread; those that are under way when ``cancel`` is cancelled
    end with `CancelledError`. To be used as a context.
    """

    def __init__(
        self,
        host: str,
        *,
        logins: Logins = nobody,
        repository: str = "",
        scopes: Sequence[str] = (),
        ca: str | None = None,
        seconds: float | None = None,
        cancel: Cancel | None = None,
        connections: int = 1,
    ) -> None:
        scheme, _, name = host.rpartition("://")
        self.domain = key_of(name)
        self.host = host_of(name.rstrip("/"))
        self.faults = Faults(self.host)
        self._base = f"{scheme or ('http' if is_loopback(self.host) else 'https')}://{self.host}"
        if not is_speakable(self._base):
            raise RegistryError(
                f"{self.host} would be asked without encryption",
                fix="use https; plain http is for registries on this machine",
            )
        self._authorization = Authorization(
            self.host, lambda: logins(self.domain, repository), scopes, self.faults, self._fetch
        )
        self.answered = False  # whether anybody was ever there
        self._ca = ca
        self._until = None if seconds is None else time.monotonic() + seconds
        self._adapter = Breakable(connections)
        self._session = open_session(self._adapter)
        self.cancel = cancel or Cancel()
        self._forget = self.cancel.on_cancel(self._adapter.close_all)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._forget()
        self._session.close()

    @property
    def asked(self) -> bool:
        """Whether the registry wanted to know who we are."""
        return self._authorization.header is not None

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | Endless | bytes | None = None,
        idle: float = IDLE,
    ) -> Answer:
        """The answer, whatever its status, but for those that are worth asking again: they raise
        `SilentError`, as does a registry that does not answer.

        ``url`` may be a path, or an address that the registry gave: on another host it gets no credentials.
        Reading follows redirects, writing does not.
        """
        with self._exchange(method, url, headers or {}, body, idle) as response:
            answer = Answer(
                response.status_code, response.headers, self._body(response, ANSWER_LIMIT), response.url
            )
        if answer.status in AGAIN:
            raise self._faults_at(answer.url).busy(answer.status, answer.headers, answer.body)
        return answer

    @contextlib.contextmanager
    def stream(self, url: str, headers: Mapping[str, str]) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """An answer to GET without its body, and the body in pieces. Raises as `ask` does."""
        with self._exchange("GET", url, headers, None, IDLE) as response:
            if response.status_code in AGAIN:
                faults = self._faults_at(response.url)
                raise faults.busy(response.status_code, response.headers, b"")
            yield Answer(response.status_code, response.headers, b"", response.url), self._pieces(response)

    def owns(self, url: str) -> bool:
        """Whether an address is the registry's own, so that it is shown who we are."""
        return place_of(url) == place_of(self._base)

    def address(self, url: str, at: str = "") -> str:
        """``url`` as the registry gave it, in full. Raises `RegistryError` for a place that is not safe."""
        try:
            full = urljoin(at or self._base, url)
        except ValueError:
            full = ""
        if not self._may_lead_to(full):
            raise self.faults.broken("it leads to a place that is not safe")
        return full

    def afterwards(self, seconds: float) -> Session:
        """One to the same registry, which is shown who we are now, lasts ``seconds`` and is not ended by
        ``cancel``: for what is to be put in order behind it. Nobody is asked for a login."""
        other = Session(self._base, ca=self._ca, seconds=seconds)
        other._authorization.header = self._authorization.header
        return other

    def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | Endless | bytes | None,
        idle: float,
    ) -> requests.Response:
        """An answer that is no redirect; one round of authentication, few redirects."""
        url, asked = self.address(url), 0
        for _ in range(REDIRECTS + 2):
            mine = self.owns(url)
            shown = self._authorization.header if mine else None
            response = self._send(method, url, headers, body, shown, idle)
            # A token that others had fetched, and used up meanwhile, is no refusal of ours.
            stale = shown != self._authorization.header
            often = ASKED if shown and shown == self._authorization.taken else 1
            if response.status_code == 401 and mine and (stale or asked < often):
                challenge = response.headers.get("WWW-Authenticate", "")
                response.close()
                self._authorization.renew(challenge, shown)
                asked += not stale
                continue
            if mine and response.status_code != 401:
                self._authorization.taken = shown
            if response.is_redirect:
                response.close()
                if method not in ("GET", "HEAD"):
                    raise self.faults.broken("it redirects what is written")
                url = self.address(response.headers["Location"], url)
            else:
                return response
        raise self.faults.broken("it redirects without end")

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | Endless | bytes | list[tuple[str, str]] | None,
        authorization: str | None,
        idle: float = IDLE,
        params: list[tuple[str, str]] | None = None,
        faults: Faults | None = None,
    ) -> requests.Response:
        faults = faults or self._faults_at(url)
        self.cancel.check()
        left = self._left(faults)
        try:
            # ``auth`` is a function that does nothing: otherwise requests would look into ~/.netrc.
            response = self._session.request(
                method,
                url,
                headers={
                    **_HEADERS,
                    **headers,
                    **({"Authorization": authorization} if authorization else {}),
                },
                params=params,
                data=body,
                auth=lambda request: request,
                allow_redirects=False,
                stream=True,
                # A registry on this machine is no affair of a proxy, which would see its passwords.
                proxies=_DIRECT if is_loopback(urlsplit(url).netloc) else None,
                timeout=(min(CONNECT, left), min(idle, left)),
                verify=self._ca or True,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise self._broke_off(error, faults) from None
        self.answered = True
        return response

    def _left(self, faults: Faults) -> float:
        left = float("inf") if self._until is None else self._until - time.monotonic()
        if left <= 0:
            raise faults.silent("it did not answer in time")
        return left

    def _broke_off(self, error: Exception, faults: Faults) -> RegistryError:
        self.cancel.check()  # which breaks connections, too
        return faults.silent(why_silent(error))

    def _faults_at(self, url: str) -> Faults:
        """The registry's, or those of whom it sent us to."""
        if self.owns(url):
            return self.faults
        return Faults(self.host, f"{one_line(place_of(url))}, where the registry {self.host} sends us,")

    def _pieces(self, response: requests.Response, faults: Faults | None = None) -> Iterator[bytes]:
        """What is sent, as it comes: a body that drips is not waited for piece by piece."""
        faults = faults or self._faults_at(response.url)
        try:
            while piece := _piece(response):
                self.cancel.check()
                self._left(faults)
                yield piece
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._broke_off(error, faults) from None

    def _body(self, response: requests.Response, limit: int, faults: Faults | None = None) -> bytes:
        parts, size = [], 0
        faults = faults or self._faults_at(response.url)
        for piece in self._pieces(response, faults):
            size += len(piece)
            if size > limit:
                raise faults.broken(f"it sends more than {limit >> 20} MiB")
            parts.append(piece)
        return b"".join(parts)

    def _fetch(
        self,
        realm: str,
        shown: str | None,
        question: list[tuple[str, str]],
        form: list[tuple[str, str]] | None,
    ) -> dict[str, Any]:
        """What a token server answers. Raises `RegistryError` where it refuses."""
        if not self._may_lead_to(realm):
            raise self.faults.broken("it sends us for a token to a place that is not safe")
        method = "GET" if form is None else "POST"
        server = f"the token server {one_line(place_of(realm))} of the registry {self.host}"
        faults = Faults(self.host, "" if self.owns(realm) else server, self.faults.note)
        with self._send(method, realm, {}, form, shown, params=question, faults=faults) as response:
            body = self._body(response, TOKEN_LIMIT, faults)
            if response.status_code in AGAIN:
                raise faults.busy(response.status_code, response.headers, body)
            if response.status_code != 200:
                raise faults.refused(response.status_code, body)
        return self.json(body)

    def json(self, body: bytes) -> dict[str, Any]:
        """The JSON object of an answer. Raises `RegistryError` where it is none."""
        try:
            plain = json.loads(body)
        except (ValueError, RecursionError):
            raise self.faults.broken("its answer is not JSON") from None
        if not isinstance(plain, dict):
            raise self.faults.broken("its answer is not a JSON object")
        return plain

    def _may_lead_to(self, url: str) -> bool:
        """Not to http, and only a registry on this machine may point at this machine."""
        return is_speakable(url) and (is_loopback(self.host) or not is_loopback(urlsplit(url).netloc))


def _piece(response: requests.Response) -> bytes:
    """At most `PIECE` of the body, b"" at its end; what one read of the socket gives where urllib3 can."""
    raw = response.raw
    if hasattr(raw, "read1"):  # urllib3 2.1 and later
        return bytes(raw.read1(PIECE))
    return bytes(raw.read(1 << 10))


__all__ = ["ANSWER_LIMIT", "PIECE", "Answer", "Body", "Endless", "Session"]
