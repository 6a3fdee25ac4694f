"""Names of tar members: which stay where they are put, and are the same to everybody."""

from __future__ import annotations

LONGEST_PART = 255  # NAME_MAX of every Linux file system
LONGEST_PATH = 4095  # PATH_MAX without its end


def normal(path: bytes) -> bytes:
    """The name without the "./" before it and the slash behind it, which many writers put there."""
    while path.startswith(b"./"):
        path = path[2:].lstrip(b"/") if path[2:3] == b"/" else path[2:]
    path = path.rstrip(b"/")
    return b"" if path == b"." else path


def fault_of(path: bytes) -> str:
    """What is wrong with a name, "" where it is a plain relative one."""
    if not path:
        return "has no name"
    if b"\0" in path:
        return "holds a NUL: readers disagree on where it ends"
    if path.startswith(b"/"):
        return "is absolute"
    parts = normal(path).split(b"/")
    if b".." in parts:
        return "goes up with .."
    if (
        path.endswith(b"//")
        or path.startswith(b".//")
        or (len(parts) > 1 and (b"" in parts or b"." in parts))
    ):
        return "is not written in its normal form"
    if len(path) > LONGEST_PART and (len(path) > LONGEST_PATH or max(map(len, parts)) > LONGEST_PART):
        return "is longer than any file system takes"
    return ""


def parents(path: bytes) -> list[bytes]:
    """The folders that lead to a normal name, the nearest first."""
    found = []
    slash = path.rfind(b"/")
    while slash > 0:
        path = path[:slash]
        found.append(path)
        slash = path.rfind(b"/")
    return found


__all__ = ["fault_of", "normal", "parents"]
