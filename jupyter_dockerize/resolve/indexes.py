"""Which package indexes are asked, in which order, and whether they answer.

An index is bound to the packages that it serves. Private ones (``extra``) come before the default,
and the first that knows a name has the only word on it, so that nobody can put a package
of the same name on a public index and be taken for it ("dependency confusion").
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

import requests

from ..engines.registry import why_silent
from ..environment.model import Index
from ..events import Finding
from .credentials import Access, LoginAuth
from .uv import binary

PYTORCH = "https://download.pytorch.org/whl"
#: Local version labels whose index is public and known, by what PyTorch publishes.
LABELS = {
    label: f"{PYTORCH}/{label}"
    for label in (
        "cpu", "xpu", "cu92", "cu100", "cu101", "cu102", "cu110", "cu111", "cu113", "cu115", "cu116", "cu117",
        "cu118", "cu121", "cu124", "cu126", "cu128", "cu129", "cu130",
    )
}  # fmt: skip
_ROCM = re.compile(r"rocm\d{1,2}\.\d{1,2}(?:\.\d{1,2})?")
SIMPLE = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"


@dataclass(frozen=True, slots=True)
class Indexes:
    """``default`` None: the ecosystem's own. ``labelled`` are configured ones of the known table."""

    default: str | None = None
    extra: tuple[str, ...] = ()
    labelled: tuple[str, ...] = ()

    @property
    def configured(self) -> bool:
        """Whether anything but the ecosystem's own index is configured."""
        return bool(self.default or self.extra or self.labelled)

    def other(self, url: str | None) -> str | None:
        """``url`` where it is another index than the default one."""
        url = (url or "").rstrip("/")
        return url if url and url != (self.default or own_index()) else None


@lru_cache(maxsize=1)
def own_index() -> str:
    """The ecosystem's own index, no slash at its end: the one that uv asks where none is configured."""
    argv = [binary(), "pip", "compile", "--no-config", "--quiet", "--no-header", "--emit-index-url", "-"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    done = subprocess.run(argv, input="", env=environ, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.removeprefix("--index-url").strip().rstrip("/")


def _is_own(url: str) -> bool:
    return urlsplit(url).hostname == urlsplit(own_index()).hostname


def indexes_of(configured: Iterable[Index]) -> Indexes:
    """The indexes that others can reach too; folders of this machine and link pages are left out."""
    default: str | None = None
    extra: list[str] = []
    labelled: list[str] = []
    for index in configured:
        url = index.url.rstrip("/")
        if index.local or index.kind == "find-links" or urlsplit(url).scheme not in ("http", "https"):
            continue
        if url.startswith(f"{PYTORCH}/") or url == PYTORCH:
            labelled.append(url)
        elif index.kind == "index":
            default = default or (None if _is_own(url) else url)
        elif not _is_own(url):
            extra.append(url)
    return Indexes(default, tuple(dict.fromkeys(extra)), tuple(dict.fromkeys(labelled)))


def not_own(configured: Iterable[Index]) -> tuple[Index, ...]:
    """Without the ecosystem's own where it is configured by name: it is asked anyway, and no secret."""
    return tuple(index for index in configured if index.credentials or not _is_own(index.url))


def label_index(version: str) -> str | None:
    """The public index of a local version: ".../whl/cu121" for "2.3.0+cu121", None where unknown."""
    label = version.partition("+")[2]
    if _ROCM.fullmatch(label):
        return f"{PYTORCH}/{label}"
    return LABELS.get(label)


@dataclass(frozen=True, slots=True)
class Trouble:
    """An index that cannot be used now."""

    url: str
    kind: Literal["unreachable", "refused"]
    why: str


def troubles(indexes: Indexes, name: str, access: Access, *, seconds: float = 5.0) -> list[Trouble]:
    """Which of the indexes do not answer the question for the project ``name``; asked at the same time."""
    urls = [indexes.default or own_index(), *indexes.extra]
    found: dict[str, Trouble | None] = {}

    def ask(url: str) -> None:
        found[url] = _trouble(url, name, access, seconds)

    # Daemons: nobody waits for an index that sends a byte now and then, not at the end of the process either.
    threads = [threading.Thread(target=ask, args=(url,), daemon=True) for url in dict.fromkeys(urls)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 2 * seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    late = Trouble("", "unreachable", "it did not answer in time")
    answers = (found.get(url, replace(late, url=url)) for url in urls)
    return [answer for answer in answers if answer]


def _trouble(url: str, name: str, access: Access, seconds: float) -> Trouble | None:
    try:
        with requests.get(
            f"{url}/{name}/",
            headers={"Accept": SIMPLE, "User-Agent": "jupyter-dockerize"},
            auth=LoginAuth(access),
            timeout=seconds,
            stream=True,
            verify=access.ca or True,
        ) as response:
            status = response.status_code
    except (requests.RequestException, OSError, ValueError) as error:
        return Trouble(url, "unreachable", why_silent(error))
    if status in (401, 403):
        return Trouble(url, "refused", f"HTTP status {status}")
    # 404 is an answer: this index does not have the name.
    return Trouble(url, "unreachable", f"HTTP status {status}") if status >= 500 or status == 407 else None


def finding_of(trouble: Trouble, indexes: Indexes) -> Finding:
    """What the user has to know. With a private index missing, nobody can say which package is whose."""
    host = urlsplit(trouble.url).hostname
    if trouble.kind == "refused":
        return Finding(
            "index-refused",
            "error",
            f"the package index {host} refuses ({trouble.why})",
            "give its credentials in ~/.netrc, pip's configuration or PIP_INDEX_URL",
        )
    if indexes.extra:
        return Finding(
            "index-unreachable",
            "error",
            f"the package index {host} does not answer ({trouble.why}), "
            "so it is not known which packages come from which of your indexes",
            "connect to the network that it is in, and try again",
        )
    return Finding(
        "not-locked",
        "warning",
        f"the package index {host} does not answer ({trouble.why}): versions are pinned, but without hashes",
        "make the recipe again when the index can be reached",
    )


__all__ = [
    "LABELS",
    "PYTORCH",
    "Indexes",
    "Trouble",
    "finding_of",
    "indexes_of",
    "label_index",
    "not_own",
    "troubles",
]
