"""Where the environment of a container is: a commit takes along what lies in it, and nothing mounted."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from ..cancel import Cancel
from ..contents.identity import LABEL_PYTHON
from ..engines.base import Image
from ..engines.docker import DockerEngine
from ..engines.inhabited import Inhabited
from ..errors import UsageError, VerificationError
from ..events import Finding

_ASK = """\
p=$(command -v {python}) || exit 9
exec "$p" -c 'import json, os.path, site, sys, sysconfig
paths = [sys.prefix, sys.base_prefix, *(sysconfig.get_path(n) for n in ("purelib", "platlib", "stdlib"))]
own = site.getusersitepackages() if site.ENABLE_USER_SITE else ""
print(json.dumps([sorted(set(map(os.path.realpath, paths))), own and os.path.realpath(own)]))'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the container's environment is."""

    paths: tuple[str, ...]
    own: str  # of packages that the user installs for themselves; "" where there are none


def places_of(engine: DockerEngine, container: Inhabited, image: Image, cancel: Cancel) -> Places:
    """Where its environment is; ``image`` is what it was started from, which may name an interpreter.

    Raises `VerificationError` where there is no Python, and `UsageError` where a mount hides some of it.
    """
    places = _asked(engine, container, image, cancel)
    _refuse_mounts(container, places)
    return places


def mounted_packages(container: Inhabited, places: Places) -> tuple[Finding, ...]:
    """That what the user installs for themselves is no part of the container, where that is so."""
    if not places.own or not any(_below(places.own, mount) for mount in container.mounts):
        return ()
    return (
        Finding(
            "mounted-packages",
            "warning",
            f"what is installed for the user alone (pip install --user) is no part of {container.name}",
            f"{places.own} is mounted: install into the environment itself",
        ),
    )


def _asked(engine: DockerEngine, container: Inhabited, image: Image, cancel: Cancel) -> Places:
    named = image.labels.get(LABEL_PYTHON, "")
    said: list[bytes] = []
    pythons = [named] if named.startswith("/") else ["python3", "python"]
    for python in pythons:
        said.clear()
        script = _ASK.replace("{python}", shlex.quote(python))
        if engine.command(container, script, environ={}, output=said.append, cancel=cancel) == 0:
            break
    try:
        paths, own = json.loads(b"".join(said))
        return Places(paths=tuple(map(str, paths)), own=str(own))
    except (ValueError, TypeError, RecursionError) as error:
        text = b"".join(said).decode("utf-8", "replace").strip()
        raise VerificationError(
            f"there is no Python in the container {container.name}",
            why=text.splitlines()[-1][:200] if text else "neither python3 nor python is on its PATH",
            fix="name a container with an environment",
        ) from error


def _refuse_mounts(container: Inhabited, places: Places) -> None:
    for path in places.paths:
        for mount in container.mounts:
            if _below(path, mount):
                raise UsageError(
                    f"the environment of {container.name} is not in the container",
                    why=f"{path} lies on what is mounted at {mount}, and a commit takes no mount along",
                    fix="start a container without that mount; or install into another environment",
                )


def _below(path: str, mount: str) -> bool:
    return path == mount or path.startswith(mount.rstrip("/") + "/")


__all__ = ["Places", "mounted_packages", "places_of"]
