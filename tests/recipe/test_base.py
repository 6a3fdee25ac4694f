"""Which image a plan starts from. The tags are those of Docker Hub's official ``python``."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.model import CondaPackage, Packages, PipPackage, Python, Snapshot, System
from jupyter_dockerize.environment.plan.planning import Plan, make_plan
from jupyter_dockerize.environment.releases import start_of
from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.recipe.base import choose_base

from ..environment.environments import snapshot, snapshots

DEBIAN = System(os="debian", version="12", codename="bookworm", libc="glibc 2.36")


def plan(python: str = "3.11.7", system: System = DEBIAN, *pip: PipPackage, foreign: bool = False) -> Plan:
    return Plan(
        source="sha256:" + "0" * 64,
        platform="linux/amd64",
        foreign=foreign,
        system=system,
        python=Python(implementation="cpython", version=python),
        packages=Packages(pip=pip),
        server="environment",
    )


def ubuntu(codename: str, libc: str, cuda: str | None = None) -> System:
    return System(os="ubuntu", codename=codename, libc=libc, cuda=cuda)


@pytest.mark.parametrize(
    ("python", "system", "expected"),
    [
        ("3.11.7", DEBIAN, "python:3.11.7-slim-bookworm"),
        ("3.9.2", System(os="debian", codename="bullseye"), "debian:bullseye-slim"),
        ("3.9.18", System(os="debian", codename="bullseye"), "python:3.9.18-slim-bullseye"),
        ("3.13.5", System(os="debian", codename="trixie"), "debian:trixie-slim"),
        ("3.13.4", System(os="debian", codename="trixie"), "python:3.13.4-slim-bookworm"),
        ("3.11.2", DEBIAN, "debian:bookworm-slim"),
        ("3.11.3", DEBIAN, "python:3.11.3-slim-bullseye"),
        ("3.13.7", System(os="debian", codename="trixie"), "python:3.13.7-slim-trixie"),
        ("3.14.0", System(os="debian", codename="bullseye"), "python:3.14.0-slim-bookworm"),
        ("3.8.20", ubuntu("focal", "glibc 2.31"), "python:3.8.20-slim-bookworm"),
        ("3.8.10", ubuntu("focal", "glibc 2.31"), "debian:bookworm-slim"),
        ("3.10.12", ubuntu("jammy", "glibc 2.35"), "python:3.10.12-slim-bookworm"),
        ("3.12.11", ubuntu("noble", "glibc 2.39"), "python:3.12.11-slim-trixie"),
        ("3.12.3", ubuntu("noble", "glibc 2.39"), "python:3.12.3-slim-bookworm"),
        ("3.12.9", System(os="fedora", libc="glibc 2.34"), "python:3.12.9-slim-bookworm"),
        ("3.13.7", System(os="arch", libc="glibc 2.43"), "python:3.13.7-slim-trixie"),
        ("3.12.11", System(os="alpine", libc="musl 1.2.4"), "python:3.12.11-slim-trixie"),
        ("3.12.4", System(os="macos", version="14.5"), "python:3.12.4-slim-bookworm"),
        ("3.15.0rc1", System(os="macos", version="14.5"), "python:3.15.0rc1-slim-trixie"),
    ],
)
def test_the_base_has_the_python_and_no_older_c_library(python: str, system: System, expected: str) -> None:
    base = choose_base(plan(python, system))
    assert base.ref == expected
    assert base.kind.partition("-")[0] == expected.partition(":")[0]
    assert base.codename in expected
    assert base.digest is None
    assert base.reason


@pytest.mark.parametrize(
    "package",
    [
        PipPackage(name="x", version="1", built_locally=True, pure=False, tags=("cp312-cp312-linux_x86_64",)),
        PipPackage(name="x", version="1", pure=False),  # Debian's own packages have no tags
    ],
)
def test_what_was_compiled_here_meets_no_older_c_library(package: PipPackage) -> None:
    """A newer glibc's symbols do not resolve on an older one: rather Python from elsewhere."""
    assert choose_base(plan("3.12.3", ubuntu("noble", "glibc 2.39"), package)).ref == "debian:trixie-slim"


def test_wheels_for_every_linux_may_meet_an_older_c_library() -> None:
    package = PipPackage(name="x", version="1", pure=False, tags=("cp312-cp312-manylinux_2_17_x86_64",))
    base = choose_base(plan("3.12.3", ubuntu("noble", "glibc 2.39"), package))
    assert base.ref == "python:3.12.3-slim-bookworm"


def test_debians_own_python_is_taken_where_no_official_image_of_its_release_has_it() -> None:
    base = choose_base(plan("3.11.2"))
    assert (base.kind, base.codename) == ("debian-python", "bookworm")
    assert choose_base(plan("3.11.7")).kind == "python"


def test_conda_comes_from_micromamba() -> None:
    package = CondaPackage(name="a", version="1", build="0", channel="c", subdir="noarch", url="u")
    base = choose_base(replace(plan(), packages=Packages(conda=(package,))))
    assert base.kind == "conda"
    assert base.ref.startswith("mambaorg/micromamba:")


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["numpy"], "python"),
        (["cupy-cuda12x"], "cuda"),
        (["cupy-cuda12x", "nvidia-cuda-runtime-cu12"], "python"),
    ],
)
def test_a_cuda_base_only_where_cuda_is_the_systems(names: list[str], kind: str) -> None:
    packages = [PipPackage(name=name, version="1") for name in names]
    base = choose_base(plan("3.11.7", ubuntu("jammy", "glibc 2.35", "12.4.1"), *packages))
    assert base.kind == kind
    assert kind != "cuda" or base.ref == "nvidia/cuda:12.4.1-runtime-ubuntu22.04"


@pytest.mark.parametrize(
    ("cuda", "ref"),
    [
        ("12.4.0", "nvidia/cuda:12.4.1-runtime-ubuntu22.04"),
        ("12.4.20240312", "nvidia/cuda:12.4.1-runtime-ubuntu22.04"),
        ("12.7.0", "nvidia/cuda:12.8.1-runtime-ubuntu22.04"),
        ("11.2.2", "nvidia/cuda:11.7.1-runtime-ubuntu22.04"),
        ("13.9.1", "nvidia/cuda:13.9.1-runtime-ubuntu22.04"),
        ("10.2.89", "python:3.11.7-slim-bookworm"),
        ("evil; rm", "python:3.11.7-slim-bookworm"),
    ],
)
def test_cuda_is_never_older_than_the_sources(cuda: str, ref: str) -> None:
    base = choose_base(
        plan("3.11.7", ubuntu("jammy", "glibc 2.35", cuda), PipPackage(name="cupy-cuda12x", version="1"))
    )
    assert base.ref == ref


@pytest.mark.parametrize(
    ("tags", "ref"),
    [
        (("cp311-cp311-manylinux_2_17_x86_64",), "nvidia/cuda:12.4.1-runtime-ubuntu22.04"),
        (("cp311-cp311-linux_x86_64",), "nvidia/cuda:12.5.1-runtime-ubuntu24.04"),
    ],
)
def test_what_was_compiled_here_meets_no_older_c_library_of_nvidia_either(
    tags: tuple[str, ...], ref: str
) -> None:
    source = ubuntu("noble", "glibc 2.39", "12.4.1")
    package = PipPackage(name="pycuda", version="1", pure=False, tags=tags)
    assert choose_base(plan("3.11.7", source, package)).ref == ref


@pytest.mark.parametrize(
    ("cuda", "base", "severity"),
    [
        ("12.4.1", None, None),
        ("12.7.0", None, "info"),
        ("10.2.89", None, "warning"),
        ("12.4.1", "nvidia/cuda:12.1.1-runtime-ubuntu22.04", "warning"),
        ("12.4.1", "nvcr.io/nvidia/cuda:11.8.0-base-ubuntu22.04", "warning"),
        ("12.4.1", "nvidia/cuda:12.6.3-runtime-ubuntu24.04", None),
        ("12.4.1", "registry.example.org/team/gpu:1", None),
        ("", None, None),
    ],
)
def test_another_cuda_than_the_sources_is_a_finding(
    cuda: str, base: str | None, severity: str | None
) -> None:
    source = snapshot(
        PipPackage(name="cupy-cuda12x", version="1"), system=ubuntu("jammy", "glibc 2.35", cuda or None)
    )
    planned = make_plan(source, Wishes(base=base))
    assert [f.severity for f in planned.findings if f.code == "cuda-differs"] == (
        [severity] if severity else []
    )


@pytest.mark.parametrize(
    ("ref", "kind", "codename"),
    [
        ("python:3.11.7-bookworm", "python", "bookworm"),
        ("docker.io/library/python:3.11.7", "python", ""),
        ("python:3.11.7", "python", ""),
        ("python:3.11-slim-bookworm", "own", "bookworm"),
        ("python:3.11.9-slim", "own", ""),
        ("python", "own", ""),
        ("debian:trixie-slim", "own", "trixie"),
        ("quay.io/jupyter/base-notebook:latest", "own", ""),
        ("registry.example.org/python:3.11.7", "own", ""),
    ],
)
def test_the_users_base_is_taken(ref: str, kind: str, codename: str) -> None:
    base = choose_base(replace(plan(), wishes=Wishes(base=ref)))
    assert (base.ref, base.kind, base.codename) == (ref, kind, codename)


@given(snapshots(), st.sampled_from(("3.8.10", "3.11.7", "3.12.3", "3.13.7")))
def test_debian_packages_have_their_names_of_the_bases_release(source: Snapshot, python: str) -> None:
    source = replace(source, python=replace(source.python, version=python))
    planned = make_plan(source, Wishes())
    start = start_of(
        python,
        source.system,
        planned.packages.pip,
        conda=bool(planned.packages.conda),
        foreign=planned.foreign,
    )
    base = choose_base(planned)
    assert (base.codename, base.kind) == (start.codename, start.kind)


@pytest.mark.parametrize("version", ["3.11", "", "evil", "3.11.7.1", "1!3.11.7", "3.11.7+local"])
def test_a_python_that_is_none_is_refused(version: str) -> None:
    with pytest.raises(UsageError, match="not a full version"):
        choose_base(plan(version))


def test_an_unreleased_build_is_taken_for_its_release() -> None:
    assert choose_base(plan("3.11.7+")).ref == "python:3.11.7-slim-bookworm"


def test_other_implementations_are_refused() -> None:
    found = plan()
    with pytest.raises(UsageError, match="pypy"):
        choose_base(replace(found, python=replace(found.python, implementation="pypy")))


def test_nothing_is_no_base_of_a_build() -> None:
    found = plan()
    with pytest.raises(UsageError, match="rebuilt on nothing") as caught:
        choose_base(replace(found, wishes=replace(found.wishes, base="scratch")))
    assert "--method copy" in caught.value.fix
