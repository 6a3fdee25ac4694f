"""Where the builtin engine keeps its images, and how many bytes of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ... import config
from ...errors import UsageError

STORE = "JUPYTER_DOCKERIZE_STORE"
QUOTA = "JUPYTER_DOCKERIZE_QUOTA"
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kKMGT]?)(?:i?B?|b)\s*")
_UNITS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@dataclass(frozen=True, slots=True)
class Settings:
    """``quota`` in bytes, 0 for none."""

    store: Path
    quota: int = 0

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Settings:
        """By the environment's variables, else the configuration. Raises `UsageError` where one is wrong."""
        configured = config.load()
        store, quota = environ.get(STORE) or configured.store, environ.get(QUOTA) or configured.quota
        return cls(Path(store).expanduser().absolute() if store else _default(), size_of(quota or "0"))


def _default() -> Path:
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "dockerize" / "images"


def size_of(text: str) -> int:
    """Bytes: "2G", "500 MB", "1000". Raises `UsageError`."""
    read = _SIZE.fullmatch(text)
    if not read:
        raise UsageError(f"not a size: {text[:80]!r}", fix="write it like 500M or 20G")
    return int(float(read[1]) * _UNITS[read[2]])


__all__ = ["QUOTA", "STORE", "Settings", "size_of"]
