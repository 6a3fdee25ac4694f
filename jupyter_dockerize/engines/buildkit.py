"""Builds with BuildKit, through the docker CLI: the Engine API alone has no way to speak to it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..cancel import Cancel
from ..errors import BuildError, EngineError
from ..events import Report
from ..recipe.bundle import DOCKERFILE, Bundle
from ..recipe.steps import BUILDKIT, Feature
from .buildkit_output import Output, Plain, RawJson
from .endpoint import Endpoint
from .explain import explain, status_in
from .process import run
from .progress import Narrator
from .proxies import proxies

LARGEST_SECRET = 500 << 10  # bytes; BuildKit refuses more (session/secrets, MaxSecretSize)
_GONE = re.compile(
    r"cannot connect to the docker daemon|error during connect|transport is closing|code = unavailable"
    r"|error reading from server|connection reset by peer|graceful_stop|unexpected eof",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cli:
    """A docker CLI that can speak to BuildKit, by its buildx plugin or (before 23) by itself."""

    path: str
    buildx: tuple[int, ...] | None
    version: tuple[int, ...]

    features: frozenset[Feature] = BUILDKIT

    @classmethod
    def find(cls, endpoint: Endpoint, environ: Mapping[str, str]) -> Cli | None:
        """The CLI on PATH; None where there is none, or none that can use BuildKit."""
        path = shutil.which("docker", path=environ.get("PATH"))
        if path is None:
            return None
        environment = endpoint.cli_environment(environ)
        said = _ask([path, "--version"], environment)
        found = re.match(r"Docker version (\d+)\.(\d+)", said)
        if not found:
            return None  # podman-docker, or something else of that name
        version = (int(found[1]), int(found[2]))
        plugin = re.search(r"\bv?(\d+)\.(\d+)\.(\d+)", _ask([path, "buildx", "version"], environment))
        buildx = tuple(int(part) for part in plugin.groups()) if plugin else None
        # Docker 23 made buildx the only client of BuildKit; without it `docker build` is classic.
        return cls(path=path, buildx=buildx, version=version) if buildx or version < (23, 0) else None

    def __str__(self) -> str:
        if self.buildx:
            return f"buildx {'.'.join(map(str, self.buildx))}"
        return f"BuildKit in docker {'.'.join(map(str, self.version))}"

    def build(
        self,
        endpoint: Endpoint,
        environ: Mapping[str, str],
        bundle: Bundle,
        tag: str,
        *,
        secrets: Mapping[str, bytes],
        report: Report,
        cancel: Cancel,
        pull: bool,
    ) -> None:
        """Builds into the engine's own store as ``tag``. Raises what `Engine.build` does."""
        passed = proxies(environ)
        environment = endpoint.cli_environment(environ) | passed
        with _secret_files(secrets) as files:
            argv = self._argv(bundle, tag, files, passed, pull=pull)
            if not self.buildx:
                environment["DOCKER_BUILDKIT"] = "1"
            narrator = Narrator(report)
            output: Output = RawJson(narrator) if "rawjson" in argv else Plain(narrator)
            status = run(argv, environment, bundle.tar(), output.line, cancel)
        narrator.end()
        cancel.check()
        if status != 0:
            raise _failure(output, narrator, status)

    def _argv(
        self, bundle: Bundle, tag: str, secrets: Mapping[str, Path], proxies: Mapping[str, str], *, pull: bool
    ) -> list[str]:
        if self.buildx:
            # The engine's own builder, whatever `docker buildx use` says: the image is needed in its store.
            argv = [self.path, "buildx", "build", "--builder", "default", "--load"]
            argv += ["--progress", "rawjson" if self.buildx >= (0, 13) else "plain"]
            if self.buildx >= (0, 10):
                argv += ["--provenance=false", "--sbom=false"]
        else:
            argv = [self.path, "build", "--progress", "plain"]
        argv += ["--tag", tag, "--file", DOCKERFILE]
        if pull:
            argv.append("--pull")
        if bundle.platform:
            argv += ["--platform", bundle.platform]
        for name, path in secrets.items():
            argv += ["--secret", f"id={name},src={path}"]
        for name in proxies:
            argv += ["--build-arg", name]  # the value comes from the environment, never from argv
        return [*argv, "-"]


@contextlib.contextmanager
def _secret_files(secrets: Mapping[str, bytes]) -> Iterator[dict[str, Path]]:
    """Files that the CLI can read the secrets from.

    On Linux they live in memory and end with this process, however it ends; elsewhere in a private
    folder, until the build is over.
    """
    for name, data in secrets.items():
        if len(data) > LARGEST_SECRET:
            raise EngineError(
                f"the secret {name!r} is too large for a build",
                why=f"it has {len(data):,} bytes, BuildKit takes {LARGEST_SECRET:,}",
                fix="use a CA bundle that holds only the certificates that are needed",
            )
    with contextlib.ExitStack() as stack:
        files: dict[str, Path] = {}
        folder: Path | None = None
        for name, data in secrets.items():
            if sys.platform == "linux":
                descriptor = os.memfd_create(f"secret-{name}", os.MFD_CLOEXEC)
                stack.callback(os.close, descriptor)
                with os.fdopen(os.dup(descriptor), "wb") as file:
                    file.write(data)
                files[name] = Path(f"/proc/{os.getpid()}/fd/{descriptor}")
            else:
                if folder is None:
                    made = tempfile.TemporaryDirectory(prefix="jupyter-dockerize-")  # mode 700
                    folder = Path(stack.enter_context(made))
                path = folder / name
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(data)
                files[name] = path
        yield files


def _ask(argv: list[str], environment: Mapping[str, str]) -> str:
    """stdout of a short question to the CLI, "" where it has no answer."""
    try:
        done = subprocess.run(
            argv, env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace") if done.returncode == 0 else ""


def _failure(output: Output, narrator: Narrator, status: int) -> EngineError:
    log = narrator.tail(output.failed)
    words = [*log, *output.errors]
    last = _last_words(output.errors)
    if _GONE.search("\n".join(output.errors)):
        return EngineError(
            "the engine went away during the build",
            why=last,
            fix="see `jupyter dockerize engines` for whether it is back, then build again",
        )
    name = narrator.name(output.failed)
    what = f"the build failed at: {name}" if name else "the build failed"
    known = explain(words)
    if known:
        return BuildError(
            what,
            why=known.why,
            fix=known.fix,
            log=log or list(output.errors),
            status=status_in(output.errors),
        )
    return BuildError(
        what,
        why=last or f"docker ended with status {status}",
        fix="the log above says more",
        log=log or words,
        status=status_in(output.errors),
    )


def _last_words(errors: deque[str]) -> str:
    """The line that says most: BuildKit repeats its error behind "failed to solve"."""
    for line in reversed(errors):
        if "failed to solve" in line or line.startswith("ERROR"):
            return line.removeprefix("ERROR: ")
    return errors[-1] if errors else ""
