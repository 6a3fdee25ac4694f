"""All of an image: the environment, what it links to, the system below; and nothing that is the host's."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

import pytest

from jupyter_dockerize.image.copy.capture import Captured, capture
from jupyter_dockerize.image.copy.grouping import MOST
from jupyter_dockerize.image.tar import Member

from ...conftest import missing
from .environments import planned, site


def whole(python: Path) -> Captured:
    return capture(*planned(python), lambda packages, places: {}, {})


def paths(captured: Captured) -> dict[str, Member]:
    return {member.path: member for group in captured.groups for member in group.members}


@pytest.fixture
def libraries(python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Libraries of no package, which a module of the environment links to: one is a driver's."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        missing("no compiler here")
    folder = tmp_path / "libraries"
    folder.mkdir()
    (folder / "empty.c").touch()
    for name in ("libown.so.1", "libcuda.so.1"):
        argv = ["-shared", f"-Wl,-soname,{name}", "-o", f"{folder}/{name}.0", f"{folder}/empty.c"]
        subprocess.run([compiler, *argv], check=True)
        (folder / name).symlink_to(f"{name}.0")
    needs = [f"-L{folder}", "-Wl,--no-as-needed", "-l:libown.so.1", "-l:libcuda.so.1"]
    module = site(python) / "toolz" / "fast.so"
    subprocess.run([compiler, "-shared", "-o", module, f"{folder}/empty.c", *needs], check=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
    return folder


def test_a_library_of_no_package_comes_with_its_links_and_a_driver_does_not(
    python: Path, libraries: Path
) -> None:
    captured = whole(python)
    found, place = paths(captured), str(libraries).lstrip("/")
    assert (found[f"{place}/libown.so.1"].kind, found[f"{place}/libown.so.1.0"].kind) == ("symlink", "file")
    assert not any("libcuda" in path for path in found)
    [finding] = [finding for finding in captured.findings if finding.code == "library-driver"]
    assert f"{libraries}/libcuda.so.1" in finding.message


def test_the_image_s_user_may_go_to_the_environment(python: Path) -> None:
    """Also through folders that are closed here, as /root and those of tests are."""
    python.parents[2].chmod(0o700)
    found = paths(whole(python))
    place = str(python.parents[1]).lstrip("/")
    while place:
        assert found[place].mode & 0o005 == 0o005, place
        place = place.rpartition("/")[0]
    owners = {member.uid for path, member in found.items() if "/site-packages/" in path}
    assert owners == {1000}


def test_few_layers_and_each_file_in_one_of_them(python: Path) -> None:
    captured = whole(python)
    assert 3 <= len(captured.groups) <= MOST
    files = [m.path for group in captured.groups for m in group.members if m.kind != "folder"]
    assert len(files) == len(set(files))
    assert captured.size == sum(group.size for group in captured.groups) > 10_000_000


def test_links_of_the_environment_that_lead_out_of_it_are_named(python: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (site(python) / "data").symlink_to(tmp_path / "data")
    [finding] = [each for each in whole(python).findings if each.code == "links-lead-nowhere"]
    assert (finding.severity, f"→ {tmp_path}/data" in finding.message) == ("warning", True)


def test_ours_is_asked_when_the_packages_and_places_are_known(python: Path) -> None:
    asked = []

    def ours(packages: frozenset[str], places: Collection[str]) -> dict[str, Member]:
        asked.append((packages, str(python).lstrip("/") in places))
        return {"opt/mine": Member(path="opt/mine", data=b"1", size=1)}

    captured = capture(*planned(python), ours, {})
    assert asked == [(captured.packages, True)]
    assert paths(captured)["opt/mine"].data == b"1"


def test_accounts_histories_and_keys_of_this_machine_are_not_in_it(python: Path) -> None:
    found = paths(whole(python))
    private = {"etc/shadow", "etc/machine-id", "etc/resolv.conf", "etc/hostname", "etc/hosts"}
    assert not private & set(found)
    assert not any(path.endswith((".bash_history", "/authorized_keys", "/id_rsa")) for path in found)
    assert found["etc/passwd"].data is not None and b"jovyan" in found["etc/passwd"].data
