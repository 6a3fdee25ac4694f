"""What a container or a command wrote beside packages: secrets among it, and what no rebuild brings.

Nobody has looked at these files before. Those that package managers wrote are everybody's; the others are
read, one by one, before an image that has them gets its name.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..cancel import Cancel
from ..engines.base import Image
from ..engines.docker import DockerEngine
from ..engines.inhabited import Inhabited, Kind
from ..environment import probe as untyped
from ..environment.project.private import holds_secrets
from ..environment.project.secrets import SCAN_LIMIT, scan_file
from ..errors import EngineError
from ..events import Finding
from ..image.copy.private import CONFIGURATION
from ..sizes import count

probe: Any = untyped
MOST = 2000  # files that are read
_LIST = 64 << 20  # bytes of the list of what a command wrote
_SHORTEST = 8  # characters of a value that is looked for
_NAMED = 3  # paths that a finding names

# Written by package managers, out of what everybody can download.
_PACKAGES = re.compile(
    r"/usr/(?!local/)|/(?:bin|sbin|lib|lib32|lib64)/|/usr/local/(?:bin|include|lib|share|man|games)/"
    r"|/var/(?:lib/(?:dpkg|apt|ucf)|cache|log)/|/etc/(?:alternatives|ssl|ca-certificates|ld\.so\.cache)"
    r"|.*/(?:site-packages|dist-packages|conda-meta|pkgs)/|/opt/conda/(?:bin|include|lib|share|etc)/"
)
# There, too, is where it came from, with what it took to come there.
_ORIGINS = re.compile(r".*/(?:direct_url\.json|conda-meta/(?:history|[^/]+\.json))")
_PASSING = re.compile(
    r"(?:/tmp|/run|/var/tmp|/var/run|/proc|/dev|/sys)/.*|.*/(?:\.cache|__pycache__)/.*|.*\.pyc|.*/share/jupyter/runtime"
)
# How a Jupyter server that runs can be reached: tokens, keys and cookies, of no use when it has ended.
_RUNTIME = re.compile(r"(?P<folder>.*/share/jupyter/runtime)/[^/]+")
_ASIDE = "/dev/shm/.jupyter-dockerize"  # noqa: S108 - in the container: memory, which no commit takes along


def secrets(
    engine: DockerEngine,
    container: Inhabited,
    changed: Mapping[str, Kind],
    values: Collection[str],
    cancel: Cancel,
    *,
    otherwise: str = "remove it in the container, and commit again",
) -> tuple[Finding, ...]:
    """`secret-in-file` for what changed in the container and holds a token, or one of ``values``.

    ``otherwise`` is how such a file stays out.
    """
    found: list[Finding] = []
    paths = list(_to_read(container, changed))
    passed_over = paths[MOST:]
    wanted = [value.encode() for value in values if len(value) >= _SHORTEST]
    for path in paths[:MOST]:
        cancel.check()
        data = engine.read_from(container, path, SCAN_LIMIT)
        if data is None:
            passed_over.append(path)
        elif not data:
            continue
        elif any(value in data for value in wanted):
            found.append(
                _secret(path, "holds a secret that the container or the command was given", otherwise)
            )
        elif told := scan_file(data, path):
            found += (replace(each, fix=otherwise) for each in told)
        elif holds_secrets(path) and not path.startswith("/etc/"):
            found.append(_secret(path, "is where people keep secrets, or what they typed", otherwise))
    if passed_over:
        found.append(
            Finding(
                "files-not-searched",
                "warning",
                f"{count(len(passed_over), 'file')} of {container.name} not searched for secrets: "
                f"{_some(passed_over)}",
                "remove what is not meant for the image, such as data and checkouts, and type it again",
            )
        )
    return tuple(found)


def of_command(
    engine: DockerEngine, image: Image, name: str, listed: str, values: Collection[str], cancel: Cancel
) -> tuple[Finding, ...]:
    """The same for what the command of an image's last layer wrote: a file of it, ``listed``, says what.

    What pip, conda and apt install by a lock is not looked at: everybody can download that.
    """
    with engine.unstarted(image, name) as container:
        data = engine.read_from(container, listed, _LIST)
        if not data:
            why = "it is not there" if data is not None else f"it has more than {_LIST >> 20} MiB"
            raise EngineError(f"nobody knows what the command wrote into {name}", why=f"{listed}: {why}")
        paths = data.decode("utf-8", "surrogateescape").split("\0")
        written: dict[str, Kind] = dict.fromkeys(filter(None, paths), "added")
        otherwise = "have the command leave no such file, or write it when the image runs"
        return secrets(engine, container, written, values, cancel, otherwise=otherwise)


def of_no_package(container: Inhabited, changed: Mapping[str, Kind]) -> tuple[str, ...]:
    """Paths of files that no package manager wrote, and that are not passing either."""
    return tuple(
        path
        for path in _files(container, changed)
        if not _PACKAGES.match(path) and not _PASSING.fullmatch(path)
    )


def not_in_a_rebuild(paths: Collection[str]) -> tuple[Finding, ...]:
    """What to know of files that are in the image and not in its journal."""
    if not paths:
        return ()
    return (
        Finding(
            "files-of-no-package",
            "info",
            f"in the image, but not in its journal: {_some(paths)}; an image that is rebuilt has none of it",
            "keep such files in the project, or have a command of the journal make them",
        ),
    )


def given(container: Inhabited) -> list[str]:
    """The values of the container's variables that are secrets by their names."""
    pairs = (each.partition("=") for each in container.own)
    return [value for name, _, value in pairs if probe.SECRET.fullmatch(name)]


@contextlib.contextmanager
def aside(engine: DockerEngine, container: Inhabited) -> Iterator[None]:
    """Meanwhile the container's Jupyter servers have put away how they are reached.

    What stays where it is, because it is another user's, is found by `secrets`.
    """
    changed = engine.changes(container)
    folders = sorted({m["folder"] for path in changed if (m := _RUNTIME.fullmatch(path))})
    if not folders:
        yield
        return
    _moved(engine, container, [(folder, f"{_ASIDE}/{number}") for number, folder in enumerate(folders)])
    try:
        yield
    finally:
        _moved(engine, container, [(f"{_ASIDE}/{number}", folder) for number, folder in enumerate(folders)])


def _moved(engine: DockerEngine, container: Inhabited, ways: Collection[tuple[str, str]]) -> None:
    lines = ["umask 077"]
    for source, target in ways:
        lines += [
            f"mkdir -p {shlex.quote(target)}",
            f"mv -f {shlex.quote(source)}/* {shlex.quote(target)}/ || :",
        ]
    script = "\n".join(lines)
    engine.command(container, script, environ={}, output=lambda block: None, cancel=Cancel())


def _to_read(container: Inhabited, changed: Mapping[str, Kind]) -> Iterator[str]:
    for path in _files(container, changed):
        configuration = path.rpartition("/")[2] in CONFIGURATION
        if configuration or _ORIGINS.fullmatch(path) or not (_PACKAGES.match(path) or path.endswith(".pyc")):
            yield path


def _files(container: Inhabited, changed: Mapping[str, Kind]) -> Iterator[str]:
    """What is there, but for folders with something in them, those that every container has, and the places
    of mounts, which engines make."""
    folders = {path.rpartition("/")[0] for path in changed}.union(container.mounts)
    return (
        path
        for path, kind in sorted(changed.items())
        if kind != "gone" and path not in folders and (kind == "added" or path.count("/") > 1)
    )


def _some(paths: Collection[str]) -> str:
    more = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
    return ", ".join(sorted(paths)[:_NAMED]) + more


def _secret(path: str, what: str, otherwise: str) -> Finding:
    return Finding("secret-in-file", "error", f"{path} {what}", otherwise)


__all__ = ["aside", "given", "not_in_a_rebuild", "of_command", "of_no_package", "secrets"]
