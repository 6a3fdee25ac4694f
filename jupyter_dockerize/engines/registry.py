"""A registry's client, as far as base images need it: which digest does a name have?

OCI distribution specification 1.1, "Pulling manifests"; tokens as the distribution project
describes them ("Token Authentication Specification"). Everything that a registry says is
hostile: sizes are capped, digests are computed from the bytes and never believed, credentials
and tokens go to the host they are for, and nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from ..errors import RegistryError, UsageError
from ..image.reference import DIGEST, DOCKER_HUB, Reference
from .loopback import is_loopback

# > A client SHOULD send the Accept header with every manifest type that it knows.
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
MANIFEST_LIMIT = 4 << 20  # > Registries SHOULD enforce some limit; clients too: 4 MiB
TOKEN_LIMIT = 1 << 20
REDIRECTS = 3
HUB_HOST = "registry-1.docker.io"

_CHALLENGE = re.compile(r'([a-zA-Z_]+)="([^"]*)"')


class Registry:
    """One conversation with one registry. ``seconds`` is for all of it, redirects and tokens too.

    ``host`` may carry a port or a scheme (`http://127.0.0.1:5000`); http is spoken with loopback
    addresses only. ``credentials`` are a user name and password for this host.
    """

    def __init__(
        self,
        host: str,
        *,
        ca: str | None = None,
        credentials: tuple[str, str] | None = None,
        seconds: float = 5.0,
    ) -> None:
        scheme, _, name = host.rpartition("://")
        self.host = HUB_HOST if name in (DOCKER_HUB, "index.docker.io") else name.rstrip("/")
        self._base = f"{scheme or ('http' if is_loopback(self.host) else 'https')}://{self.host}"
        if not _speakable(self._base):
            raise RegistryError(
                f"{self.host} would be asked without encryption",
                fix="use https; plain http is for registries on this machine",
            )
        self._ca = ca
        self._credentials = credentials
        self._token: str | None = None
        self._until = time.monotonic() + seconds
        self._session = requests.Session()

    def digest(self, repository: str, reference: str, platform: str) -> str | None:
        """The digest to pin ``repository:reference`` by, None where the registry does not have it.

        Of an index that has ``platform`` ("linux/amd64") this is the index's own, so that the pin
        serves every platform. Raises `UsageError` where the image is for other platforms only, and
        `RegistryError` where the registry does not answer, refuses, or breaks the specification.
        """
        answer = self._get(f"/v2/{repository}/manifests/{reference}", ", ".join(INDEXES + MANIFESTS))
        if answer is None:
            return None
        body, kind = answer
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        if reference.startswith("sha256:") and digest != reference:
            raise self._broken("the manifest's bytes do not have the digest that was asked for")
        manifest = _object(body, self)
        if "layers" in manifest and "manifests" in manifest:
            raise self._broken("the manifest is an image and an index at once")
        single = "manifests" not in manifest
        there = self._platform_of(repository, manifest) if single else _platforms(manifest)
        if there and platform not in there:
            raise UsageError(
                f"the image {repository}:{reference} is not for {platform}",
                why=f"it is for {', '.join(sorted(there)[:8])}",
                fix="choose another base image with --base, or another --platform",
            )
        if kind not in INDEXES + MANIFESTS:
            raise self._broken(f"the manifest's media type is {kind[:80]!r}")
        return digest

    def _platform_of(self, repository: str, manifest: dict[str, Any]) -> set[str]:
        """The platform that a single image's configuration names."""
        config = manifest.get("config")
        digest = config.get("digest") if isinstance(config, dict) else None
        if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
            raise self._broken("the manifest names no configuration by a sha256 digest")
        answer = self._get(f"/v2/{repository}/blobs/{digest}", "*/*")
        if answer is None:
            raise self._broken("the image's configuration is not there")
        if "sha256:" + hashlib.sha256(answer[0]).hexdigest() != digest:
            raise self._broken("the configuration's bytes do not have its digest")
        plain = _object(answer[0], self)
        system, machine = plain.get("os"), plain.get("architecture")
        return {f"{system}/{machine}"} if isinstance(system, str) and isinstance(machine, str) else set()

    def _get(self, path: str, accept: str) -> tuple[bytes, str] | None:
        """Body and media type, None for 404; one round of authentication, few redirects."""
        url, asked = self._base + path, False
        for _ in range(REDIRECTS + 2):
            response = self._send(url, accept, mine=urlsplit(url).netloc == self.host)
            with response:
                if response.status_code == 401 and not asked and urlsplit(url).netloc == self.host:
                    self._token = self._authenticate(response.headers.get("WWW-Authenticate", ""))
                    asked = True
                    continue
                if response.is_redirect:
                    url = urljoin(url, response.headers["Location"])
                    if not self._may_lead_to(url):
                        raise self._broken("it redirects to a place that is not safe")
                    continue
                if response.status_code == 404:
                    return None
                if response.status_code != 200:
                    raise self._refused(response.status_code)
                kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
                return self._body(response, MANIFEST_LIMIT), kind
        raise self._broken("it redirects without end")

    def _send(self, url: str, accept: str, *, mine: bool) -> requests.Response:
        headers = {"Accept": accept}
        if mine and self._token:
            headers["Authorization"] = self._token
        return self._open(url, headers)

    def _open(
        self, url: str, headers: Mapping[str, str], params: Mapping[str, str] | None = None
    ) -> requests.Response:
        left = self._until - time.monotonic()
        if left <= 0:
            raise self._silent("it did not answer in time")
        try:
            # ``auth`` is a function that does nothing: otherwise requests would look into ~/.netrc.
            return self._session.get(
                url,
                # Digests are of the bytes themselves, so nothing may be compressed on the way.
                headers={"User-Agent": "jupyter-dockerize", "Accept-Encoding": "identity", **headers},
                params=dict(params or {}),
                auth=lambda request: request,
                allow_redirects=False,
                stream=True,
                timeout=left,
                verify=self._ca or True,
            )
        except (requests.RequestException, OSError, ValueError) as error:
            raise self._silent(why_silent(error)) from None

    def _body(self, response: requests.Response, limit: int) -> bytes:
        """What is sent, as it comes: a body that drips is not waited for piece by piece."""
        parts, size = [], 0
        try:
            while part := _piece(response):
                size += len(part)
                if size > limit:
                    raise self._broken(f"it sends more than {limit >> 20} MiB")
                if time.monotonic() > self._until:
                    raise self._silent("it did not answer in time")
                parts.append(part)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._silent(why_silent(error)) from None
        return b"".join(parts)

    def _authenticate(self, challenge: str) -> str:
        """What goes into the header Authorization, by the challenge of a 401 answer."""
        scheme, _, rest = challenge.strip().partition(" ")
        fields = dict(_CHALLENGE.findall(rest))
        if scheme.lower() == "basic" and self._credentials:
            return _basic(self._credentials)
        if scheme.lower() != "bearer" or "realm" not in fields:
            raise self._refused(401)
        realm = fields["realm"]
        if not self._may_lead_to(realm):
            raise self._broken("it sends us for a token to a place that is not safe")
        headers: dict[str, str] = {}
        if self._credentials and _same_site(_host(realm), self.host):
            headers["Authorization"] = _basic(self._credentials)
        params = {key: fields[key] for key in ("service", "scope") if key in fields}
        with self._open(realm, headers, params) as response:
            if response.status_code != 200:
                raise self._refused(response.status_code)
            plain = _object(self._body(response, TOKEN_LIMIT), self)
        token = plain.get("token") or plain.get("access_token")
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]{1,65536}", token):
            raise self._broken("it gives no token")
        return f"Bearer {token}"

    def _may_lead_to(self, url: str) -> bool:
        """Not to http, and only a registry on this machine may point at this machine."""
        return _speakable(url) and (is_loopback(self.host) or not is_loopback(_host(url)))

    def _silent(self, why: str) -> RegistryError:
        return RegistryError(
            f"the registry {self.host} does not answer",
            why=why,
            fix="check the network, the proxy and the CA bundle (REQUESTS_CA_BUNDLE)",
        )

    def _refused(self, status: int) -> RegistryError:
        return RegistryError(
            f"the registry {self.host} refuses",
            why=f"HTTP status {status}",
            fix="check the name; private images need a login" if status in (401, 403) else "try later",
        )

    def _broken(self, why: str) -> RegistryError:
        return RegistryError(f"the registry {self.host} does not keep to the specification", why=why)


def digest_of(
    ref: str,
    platform: str,
    *,
    mirrors: Sequence[str] = (),
    ca: str | None = None,
    credentials: Mapping[str, tuple[str, str]] | None = None,
    seconds: float = 5.0,
) -> str | None:
    """The digest of the image ``ref`` for ``platform``, None where no registry has it.

    ``mirrors`` are asked first, for Docker Hub's images only, as engines do; ``credentials`` are by
    host. ``seconds`` bound the whole. Raises `ReferenceError`, `UsageError` where the image is for other
    platforms, and the `RegistryError` of the image's own registry.
    """
    reference = Reference.parse(ref)
    until = time.monotonic() + seconds
    known = credentials or {}
    what = reference.digest or reference.tag or "latest"
    for host in mirrors if reference.domain == DOCKER_HUB else ():
        try:
            mirror = Registry(host, ca=ca, credentials=known.get(host), seconds=seconds / 2)
            digest = mirror.digest(reference.path, what, platform)
        except RegistryError:
            continue  # a mirror is allowed to be down; the registry itself has the word
        if digest:
            return digest
    own = Registry(
        reference.domain,
        ca=ca,
        credentials=known.get(reference.domain),
        seconds=max(until - time.monotonic(), 0.5),
    )
    return own.digest(reference.path, what, platform)


def _speakable(url: str) -> bool:
    """https anywhere, http with this machine only; no userinfo, no other scheme."""
    parts = urlsplit(url)
    if not parts.hostname or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.netloc))


def _piece(response: requests.Response) -> bytes:
    """At most 64 KiB of the body, b"" at its end; what one read of the socket gives where urllib3 can."""
    raw = response.raw
    if hasattr(raw, "read1"):  # urllib3 2.1 and later
        return bytes(raw.read1(64 << 10))
    return bytes(raw.read(1 << 10))


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _same_site(realm: str, host: str) -> bool:
    """Credentials for a registry may go to itself and, as every client does, Hub's to Hub's tokens."""
    return realm == host or (host == HUB_HOST and realm == "auth.docker.io")


def _basic(credentials: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(credentials).encode()).decode()


def _platforms(index: dict[str, Any]) -> set[str]:
    entries = index["manifests"] if isinstance(index["manifests"], list) else []
    platforms = [entry.get("platform") for entry in entries if isinstance(entry, dict)]
    return {
        f"{p['os']}/{p['architecture']}"
        for p in platforms
        if isinstance(p, dict) and isinstance(p.get("os"), str) and isinstance(p.get("architecture"), str)
    }


def _object(body: bytes, registry: Registry) -> dict[str, Any]:
    try:
        plain = json.loads(body)
    except (ValueError, RecursionError):
        raise registry._broken("its answer is not JSON") from None
    if not isinstance(plain, dict):
        raise registry._broken("its answer is not a JSON object")
    return plain


def why_silent(error: Exception) -> str:
    """The cause in few words; addresses with user names or tokens are not repeated."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate is signed by an authority that is not trusted here"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refuses or does not answer"
    if isinstance(error, (requests.Timeout, TimeoutError)) or "timed out" in text:
        return "it did not answer in time"
    if "Name or service not known" in text or "Temporary failure in name resolution" in text:
        return "its name is not known here"
    return type(error).__name__


__all__ = ["Registry", "digest_of", "why_silent"]
