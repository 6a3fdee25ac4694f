"""Debian's package database as it really is: relations, holds, diversions, several architectures."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from jupyter_dockerize.image.copy.dpkg import Dpkg
from jupyter_dockerize.image.copy.system import Root


def stanza(name: str, *more: str, status: str = "install ok installed", arch: str = "amd64") -> str:
    return "\n".join([f"Package: {name}", f"Status: {status}", f"Architecture: {arch}", *more])


def database(root: Path, *stanzas: str, **lists: list[str]) -> Dpkg:
    """A root with these paragraphs, and lists of files by package."""
    info = root / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_text("\n\n".join(stanzas) + "\n\n")
    for name, paths in lists.items():
        (info / f"{name}.list").write_text("".join(f"{path}\n" for path in ["/.", *paths]))
    return Dpkg(root)


def names(dpkg: Dpkg, *wanted: str) -> list[str]:
    return [package.name for package in dpkg.closure(wanted)]


def test_where_there_is_no_dpkg_nothing_is_found(tmp_path: Path) -> None:
    dpkg = Dpkg(tmp_path)
    assert (dpkg.packages, dpkg.closure(["bash"]), list(dpkg.alternatives())) == ({}, [], [])
    assert dpkg.owners({"bin/sh"}, lambda path: path) == {}


def test_dependencies_come_along(tmp_path: Path) -> None:
    dpkg = database(
        tmp_path,
        stanza("app", "Pre-Depends: first (>= 1.0)", "Depends: lib:any (<< 2), gone | other,", " second"),
        stanza("first"), stanza("lib"), stanza("other"), stanza("second", "Depends: app"), stanza("stranger"),
    )  # fmt: skip
    assert names(dpkg, "app", "not-installed") == ["app", "first", "lib", "other", "second"]


def test_the_first_alternative_that_is_installed_counts(tmp_path: Path) -> None:
    dpkg = database(tmp_path, stanza("app", "Depends: aa | bb | cc"), stanza("bb"), stanza("cc"))
    assert names(dpkg, "app") == ["app", "bb"]


def test_a_virtual_package_is_whoever_provides_it(tmp_path: Path) -> None:
    dpkg = database(
        tmp_path,
        stanza("app", "Depends: awk, debconf (>= 0.5) | debconf-2.0"),
        stanza("mawk", "Provides: awk, other (= 1)"),
        stanza("cdebconf", "Provides: debconf-2.0"),
    )
    assert names(dpkg, "app") == ["app", "cdebconf", "mawk"]


@pytest.mark.parametrize(
    "status", ["install ok half-installed", "deinstall ok config-files", "install ok unpacked",
               "install reinstreq installed", "unknown ok not-installed", ""]
)  # fmt: skip
def test_what_is_half_installed_does_not_count(tmp_path: Path, status: str) -> None:
    assert database(tmp_path, stanza("app", status=status)).packages == {}


@pytest.mark.parametrize(
    "status", ["hold ok installed", "install ok triggers-pending", "install ok triggers-awaited"]
)
def test_a_package_on_hold_is_installed(tmp_path: Path, status: str) -> None:
    assert list(database(tmp_path, stanza("app", status=status)).packages) == ["app"]


def test_the_machines_own_architecture_comes_first(tmp_path: Path) -> None:
    dpkg = database(
        tmp_path,
        stanza("libc6", "Multi-Arch: same", arch="amd64"),
        stanza("libc6", "Multi-Arch: same", arch="arm64"),
        stanza("dpkg", arch="arm64"),
        **{"libc6:arm64": ["/lib/libc.so.6"], "libc6:amd64": ["/lib/other"]},
    )
    assert dpkg.files(dpkg.packages["libc6"]) == ["/lib/libc.so.6"]
    assert dpkg.control(dpkg.packages["libc6"]) == ["libc6:arm64.list"]


def test_diverted_files_are_where_they_went(tmp_path: Path) -> None:
    dpkg = database(
        tmp_path, stanza("dash"), stanza("bash"), dash=["/bin/sh", "/bin/dash"], bash=["/bin/sh", "/bin/bash"]
    )
    (tmp_path / "var/lib/dpkg/diversions").write_text("/bin/sh\n/bin/sh.distrib\ndash\n")
    assert dpkg.files(dpkg.packages["dash"]) == ["/bin/sh", "/bin/dash"]
    assert dpkg.files(dpkg.packages["bash"]) == ["/bin/sh.distrib", "/bin/bash"]


def test_owners_whatever_the_spelling(tmp_path: Path) -> None:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    dpkg = database(
        tmp_path, stanza("zlib"), stanza("png"), zlib=["/lib/libz.so.1"], png=["/usr/lib/libpng.so"]
    )
    places = {"usr/lib/libz.so.1", "usr/lib/libpng.so", "usr/lib/nobodys.so"}
    assert dpkg.owners(places, Root(tmp_path).place) == {
        "usr/lib/libz.so.1": "zlib",
        "usr/lib/libpng.so": "png",
    }


def test_edited_configuration_is_known(tmp_path: Path) -> None:
    def line(path: str, data: bytes, end: str = "") -> str:
        return f" {path} {hashlib.md5(data, usedforsecurity=False).hexdigest()}{end}"

    (tmp_path / "etc").mkdir()
    for name, data in {
        "as-it-came": b"1",
        "edited": b"password",
        "obsolete": b"mine",
        "a name": b"mine",
    }.items():
        (tmp_path / "etc" / name).write_bytes(data)
    conffiles = [
        line("/etc/as-it-came", b"1"), line("/etc/edited", b"2"), line("/etc/removed", b"3"),
        line("/etc/obsolete", b"4", " obsolete"), line("/etc/a name", b"5"), " /etc/new newconffile",
    ]  # fmt: skip
    dpkg = database(tmp_path, stanza("app", "Conffiles:", *conffiles))
    assert dpkg.edited(dpkg.packages["app"]) == ["/etc/a name", "/etc/edited", "/etc/obsolete"]


def test_alternatives_with_their_followers(tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/dpkg/alternatives"
    folder.mkdir(parents=True)
    (folder / "awk").write_text(
        "auto\n/usr/bin/awk\nawk.1.gz\n/usr/share/man/awk.1.gz\nnawk\n/usr/bin/nawk\n\n/usr/bin/mawk\n5\n"
    )
    (folder / "broken").write_text("auto\n")
    assert list(Dpkg(tmp_path).alternatives()) == [
        ("/usr/bin/awk", "awk"), ("/usr/share/man/awk.1.gz", "awk.1.gz"), ("/usr/bin/nawk", "nawk"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["", "\n\n\n", "Package\n", " continued\n", "Package: ../x\nStatus: install ok installed", "\0\xff"],
)
def test_a_broken_database_is_an_empty_one(tmp_path: Path, text: str) -> None:
    assert database(tmp_path, text).packages == {}
