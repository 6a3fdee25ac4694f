"""A genuine conda prefix with pip over it, copied: the environment, not what conda has beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.validate.layout import validate
from tests.rig import conda_env

from ..archives import files
from ..judges import accepted
from .conftest import CLI, in_image, run, verified

pytestmark = [pytest.mark.engine, pytest.mark.rig, pytest.mark.timeout(1200)]

REF = "jd-test/conda:copy"
CONDA = ("six==1.16.0", "idna==3.6")
CANARY = "tk-8e1c5a90-canary-4b7d"


@dataclass(frozen=True)
class Copied:
    prefix: Path
    archive: Path
    said: Any


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copied]:
    place = tmp_path_factory.mktemp("conda")
    prefix, archive = place / "opt/conda", place / "image.tar"
    run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", place / "wheels", *CONDA)
    names = [spec.replace("==", "=") for spec in CONDA]
    conda_env.create_prefix(prefix, ["python", "pip", *names], sorted((place / "wheels").glob("*.whl")))
    run(prefix / "bin/python", "-m", "pip", "install", "--quiet", "idna==3.7", "ipykernel")
    _used(prefix)
    said = run(
        *CLI,
        "build",
        "-t",
        REF,
        "--python",
        prefix / "bin/python",
        "--method",
        "copy",
        "-o",
        archive,
        "--json",
    )
    run("docker", "load", "--quiet", "--input", archive)
    yield Copied(prefix, archive, json.loads(said))
    run("docker", "rmi", "--force", REF)


def _used(prefix: Path) -> None:
    """What a base prefix holds after some use: caches, another environment, commands and logins."""
    for path in ("pkgs/six-1.16.0/info/index.json", "envs/other/bin/python"):
        (prefix / path).parent.mkdir(parents=True)
        (prefix / path).write_text(CANARY)
    history = f"==> 2026-01-01 00:00:00 <==\n# cmd: conda install -c https://h.example/t/{CANARY}/c six\n"
    (prefix / "conda-meta/history").write_text(history)
    (prefix / "conda-meta/state").write_text(json.dumps({"env_vars": {"API_TOKEN": CANARY}}))
    (prefix / ".condarc").write_text(f"channels:\n  - https://h.example/t/{CANARY}/c\n")
    [record] = (prefix / "conda-meta").glob("six-*.json")
    plain = json.loads(record.read_text())
    plain["url"] = plain["url"].replace("://", f"://user:{CANARY}@")
    record.write_text(json.dumps(plain))


def test_it_is_the_same_environment_by_conda_s_own_records(copied: Copied) -> None:
    assert verified(REF) == ("identical", [])
    again = json.loads(run(*CLI, "verify", REF, f"python:{copied.prefix}/bin/python", "--json"))
    assert again["verdict"] == "identical"


def test_it_runs_at_its_own_path_with_pip_s_package_over_conda_s(copied: Copied) -> None:
    code = "import idna, six, sys, os; print(idna.__version__, six.__version__, sys.prefix, os.getuid())"
    assert in_image(REF, "python", "-c", code).split() == ["3.7", "1.16.0", str(copied.prefix), "1000"]


def test_everybody_takes_it_as_it_is(copied: Copied, judges: Path, tmp_path: Path) -> None:
    """It has no image below it. The engine that loaded it has the same configuration, and so the layers."""
    digest, root = accepted(judges, f"oci-archive:{copied.archive}", tmp_path)
    assert (root / str(copied.prefix).lstrip("/") / "conda-meta").is_dir()
    manifest = json.loads(Layout(tmp_path / "back").read(digest))
    assert (
        run("docker", "image", "inspect", "--format", "{{.Id}}", REF).strip() == manifest["config"]["digest"]
    )


def test_caches_other_environments_and_secrets_stay_here(copied: Copied) -> None:
    assert validate(copied.archive) == []
    held = files(copied.archive)
    below = {path.removeprefix(f"{copied.prefix}/".lstrip("/")) for path in held}
    assert not any(path.startswith(("pkgs", "envs")) for path in below)
    assert not {".condarc", "conda-meta/state"} & below
    assert held[f"{copied.prefix}/conda-meta/history".lstrip("/")] == b""
    assert [path for path, data in held.items() if CANARY.encode() in data] == []
    codes = {finding["code"] for finding in copied.said["findings"]}
    assert {"private-files-left-out", "conda-extras-left-out"} <= codes
