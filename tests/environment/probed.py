"""Environments made by hand, and the probe run in them as it is sent: over stdin, by a real interpreter."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from jupyter_dockerize.environment import probe
from jupyter_dockerize.environment.facts import Facts

SOURCE = Path(probe.__file__).read_bytes()


def run(
    *options: str,
    python: str | Path = sys.executable,
    env: Mapping[str, str] | None = None,
    cwd: str | Path = "/",
    before: list[str] | None = None,
    clean: bool = True,
) -> dict[str, Any]:
    """The facts that ``python`` gives with ``env`` added to a nearly empty environment."""
    base = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent"} if clean else dict(os.environ)
    done = subprocess.run(
        [*(before or []), str(python), "-B", "-", *(f"--{option}" for option in options)],
        input=SOURCE,
        capture_output=True,
        env={**base, **(env or {})},
        cwd=cwd,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.isascii()
    assert done.stdout.count(b"\n") == 1
    facts: dict[str, Any] = json.loads(done.stdout)
    msgspec.convert(facts, Facts, strict=True)
    return facts


def folder_facts(folder: Path, *options: str, scope: str = "env") -> tuple[list[Any], list[str], list[Any]]:
    """(distributions, leftovers, faults) of one folder, in this process."""
    faults = probe.Faults()
    found, leftovers = probe.distribution_facts([{"path": str(folder), "scope": scope}], options, faults)
    return found, leftovers, faults.list


def dist_info(folder: Path, name: str, version: str = "1.0", **files: str | bytes) -> Path:
    """A ``dist-info`` as an installer writes it; ``files`` with ``_`` for ``.`` (``direct_url_json``)."""
    made = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    made.mkdir(parents=True)
    everything: dict[str, str | bytes] = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nlong text\nName: no\n",
        "INSTALLER": "pip\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: hatchling 1.2\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": f"{name}/__init__.py,,\n",
        **{key.replace("_json", ".json").replace("_txt", ".txt"): value for key, value in files.items()},
    }
    for file, content in everything.items():
        (made / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    return made


def record_line(path: Path, name: str) -> str:
    digest = urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{path.stat().st_size}"


def by_name(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Distributions by name, the first of each."""
    found: dict[str, Any] = {}
    for fact in facts["pip"]["distributions"]:
        found.setdefault(fact["name"], fact)
    return found
