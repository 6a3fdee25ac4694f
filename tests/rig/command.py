"""The two commands, `up` and `down`: parse, call, print."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import beside, bubblewrap, channel, debian, firewall, images, judges, machine, place, registry
from .docker import Docker
from .engines import DEFAULT, ENGINES, Engine
from .errors import RigError, UnsuitableMachine

NAMES = (*ENGINES, "bubblewrap", "judges", "registry", "roots")


def up(arguments: Sequence[str]) -> int:
    """Start what is asked for and print exports; give the exit code."""
    parser = argparse.ArgumentParser(prog="up", description="Start the test rig and print exports.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME",
        help=f"what to start: {', '.join(NAMES)}; the first engine named becomes DOCKER_HOST. With no name: "
        f"an engine of your own where one answers, else {DEFAULT.name}",
    )  # fmt: skip
    parser.add_argument("--rigs", type=int, default=1, metavar="N", help="how many, one for each worker")
    options = parser.parse_args(arguments)
    names = options.names
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        parser.error(f"nothing is called {', '.join(unknown)} here; there are {', '.join(NAMES)}")
    return _guarded(lambda: _up(names, options.rigs))


def down(arguments: Sequence[str]) -> int:
    """Stop everything that `up` started; give the exit code."""
    parser = argparse.ArgumentParser(prog="down", description="Stop the test rig.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="stop only these; all without a name")
    parser.add_argument("--purge", action="store_true", help="also remove all packages, images and caches")
    options = parser.parse_args(arguments)
    if options.purge and options.names:
        parser.error("--purge removes everything, so it takes no names")
    return _guarded(lambda: _down(options.names, options.purge))


def _up(names: list[str], rigs: int) -> None:
    if not names and _own_engine_answers():
        place.say("your own engine answers and is used; name one to start the rig's")
        print(_lines({"JUPYTER_DOCKERIZE_TEST_ENGINE": "own"}), end="")
        return
    machine.check()
    with place.locked():
        names = names or [DEFAULT.name]
        exports = start(names)
        (place.state() / "env").write_text(_lines(exports))
        others = [os.fspath(beside.up(names, number)) for number in range(1, rigs)]
        lines = _lines(exports | {"JUPYTER_DOCKERIZE_TEST_BESIDE": os.pathsep.join(others)})
    print(lines, end="")


def start(names: list[str]) -> dict[str, str]:
    """Start engines and the registry, make missing base images, and give the variables that tell of them."""
    exports = {place.VARIABLE: os.fspath(place.state())}
    address = registry.up()
    exports["JUPYTER_DOCKERIZE_TEST_REGISTRY"] = address
    engines = [ENGINES[name] for name in names if name in ENGINES]
    if engines:
        # Bases are made by one engine for all.
        firewall.up()
        for engine in dict.fromkeys([DEFAULT, *engines]):
            engine.up(address)
        bases = images.Builder(DEFAULT, address)
        debian.minimal_all()
        for release in debian.RELEASES:
            bases.debian(release)
        bases.python()
        bases.micromamba(channel.up())
        for engine in engines:
            images.forget_stale(_cli(engine) / "docker", engine.socket, address)
        exports |= _engine_exports(engines)
    if "bubblewrap" in names:
        folder = os.fspath(bubblewrap.up())
        exports["PATH"] = os.pathsep.join(filter(None, (exports.get("PATH"), folder)))
    if "judges" in names:
        exports["JUPYTER_DOCKERIZE_TEST_JUDGES"] = os.fspath(judges.up(address))
    if "roots" in names:
        for release in debian.RELEASES:
            debian.with_python(release)
        exports["JUPYTER_DOCKERIZE_TEST_ROOTS"] = os.fspath(place.folder("roots"))
    return exports


def _engine_exports(engines: list[Engine]) -> dict[str, str]:
    first = engines[0]
    exports = {
        "DOCKER_HOST": f"unix://{first.socket}",
        "DOCKER_CONFIG": os.fspath(first.config),
        "JUPYTER_DOCKERIZE_TEST_ENGINE": first.name,
        "PATH": os.fspath(_cli(first)),
    }
    for engine in engines:
        suffix = engine.name.upper().replace("-", "_")
        exports[f"JUPYTER_DOCKERIZE_TEST_ENGINE_{suffix}"] = f"unix://{engine.socket}"
        exports[f"JUPYTER_DOCKERIZE_TEST_CLI_{suffix}"] = os.fspath(_cli(engine) / "docker")
    return exports


def _cli(engine: Engine) -> Path:
    # Podman is spoken to through Docker's own command.
    return engine.cli if isinstance(engine, Docker) else DEFAULT.cli


def _down(names: list[str], purge: bool) -> None:
    parts = {name: engine.down for name, engine in ENGINES.items()}
    parts |= {"channel": channel.down, "judges": judges.down, "registry": registry.down}
    if not names:
        parts["firewall"] = firewall.down
    with place.locked():
        beside.down(*names, *(["--purge"] if purge else []))
        for name, stop in parts.items():
            if not names or name in names:
                stop()
        if purge:
            shutil.rmtree(place.public())
            shutil.rmtree(place.runtime())
            shutil.rmtree(place.state())


def _own_engine_answers() -> bool:
    """Tell whether `docker` reaches an engine that is not the rig's."""
    if os.fspath(place.runtime()) in os.environ.get("DOCKER_HOST", "") or not shutil.which("docker"):
        return False
    try:
        version = ["docker", "version", "--format", "{{.Server.Version}}"]
        return subprocess.run(version, capture_output=True, timeout=20, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _lines(exports: dict[str, str]) -> str:
    """Give the exports for a shell; PATH is put before what the shell has."""
    after = {"PATH": ':"$PATH"'}
    return "".join(
        f"export {key}={shlex.quote(value)}{after.get(key, '')}\n" for key, value in exports.items()
    )


def _guarded(work: Callable[[], None]) -> int:
    try:
        work()
    except UnsuitableMachine as error:
        print(f"rig: {error}", file=sys.stderr)
        return 3
    except RigError as error:
        print(f"rig: {error}", file=sys.stderr)
        return 1
    return 0
