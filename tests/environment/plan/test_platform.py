"""The same environment on another platform: nothing foreign left in, nothing needed left out, all named.

`snapshots/macos-arm64.json` is an environment as uv resolves it for macOS arm64 (torch, transformers,
opencv, JupyterLab, pyobjc; 126 packages with the Requires-Dist of their macOS wheels). The lists beside it
are what uv resolves from the same requirements for Linux: the plan has to arrive there by itself.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from jupyter_dockerize.environment.choices import Choice, Wishes
from jupyter_dockerize.environment.interpret.snapshot import interpret
from jupyter_dockerize.environment.model import Snapshot, System, parse
from jupyter_dockerize.environment.plan.planning import Plan, make_plan
from jupyter_dockerize.environment.project.files import Project
from jupyter_dockerize.errors import UsageError

from ..environments import ALPINE, MACOS, WINDOWS, conda, pip, snapshot

HERE = Path(__file__).parents[1]


def names(plan: Plan) -> set[str]:
    return {p.name for p in plan.packages.pip}


def required(plan: Plan) -> set[str]:
    return {match[0] for r in plan.requirements if (match := re.match(r"[A-Za-z0-9._-]+", r))}


def pip_choices(plan: Plan, kind: str) -> dict[str, Choice]:
    return {c.name: c for c in plan.choices if c.manager == "pip" and c.kind == kind}


@pytest.fixture(scope="module")
def macos() -> Snapshot:
    found = parse((HERE / "snapshots" / "macos-arm64.json").read_bytes(), Snapshot)
    assert isinstance(found, Snapshot) and len(found.packages.pip) == 126
    return found


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_an_environment_of_macos_becomes_what_the_resolver_finds_for_linux(
    macos: Snapshot, arch: str
) -> None:
    plan = make_plan(macos, Wishes(platform=f"linux/{arch}"))
    expected = set((HERE / "snapshots" / f"macos-arm64.linux-{arch}.txt").read_text().split())
    source = {p.name for p in macos.packages.pip}
    assert plan.foreign and plan.platform == f"linux/{arch}"
    assert names(plan) | required(plan) == expected
    assert (
        set(pip_choices(plan, "left-out"))
        == source - expected
        == {"appnope", "pyobjc-core", "pyobjc-framework-cocoa"}
    )
    assert set(pip_choices(plan, "added")) == expected - source
    assert {p.name: p.version for p in plan.packages.pip}.items() <= {
        p.name: p.version for p in macos.packages.pip
    }.items()


def test_cuda_wheels_are_announced_with_the_versions_that_torch_asks_for(macos: Snapshot) -> None:
    plan = make_plan(macos, Wishes(platform="linux/amd64"))
    assert {"nvidia-cublas-cu12==12.4.5.8", "triton==3.1.0"} <= set(plan.requirements)
    assert pip_choices(plan, "added")["triton"].reason == "torch needs it on linux/amd64"


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_system_packages_that_linux_wheels_leave_out_are_added(macos: Snapshot, arch: str) -> None:
    plan = make_plan(macos, Wishes(platform=f"linux/{arch}"))
    assert [(p.name, p.arch) for p in plan.packages.apt] == [
        ("graphviz", arch),
        ("libgl1", arch),
        ("libglib2.0-0", arch),
    ]
    assert {c.name for c in plan.choices if c.manager == "apt"} == {"graphviz", "libgl1", "libglib2.0-0"}
    assert plan.findings == ()


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_recorded_facts_of_macos(arch: str) -> None:
    source = interpret(json.loads((HERE / "facts" / "macos-arm64.json").read_text()))
    plan = make_plan(source, Wishes(platform=f"linux/{arch}"))
    foreign = {"appnope", "pyobjc-core"}
    left = set(pip_choices(plan, "left-out"))
    assert foreign <= left and not foreign & names(plan)
    assert names(plan) | left >= {p.name for p in source.packages.pip}
    assert {"torch", "pexpect", "ptyprocess", "ipykernel"} <= names(plan)
    assert any("nvidia" in name for name in pip_choices(plan, "added")) == (arch == "amd64")


def test_without_a_wish_macos_becomes_linux_on_the_same_machine(macos: Snapshot) -> None:
    assert make_plan(macos, Wishes()).platform == "linux/arm64"


def test_windows_loses_what_only_windows_has_and_gains_what_only_posix_needs() -> None:
    source = snapshot(
        pip(
            "ipython", requires=("colorama; sys_platform == 'win32'", "pexpect>4.3; sys_platform != 'win32'")
        ),
        pip("colorama"),
        pip("terminado", requires=("ptyprocess; os_name != 'nt'", "pywinpty>=1.1.0; os_name == 'nt'")),
        pip("pywinpty", "2.0.13"),
        pip("pywin32"),
        pip("tensorflow-intel", "2.16.1"),
        system=WINDOWS,
    )
    plan = make_plan(source, Wishes())
    assert names(plan) == {"ipykernel", "ipython", "terminado"}
    assert set(pip_choices(plan, "left-out")) == {"colorama", "pywinpty", "pywin32", "tensorflow-intel"}
    assert plan.requirements == ("pexpect>4.3", "ptyprocess", "tensorflow==2.16.1")
    assert pip_choices(plan, "left-out")["colorama"].reason == "ipython needs it on Windows only"


def test_what_the_notebook_imports_or_pip_was_asked_for_stays() -> None:
    needs = ("colorama; sys_platform == 'win32'",)
    source = snapshot(pip("tqdm", requires=needs), pip("colorama"), system=WINDOWS)
    project = Project(notebook="a.ipynb", folder="C:\\a", files=(), imports=("colorama",))
    assert "colorama" in names(make_plan(source, Wishes(), project))
    asked = snapshot(pip("tqdm", requires=needs), pip("colorama", requested=True), system=WINDOWS)
    assert "colorama" in names(make_plan(asked, Wishes()))


def test_what_only_a_dropped_package_needs_is_dropped_too() -> None:
    source = snapshot(
        pip("app", requires=("front; sys_platform == 'darwin'",)),
        pip("front", requires=("deep", "shared")),
        pip("deep"),
        pip("shared"),
        pip("other", requires=("shared",)),
        system=MACOS,
    )
    assert names(make_plan(source, Wishes())) == {"app", "ipykernel", "other", "shared"}


def test_an_extra_nobody_is_known_to_have_asked_for_adds_nothing() -> None:
    source = snapshot(pip("a", requires=("b; extra == 'x' and sys_platform == 'linux'",)), system=MACOS)
    assert make_plan(source, Wishes()).requirements == ()


def test_torch_without_known_requirements_announces_cuda_wheels() -> None:
    source = snapshot(pip("torch", "2.3.0"), system=MACOS)
    assert pip_choices(make_plan(source, Wishes(platform="linux/amd64")), "added")["nvidia-*"].planned == ""
    assert pip_choices(make_plan(source, Wishes(platform="linux/arm64")), "added") == {}


@pytest.mark.parametrize(
    ("version", "planned"), [("2.3.0+cu121", "2.3.0"), ("2.3.0+cpu", "2.3.0"), ("2.3.0", "2.3.0")]
)
def test_a_label_of_one_platform_is_dropped_on_another(version: str, planned: str) -> None:
    plan = make_plan(snapshot(pip("torch", version)), Wishes(platform="linux/arm64"))
    [torch] = [p for p in plan.packages.pip if p.name == "torch"]
    assert torch.version == planned
    assert ("torch" in pip_choices(plan, "changed")) == (version != planned)


def test_the_same_platform_keeps_labels_and_pins() -> None:
    plan = make_plan(snapshot(pip("torch", "2.3.0+cu121")), Wishes(platform="linux/amd64"))
    assert not plan.foreign and plan.choices == ()
    assert next(p.version for p in plan.packages.pip if p.name == "torch") == "2.3.0+cu121"


def test_amd64_to_arm64_loses_the_wheels_that_only_x86_has() -> None:
    source = snapshot(
        pip("torch", "2.5.1", requires=("nvidia-cublas-cu12==12.4.5.8; platform_machine == 'x86_64'",)),
        pip("nvidia-cublas-cu12", "12.4.5.8"),
        pip("mkl", "2024.0"),
    )
    plan = make_plan(source, Wishes(platform="linux/arm64"))
    assert names(plan) == {"ipykernel", "torch"}
    assert set(pip_choices(plan, "left-out")) == {"mkl", "nvidia-cublas-cu12"}


def test_compiled_packages_of_the_users_own_are_built_again_and_pure_ones_carried() -> None:
    source = snapshot(
        pip("fast", kind="editable", pure=False),
        pip("plain", kind="editable"),
        pip("psycopg2", built_locally=True, pure=False),
    )
    plan = make_plan(source, Wishes(platform="linux/arm64"))
    reasons = {name: c.reason for name, c in pip_choices(plan, "changed").items()}
    assert "built again for linux/arm64" in reasons["fast"]
    assert reasons["plain"] == "carried as a wheel, because no index gives it back"
    assert "compiled again for linux/arm64" in reasons["psycopg2"]
    assert not next(p for p in plan.packages.pip if p.name == "psycopg2").built_locally


def test_every_package_has_one_reason_why_it_changes() -> None:
    source = snapshot(
        pip("fast", kind="editable", pure=False), pip("psycopg2", built_locally=True, pure=False)
    )
    plan = make_plan(source, Wishes(platform="linux/arm64"))
    assert len([c for c in plan.choices if c.kind == "changed"]) == 2


def test_conda_records_lose_their_build_and_what_has_none_elsewhere() -> None:
    source = snapshot(
        system=MACOS,
        conda=(
            conda("appnope", "0.1.4", subdir="noarch"),
            conda("clang_osx-arm64", subdir="osx-arm64"),
            conda("libcxx", subdir="osx-arm64"),
            conda("numpy", "1.26.4", subdir="osx-arm64"),
            conda("tzdata", "2024a", subdir="noarch"),
        ),
    )
    plan = make_plan(source, Wishes())
    assert [(c.name, c.build, c.subdir, c.sha256) for c in plan.packages.conda] == [
        ("numpy", "", "linux-aarch64", None),
        ("tzdata", "py311_0", "noarch", "a" * 64),
    ]
    told = {c.name: (c.kind, c.planned) for c in plan.choices if c.manager == "conda"}
    assert told["numpy"] == ("changed", "1.26.4 linux-aarch64")
    assert {n for n, (kind, _) in told.items() if kind == "left-out"} == {
        "appnope",
        "clang_osx-arm64",
        "libcxx",
    }


def test_conda_on_another_machine_loses_what_only_x86_has() -> None:
    records = tuple(conda(n) for n in ("_libgcc_mutex", "ld_impl_linux-64", "mkl", "numpy"))
    plan = make_plan(snapshot(conda=records), Wishes(platform="linux/arm64"))
    assert [c.name for c in plan.packages.conda] == ["numpy"]


def test_another_c_library_is_another_platform() -> None:
    plan = make_plan(snapshot(pip("numpy"), system=ALPINE), Wishes())
    assert plan.foreign and plan.platform == "linux/amd64"


@pytest.mark.parametrize(
    "platform", ["windows/amd64", "linux", "linux/386", "arm64", "linux/amd64 --privileged", ""]
)
def test_a_platform_that_no_image_is_made_for_is_refused(platform: str) -> None:
    with pytest.raises(UsageError, match="--platform linux/amd64"):
        make_plan(snapshot(), Wishes(platform=platform))


def test_a_machine_that_no_image_is_made_for_needs_a_wish() -> None:
    source = snapshot(system=System(os="debian", codename="bookworm", arch="riscv64"))
    with pytest.raises(UsageError, match="riscv64"):
        make_plan(source, Wishes())
    assert make_plan(source, Wishes(platform="linux/amd64")).foreign
