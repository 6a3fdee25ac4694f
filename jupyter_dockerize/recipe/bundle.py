"""The build context: relative path → bytes, the same bytes every time."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import OutputError
from .steps import SecretId

DOCKERFILE = "Dockerfile"


@dataclass(frozen=True, slots=True)
class Bundle:
    """The Dockerfile and the files beside it, and which secrets its build asks for."""

    files: Mapping[str, bytes]
    secrets: tuple[SecretId, ...] = ()
    platform: str | None = None  # "linux/amd64"; None: the builder's own

    def __post_init__(self) -> None:
        for name in self.files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or str(path) != name:
                raise ValueError(f"not a path inside the bundle: {name!r}")

    @property
    def dockerfile(self) -> str:
        return self.files[DOCKERFILE].decode()

    @property
    def digest(self) -> str:
        """``sha256:…`` of names and contents in order."""
        total = hashlib.sha256()
        for name, data in self:
            total.update(f"{len(name.encode())}:{name}:{len(data)}:".encode() + data)
        return "sha256:" + total.hexdigest()

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return iter(sorted(self.files.items()))

    def tar(self) -> bytes:
        """The context as a tar archive: sorted, uid 0, mtime 0, mode 644 (755 for *.sh)."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name, data in self:
                member = tarfile.TarInfo(name)
                member.size = len(data)
                member.mode = 0o755 if name.endswith(".sh") else 0o644
                archive.addfile(member, io.BytesIO(data))
        return buffer.getvalue()

    def write(self, folder: Path) -> None:
        """Writes all files into ``folder``, which is made, or must be empty; all or nothing.

        Raises `OutputError` where it is not empty or cannot be written.
        """
        from .writing import write_folder

        write_folder(folder, self.files)


__all__ = ["DOCKERFILE", "Bundle", "OutputError"]
