"""A real conda environment where no conda channel can be reached.

This interpreter and some wheels become conda packages in a channel of the rig's, and rattler (the
solver and installer behind pixi) makes the environment from it: conda-meta records, URLs, hashes,
noarch entry points and prefix replacement are genuine. Two things are not as conda writes them and
need golden records made by hand: conda-meta/history stays empty, and a record's `channel` carries
no subdir.

    records = create_prefix(prefix, ["python", "pip", "six"], [wheels / "six-1.17.0-py2.py3-none-any.whl"])
"""

from __future__ import annotations

import asyncio
import ensurepip
import fcntl
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from . import conda_channel, machine, place
from .errors import RigError

REQUIREMENTS = ("py-rattler==0.28.0", "backports.zstd; python_version < '3.14'")


def create_prefix(prefix: Path, specs: Sequence[str], wheels: Iterable[Path] = ()) -> list[dict[str, Any]]:
    """Make a conda environment from match specs; give each package's record as repodata has it, and its url.

    The channel has this interpreter as `python`, pip and setuptools, and the wheels that are given
    here or were before; a wheel's name on PyPI is its package's name.
    """
    return _records(prefix, specs, wheels)


def solve(specs: Sequence[str], wheels: Iterable[Path] = ()) -> list[dict[str, Any]]:
    """Give the records that `create_prefix` gives, without an environment: for others to install."""
    return _records(None, specs, wheels)


def _records(prefix: Path | None, specs: Sequence[str], wheels: Iterable[Path]) -> list[dict[str, Any]]:
    # In a process of its own: rattler was once seen to crash at exit.
    order = {
        "prefix": prefix and os.fspath(prefix),
        "specs": list(specs),
        "wheels": [os.fspath(wheel) for wheel in wheels],
    }
    records: list[dict[str, Any]] = json.loads(_in_own_process(order))["records"]
    return records


def prepare_channel() -> Path:
    """Make the channel, with python, pip and setuptools, unless it is there; give its folder's parent."""
    if not (channels() / conda_channel.NAME / "noarch" / "repodata.json").is_file():
        solve([])
    return channels()


def explicit(records: Iterable[dict[str, Any]], digest: str = "sha256") -> str:
    """Give the explicit list of an environment, the format that conda-family tools install from."""
    # What is installed later may link into what came earlier: python first.
    ordered = sorted(records, key=lambda record: record["name"] != "python")
    return "@EXPLICIT\n" + "".join(f"{record['url']}#{record[digest]}\n" for record in ordered)


def channels() -> Path:
    """Give the folder that is served, with the channel in it."""
    return place.folder("channels")


def venv_python() -> Path:
    """Give the Python of the rig's own virtual environment, which has rattler."""
    home = place.state() / "venv"
    python = home / "bin" / "python"
    stamp = home / "requirements"
    wanted = "\n".join([sys.base_prefix, *REQUIREMENTS])
    if not (stamp.is_file() and stamp.read_text() == wanted):
        place.say("installing rattler into the rig's own virtual environment")
        machine.run([sys.executable, "-m", "venv", "--clear", home])
        machine.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS])
        stamp.write_text(wanted)
    return python


def _in_own_process(order: dict[str, Any]) -> str:
    with open(place.folder() / "channels.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Found by its own path, whatever the caller's folder holds and however the caller imported it.
        program = f"import sys; sys.path.insert(0, {os.fspath(Path(__file__).parents[1])!r}); "
        program += "from rig import conda_env; conda_env.main()"
        done = subprocess.run(
            [venv_python(), "-c", program],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, place.VARIABLE: os.fspath(place.state())},
        )
    if done.returncode or not done.stdout:
        tail = "\n    ".join(done.stderr.strip().splitlines()[-15:])
        raise RigError(f"making a conda environment ended with {done.returncode}:\n    {tail}")
    return done.stdout


def main() -> None:
    """Carry out one order, JSON from stdin to stdout."""
    order = json.load(sys.stdin)
    channel = channels() / conda_channel.NAME
    conda_channel.add_python(channel)
    bundled = sorted(Path(ensurepip.__file__).parent.glob("_bundled/*.whl"))
    for wheel in [*bundled, *map(Path, order["wheels"])]:
        conda_channel.add_wheel(channel, wheel)
    prefix = order["prefix"] and Path(order["prefix"])
    print(json.dumps({"records": asyncio.run(_create(prefix, order["specs"]))}), flush=True)


async def _create(prefix: Path | None, specs: list[str]) -> list[dict[str, Any]]:
    import rattler
    from rattler.index import index_fs
    from rattler.networking import Client
    from rattler.networking.middleware import MirrorMiddleware

    await index_fs(channels() / conda_channel.NAME, write_zst=False, write_shards=False)
    if not specs:
        return []
    server = conda_channel.server(channels())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    mirror = f"http://127.0.0.1:{server.server_port}/{conda_channel.NAME}"
    client = Client([MirrorMiddleware({conda_channel.URL: [mirror]})])
    matches = [rattler.MatchSpec(spec) for spec in specs]
    # No lasting cache of repodata: the channel grows from one call to the next.
    with tempfile.TemporaryDirectory() as cache:
        records = await rattler.solve(
            [rattler.Channel(conda_channel.URL)],
            matches,
            gateway=rattler.Gateway(cache_dir=cache, client=client),
            platforms=["linux-64", "noarch"],
            virtual_packages=rattler.VirtualPackage.detect(),
        )
    if prefix:
        await rattler.install(
            records,
            prefix,
            cache_dir=place.folder("channels-packages"),
            client=client,
            show_progress=False,
            # rattler 0.28.0 takes the inner objects only.
            requested_specs=[match._match_spec for match in matches],
        )
    server.shutdown()
    return [_plain(record) for record in records]


def _plain(record: Any) -> dict[str, Any]:
    return {
        "name": record.name.normalized,
        "version": str(record.version),
        "build": str(record.build),
        "subdir": str(record.subdir),
        "depends": [str(depend) for depend in record.depends],
        "fn": record.file_name,
        "url": record.url,
        "md5": record.md5.hex(),
        "sha256": record.sha256.hex(),
        "size": record.size,
    }


if __name__ == "__main__":
    main()
