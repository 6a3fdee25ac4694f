"""``POST /images/NAME/push`` of the Engine API: an image goes into a registry, with the logins kept here."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import replace

from ..cancel import Cancel
from ..environment.names import one_line
from ..errors import DockerizeError, EngineError, RegistryError
from ..events import Report
from ..image.reference import DIGEST, Reference
from .base import Image, Pushed
from .connection import Connection
from .explain import meaning
from .faults import explanation, mapped
from .progress import Narrator
from .registry.credentials import Logins, StoredLogins
from .registry.manifests import size_of
from .registry.names import server_of
from .registry.pull import pull_manifest

ASKED = 5.0  # seconds in which a registry says how large an image is that it has just taken
_DIGEST = re.compile(rf"\S+: digest: ({DIGEST.pattern}) size: [0-9]+")
_UNKNOWN = re.compile(r"unauthorized|authentication required|no basic auth|\b401\b", re.IGNORECASE)
_FORBIDDEN = re.compile(r"denied|forbidden|\b403\b", re.IGNORECASE)
_SKIPPED, _MOUNTED, _PUSHED = "Layer already exists", "Mounted from", "Pushed"


def push(
    connection: Connection,
    environ: Mapping[str, str],
    image: Image,
    name: Reference,
    *,
    report: Report,
    cancel: Cancel,
) -> Pushed:
    """See `Engine.push`. The engine says of each layer how it came there, and then the digest."""
    import docker.errors

    ref = str(name)
    logins = StoredLogins(environ, cancel=cancel)
    login = logins(name.domain, name.path)
    auth: dict[str, str] = {}
    if login:
        own = (
            {"identitytoken": login.secret}
            if login.is_token
            else {"username": login.user, "password": login.secret}
        )
        auth = {**own, "serveraddress": server_of(name.domain)}
    narrator, ends, digest = Narrator(report), dict[str, str](), ""
    with mapped(f"push {ref}"), contextlib.closing(connection.private()) as client:
        try:
            lines = client.push(name.repository, name.tag, stream=True, decode=True, auth_config=auth)
        except docker.errors.APIError as error:
            raise _refused(ref, name.domain, explanation(error)) from error
        for line in lines:
            cancel.check()
            if isinstance(said := line.get("error"), str):
                raise _refused(ref, name.domain, said)
            part, status = str(line.get("id")), str(line.get("status"))
            detail = line.get("progressDetail") or {}
            if status.startswith((_SKIPPED, _MOUNTED, _PUSHED)):
                ends[part] = status
            elif isinstance(detail.get("total"), int):
                narrator.transfer("push", part, int(detail.get("current", 0)), detail["total"], f"push {ref}")
            if found := _DIGEST.fullmatch(status):  # what all of them say; "aux" is not
                digest = found[1]
    if not digest:
        raise EngineError(f"the engine did not say that {ref} is in its registry")
    counts = {how: sum(end.startswith(how) for end in ends.values()) for how in (_SKIPPED, _MOUNTED, _PUSHED)}
    return Pushed(
        ref=ref,
        digest=digest,
        size=_size(name, digest, image.platform, logins, cancel),
        uploaded=counts[_PUSHED],
        mounted=counts[_MOUNTED],
        skipped=counts[_SKIPPED],
    )


def _size(name: Reference, digest: str, platform: str, logins: Logins, cancel: Cancel) -> int | None:
    """As the registry has it: the engine counts what its own store has. It may be one that we cannot ask."""
    with contextlib.suppress(DockerizeError, ValueError):
        system = "/".join(platform.split("/")[:2])  # without the variant
        pushed = replace(name, digest=digest)
        found = pull_manifest(pushed, system, logins=logins, seconds=ASKED, cancel=cancel)
        return size_of(found.manifest)
    return None


def _refused(ref: str, domain: str, said: str) -> RegistryError:
    said, login = one_line(said, 500), f"`jupyter dockerize login {domain}`"
    if _UNKNOWN.search(said):
        why, fix = said, f"log in with {login}, as a user who may push there"
    elif _FORBIDDEN.search(said):
        why, fix = said, f"name a repository that you may write to, or log in as somebody who may: {login}"
    else:
        known = meaning(said, f"try again; `docker push {ref}` shows more")
        why, fix = known.why, known.fix.replace("docker pull NAME", f"docker push {ref}")
    return RegistryError(f"{ref} cannot be pushed", why=why, fix=fix)


__all__ = ["push"]
