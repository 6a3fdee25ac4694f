"""The user of an image that lies on a base: ours, unless the base has one of this number."""

from __future__ import annotations

from ...contents import layout
from ..tar import Member
from .contents import GROUP, PASSWD, Contents
from .trees import DATE

_MODE = 0o644


def user(base: Contents) -> dict[str, Member]:
    """Our user where the base has none of this number, and the folders that belong to it."""
    made: dict[str, Member] = {}
    number, name = str(layout.UID), layout.USER_NAME
    for path, line in (
        (
            PASSWD,
            f"{{name}}:x:{number}:{number}::{layout.HOME}:{shell(base)}\n",
        ),
        (GROUP, f"{{name}}:x:{number}:\n"),
    ):
        text, place = base.text(path), base.place(path) or path
        entries = [each.split(":") for each in text.splitlines()]
        if any(each[2:3] == [number] for each in entries):
            continue
        taken = {each[0] for each in entries}
        line = line.format(name=f"{name}{number}" if name in taken else name)
        data = (text + "\n" * (text[-1:] not in ("", "\n")) + line).encode("utf-8", "surrogateescape")
        made[place] = Member(path=place, data=data, size=len(data), mode=_MODE, mtime=DATE)
    for folder in (layout.HOME, layout.WORK):
        path = folder.lstrip("/")
        made[path] = Member(path=path, kind="folder", mode=0o755, uid=layout.UID, gid=layout.UID, mtime=DATE)
    return made


def shell(base: Contents) -> str:
    """What the base's terminals open with."""
    return "/bin/bash" if base.place("bin/bash") else "/bin/sh"


__all__ = ["shell", "user"]
