"""Shared libraries: what ELF files need, against `readelf`; where they find it, against `ldd`."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_dockerize.environment import probe

from .probed import run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ELF is Linux's")
MINOR = f"python{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """numpy and psycopg2: libraries beside them (``numpy.libs``), found by RUNPATH and RPATH."""
    folder = tmp_path_factory.mktemp("elf") / "venv"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    packages = ["numpy", "psycopg2-binary", "pyzmq"]
    subprocess.run(
        [*uv, "pip", "install", "-q", "--python", str(folder / "bin/python"), *packages], check=True
    )
    return folder


def _site(venv: Path) -> Path:
    return venv / "lib" / MINOR / "site-packages"


def _files(venv: Path) -> list[Path]:
    found = (path for path in _site(venv).rglob("*.so*") if re.search(r"\.so(\.[\d.]+)?$", path.name))
    return sorted(path for path in found if path.is_file())


@pytest.mark.skipif(shutil.which("readelf") is None, reason="binutils is not here")
def test_what_a_file_needs_is_what_readelf_says(venv: Path) -> None:
    files = [*_files(venv), Path("/bin/ls"), Path(os.path.realpath("/proc/self/exe"))]
    assert len(files) > 30
    for path in files:
        said = subprocess.run(
            ["readelf", "-dW", str(path)], capture_output=True, text=True, check=True
        ).stdout

        def values(tag: str, said: str = said) -> list[str]:
            return re.findall(rf"\({tag}\).*?\[(.*?)\]", said)

        about = probe.elf(str(path))
        assert about["needed"] == values("NEEDED"), path
        assert about["soname"] == next(iter(values("SONAME")), None), path
        assert about["rpath"] == next(iter(values("RPATH")), ""), path
        assert about["runpath"] == next(iter(values("RUNPATH")), ""), path


def _ldd(path: Path) -> dict[str, str | None]:
    said = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False).stdout
    pairs = re.findall(r"(?m)^\t(\S+) => (not found|\S+)", said)
    return {soname: None if place == "not found" else place for soname, place in pairs}


def test_a_library_is_found_where_ld_so_finds_it(venv: Path) -> None:
    loader = probe.Loader({}, "x86_64-linux-gnu")
    compared = 0
    for path in _files(venv)[::3]:
        about, said = probe.elf(str(path)), _ldd(path)
        for soname in about["needed"]:
            if soname in said:
                found = loader.find(soname, str(path), about)
                expected = said[soname]
                same = found == expected or (found and expected and os.path.samefile(found, expected))
                assert same, (path, soname, found, expected)
                compared += 1
    assert compared > 30


def _renamed(source: Path, target: Path, old: bytes, new: bytes) -> None:
    data = source.read_bytes()
    assert len(old) == len(new)
    assert old + b"\0" in data
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data.replace(old + b"\0", new + b"\0"))


@pytest.fixture
def broken(venv: Path) -> Iterator[str]:
    """A library of the environment, and one in its ``bin``, that need what is nowhere."""
    source = next(
        path for path in _files(venv) if "libm.so.6" in (probe.elf(str(path)) or {"needed": []})["needed"]
    )
    package = _site(venv) / "broken"
    _renamed(source, package / "v1.2" / "lib" / "x.so", b"libm.so.6", b"libQ.so.6")
    _renamed(source, package / "bin" / "tool", b"libm.so.6", b"libR.so.6")
    (package / "x.so").write_text("GROUP ( libx.so.1 )")
    (package / "loop").symlink_to(".")
    yield "broken"
    shutil.rmtree(package)


def test_what_is_nowhere_is_missing_as_ldd_says(venv: Path, broken: str) -> None:
    libraries = run("libraries", python=venv / "bin/python")["libraries"]
    missing = {(item["file"], item["soname"]) for item in libraries["missing"]}
    assert missing == {("broken/v1.2/lib/x.so", "libQ.so.6"), ("broken/bin/tool", "libR.so.6")}
    for path, soname in missing:
        assert _ldd(_site(venv) / path)[soname] is None


def test_the_systems_part_is_told_with_its_owner_and_the_wheels_own_is_not(venv: Path) -> None:
    libraries = run("libraries", python=venv / "bin/python")["libraries"]
    assert libraries["missing"] == []
    libc = libraries["system"]["libc.so.6"]
    assert libc["loaded"] is True
    assert 1 <= len(libc["by"]) <= 3
    if Path("/var/lib/dpkg/status").exists():
        assert libc["owner"] == "libc6"
    assert not any(soname.startswith(("libpq", "libopenblas", "libscipy")) for soname in libraries["system"])
    assert all(not Path(fact["path"]).is_relative_to(venv) for fact in libraries["system"].values())


def test_a_conda_prefix_is_the_environment_whole(venv: Path, tmp_path: Path) -> None:
    """Its ``lib`` is inside, and what that needs from the system is told; packages are not seen twice."""
    prefix = tmp_path / "prefix"
    shutil.copytree(venv, prefix, symlinks=True)
    (prefix / "conda-meta").mkdir()
    (prefix / "conda-meta" / "history").write_text("")
    source = next(
        path for path in _files(venv) if "libm.so.6" in (probe.elf(str(path)) or {"needed": []})["needed"]
    )
    _renamed(source, prefix / "lib" / "libown.so.1", b"libm.so.6", b"libQ.so.6")
    facts = run("libraries", python=prefix / "bin/python")
    libraries = facts["libraries"]
    assert facts["conda"]["records"] == []
    assert libraries["missing"] == [{"at": -1, "file": "lib/libown.so.1", "soname": "libQ.so.6"}]
    assert "libc.so.6" in libraries["system"]
    assert libraries["files"] == run("libraries", python=venv / "bin/python")["libraries"]["files"] + 1


@pytest.mark.parametrize("cwd", ["/", "/usr"])
def test_the_folder_that_a_kernel_runs_in_does_not_become_the_environment(venv: Path, cwd: str) -> None:
    assert "libc.so.6" in run("libraries", python=venv / "bin/python", cwd=cwd)["libraries"]["system"]


def test_everything_mapped_is_seen_and_not_only_the_first_page() -> None:
    """Files of /proc are read a page at a time: proc(5)."""
    text = Path("/proc/self/maps").read_text()
    expected = {match for match in re.findall(r"(?m)(/\S+\.so[.\d]*)$", text) if os.path.exists(match)}
    assert len(text) > 8192
    assert probe._mapped(probe.Faults()) == expected


def test_ld_library_path_comes_before_runpath_and_after_rpath(tmp_path: Path, venv: Path) -> None:
    source = next(path for path in _files(venv) if (probe.elf(str(path)) or {})["needed"])
    about = probe.elf(str(source))
    folders = {name: tmp_path / name for name in ("rpath", "runpath", "env")}
    for folder in folders.values():
        folder.mkdir()
        shutil.copy(source, folder / "libthing.so.1")
    loader = probe.Loader({"LD_LIBRARY_PATH": f":{folders['env']}"}, "x86_64-linux-gnu")

    def found(**more: str) -> str:
        return Path(
            loader.find("libthing.so.1", str(source), {**about, "rpath": "", "runpath": "", **more})
        ).parent.name

    assert found(rpath=str(folders["rpath"])) == "rpath"
    assert found(runpath=str(folders["runpath"])) == "env"
    assert (
        found(rpath=str(folders["rpath"]), runpath=str(folders["runpath"])) == "env"
    )  # RUNPATH undoes RPATH


@pytest.mark.parametrize(
    "text", ["$ORIGIN/../lib", "${ORIGIN}/../lib", "/nowhere::$ORIGIN/../lib/", "$ORIGIN/../$LIB"]
)
def test_tokens_of_a_search_path(tmp_path: Path, text: str) -> None:
    loader = probe.Loader({}, "x86_64-linux-gnu")
    path = str(tmp_path / "bin" / "x")
    assert str(tmp_path / "lib") in loader._expand(text, path, {"machine": 62})
    assert loader._expand("/x/$PLATFORM", path, {"machine": 62}) == ["/x/x86_64"]


def test_another_machines_library_does_not_fit(tmp_path: Path, venv: Path) -> None:
    source = _files(venv)[0]
    data = bytearray(source.read_bytes())
    data[18:20] = struct.pack("<H", 183)  # EM_AARCH64
    (tmp_path / "libthing.so.1").write_bytes(data)
    loader = probe.Loader({"LD_LIBRARY_PATH": str(tmp_path)}, "x86_64-linux-gnu")
    assert loader.find("libthing.so.1", str(source), probe.elf(str(source))) is None


@pytest.fixture(scope="module")
def real(venv: Path) -> bytes:
    return min((path.read_bytes() for path in _files(venv)), key=len)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_no_bytes_make_the_reader_fail(
    tmp_path_factory: pytest.TempPathFactory, real: bytes, data: Any
) -> None:
    changed = bytearray(real)
    head = st.integers(0, min(len(real), 1200) - 1)
    for at, value in data.draw(st.lists(st.tuples(head, st.integers(0, 255)), max_size=12)):
        changed[at] = value
    cut = data.draw(st.integers(0, len(changed)))
    path = tmp_path_factory.mktemp("elf") / "x.so"
    path.write_bytes(changed[:cut] if data.draw(st.booleans()) else changed)
    about = probe.elf(str(path))
    assert about is None or len(about["needed"]) <= probe.MOST_ENTRIES


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
def test_both_widths_and_byte_orders(tmp_path: Path, wide: bool, order: str) -> None:
    path = tmp_path / "x.so"
    path.write_bytes(_made(wide, order, ["libone.so.1", "libtwo.so"], "/opt/lib"))
    about = probe.elf(str(path))
    assert about["needed"] == ["libone.so.1", "libtwo.so"]
    assert (about["runpath"], about["rpath"], about["bits"]) == ("/opt/lib", "", 64 if wide else 32)


def _made(wide: bool, order: str, needed: list[str], runpath: str) -> bytes:
    """An ELF file of two program headers, a dynamic section and a string table (gABI, chapters 4 and 5)."""
    strings, dynamic = b"\0", []
    for tag, text in [*((1, name) for name in needed), (29, runpath)]:
        dynamic.append((tag, len(strings)))
        strings += text.encode() + b"\0"
    word = "Q" if wide else "I"
    header, entry = (64, 56) if wide else (52, 32)
    start = header + 2 * entry
    dynamic += [(5, start + 0x1000), (0, 0)]
    table = b"".join(struct.pack(order + word * 2, *pair) for pair in dynamic)
    size = start + len(strings) + len(table)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    head = ident + struct.pack(
        order + "HHI" + word * 3 + "IHHHHHH",
        3,
        62 if wide else 3,
        1,
        0,
        header,
        0,
        0,
        header,
        entry,
        2,
        0,
        0,
        0,
    )

    def program(kind: int, offset: int, length: int) -> bytes:
        if wide:
            return struct.pack(order + "IIQQQQQQ", kind, 4, offset, offset + 0x1000, 0, length, length, 8)
        return struct.pack(order + "IIIIIIII", kind, offset, offset + 0x1000, 0, length, length, 4, 8)

    programs = program(1, 0, size) + program(2, start + len(strings), len(table))
    return head + programs + strings + table


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_the_loaders_cache_may_be_cut_or_broken(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    cache = Path("/etc/ld.so.cache")
    whole = cache.read_bytes() if cache.exists() else b"glibc-ld.so.cache1.1" + bytes(200)
    cut = data.draw(st.integers(0, min(len(whole), 4000)))
    path = tmp_path_factory.mktemp("cache") / "ld.so.cache"
    path.write_bytes(whole[:cut] + data.draw(st.binary(max_size=20)))
    for soname, places in probe.loader_cache(str(path)).items():
        assert isinstance(soname, str)
        assert places


@pytest.mark.skipif(not Path("/etc/ld.so.cache").exists(), reason="no glibc")
def test_the_loaders_cache_is_what_ldconfig_prints() -> None:
    ldconfig = shutil.which("ldconfig") or "/sbin/ldconfig"
    said = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=True).stdout
    expected: dict[str, list[str]] = {}
    for soname, path in re.findall(r"(?m)^\t(\S+) \(.*\) => (.*)$", said):
        expected.setdefault(soname, []).append(path)
    assert probe.loader_cache() == expected
