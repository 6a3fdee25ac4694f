"""The product where it is not installed: in another root file system, as another user, with other mounts.

Each program runs in a mount namespace of its own (unshare(1)): nothing of it outlives the program.
"""

from __future__ import annotations

import os
import shlex
import shutil
import site
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

import jupyter_dockerize

from .commandline import LIMIT, Run, environment

PROJECT = Path(jupyter_dockerize.__file__).parents[1]
PACKAGES = Path(site.getsitepackages()[0]).relative_to(sys.prefix)
# Not by PYTHONPATH: that would be the environment's, too.
_MAIN = "import sys; sys.path[1:1] = {!r}; from jupyter_dockerize.__main__ import main; sys.exit(main())"


@dataclass(frozen=True)
class Elsewhere:
    """This interpreter and the product, below ``folder`` of ``root``, readable by everybody.

    ``mounts`` are lines of a shell, run before; ``uid`` is who the program runs as.
    """

    folder: Path
    root: Path = Path("/")
    uid: int = 0
    mounts: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        """The interpreter: at its own path, which its libraries are looked for by."""
        return Path(sys.base_prefix, "bin/python{}.{}".format(*sys.version_info[:2]))

    def outside(self, path: Path) -> Path:
        """Where a path of the inside is outside."""
        return self.root / path.relative_to("/")

    def run(self, *argv: str | Path) -> Run:
        """A program, with no engine on its path."""
        become = ["chroot", str(self.root)] if self.root != Path("/") else []
        if self.uid:
            become += ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
        script = "\n".join(["set -e", *self._bound(), self.mounts, 'exec "$@"'])
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", *become, *map(str, argv)],
            env=self._variables(),
            cwd="/",
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )
        return Run(done.returncode, done.stdout.decode(), done.stderr.decode())

    def _bound(self) -> Iterator[str]:
        """Lines of a shell: the product in our folder, the interpreter at its own path."""
        base = Path(sys.base_prefix)
        for name, here in {"python": base, "venv": Path(sys.prefix), "project": PROJECT}.items():
            yield _bind(here, self.outside(self.folder / name))
        # A home that nobody else may enter: as if the interpreter lay alone in it.
        parents = [self.outside(parent) for parent in base.parents]
        closed = [each for each in parents if each.exists() and not each.stat().st_mode & stat.S_IXOTH]
        if closed:
            yield f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(closed[-1]))}"
        if closed or self.root != Path("/"):
            yield _bind(self.outside(self.folder / "python"), self.outside(base))

    def cli(self, *words: str | Path) -> Run:
        """``jupyter dockerize WORDS``."""
        path = [str(self.folder / "project"), str(self.folder / "venv" / PACKAGES)]
        return self.run(self.python, "-c", _MAIN.format(path), *words)

    def uv(self, *words: str | Path) -> None:
        """What uv makes for everybody."""
        done = replace(self, uid=0).run(self.folder / "venv/bin/uv", *words, "--quiet", "--no-cache")
        assert done.status == 0, done.stderr

    def venv(self, folder: Path, *packages: str) -> Path:
        """The interpreter of a new environment with these packages."""
        self.uv("venv", "--python", self.python, folder)
        if packages:
            self.uv("pip", "install", "--python", folder / "bin/python", *packages)
        return folder / "bin/python"

    def _variables(self) -> dict[str, str]:
        kept = {k: v for k, v in environment().items() if k.startswith(("UV_", "SSL_", "JUPYTER_CONFIG"))}
        return {
            **kept,
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(self.folder / "home"),
            "LANG": "C.UTF-8",
            **self.environ,
        }


def elsewhere(folder: Path, **more: object) -> Elsewhere:
    """Below ``folder``, as it is seen from inside; skips where nothing can be mounted."""
    if os.geteuid() or not shutil.which("unshare"):
        pytest.skip("mounting needs root and unshare")
    made = Elsewhere(folder, **more)  # type: ignore[arg-type]
    home = made.outside(folder / "home")
    home.mkdir(parents=True)
    home.chmod(0o777)
    return made


def _bind(here: Path, there: Path) -> str:
    place = shlex.quote(str(there))
    return f"mkdir -p {place}; mount --bind {shlex.quote(str(here))} {place}"
