"""Packages that no index gives back, as wheels: the same files after pip or uv has installed them."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.environment.model import PipPackage, Source
from jupyter_dockerize.errors import CancelledError
from jupyter_dockerize.recipe.resolution import CarriedWheel
from jupyter_dockerize.resolve.uv import binary
from jupyter_dockerize.resolve.wheels import Carried, carry

from .conftest import Environment, run

NAMES = ("flat-demo", "hatch-demo", "local-demo", "markupsafe", "six", "vcs-demo")
WRITTEN_BY_INSTALLERS = {
    "RECORD",
    "INSTALLER",
    "REQUESTED",
    "direct_url.json",
    "WHEEL",
    "uv_cache.json",
    "uv_build.json",
}
PYTHON = ".".join(map(str, sys.version_info[:3]))


def carried(environment: Environment, name: str, **options: object) -> Carried:
    return carry(
        environment.package(name), python=PYTHON, prefix=str(environment.prefix), cancel=Cancel(), **options
    )  # type: ignore[arg-type]


def wheel_of(carried: Carried) -> CarriedWheel:
    assert carried.wheel is not None, carried.findings
    return carried.wheel


def contents(wheel: CarriedWheel) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(wheel.data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def site(prefix: Path) -> Path:
    return next(prefix.glob("lib/python3*/site-packages"))


def installed(prefix: Path, name: str) -> dict[str, bytes]:
    """The package's files in an environment by RECORD, caches and installers' notes left out."""
    info = next(
        i for i in site(prefix).glob("*.dist-info") if i.name.lower().startswith(name.replace("-", "_") + "-")
    )
    rows = csv.reader(io.StringIO((info / "RECORD").read_text()))
    paths = [Path(row[0]) for row in rows]
    return {
        str(p).lower(): (site(prefix) / p).read_bytes()
        for p in paths
        if p.suffix != ".pyc" and p.name not in WRITTEN_BY_INSTALLERS and p.parts[0] != ".."
    }


@pytest.fixture(scope="module", params=["uv", "pip"])
def copy(
    request: pytest.FixtureRequest, environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A fresh environment with the repacked wheels and nothing else."""
    folder = tmp_path_factory.mktemp("copy")
    wheels = [wheel_of(carried(environment, name)) for name in NAMES]
    paths = [folder / wheel.filename for wheel in wheels]
    for path, wheel in zip(paths, wheels, strict=True):
        path.write_bytes(wheel.data)
    if request.param == "uv":
        run(binary(), "venv", "-q", "--python", sys.executable, folder / "venv")
        run(
            binary(), "pip", "install", "-q", "--no-config", "--offline", "--no-deps", "--python",
            folder / "venv" / "bin" / "python", *paths,
        )  # fmt: skip
    else:
        run(sys.executable, "-m", "venv", folder / "venv")
        run(
            folder / "venv" / "bin" / "python",
            "-m",
            "pip",
            "install",
            "-q",
            "--no-index",
            "--no-deps",
            *paths,
        )
    return folder / "venv"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("flat-demo", "hatch-demo")])
def test_the_same_files_are_installed_again(environment: Environment, copy: Path, name: str) -> None:
    assert installed(copy, name) == installed(environment.prefix, name)


def test_every_package_imports_and_says_its_version(environment: Environment, copy: Path) -> None:
    code = """
import importlib.metadata as m, json
import flat_demo, flat_demo.sub, flat_single, hatch_demo, local_demo, vcs_demo, six, markupsafe._speedups
import pathlib
print(json.dumps({
    "versions": {n: m.version(n) for n in ("flat-demo", "hatch-demo", "local-demo", "six", "vcs-demo")},
    "words": (pathlib.Path(flat_demo.__file__).parent / "words.txt").read_text(),
    "sub": flat_demo.sub.VALUE, "requires": m.requires("flat-demo"),
}))
"""
    there = json.loads(run(copy / "bin" / "python", "-I", "-c", code))
    assert there == json.loads(run(environment.python, "-I", "-c", code))
    assert there["versions"]["six"] == "1.16.99"


def test_scripts_run_with_the_interpreter_of_the_new_environment(copy: Path) -> None:
    assert run(copy / "bin" / "flat-hello") == "hello from flat\n"
    assert "tool" in run(copy / "bin" / "tool.py")
    assert str(copy) in (copy / "bin" / "tool.py").read_text().splitlines()[0]


def test_an_editable_is_no_longer_one(environment: Environment, copy: Path) -> None:
    names = {path.name for path in site(copy).iterdir()}
    assert not [
        name for name in names if "editable" in name or (name.startswith("flat") and name.endswith(".pth"))
    ]
    where = run(
        copy / "bin" / "python",
        "-c",
        "import flat_demo, hatch_demo; print(flat_demo.__file__, hatch_demo.__file__)",
    )
    assert str(environment.projects) not in where


@pytest.mark.parametrize("name", NAMES)
def test_the_wheel_is_one_by_its_specification(environment: Environment, name: str) -> None:
    wheel = wheel_of(carried(environment, name))
    files = contents(wheel)
    info = "-".join(wheel.filename.split("-")[:2]) + ".dist-info"
    assert hashlib.sha256(wheel.data).hexdigest() == wheel.sha256
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(files[f"{info}/RECORD"].decode()))}
    assert set(rows) == set(files)
    for path, data in files.items():
        if path != f"{info}/RECORD":
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            assert rows[path] == [f"sha256={digest}", str(len(data))]
    tags = [line[5:] for line in files[f"{info}/WHEEL"].decode().splitlines() if line.startswith("Tag: ")]
    assert tags
    assert all(tag.split("-")[2] in wheel.filename for tag in tags)
    assert not {Path(path).name for path in files} & {
        "INSTALLER",
        "REQUESTED",
        "direct_url.json",
        "uv_cache.json",
    }
    assert not [path for path in files if path.endswith((".pyc", ".pth")) or "__editable__" in path]
    assert str(environment.projects).encode() not in b"".join(files.values())


def test_what_was_compiled_keeps_the_tag_of_this_machine(environment: Environment) -> None:
    assert "-linux_" in wheel_of(carried(environment, "markupsafe")).filename
    assert wheel_of(carried(environment, "markupsafe")).reason == "built here"


def test_the_bytes_are_the_same_in_another_process_seed_and_locale(environment: Environment) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from tests.resolve.conftest import packages_of
from jupyter_dockerize.resolve.wheels import carry
from jupyter_dockerize.cancel import Cancel
for p in packages_of(Path({str(environment.prefix)!r})):
    made = carry(p, python={PYTHON!r}, prefix={str(environment.prefix)!r}, cancel=Cancel())
    print(p.name, made.wheel.sha256)
"""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": zone, "PATH": "/usr/bin:/bin"},
        ).stdout
        for seed, locale, zone in (("1", "C", "UTC"), ("2", "C.UTF-8", "Asia/Tokyo"))
    }
    assert len(outputs) == 1
    assert len(outputs.pop().splitlines()) == len(environment.packages)


def test_secrets_and_files_that_git_does_not_track_stay_out_by_name(environment: Environment) -> None:
    made = carried(environment, "flat-demo")
    files = contents(wheel_of(made))
    assert b"not-for-anybody" not in b"".join(files.values())
    assert "flat_demo/_version.py" in files  # ignored by git, made by the build, imported
    assert "tests/test_it.py" not in files
    messages = {finding.code: finding.message for finding in made.findings}
    assert "flat_demo/.env" in messages["secret-left-out"]
    assert "flat_demo/new.py" in messages["untracked-files"]
    assert "flat_demo/settings_local.py" in messages["untracked-files"]


def test_a_token_in_a_source_file_is_an_error_by_name(tmp_path: Path) -> None:
    package = fake_editable(tmp_path, {"pkg/__init__.py": "KEY = 'AKIAQ3EGRT5ZMW7KXV2P'\n"})
    found = carry(package, python="3.11.7", prefix=str(tmp_path), cancel=Cancel()).findings
    assert [(f.code, f.severity) for f in found] == [("secret-in-file", "error")]
    assert "AKIAQ3" not in found[0].message


def test_logins_of_urls_in_the_metadata_stay_out(tmp_path: Path) -> None:
    metadata = """Metadata-Version: 2.1
Name: pkg
Version: 1.0
Home-page: https://ada:CANARY-1@CANARY-4@example.org/pkg?a=b@c
Project-URL: Source, git+ssh://git@example.org/pkg
Requires-Dist: other @ https://CANARY-2@example.org/other.whl
Author-email: Ada <ada@example.org>

See https://u:CANARY-3@x/ or mail ada@example.org
"""
    package = fake_install(tmp_path, {"pkg/__init__.py": "", "pkg-1.0.dist-info/METADATA": metadata})
    wheel = wheel_of(carry(package, python="3.11.7", prefix=str(tmp_path), cancel=Cancel()))
    there = contents(wheel)["pkg-1.0.dist-info/METADATA"].decode()
    assert "CANARY" not in there
    assert "Home-page: https://example.org/pkg?a=b@c\n" in there
    assert "Author-email: Ada <ada@example.org>\n" in there


@pytest.mark.parametrize(("kind", "told"), [("local", True), ("archive", True), ("index", False)])
def test_a_token_in_what_was_installed_from_a_file_is_an_error_by_name(
    kind: str, told: bool, tmp_path: Path
) -> None:
    package = fake_install(tmp_path, {"pkg/__init__.py": "KEY = 'AKIAQ3EGRT5ZMW7KXV2P'\n"})
    package = replace(package, source=Source(kind=kind))  # type: ignore[arg-type]
    found = carry(package, python="3.11.7", prefix=str(tmp_path), cancel=Cancel()).findings
    expected = [
        ("secret-in-file", "error", "pkg: pkg/__init__.py holds what looks like a secret: AWS access key")
    ]
    assert [(f.code, f.severity, f.message) for f in found] == (expected if told else [])


def test_a_package_over_the_limit_is_refused_with_both_sizes(environment: Environment) -> None:
    made = carried(environment, "markupsafe", limit=1000)
    assert made.wheel is None
    assert [(f.code, f.severity) for f in made.findings] == [("not-carried", "error")]
    assert "MB" in made.findings[0].message


def test_another_platform_takes_pure_wheels_and_names_the_others(environment: Environment) -> None:
    assert carried(environment, "local-demo", foreign=True).wheel == carried(environment, "local-demo").wheel
    made = carried(environment, "markupsafe", foreign=True)
    assert made.wheel is None
    assert [f.code for f in made.findings] == ["no-wheel-for-target"]


def test_a_package_whose_files_are_elsewhere_is_named() -> None:
    package = PipPackage(name="a", version="1", source=Source(kind="vcs"), dist_info="/nowhere/a-1.dist-info")
    made = carry(package, python="3.11.7", prefix="/nowhere", cancel=Cancel())
    assert "not on this machine" in made.findings[0].message


def test_cancelling_ends_it(environment: Environment) -> None:
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(CancelledError):
        carry(environment.package("six"), python=PYTHON, prefix=str(environment.prefix), cancel=cancel)


# Installs made by hand: what each tool leaves behind


def purelib(root: Path) -> Path:
    folder = root / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fake_install(
    root: Path, files: dict[str, str], *, form: str = "dist-info", **fields: object
) -> PipPackage:
    """An installed distribution ``pkg 1.0`` of these files (relative to site-packages)."""
    place = purelib(root)
    info = place / f"pkg-1.0.{form}"
    metadata = {
        "METADATA" if form == "dist-info" else "PKG-INFO": "Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\n"
    }
    own = {f"{info.name}/{name}": text for name, text in metadata.items()}
    for name, text in {**own, **files}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    if form == "dist-info":
        rows = "".join(f"{name},,\n" for name in [*own, *files, f"{info.name}/RECORD"])
        (info / "RECORD").write_text(rows)
    fields = {"source": Source(kind="local"), **fields}
    return PipPackage(name="pkg", version="1.0", dist_info=str(info), **fields)  # type: ignore[arg-type]


def fake_editable(
    root: Path, sources: dict[str, str], hooks: dict[str, str] | None = None, **fields: object
) -> PipPackage:
    """A project at root/project, exposed by ``hooks`` (a .pth with its folder where none are given)."""
    project = root / "project"
    for name, text in sources.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    given = {"pkg.pth": f"{project}\n"} if hooks is None else hooks
    return fake_install(root, given, source=Source(kind="editable"), **fields)


def names(package: PipPackage, root: Path) -> list[str]:
    wheel = wheel_of(carry(package, python="3.11.7", prefix=str(root), cancel=Cancel()))
    return [name for name in contents(wheel) if ".dist-info/" not in name]


SRC = {"pkg/__init__.py": "A = 1\n", "pkg/deep/m.py": "B = 2\n"}


def editables(project: Path) -> Iterator[tuple[str, dict[str, str], dict[str, str], list[str]]]:
    both = ["pkg/__init__.py", "pkg/deep/m.py"]
    yield "a .pth with a folder", SRC, {"_pkg.pth": f"{project}\n"}, both
    yield (
        "a project's root: setup.py and tests are no packages",
        {**SRC, "setup.py": "", "conftest.py": "", "tests/test_a.py": "", "one.py": ""},
        {"pkg.pth": f"# ours\nimport sys\n{project}\n"},
        ["one.py", *both],
    )
    yield (
        "setuptools' finder",
        {**SRC, "single.py": "", "ns/inner/__init__.py": ""},
        {
            "__editable__.pkg-1.0.pth": "import __editable___pkg_1_0_finder as f; f.install()",
            "__editable___pkg_1_0_finder.py": "import sys\nraise SystemExit('must not run')\n"
            f"MAPPING: dict[str, str] = {{'pkg': {str(project / 'pkg')!r}, 'single': '{project}/single'}}\n"
            f"NAMESPACES: dict[str, list[str]] = {{'ns': [{str(project / 'ns')!r}]}}\n",
        },
        ["ns/inner/__init__.py", *both, "single.py"],
    )
    yield (
        "the library editables",
        {**SRC, "single.py": ""},
        {
            "_editable_impl_pkg.pth": "import _editable_impl_pkg",
            "_editable_impl_pkg.py": "from editables.redirector import RedirectingFinder as F\nF.install()\n"
            f"F.map_module('pkg', {str(project / 'pkg' / '__init__.py')!r})\n"
            f"F.map_module('single', {str(project / 'single.py')!r})\n",
        },
        [*both, "single.py"],
    )
    yield (
        "scikit-build-core",
        SRC,
        {
            "_pkg_editable.pth": "import _pkg_editable",
            "_pkg_editable.py": f"install({{'pkg': {str(project / 'pkg' / '__init__.py')!r}}}, {{}}, None)\n",
        },
        both,
    )


KINDS = [case[0] for case in editables(Path("/"))]


@pytest.mark.parametrize("number", range(len(KINDS)), ids=KINDS)
def test_what_an_editable_exposes_is_carried(tmp_path: Path, number: int) -> None:
    _, sources, hooks, expected = list(editables(tmp_path / "project"))[number]
    assert names(fake_editable(tmp_path, sources, hooks), tmp_path) == expected


def test_an_egg_link_exposes_its_location(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name, text in {**SRC, "setup.py": "", "pkg.egg-info/PKG-INFO": "Name: pkg\nVersion: 1.0\n"}.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    (project / "pkg.egg-info" / "requires.txt").write_text(
        "six\n\n[more]\nrich>=10\n\n[:python_version<'3.8']\nold\n"
    )
    package = PipPackage(
        name="pkg",
        version="1.0",
        source=Source(kind="editable"),
        dist_info=str(project / "pkg.egg-info"),
        location=str(project),
    )
    assert names(package, tmp_path) == ["pkg/__init__.py", "pkg/deep/m.py"]
    wheel = wheel_of(carry(package, python="3.11.7", prefix=str(tmp_path), cancel=Cancel()))
    metadata = contents(wheel)["pkg-1.0.dist-info/METADATA"].decode().splitlines()
    assert metadata[2:] == [
        "Requires-Dist: six",
        "Provides-Extra: more",
        'Requires-Dist: rich>=10; extra == "more"',
        "Requires-Dist: old; python_version<'3.8'",
    ]


def test_a_symbolic_link_that_flit_made_is_followed(tmp_path: Path) -> None:
    package = fake_editable(tmp_path, SRC, {})
    (purelib(tmp_path) / "pkg").symlink_to(tmp_path / "project" / "pkg")
    record = purelib(tmp_path) / "pkg-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + "pkg/__init__.py,,\n")
    assert names(package, tmp_path) == ["pkg/__init__.py", "pkg/deep/m.py"]


def test_a_compiled_module_in_a_source_tree_goes_in_and_gives_the_wheel_a_platform(tmp_path: Path) -> None:
    package = fake_editable(tmp_path, {**SRC, "pkg/_fast.cpython-311-x86_64-linux-gnu.so": "\x7fELF"})
    run("git", "init", "-q", tmp_path / "project")
    run("git", "-C", tmp_path / "project", "add", "pkg/__init__.py", "pkg/deep/m.py")
    wheel = wheel_of(carry(package, python="3.11.7", prefix=str(tmp_path), cancel=Cancel()))
    assert "pkg/_fast.cpython-311-x86_64-linux-gnu.so" in contents(wheel)
    assert wheel.filename.startswith("pkg-1.0-cp311-cp311-linux_")


def test_a_repository_cannot_run_anything(tmp_path: Path) -> None:
    package = fake_editable(tmp_path, SRC)
    project = tmp_path / "project"
    run("git", "init", "-q", project)
    run("git", "-C", project, "add", "-A")
    trap = project / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "core.hooksPath", "core.pager", "core.sshCommand"):
        run("git", "-C", project, "config", key, trap)
    assert names(package, tmp_path) == ["pkg/__init__.py", "pkg/deep/m.py"]
    assert not (tmp_path / "sprung").exists()


def test_an_editable_of_an_unknown_kind_is_refused_with_what_to_do(tmp_path: Path) -> None:
    made = carry(fake_editable(tmp_path, SRC, {}), python="3.11.7", prefix=str(tmp_path), cancel=Cancel())
    assert made.wheel is None
    assert "not known here" in made.findings[0].message
    assert "pip install ." in made.findings[0].fix


@pytest.mark.parametrize(
    "source",
    ["MAPPING = open('/etc/passwd')", "MAPPING = {1: 2, 'a': None}", "MAPPING = {[]: 1}", "(" * 5000, "\x00"],
)
def test_a_hostile_finder_exposes_nothing(tmp_path: Path, source: str) -> None:
    package = fake_editable(tmp_path, SRC, {"__editable___pkg_finder.py": source})
    assert carry(package, python="3.11.7", prefix=str(tmp_path), cancel=Cancel()).wheel is None


def test_every_part_of_an_install_finds_its_place(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": "",
        "pkg/__pycache__/__init__.cpython-311.pyc": "x",
        "pkg/only.pyc": "x",
        "pkg-1.0.dist-info/entry_points.txt": "[console_scripts]\nmade = pkg:main\n",
        "../../../bin/made": "#!/somewhere/bin/python\nimport pkg\n",
        "../../../bin/plain": "#!/somewhere/bin/python3.11\nprint(1)\n",
        "../../../bin/long": "#!/bin/sh\n'''exec' \"/a very/long/python\" \"$0\" \"$@\"\n' '''\nprint(1)\n",
        "../../../bin/shell": "#!/bin/sh\necho 1\n",
        "../../../share/pkg/data.txt": "data",
        "../../../include/site/python3.11/pkg/pkg.h": "/**/",
    }
    package = fake_install(tmp_path, files)
    (purelib(tmp_path) / "../../../share/pkg/data.txt").chmod(0o644)
    wheel = wheel_of(carry(package, python="3.11.7", prefix=str(tmp_path), cancel=Cancel()))
    there = contents(wheel)
    assert sorted(name for name in there if ".dist-info/" not in name) == [
        "pkg-1.0.data/data/share/pkg/data.txt",
        "pkg-1.0.data/headers/pkg.h",
        "pkg-1.0.data/scripts/long",
        "pkg-1.0.data/scripts/plain",
        "pkg-1.0.data/scripts/shell",
        "pkg/__init__.py",
        "pkg/only.pyc",
    ]
    assert there["pkg-1.0.data/scripts/plain"] == b"#!python\nprint(1)\n"
    assert there["pkg-1.0.data/scripts/long"] == b"#!python\nprint(1)\n"
    assert there["pkg-1.0.data/scripts/shell"].startswith(b"#!/bin/sh\n")


def test_a_record_that_points_elsewhere_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "private" / "diary.txt"
    outside.parent.mkdir()
    outside.write_text("dear diary")
    root = tmp_path / "venv"
    package = fake_install(root, {"pkg/__init__.py": "", "pkg/plain.txt": ""})
    (purelib(root) / "pkg" / "link.txt").symlink_to(outside)
    record = purelib(root) / "pkg-1.0.dist-info" / "RECORD"
    record.write_text(
        record.read_text() + f"../../../../private/diary.txt,,\n{outside},,\npkg/link.txt,,\nbad\x00name,,\n"
    )
    made = carry(package, python="3.11.7", prefix=str(root), cancel=Cancel())
    assert b"dear diary" not in wheel_of(made).data
    assert [(f.code, f.severity) for f in made.findings] == [("files-outside", "warning")]
    assert "diary.txt" in made.findings[0].message
    assert "pkg/link.txt" in made.findings[0].message


def test_a_link_into_an_installers_cache_is_followed_by_its_digest(tmp_path: Path) -> None:
    cached = tmp_path / "cache" / "m.py"
    cached.parent.mkdir()
    cached.write_text("A = 1\n")
    root = tmp_path / "venv"
    package = fake_install(root, {"pkg/__init__.py": ""})
    (purelib(root) / "pkg" / "m.py").symlink_to(cached)
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"A = 1\n").digest()).rstrip(b"=").decode()
    record = purelib(root) / "pkg-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + f"pkg/m.py,sha256={digest},6\n")
    made = carry(package, python="3.11.7", prefix=str(root), cancel=Cancel())
    assert contents(wheel_of(made))["pkg/m.py"] == b"A = 1\n"


@pytest.mark.parametrize("listing", ["installed-files.txt", "top_level.txt"])
def test_an_egg_info_becomes_a_wheel(tmp_path: Path, listing: str) -> None:
    files = {"pkg/__init__.py": "", "pkg/m.py": ""}
    text = "../pkg/__init__.py\n../pkg/m.py\nPKG-INFO\n" if listing == "installed-files.txt" else "pkg\n"
    package = fake_install(tmp_path, {**files, f"pkg-1.0.egg-info/{listing}": text}, form="egg-info")
    assert names(package, tmp_path) == ["pkg/__init__.py", "pkg/m.py"]


def test_certificates_go_in_and_private_keys_do_not(tmp_path: Path) -> None:
    package = fake_install(
        tmp_path,
        {
            "pkg/cacert.pem": "-----BEGIN CERTIFICATE-----\n",
            "pkg/host.pem": "-----BEGIN RSA PRIVATE KEY-----\n",
        },
    )
    assert names(package, tmp_path) == ["pkg/cacert.pem"]
