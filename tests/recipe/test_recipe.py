"""What a plan becomes: whole bundles, compared with cases that people can read.

Each folder of `cases` holds a plan, a resolution, the files that the plan names, and what is expected
of them. After a change that is meant, write the expected files anew and read the difference:

    JUPYTER_DOCKERIZE_UPDATE_CASES=1 pytest tests/recipe/test_recipe.py && git diff tests/recipe/cases
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize.environment.choices import ProjectFile
from jupyter_dockerize.environment.model import AptPackage, CondaPackage, Packages, PipPackage, parse
from jupyter_dockerize.environment.plan.planning import Plan
from jupyter_dockerize.errors import NoEngineError, UsageError
from jupyter_dockerize.recipe import locks, render
from jupyter_dockerize.recipe.bundle import Bundle
from jupyter_dockerize.recipe.resolution import LockedPip, Resolution
from jupyter_dockerize.recipe.steps import BUILDKIT, CLASSIC, Feature

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.name for path in CASES.iterdir())
SHIPPED = {f"env/{name}": locks.read(name) for name in (locks.UV, locks.SERVER)}


def load(name: str) -> tuple[Plan, Resolution]:
    folder = CASES / name
    plan = parse((folder / "plan.json").read_bytes(), Plan)
    assert isinstance(plan, Plan)
    files = tuple(replace(file, source=str(folder / (file.source or ""))) for file in plan.files)
    resolution = parse((folder / "resolution.json").read_bytes(), Resolution)
    assert isinstance(resolution, Resolution)
    return replace(plan, files=files), resolution


def bundle(name: str, features: frozenset[Feature] = BUILDKIT) -> Bundle:
    return render(*load(name), features)


def readable(found: Bundle) -> dict[str, str]:
    """The bundle as text: archives by their members, our own locks by being our own."""
    texts = {}
    for name, data in found:
        if name in SHIPPED:
            assert data == SHIPPED[name]
            texts[f"{name}.shipped"] = ""
        elif name.endswith(".tar"):
            texts[f"{name}.list"] = members(data)
        elif name.endswith(".whl"):
            texts[f"{name}.digest"] = hashlib.sha256(data).hexdigest() + "\n"
        else:
            texts[name] = data.decode()
    return texts


def members(data: bytes) -> str:
    lines = []
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            content = archive.extractfile(member)
            digest = hashlib.sha256(content.read()).hexdigest()[:12] if content else "-"
            owner = f"{member.uid}:{member.gid}"
            lines.append(f"{member.mode:o} {owner} {member.mtime} {digest} {member.name}\n")
    return "".join(lines)


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_becomes_the_bundle_that_its_case_shows(name: str) -> None:
    found = readable(bundle(name))
    if not load(name)[1].secrets:
        found["Dockerfile.classic"] = bundle(name, CLASSIC).dockerfile
    expected = CASES / name / "expected"
    if os.environ.get("JUPYTER_DOCKERIZE_UPDATE_CASES"):
        shutil.rmtree(expected, ignore_errors=True)
        for path, text in found.items():
            (expected / path).parent.mkdir(parents=True, exist_ok=True)
            (expected / path).write_bytes(text.encode())
    there = {
        str(path.relative_to(expected)): path.read_bytes().decode()
        for path in expected.rglob("*")
        if path.is_file()
    }
    assert found == there


@pytest.mark.parametrize(
    "environ", [{"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2", "LC_ALL": "C", "TZ": "Asia/Tokyo"}]
)
def test_another_process_hash_seed_and_locale_give_the_same_bytes(environ: dict[str, str]) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_recipe as t;"
        "print(*(t.bundle(name).digest for name in t.NAMES))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        env={**os.environ, **environ},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.split() == [bundle(name).digest for name in NAMES]


def test_the_order_in_which_things_were_found_does_not_matter() -> None:
    plan, resolution = load("venv")
    apt = tuple(AptPackage(name=name, version="1", arch="amd64") for name in ("zlib1g", "libgl1"))
    packages = replace(plan.packages, apt=apt)
    other = replace(packages, apt=packages.apt[::-1])

    def instructions(of: Packages) -> list[str]:
        """All but the digest of the stored plan, which keeps the plan's order."""
        lines = render(replace(plan, packages=of), resolution, BUILDKIT).dockerfile.splitlines()
        return [line for line in lines if not line.startswith("LABEL jupyter-dockerize.plan=")]

    assert instructions(packages) == instructions(other)


def test_a_builder_without_secret_mounts_is_refused_what_needs_a_secret() -> None:
    with pytest.raises(NoEngineError, match="cannot be handed a secret"):
        bundle("secrets", CLASSIC)


@pytest.mark.parametrize("name", NAMES)
def test_no_build_argument_no_heredoc_and_no_directive(name: str) -> None:
    text = bundle(name).dockerfile
    assert text.startswith("# Made by jupyter-dockerize")
    assert not any(line.startswith(("ARG", "# syntax", "#syntax", "# escape")) for line in text.splitlines())
    assert "<<" not in text


@pytest.mark.parametrize("name", NAMES)
def test_the_image_runs_as_its_user_under_an_init(name: str) -> None:
    last = bundle(name).dockerfile.rpartition("\nFROM ")[2].splitlines()
    assert [line for line in last if line.startswith("USER")] == ["USER 1000"]
    assert 'ENTRYPOINT ["/usr/bin/tini", "--"]' in last


def test_an_index_stands_in_for_no_other() -> None:
    """Each lock names one index; the package of a second one is in the second lock only."""
    files = bundle("secrets").files
    default = files["env/requirements.txt"].decode()
    other = files["env/requirements-index-1.txt"].decode()
    assert default.startswith("--index-url https://mirror.example.org/pypi/simple\n")
    assert other.startswith("--index-url https://pypi.example.org/simple\n")
    assert "acme-models" in other
    assert "acme-models" not in default
    assert "extra-index-url" not in default + other


def test_only_what_must_be_compiled_may_run_code_while_it_is_installed() -> None:
    text = bundle("sdist").dockerfile.replace("\\\n", " ")
    lines = [line for line in text.splitlines() if "uv pip" in line]
    assert ["--no-build" in line for line in lines] == [True, False]


def test_the_stored_plan_names_no_home_and_no_place() -> None:
    stored = bundle("venv").files["plan.json"].decode()
    assert "/home/ada" not in stored
    assert "files/" not in stored
    plan = parse(stored.encode(), Plan)
    label = f'jupyter-dockerize.fingerprint="{plan.fingerprint}"'
    assert label in bundle("venv").dockerfile


def test_a_file_that_changed_since_the_plan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("new")
    file = ProjectFile(path="a.csv", size=3, sha256="0" * 64, source=str(tmp_path / "a.csv"))
    plan, resolution = load("venv")
    with pytest.raises(UsageError, match=r"a\.csv has changed"):
        render(replace(plan, files=(file,)), resolution, BUILDKIT)


@pytest.mark.parametrize(
    "package",
    [
        LockedPip(name="x\nRUN evil", version="1", hashes=()),
        LockedPip(name="-r", version="1", hashes=()),
        LockedPip(name="Six", version="1", hashes=()),
        LockedPip(name="six", version="1\n--index-url https://evil.example.org", hashes=()),
        LockedPip(name="six", version="1 ; python_version > '3'", hashes=()),
        LockedPip(name="six", version=" 1", hashes=()),
        LockedPip(name="six", version="1", hashes=("md5:" + "0" * 32,)),
        LockedPip(name="six", version="1", hashes=("sha256:" + "0" * 63 + "\n",)),
        LockedPip(name="six", version="1", hashes=(), index="https://user:pass@example.org/simple"),
        LockedPip(name="six", version="1", hashes=(), index="https://example.org/simple?token=1"),
        LockedPip(name="six", version="1", hashes=(), index="https://example.org/ --pre"),
        LockedPip(name="six", version="1", hashes=(), index="file:///etc"),
    ],
)
def test_a_lock_that_is_none_is_refused(package: LockedPip) -> None:
    plan, resolution = load("venv")
    with pytest.raises(UsageError):
        render(plan, replace(resolution, pip=(package,)), BUILDKIT)


@pytest.mark.parametrize("name", ["libgl1 evil", "-o", "a;b", "$(id)", "libgl1\nevil", "LIBGL1", "a"])
def test_what_is_no_debian_package_is_refused(name: str) -> None:
    plan, resolution = load("venv")
    packages = replace(plan.packages, apt=(AptPackage(name=name, version="1", arch="amd64"),))
    with pytest.raises(UsageError, match="not the name of a Debian package"):
        render(replace(plan, packages=packages), resolution, BUILDKIT)


@pytest.mark.parametrize(
    "url",
    [
        "file:///home/ada/channel/linux-64/a-1-0.conda",
        "https://user:pass@example.org/linux-64/a-1-0.conda",
        "https://example.org/t/TOKEN/linux-64/a-1-0.conda?x=1",
        "https://example.org/linux-64/a-1-0.conda\nhttps://evil.example.org/b-1-0.conda",
        "https://example.org/linux-64/a-1-0.whl",
    ],
)
def test_a_conda_package_without_a_plain_address_is_refused(url: str) -> None:
    plan, resolution = load("conda")
    package = CondaPackage(name="a", version="1", build="0", channel="c", subdir="linux-64", url=url)
    with pytest.raises(UsageError, match="no address"):
        render(replace(plan, packages=Packages(conda=(package,))), resolution, BUILDKIT)


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "a b", "a\n", "$X", "é"])
def test_what_cannot_be_called_a_kernelspec_is_refused(name: str) -> None:
    plan, resolution = load("venv")
    with pytest.raises(UsageError, match="kernelspec"):
        render(replace(plan, kernel=name), resolution, BUILDKIT)


@pytest.mark.parametrize("version", ["3.11", "3", "", "3.11.7\nRUN evil", "latest", "3.11.7+local"])
def test_what_is_no_full_version_of_python_is_refused(version: str) -> None:
    plan, resolution = load("venv")
    with pytest.raises(UsageError, match="version of Python"):
        render(replace(plan, python=replace(plan.python, version=version)), resolution, BUILDKIT)


def test_a_hundred_thousand_bytes_of_packages_fit_on_safe_lines() -> None:
    plan, resolution = load("venv")
    apt = tuple(AptPackage(name=f"lib{'x' * 190}{i}", version="1", arch="amd64") for i in range(550))
    pip = tuple(PipPackage(name=f"p{i}", version="1") for i in range(550))
    text = render(
        replace(plan, packages=replace(plan.packages, apt=apt, pip=pip)), resolution, BUILDKIT
    ).dockerfile
    assert max(map(len, text.splitlines())) < 32 << 10
    assert len(text) > 100_000


@pytest.mark.parametrize("name", ["conda", "conda-own-base"])
def test_the_environment_is_merged_into_nothing_that_the_base_has(name: str) -> None:
    base = bundle(name).dockerfile.partition(" AS uv")[0]
    assert "RUN rm -rf /opt/conda" in base
