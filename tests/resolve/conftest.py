"""A real virtual environment with a package of every origin, made once by uv."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from jupyter_dockerize.environment.model import Packages, PipPackage, Python, Snapshot, Source, System
from jupyter_dockerize.environment.plan.planning import Plan
from jupyter_dockerize.recipe.resolution import Base
from jupyter_dockerize.resolve.uv import binary

FLAT = {
    "pyproject.toml": """
[build-system]
requires = ["setuptools>=75"]
build-backend = "setuptools.build_meta"
[project]
name = "flat-demo"
version = "0.3"
dependencies = ["six"]
[project.scripts]
flat-hello = "flat_demo:hello"
[tool.setuptools]
packages = ["flat_demo", "flat_demo.sub"]
py-modules = ["flat_single"]
script-files = ["tool.py"]
[tool.setuptools.package-data]
flat_demo = ["*.txt"]
""",
    "tool.py": "#!/usr/bin/env python\nimport flat_demo\nprint('tool', flat_demo.hello())\n",
    "flat_demo/__init__.py": "def hello():\n    print('hello from flat')\n    return 0\n",
    "flat_demo/words.txt": "alpha\n",
    "flat_demo/sub/__init__.py": "VALUE = 7\n",
    "flat_demo/.env": "TOKEN=not-for-anybody\n",
    "flat_single.py": "ONE = 1\n",
    "tests/test_it.py": "",
    ".gitignore": "flat_demo/_version.py\nflat_demo/settings_local.py\n",
}
HATCH = {
    "pyproject.toml": """
[build-system]
requires = ["hatchling>=1.26"]
build-backend = "hatchling.build"
[project]
name = "Hatch.Demo"
version = "1.0rc1"
""",
    "src/hatch_demo/__init__.py": "NAME = 'hatch'\n",
    "src/hatch_demo/deep/data.json": "{}\n",
}
LOCAL = {
    "pyproject.toml": HATCH["pyproject.toml"].replace("Hatch.Demo", "local-demo").replace("1.0rc1", "2.1"),
    "src/local_demo/__init__.py": "NAME = 'local'\n",
}
VCS = {
    "pyproject.toml": HATCH["pyproject.toml"].replace("Hatch.Demo", "vcs-demo").replace("1.0rc1", "0.0.7"),
    "src/vcs_demo/__init__.py": "NAME = 'vcs'\n",
}


@dataclass(frozen=True)
class Environment:
    """The virtual environment, its projects, and its snapshot as a plan sees it."""

    prefix: Path
    projects: Path
    packages: tuple[PipPackage, ...]

    @property
    def python(self) -> Path:
        return self.prefix / "bin" / "python"

    def package(self, name: str) -> PipPackage:
        return next(p for p in self.packages if p.name == name)

    def snapshot(self) -> Snapshot:
        return Snapshot(
            system=here(),
            python=Python(
                implementation="cpython",
                version=".".join(map(str, sys.version_info[:3])),
                prefix=str(self.prefix),
            ),
            packages=Packages(pip=self.packages),
        )


def here() -> System:
    name, version = os.confstr("CS_GNU_LIBC_VERSION").split()
    arch = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    return System(os="linux", arch=arch, libc=f"{name} {version}")


def plan_of(snapshot: Snapshot, **changes: object) -> Plan:
    fields: dict[str, object] = {
        "source": snapshot.fingerprint,
        "platform": f"linux/{snapshot.system.arch}",
        "foreign": False,
        "system": snapshot.system,
        "python": snapshot.python,
        "packages": snapshot.packages,
        "server": "own",
        "indexes": snapshot.indexes,
    }
    return Plan(**(fields | changes))  # type: ignore[arg-type]


BASE = Base(ref="python:3.11-slim-bookworm", kind="python", reason="a test", codename="bookworm")


def run(*argv: object, **environ: str) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_INDEX", "UV_INDEX"))}
    done = subprocess.run(
        [str(a) for a in argv], capture_output=True, text=True, env=clean | environ, cwd="/", timeout=300
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def commit(folder: Path) -> None:
    git = [
        "git",
        "-C",
        folder,
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@example.org",
        "-c",
        "commit.gpgsign=false",
    ]
    run("git", "init", "-q", folder)
    run(*git, "add", "-A", "-f", ".")
    run(*git, "rm", "-q", "--cached", "--ignore-unmatch", "flat_demo/.env")
    run(*git, "commit", "-q", "-m", "first")


def packages_of(prefix: Path) -> tuple[PipPackage, ...]:
    """What interpreting the probe's facts gives for them: origin, tags, metadata folder."""
    purelib = next(prefix.glob("lib/python3*/site-packages"))
    found = []
    for info in sorted(purelib.glob("*.dist-info")):
        name, version = info.name.removesuffix(".dist-info").split("-", 1)
        tags = [
            line.removeprefix("Tag: ")
            for line in (info / "WHEEL").read_text().splitlines()
            if line.startswith("Tag: ")
        ]
        source, location = Source(kind="index"), None
        if (info / "direct_url.json").exists():
            direct = json.loads((info / "direct_url.json").read_text())
            if direct.get("dir_info", {}).get("editable"):
                source, location = (
                    Source(kind="editable", url=direct["url"]),
                    direct["url"].removeprefix("file://"),
                )
            else:
                source = Source(kind="vcs" if "vcs_info" in direct else "local", url=direct["url"])
        found.append(
            PipPackage(
                name=name.lower().replace("_", "-").replace(".", "-"),
                version=version,
                source=source,
                tags=tuple(tags),
                pure=all(tag.endswith("-none-any") for tag in tags),
                built_locally=any("-linux_" in tag for tag in tags),
                dist_info=str(info),
                location=location,
            )
        )
    return tuple(found)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    projects = tmp_path_factory.mktemp("projects")
    prefix = tmp_path_factory.mktemp("environment") / "venv"
    uv = binary()
    run(uv, "venv", "-q", "--python", sys.executable, prefix)
    # Copies: with hard links, what is changed below would change in the cache of uv too.
    install = [
        uv,
        "pip",
        "install",
        "-q",
        "--no-config",
        "--link-mode=copy",
        "--python",
        prefix / "bin" / "python",
    ]

    write(projects / "flat", FLAT)
    commit(projects / "flat")
    write(projects / "hatch", HATCH)
    write(projects / "local", LOCAL)
    write(projects / "vcs", VCS)
    commit(projects / "vcs")
    run(uv, "build", "-q", "--no-config", "--wheel", "--out-dir", projects / "wheels", projects / "local")
    run(*install, "six==1.16.0", "-e", projects / "flat", "-e", projects / "hatch")
    run(*install, *(projects / "wheels").glob("*.whl"), f"vcs-demo @ git+file://{projects / 'vcs'}")
    run(*install, "--no-binary", "markupsafe", "markupsafe==3.0.2", "humanize==4.9.0")
    # A version that was there when it was installed, and that the index no longer has.
    purelib = Path(sysconfig.get_path("purelib", vars={"base": str(prefix)}))
    gone = purelib / "six-1.16.99.dist-info"
    shutil.move(purelib / "six-1.16.0.dist-info", gone)
    metadata = (gone / "METADATA").read_text()
    (gone / "METADATA").write_text(metadata.replace("Version: 1.16.0", "Version: 1.16.99"))
    record = (gone / "RECORD").read_text()
    (gone / "RECORD").write_text(record.replace("six-1.16.0.dist-info", "six-1.16.99.dist-info"))
    # What builds leave in a source tree and git ignores, and what people keep there.
    write(
        projects / "flat",
        {
            "flat_demo/_version.py": "V = '0.3'\n",
            "flat_demo/settings_local.py": "X = 1\n",
            "flat_demo/new.py": "",
        },
    )
    return Environment(prefix, projects, packages_of(prefix))
