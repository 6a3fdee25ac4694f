"""The base images: made once, kept in the rig's registry under the names that users know."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

from . import conda_env, debian, interpreter, machine, place, registry
from .docker import Docker
from .errors import RigError

HERE = Path(__file__).parent / "bases"
# The release that the double answers to; nothing of it is in there.
MICROMAMBA = "2.5.0"
REPOSITORIES = ("library/debian", "library/python", "mambaorg/micromamba")


def forget_stale(docker: Path, socket: Path, address: str) -> None:
    """Remove bases that were made anew since the engine pulled them: it would go on with the old."""
    client = [docker, "--host", f"unix://{socket}", "image"]
    rows = machine.run([*client, "ls", "--digests", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}"])
    for name, tag, digest in map(str.split, rows.splitlines()):
        repository = name.removeprefix("docker.io/")
        repository = repository if "/" in repository else f"library/{repository}"
        made = registry.digest(address, repository, tag) if repository in REPOSITORIES else None
        if made and digest not in (made, "<none>"):
            machine.run([*client, "rm", "--force", f"{name}:{tag}"])


class Builder:
    """Makes images on one engine and pushes them to the registry."""

    def __init__(self, engine: Docker, address: str) -> None:
        self._address = address
        self._docker = engine.cli / "docker"
        self._env = {
            **os.environ,
            "DOCKER_HOST": f"unix://{engine.socket}",
            "DOCKER_CONFIG": os.fspath(engine.config),
            "DOCKER_BUILDKIT": "1",
        }
        self._env.pop("DOCKER_CONTEXT", None)

    def debian(self, release: str) -> None:
        """Make debian:RELEASE-slim."""
        repository, tag = "library/debian", f"{release}-slim"
        if registry.has(self._address, repository, tag):
            return
        root = debian.minimal(release)
        place.say(f"making debian:{tag}")
        name = f"{self._address}/{repository}:{tag}"
        with subprocess.Popen(
            ["tar", "--create", "--numeric-owner", "--sort=name", f"--directory={root}", "."],
            stdout=subprocess.PIPE,
        ) as tar:
            subprocess.run(
                [
                    self._docker, "import", "--change", f"ENV PATH={machine.PATH}",
                    "--change", 'CMD ["bash"]', "-", name,
                ],
                stdin=tar.stdout, stdout=subprocess.DEVNULL, env=self._env, check=True,
            )  # fmt: skip
        if tar.returncode:
            raise RigError(f"tar of {root} ended with {tar.returncode}; is the disk full?")
        self._push(name)

    def python(self) -> None:
        """Make python:VERSION-slim-RELEASE from the interpreter that runs this, on this machine's Debian."""
        interpreter.check()
        release = machine.codename()
        self.debian(release)

        def context(folder: Path) -> None:
            interpreter.write_tar(folder / "usr-local.tar", "/usr/local")

        self._build(
            "python",
            "library/python",
            [f"{version}-slim-{release}" for version in (interpreter.VERSION, interpreter.SHORT)],
            {"DEBIAN": release, "VERSION": interpreter.VERSION},
            context,
            # Asked for only when there is something to build: it takes a second.
            lambda: {"LIBRARIES": " ".join(interpreter.libraries())},
        )

    def micromamba(self, channel: str) -> None:
        """Make mambaorg/micromamba, a double of the binary that fetches from the rig's channel."""
        interpreter.check()
        release = machine.codename()
        self.debian(release)

        def context(folder: Path) -> None:
            target = folder / "rattler.tar"
            interpreter.write_tar(target, "/opt/rattler", extra=())
            site = Path("lib", f"python{interpreter.SHORT}", "site-packages")
            with tarfile.open(target, "a") as tar:
                tar.add(conda_env.venv_python().parents[1] / site / "rattler", os.fspath(site / "rattler"))

        debian_number = machine.os_release()["VERSION_ID"]
        self._build(
            "micromamba",
            "mambaorg/micromamba",
            [f"{MICROMAMBA}-debian{debian_number}-slim", f"debian{debian_number}-slim", MICROMAMBA, "latest"],
            {"DEBIAN": release, "VERSION": MICROMAMBA, "CHANNEL": channel},
            context,
        )

    def _build(
        self,
        source: str,
        repository: str,
        tags: list[str],
        arguments: Mapping[str, str],
        context: Callable[[Path], None],
        late_arguments: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Build a folder of `bases/` unless the registry holds what was made from the same inputs."""
        files = sorted(path for path in (HERE / source).rglob("*") if path.is_file())
        digest = hashlib.sha256(repr(sorted(arguments.items())).encode())
        for path in files:
            digest.update(path.read_bytes())
        made_from = place.folder("images") / f"{source}.inputs"
        same = made_from.is_file() and made_from.read_text() == digest.hexdigest()
        if same and all(registry.has(self._address, repository, tag) for tag in tags):
            return
        place.say(f"making {repository.removeprefix('library/')}:{tags[0]}")
        folder = place.state() / "images" / f"{source}.context"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(HERE / source, folder)
        context(folder)
        names = [f"{self._address}/{repository}:{tag}" for tag in tags]
        given = {**arguments, **late_arguments()}
        machine.run(
            [
                self._docker, "build", "--progress=plain",
                *(part for name in names for part in ("--tag", name)),
                *(part for key, value in given.items() for part in ("--build-arg", f"{key}={value}")),
                folder,
            ],
            env=self._env,
            log=place.folder("log") / f"build-{source}.log",
        )  # fmt: skip
        for name in names:
            self._push(name)
        shutil.rmtree(folder)
        made_from.write_text(digest.hexdigest())

    def _push(self, name: str) -> None:
        machine.run([self._docker, "push", "--quiet", name], env=self._env)
