"""What a build must be handed and an image must never hold: a CA bundle, and logins of indexes.

A plan knows only *that* there are some. They are read again on this machine when they are needed,
are held in memory, and leave it as secret mounts, or as a file in memory that lives as long as one
run of uv. Nothing here has them in its ``repr``.
"""

from __future__ import annotations

import netrc
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from requests.auth import AuthBase

from ..environment.model import Index, Snapshot
from ..environment.plan.planning import Plan
from ..errors import UsageError
from ..recipe.resolution import Resolution

Login = tuple[str, str]
NONE: Mapping[str, Login] = {}

CA_LIMIT = 16 << 20  # bytes; the largest public bundles have less than 1 MiB
CONFIG_LIMIT = 1 << 20
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_LOGIN_URL = re.compile(r"(?:([A-Za-z0-9][\w.-]*)=)?(https?://[^\s\"',\[\]]+)")


@dataclass(frozen=True, slots=True)
class Access:
    """How indexes are reached from here: the path of a CA bundle, and logins by host name."""

    ca: str | None = None
    logins: Mapping[str, Login] = field(default_factory=dict, repr=False)

    @property
    def netrc(self) -> bytes:
        """The logins in the format of ~/.netrc: quoted, as Python's netrc and uv both read it."""
        return "".join(
            f"machine {host} login {_quoted(login)} password {_quoted(password)}\n"
            for host, (login, password) in sorted(self.logins.items())
        ).encode()


class LoginAuth(AuthBase):
    """The login of the host that a request goes to, and of no other."""

    def __init__(self, access: Access) -> None:
        self._logins = access.logins

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        login = self._logins.get(urlsplit(request.url or "").hostname or "")
        return requests.auth.HTTPBasicAuth(*login)(request) if login else request


def access_of(plan: Plan, snapshot: Snapshot, given: Mapping[str, Login] = NONE) -> Access:
    """How the plan's indexes are reached from here; ``given`` are logins that are configured nowhere."""
    ca = snapshot.ca if snapshot.ca and Path(snapshot.ca).is_file() else None
    return Access(ca, {**logins_for(_hosts(plan.indexes), prefix=snapshot.python.prefix), **given})


def secrets_for(
    resolution: Resolution, snapshot: Snapshot, given: Mapping[str, Login] = NONE
) -> dict[str, bytes]:
    """The contents of the secret mounts that ``resolution.secrets`` names, read now.

    ``ca`` holds certificates only, whatever else the file has; ``netrc`` only logins of the
    configured indexes, and those that are ``given``. Raises `UsageError` where the CA bundle can no longer be
    read.
    """
    found: dict[str, bytes] = {}
    if "ca" in resolution.secrets and snapshot.ca:
        found["ca"] = certificates(Path(snapshot.ca))
    if "netrc" in resolution.secrets:
        logins = logins_for(_hosts(snapshot.indexes), prefix=snapshot.python.prefix)
        found["netrc"] = Access(logins={**logins, **given}).netrc
    return found


def asking(snapshot: Snapshot, indexes: Iterable[Index]) -> Snapshot:
    """``snapshot`` with indexes more than are configured here: what is known of their hosts goes for them."""
    return replace(snapshot, indexes=tuple(dict.fromkeys((*snapshot.indexes, *indexes))))


def handed(snapshot: Snapshot, given: Mapping[str, Login] = NONE) -> tuple[str, ...]:
    """The passwords that `secrets_for` may hand to a build, and tokens that stand as user names."""
    logins = {**logins_for(_hosts(snapshot.indexes), prefix=snapshot.python.prefix), **given}
    return tuple(password or user for user, password in logins.values())


def files_for(resolution: Resolution, snapshot: Snapshot) -> dict[str, str]:
    """The files of this machine that could be handed in as `secrets_for`, where one file has it all."""
    found: dict[str, str] = {}
    if "ca" in resolution.secrets and snapshot.ca and Path(snapshot.ca).is_file():
        found["ca"] = snapshot.ca
    hosts = _hosts(snapshot.indexes)
    elsewhere = {host for host, _ in _configured(snapshot.python.prefix)} & hosts
    file = next((path for path in _netrc_files() if path.is_file()), None)
    if "netrc" in resolution.secrets and file and not elsewhere:
        found["netrc"] = str(file)
    return found


def certificates(path: Path) -> bytes:
    """The certificates of a PEM file; keys and comments in it stay behind. Raises `UsageError`."""
    try:
        with path.open("rb") as file:
            data = file.read(CA_LIMIT + 1)
    except OSError as error:
        raise UsageError(
            "the CA bundle that this environment is configured with cannot be read",
            why=f"{path}: {error.strerror}",
            fix="correct PIP_CERT, SSL_CERT_FILE or REQUESTS_CA_BUNDLE",
        ) from None
    blocks = _CERTIFICATE.findall(data)
    if len(data) > CA_LIMIT or not blocks:
        raise UsageError(
            "the CA bundle that this environment is configured with holds no certificates",
            why=f"{path} is not a PEM file of at most {CA_LIMIT >> 20} MiB",
            fix="correct PIP_CERT, SSL_CERT_FILE or REQUESTS_CA_BUNDLE",
        )
    return b"\n".join(blocks) + b"\n"


def logins_for(hosts: Iterable[str], *, prefix: str = "") -> dict[str, Login]:
    """Logins of ``hosts`` from pip's and uv's variables and files, else from ~/.netrc."""
    found: dict[str, Login] = {}
    wanted = set(hosts)
    for host, login in _configured(prefix):
        if host in wanted and _plain(login):
            found.setdefault(host, login)
    found |= {host: login for host, login in _netrc(wanted - set(found)) if _plain(login)}
    return found


def _hosts(indexes: Iterable[Index]) -> set[str]:
    return {urlsplit(index.url).hostname or "" for index in indexes if not index.local} - {""}


def _configured(prefix: str) -> Iterator[tuple[str, Login]]:
    for name, value in os.environ.items():
        if name.startswith(("PIP_", "UV_")):
            yield from _logins_in(value)
    yield from _named_uv_indexes()
    for path in _config_files(prefix):
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                text = file.read(CONFIG_LIMIT)
        except OSError:
            continue  # not there, or not ours to read: then pip does not read it either
        for line in text.splitlines():
            if not line.lstrip().startswith(("#", ";")):
                yield from _logins_in(line)


def _logins_in(text: str) -> Iterator[tuple[str, Login]]:
    for _, url in _LOGIN_URL.findall(text):
        parts = _split(url)
        if parts and parts[1]:
            yield parts


def _split(url: str) -> tuple[str, Login] | None:
    """Host and login of a URL; a token alone stands as the user name, as indexes take it."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return None
    userinfo = urlsplit(url).netloc.rpartition("@")[0]
    if not host or not userinfo:
        return None
    user, _, password = userinfo.partition(":")
    return host, (unquote(user), unquote(password))


def _named_uv_indexes() -> Iterator[tuple[str, Login]]:
    """uv's ``UV_INDEX="corp=https://…"`` with ``UV_INDEX_CORP_USERNAME`` and ``…_PASSWORD``."""
    for variable in ("UV_INDEX", "UV_DEFAULT_INDEX"):
        for name, url in _LOGIN_URL.findall(os.environ.get(variable, "")):
            host = urlsplit(url).hostname
            stem = "UV_INDEX_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
            user, password = os.environ.get(f"{stem}_USERNAME"), os.environ.get(f"{stem}_PASSWORD")
            if name and host and (user or password):
                yield host, (user or "", password or "")


def _config_files(prefix: str) -> list[Path]:
    """pip's and uv's configuration files, the user's before the machine's.

    pip.pypa.io/en/stable/topics/configuration ("Location"); docs.astral.sh/uv ("Configuration files").
    """
    home, given = Path.home(), os.environ.get("PIP_CONFIG_FILE")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    machine = [Path(p) for p in (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep) if p]
    files = [Path(given)] if given else []
    if sys.platform == "win32":
        roaming = Path(os.environ.get("APPDATA", home))
        files += [roaming / "pip" / "pip.ini", home / "pip" / "pip.ini", roaming / "uv" / "uv.toml"]
    if sys.platform == "darwin":
        files.append(home / "Library" / "Application Support" / "pip" / "pip.conf")
    files += [Path(prefix) / "pip.conf"] if prefix else []
    files += [config / "pip" / "pip.conf", home / ".pip" / "pip.conf", config / "uv" / "uv.toml"]
    files += [folder / name for folder in machine for name in ("pip/pip.conf", "uv/uv.toml")]
    return [*files, Path("/etc/pip.conf"), Path("/etc/uv/uv.toml")]


def _netrc_files() -> list[Path]:
    given = os.environ.get("NETRC")
    return [Path(given)] if given else [Path.home() / ".netrc", Path.home() / "_netrc"]


def _netrc(hosts: set[str]) -> Iterator[tuple[str, Login]]:
    for path in _netrc_files():
        try:
            entries = netrc.netrc(path)
        except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
            continue  # pip and uv pass over it, too
        for host in sorted(hosts):
            entry = entries.authenticators(host) if host in entries.hosts else None  # never ``default``
            if entry:
                yield host, (entry[0] or "", entry[2] or "")
        return


def _plain(login: Login) -> bool:
    return all(part.isprintable() for part in login) and any(login)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


__all__ = [
    "Access",
    "LoginAuth",
    "access_of",
    "asking",
    "certificates",
    "files_for",
    "handed",
    "logins_for",
    "secrets_for",
]
