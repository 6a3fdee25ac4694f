"""Secrets in what is copied: cut where installers wrote them, searched for where nobody else has looked."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...environment import probe as untyped
from ...environment.project.secrets import SCAN_LIMIT, scan_file
from ...events import Finding
from ..tar import Member

probe: Any = untyped  # one file for every Python, without types

# Where pip, uv, conda and others keep indexes with their logins, inside of a prefix.
CONFIGURATION = frozenset(
    {"pip.conf", "pip.ini", "uv.toml", ".condarc", "condarc", "condarc.d", ".pip", "pydistutils.cfg"}
)
_LIMIT = 16 << 20  # bytes of one record that is parsed


def cut(members: dict[str, Member]) -> None:
    """Takes logins and tokens out of the URLs that installs were made from, and mends RECORD for it.

    PEP 610 (direct_url.json), and conda-meta/*.json. Of conda-meta/history its name alone stays, by which
    conda knows an environment: it holds every command that was typed, with its date.
    """
    for path in list(members):
        name = path.rpartition("/")[2]
        if path.endswith("/conda-meta/history"):
            members[path] = replace(members[path], data=b"", size=0, source=None)
        elif name == "direct_url.json" or (name.endswith(".json") and "/conda-meta/" in f"/{path}"):
            member = members[path]
            data = _clean(_read(member))
            if data is not None:
                members[path] = replace(member, data=data, size=len(data), source=None)
                _mend_record(path, data, members)


def search(
    members: Mapping[str, Member], trusted: Collection[str], groups: Mapping[str, str]
) -> tuple[Finding, ...]:
    """`secret-in-file` for what comes from no index and no channel; ``trusted`` are the packages that do."""
    found: list[Finding] = []
    for path, member in members.items():
        if member.kind != "file" or not 0 < member.size <= SCAN_LIMIT or path.endswith((".pyc", ".so")):
            continue
        if groups.get(path) not in trusted:
            found += scan_file(_read(member), f"/{path}")
    return tuple(found)


def _read(member: Member) -> bytes:
    if member.data is not None:
        return member.data
    try:
        return Path(member.source or "").read_bytes() if member.size <= _LIMIT else b""
    except OSError:
        return b""


def _clean(data: bytes) -> bytes | None:
    """The JSON with its URLs redacted, None where there is nothing to redact."""
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not any(probe.has_credentials(text) for text in _urls(plain)):
        return None
    return json.dumps(_redacted(plain), indent=1).encode()


def _urls(value: Any) -> Iterator[str]:
    if isinstance(value, str) and "://" in value:
        yield value
    elif isinstance(value, (list, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _urls(each)


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return probe.redact_url(value) if "://" in value and probe.has_credentials(value) else value
    if isinstance(value, list):
        return [_redacted(each) for each in value]
    if isinstance(value, dict):
        return {key: _redacted(each) for key, each in value.items()}
    return value


def _mend_record(path: str, data: bytes, members: dict[str, Member]) -> None:
    """> RECORD: path, sha256=urlsafe-base64-nopad, size."""
    folder = path.rpartition("/")[0]
    record = members.get(f"{folder}/RECORD")
    if record is None:
        return
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    short = "/".join(path.split("/")[-2:])
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    for row in csv.reader(io.StringIO(_read(record).decode("utf-8", "surrogateescape"), newline="")):
        writer.writerow([short, f"sha256={digest}", str(len(data))] if row and row[0] == short else row)
    text = out.getvalue().encode("utf-8", "surrogateescape")
    members[record.path] = replace(record, data=text, size=len(text), source=None)


__all__ = ["CONFIGURATION", "cut", "search"]
