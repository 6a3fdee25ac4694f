"""Which engine is meant: one endpoint, resolved once, for the docker CLI and for the SDK.

The order is the docker CLI's own (docs.docker.com, "Docker contexts"): ``DOCKER_HOST``, then
``DOCKER_CONTEXT``, then ``currentContext`` of its configuration, then the default socket. Where
none of the first three says anything, the sockets that rootless Docker, Docker Desktop, Colima,
Rancher Desktop and Podman open are tried after the default one.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import NoEngineError
from .loopback import is_loopback

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]*")
_SCHEMES = ("unix", "tcp", "ssh", "npipe")

# What the docker CLI and the credential helpers that it starts need; nothing else of the user's
# environment reaches them.
_CLI_VARIABLES = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "SSH_AUTH_SOCK", "DOCKER_CONFIG",
    "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "DBUS_SESSION_BUS_ADDRESS",
    "GNUPGHOME", "PASSWORD_STORE_DIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "SOURCE_DATE_EPOCH",
    "SYSTEMROOT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "PATHEXT",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Files of a TLS connection; ``verify`` False only where a context says so."""

    ca: Path | None
    cert: Path | None
    key: Path | None
    verify: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an engine listens, and who said so."""

    host: str  # "unix:///var/run/docker.sock", "tcp://10.0.0.5:2376", "ssh://me@gpu"
    origin: str  # "DOCKER_HOST", "the docker context gpu", "the default socket"
    context: str | None = None
    tls: Tls | None = None

    @property
    def scheme(self) -> str:
        return self.host.partition("://")[0]

    @property
    def socket(self) -> Path | None:
        """The unix socket's path, None for other endpoints."""
        return Path(self.host.removeprefix("unix://")) if self.scheme == "unix" else None

    @property
    def machine(self) -> str:
        """The host name that the engine runs on; "" for this one."""
        if self.scheme not in ("tcp", "ssh"):
            return ""
        parts = urlsplit(self.host)
        return "" if is_loopback(parts.netloc) else parts.hostname or ""

    def cli_environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The whole environment for the docker CLI: this endpoint, and what the CLI itself needs."""
        found = {name: environ[name] for name in _CLI_VARIABLES if name in environ}
        if self.context is not None:
            return found | {"DOCKER_CONTEXT": self.context}
        found["DOCKER_HOST"] = self.host
        if self.tls is not None:
            if self.tls.ca is not None:
                found["DOCKER_CERT_PATH"] = str(self.tls.ca.parent)
            found["DOCKER_TLS" if not self.tls.verify else "DOCKER_TLS_VERIFY"] = "1"
        return found


def candidates(environ: Mapping[str, str]) -> list[Endpoint]:
    """The endpoints to try, best first: one that was named, else every socket that engines open.

    Raises `NoEngineError` where what was named cannot be an endpoint (a context that does not
    exist, an address that is none).
    """
    if host := environ.get("DOCKER_HOST", "").strip():
        return [Endpoint(host=_checked(host, "DOCKER_HOST"), origin="DOCKER_HOST", tls=_tls_of(environ))]
    folder = config_folder(environ)
    context = environ.get("DOCKER_CONTEXT") or _current_context(folder)
    if context and context != "default":
        return [_of_context(folder, context)]
    return list(_sockets(environ))


def config_folder(environ: Mapping[str, str]) -> Path:
    """The docker CLI's configuration folder."""
    named = environ.get("DOCKER_CONFIG")
    return Path(named) if named else _home(environ) / ".docker"


def _home(environ: Mapping[str, str]) -> Path:
    named = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(named) if named else Path.home()


def _sockets(environ: Mapping[str, str]) -> Iterator[Endpoint]:
    if sys.platform == "win32":
        yield Endpoint(host="npipe:////./pipe/docker_engine", origin="the default pipe")
        return
    home, runtime = _home(environ), environ.get("XDG_RUNTIME_DIR", "")
    yield Endpoint(host="unix:///var/run/docker.sock", origin="the default socket")
    if runtime:
        yield Endpoint(host=f"unix://{runtime}/docker.sock", origin="rootless Docker's socket")
    for path, product in (
        (home / ".docker" / "run" / "docker.sock", "Docker Desktop"),
        (home / ".docker" / "desktop" / "docker.sock", "Docker Desktop"),
        (home / ".colima" / "default" / "docker.sock", "Colima"),
        (home / ".rd" / "docker.sock", "Rancher Desktop"),
    ):
        yield Endpoint(host=f"unix://{path}", origin=f"{product}'s socket")
    if runtime:
        yield Endpoint(host=f"unix://{runtime}/podman/podman.sock", origin="Podman's socket")
    yield Endpoint(host="unix:///run/podman/podman.sock", origin="Podman's socket")


def _checked(host: str, origin: str) -> str:
    """``host`` in the form that CLI and SDK both take; what begins with "-" never gets to ssh."""
    if "://" not in host:
        host = f"tcp://{host}"
    scheme, _, rest = host.partition("://")
    try:
        if scheme not in _SCHEMES:
            raise ValueError(f"{scheme}:// is not one of {', '.join(f'{s}://' for s in _SCHEMES)}")
        if any(ord(c) < 33 or ord(c) == 127 for c in rest):
            raise ValueError("it holds blanks or control characters")
        if scheme in ("unix", "npipe"):
            return f"{scheme}:///{rest.lstrip('/')}" if scheme == "unix" else host
        parts = urlsplit(host)
        if parts.password is not None or parts.query or parts.fragment or parts.path.strip("/"):
            raise ValueError(f"only {scheme}://HOST:PORT is understood")
        if not parts.hostname or not _HOST.fullmatch(parts.hostname):
            raise ValueError("it names no host")
        if parts.username is not None and not _USER.fullmatch(parts.username):
            raise ValueError("the user name is none")
        if scheme == "tcp" and parts.port is None:
            return f"tcp://{parts.netloc}:2375"
    except ValueError as error:
        raise NoEngineError(
            f"{origin} is not the address of an engine",
            why=str(error),
            fix="set it to unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST, or unset it",
        ) from None
    return host.rstrip("/")


def _tls_of(environ: Mapping[str, str]) -> Tls | None:
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    if not verify and not environ.get("DOCKER_TLS"):
        return None
    folder = Path(environ.get("DOCKER_CERT_PATH") or config_folder(environ))
    return _tls_files(folder, verify=verify)


def _tls_files(folder: Path, *, verify: bool) -> Tls:
    def present(name: str) -> Path | None:
        return folder / name if (folder / name).is_file() else None

    return Tls(ca=present("ca.pem"), cert=present("cert.pem"), key=present("key.pem"), verify=verify)


def _current_context(folder: Path) -> str | None:
    try:
        name = json.loads((folder / "config.json").read_bytes()).get("currentContext")
    except (OSError, ValueError, AttributeError):
        return None  # the CLI warns and goes on with its default; so do we
    return name if isinstance(name, str) else None


def _of_context(folder: Path, name: str) -> Endpoint:
    """A context as the CLI stores it: ``contexts/meta/SHA256(NAME)/meta.json``, TLS files beside it."""
    key = hashlib.sha256(name.encode()).hexdigest()
    try:
        meta = json.loads((folder / "contexts" / "meta" / key / "meta.json").read_bytes())
        docker = meta["Endpoints"]["docker"]
        host, skip = str(docker["Host"]), bool(docker.get("SkipTLSVerify"))
    except FileNotFoundError:
        raise NoEngineError(
            f"there is no docker context {name!r}",
            why=f"DOCKER_CONTEXT or currentContext in {folder / 'config.json'} names it",
            fix="`docker context ls` lists those that exist, `docker context use default` goes back",
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoEngineError(
            f"the docker context {name!r} cannot be read",
            why=getattr(error, "strerror", None) or "its meta.json does not describe an endpoint",
            fix=f"make it again with `docker context rm {name}` and `docker context create {name} …`",
        ) from None
    origin = f"the docker context {name}"
    files = folder / "contexts" / "tls" / key / "docker"
    tls = _tls_files(files, verify=not skip) if files.is_dir() or skip else None
    if not host.startswith("tcp://"):
        tls = None
    return Endpoint(host=_checked(host, origin), origin=origin, context=name, tls=tls)
