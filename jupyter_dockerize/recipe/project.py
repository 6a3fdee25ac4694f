"""The notebook and what belongs to it: a tar made by us, so that no file name meets a builder.

Names in COPY would be expanded (globs, ``$``, ``--from=``) even in JSON form; in a tar they are bytes.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from ..contents import layout, project
from ..environment.choices import ProjectFile

ARCHIVE = "project.tar"  # in the bundle
MODIFIED = 315532800  # 1980-01-01: the same every time, and a date that zip files can say


def archive(files: Iterable[ProjectFile]) -> bytes:
    """The project folder, owned by the image's user. The files are read now, and must be what was planned.

    Raises `UsageError` for a name that cannot be taken along, and for a file that is gone or has changed.
    """
    return tar(
        {project.place(file): project.read(file) for file in files},
        owner=layout.UID,
        tops=(layout.WORK,),
    )


def tar(files: Mapping[str, bytes], *, owner: int, tops: tuple[str, ...]) -> bytes:
    """A tar of files by absolute path: sorted, one owner, one date; with their folders from ``tops`` on."""
    folders: set[str] = set()
    for path in files:
        parents = PurePosixPath(path).parents
        folders.update(str(p) for p in parents if any(p.is_relative_to(top) for top in tops))
    members = [(folder, None) for folder in folders] + [(path, data) for path, data in files.items()]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as out:
        for path, data in sorted(members, key=lambda member: member[0]):
            info = tarfile.TarInfo(path.lstrip("/"))
            info.uid = info.gid = owner
            info.mtime = MODIFIED
            if data is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                out.addfile(info)
            else:
                info.size, info.mode = len(data), 0o644
                out.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
