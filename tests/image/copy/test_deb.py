"""Debian packages as they come: their files with the owners that they record, and no script that is run."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from jupyter_dockerize.errors import EngineError
from jupyter_dockerize.image.copy.deb import Deb, read
from jupyter_dockerize.image.copy.dpkg import INFO, versions
from jupyter_dockerize.image.copy.system import Root

pytestmark = [
    pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="packages are Debian's"),
]

CONTROL = """Package: jd-lib
Version: 1:2.0-1
Architecture: amd64
Multi-Arch: same
Maintainer: Nobody <nobody@example.org>
Depends: libc6 (>= 2.30), jd-data
Description: a library
 and what it is good for
"""


def package(folder: Path, **scripts: str) -> Path:
    """A package with one of each, built by dpkg itself."""
    root = folder / "root"
    for name, data in {
        "DEBIAN/control": CONTROL,
        "DEBIAN/conffiles": "/etc/jd.conf\n",
        "lib/x86_64-linux-gnu/libjd.so.1": "ELF",
        "usr/bin/jd": "#!/bin/sh\n",
        "usr/share/doc/jd-lib/README": "read",
        "usr/share/doc/jd-lib/copyright": "MIT",
        "etc/jd.conf": "a = 1\n",
        **{f"DEBIAN/{name}": text for name, text in scripts.items()},
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data)
        path.chmod(0o755 if name in ("usr/bin/jd", *(f"DEBIAN/{each}" for each in scripts)) else 0o644)
    (root / "lib/x86_64-linux-gnu/libjd.so").symlink_to("libjd.so.1")
    os.link(root / "usr/bin/jd", root / "usr/bin/a-jd")
    (root / "usr/bin/jd").chmod(0o2755)
    target = folder / "jd.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", root, target], check=True, capture_output=True
    )
    return target


def unpacked(path: Path, folder: Path) -> Deb:
    """In a system whose /lib is a link into /usr, as all have it today."""
    system = folder / "system"
    (system / "usr" / "lib").mkdir(parents=True)
    (system / "lib").symlink_to("usr/lib")
    return read(path, folder / "files", Root(system).place)


def test_its_files_are_members_where_the_system_has_them(tmp_path: Path) -> None:
    deb = unpacked(package(tmp_path), tmp_path)
    members = deb.members
    library, program = members["usr/lib/x86_64-linux-gnu/libjd.so.1"], members["usr/bin/jd"]
    assert (library.kind, library.size, library.mode, library.uid, library.gid) == ("file", 3, 0o644, 0, 0)
    assert members["usr/lib/x86_64-linux-gnu/libjd.so"].target == "libjd.so.1"
    assert program.mode == 0o2755
    assert Path(members["usr/bin/a-jd"].source or "").read_text() == "#!/bin/sh\n"
    assert "usr/share/doc/jd-lib/copyright" in members
    assert "usr/share/doc/jd-lib/README" not in members
    assert not any(place.startswith("lib/") for place in members)


def test_dpkg_knows_it_afterwards(tmp_path: Path) -> None:
    deb = unpacked(package(tmp_path), tmp_path)
    assert (deb.package.name, deb.package.version, deb.package.arch) == ("jd-lib", "1:2.0-1", "amd64")
    assert versions(deb.package.stanza) == {"jd-lib": "1:2.0-1"}
    listed = deb.members[f"{INFO}/jd-lib:amd64.list"].data or b""
    assert listed.startswith(b"/.\n")
    assert b"\n/lib/x86_64-linux-gnu/libjd.so.1\n" in listed
    # dpkg itself reads what was written of it
    root = tmp_path / "there"
    (root / INFO).mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_text(f"{deb.package.stanza}\n\n")
    for place, member in deb.members.items():
        if place.startswith(INFO) and member.data is not None:
            (root / place).write_bytes(member.data)
    said = subprocess.check_output(
        [
            "dpkg-query",
            "--admindir",
            root / "var/lib/dpkg",
            "-W",
            "-f",
            "${Status} ${Version} ${Conffiles}",
            "jd-lib",
        ],
        text=True,
    )
    assert said.startswith("install ok installed 1:2.0-1 ")
    md5 = hashlib.md5(b"a = 1\n", usedforsecurity=False).hexdigest()
    assert f" /etc/jd.conf {md5}" in said


@pytest.mark.parametrize(
    ("name", "text", "refused"),
    [
        ("postinst", '#!/bin/sh\nset -e\nif [ "$1" = configure ]; then\n  ldconfig\nfi\n', False),
        ("preinst", '#!/bin/sh\ndpkg-maintscript-helper rm_conffile /etc/x 1.0 -- "$@"\n', False),
        ("postinst", '#!/bin/sh\ndpkg-maintscript-helper rm_conffile /etc/x 1.0 -- "$@"; useradd x\n', True),
        ("postinst", "#!/bin/sh\nuseradd x\n", True),
        ("preinst", "#!/bin/sh\nldconfig; rm -rf /\n", True),
        ("prerm", "#!/bin/sh\nuserdel x\n", False),
    ],
)
def test_one_whose_scripts_would_have_to_run_is_refused(
    name: str, text: str, refused: bool, tmp_path: Path
) -> None:
    assert unpacked(package(tmp_path, **{name: text}), tmp_path).refused == refused


def test_what_is_no_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "no.deb").write_bytes(b"!<arch>\nno")
    with pytest.raises(EngineError, match=r"no\.deb"):
        unpacked(tmp_path / "no.deb", tmp_path)
