"""The system below the environment: Debian's own files, a database that dpkg takes, nobody's secrets."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_dockerize.image.copy import userland
from jupyter_dockerize.image.copy.dpkg import Dpkg
from jupyter_dockerize.image.copy.system import Root, collect_system
from jupyter_dockerize.image.copy.trees import ROOT, with_parents
from jupyter_dockerize.image.tar import Member, archive

from ...conftest import missing
from .environments import open_to_all


@pytest.fixture(params=["bullseye", "bookworm", "trixie"])
def debian(request: pytest.FixtureRequest) -> Path:
    """The root of a real Debian system."""
    roots = os.environ.get("JUPYTER_DOCKERIZE_TEST_ROOTS")
    if not roots:
        missing("the rig has no roots (tests/rig/up roots)")
    return Path(roots) / str(request.param)


def image(root: Path) -> dict[str, Member]:
    system = collect_system(Dpkg(root), ["python3"])
    made = userland.members(Root(root), system.members, timezone="Europe/Berlin", locale="C.UTF-8")
    return {**made, **system.members}


def unpack(members: dict[str, Member], to: Path) -> Path:
    tar = b"".join(archive(with_parents(members.values(), lambda path: ROOT)))
    subprocess.run(["tar", "-x", "-C", to, "--no-same-owner"], input=tar, check=True)
    return to


@pytest.mark.skipif(not shutil.which("dpkg"), reason="no dpkg here")
def test_dpkg_takes_the_status_and_finds_nothing_wrong(debian: Path, tmp_path: Path) -> None:
    unpack(image(debian), tmp_path)
    database = f"--admindir={tmp_path}/var/lib/dpkg"
    audit = subprocess.run(["dpkg", database, "--audit"], capture_output=True, text=True, check=False)
    assert (audit.returncode, audit.stdout, audit.stderr) == (0, "", "")
    listed = subprocess.run(["dpkg-query", database, "-W"], capture_output=True, text=True, check=True).stdout
    names = {line.partition("\t")[0].partition(":")[0] for line in listed.splitlines()}
    assert {"python3", "libc6", "bash", "dpkg"} <= names


def test_nothing_of_etc_comes_along_that_dpkg_does_not_know(debian: Path) -> None:
    dpkg, root = Dpkg(debian), Root(debian)
    known = {root.place(path) for package in dpkg.packages.values() for path in dpkg.files(package)}
    system = collect_system(dpkg, ["python3"])
    strangers = [path for path in system.members if path.startswith("etc/") and path not in known]
    assert [path for path in strangers if not path.startswith("etc/alternatives/")] == []
    assert not {"etc/shadow", "etc/machine-id", "etc/hostname", "etc/resolv.conf"} & set(image(debian))


def test_each_place_is_spelled_once(debian: Path) -> None:
    members = image(debian)
    links = {path for path, member in members.items() if member.kind == "symlink"}
    below = [path for path in members if any(str(parent) in links for parent in Path(path).parents)]
    assert below == []
    assert "usr/bin/bash" in members or "bin/bash" in members


def test_alternatives_lead_somewhere(debian: Path, tmp_path: Path) -> None:
    members = image(debian)
    unpack(members, tmp_path)
    links = [path for path in members if path.startswith("etc/alternatives/")]
    assert "etc/alternatives/awk" in links
    for path in links:
        assert os.path.lexists(tmp_path / members[path].target.lstrip("/")), path


def test_it_runs(debian: Path, tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("chroot needs root")
    unpack(image(debian), tmp_path)
    code = "import pwd, ssl, time; print(pwd.getpwuid(1000).pw_name)"
    for argv in (["python3", "-c", code], ["dpkg", "-l", "bash"], ["bash", "-c", "echo | awk '{print 1}'"]):
        done = subprocess.run(["chroot", tmp_path, *argv], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Path]:
    """A machine with people, an authority of its own, and configuration that was edited."""

    def put(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    files = {
        "etc/app.conf": "password = hunter2\n", "etc/plain.conf": "plain\n",
        "usr/share/base-passwd/passwd.master": "root:*:0:0:root:/root:/bin/bash\n",
        "usr/share/base-passwd/group.master": "root:*:0:\n",
        "usr/share/ca-certificates/mozilla/Public.crt": "PUBLIC\n",
    }  # fmt: skip
    for path, text in files.items():
        put(path, text)
    put("etc/passwd", "ada:x:1001:1001:Ada:/home/ada:/bin/bash\n")
    put("etc/shadow", "ada:$y$secret:1:0:::::\n")
    put("etc/nsswitch.conf", "passwd: sss\n")
    put("usr/local/share/ca-certificates/corporate.crt", "CORPORATE\n")
    put("etc/ssl/certs/ca-certificates.crt", "PUBLIC\nCORPORATE\n")
    certificates = tmp_path / "etc/ssl/certs"
    for name, to in {
        "Public.pem": "/usr/share/ca-certificates/mozilla/Public.crt", "11111111.0": "Public.pem",
        "corporate.pem": "/usr/local/share/ca-certificates/corporate.crt", "22222222.0": "corporate.pem",
    }.items():  # fmt: skip
        (certificates / name).symlink_to(to)
    md5 = {name: hashlib.md5(text, usedforsecurity=False).hexdigest() for name, text in
           {"app": b"password =\n", "plain": b"plain\n"}.items()}  # fmt: skip
    stanza = "Package: {}\nStatus: install ok installed\nArchitecture: all\n"
    conffiles = f"Conffiles:\n /etc/app.conf {md5['app']}\n /etc/plain.conf {md5['plain']}\n"
    status = [
        stanza.format("base-files") + conffiles,
        stanza.format("base-passwd"),
        stanza.format("ca-certificates"),
    ]
    put("var/lib/dpkg/status", "\n".join(status) + "\n")
    names = list(files)
    for name, paths in {
        "base-files": names[:2],
        "base-passwd": names[2:4],
        "ca-certificates": names[4:],
    }.items():
        put(f"var/lib/dpkg/info/{name}.list", "".join(f"/{path}\n" for path in paths))
    yield tmp_path


def test_nobody_of_this_machine_and_no_authority_of_its_own(
    machine: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    members = image(machine)
    to = unpack(members, tmp_path_factory.mktemp("image"))
    everything = "".join(p.read_text() for p in to.rglob("*") if p.is_file() and not p.is_symlink())
    for secret in ("ada", "hunter2", "CORPORATE", "sss", "$y$"):
        assert secret not in everything
    assert (to / "etc/ssl/certs/ca-certificates.crt").read_text() == "PUBLIC\n"
    assert (to / "etc/passwd").read_text().splitlines()[1].startswith("jovyan:x:1000:1000:")
    links = {path.rpartition("/")[2] for path in members if path.startswith("etc/ssl/certs/")}
    assert links == {"ca-certificates.crt", "Public.pem", "11111111.0"}


def test_edited_configuration_stays_here_and_is_named(machine: Path) -> None:
    system = collect_system(Dpkg(machine), [])
    assert "etc/app.conf" not in system.members
    assert "etc/plain.conf" in system.members
    [finding] = system.findings
    assert (finding.code, "/etc/app.conf" in finding.message) == ("edited-configuration", True)


def test_of_edited_configuration_the_packages_own_version_comes_along(machine: Path) -> None:
    """Where dpkg kept it; a file beside it that is something else is not taken for it."""
    (machine / "etc/app.conf.dpkg-old").write_text("password = older\n")
    (machine / "etc/app.conf.dpkg-dist").write_text("password =\n")
    system = collect_system(Dpkg(machine), [])
    member = system.members["etc/app.conf"]
    assert (member.source, member.size) == (f"{machine}/etc/app.conf.dpkg-dist", len("password =\n"))
    assert not any(path.startswith("etc/app.conf.") for path in system.members)
    [finding] = system.findings
    assert "the image has the package's own" in finding.message


def test_what_is_mounted_over_a_packages_file_stays_here(machine: Path) -> None:
    system = collect_system(Dpkg(machine), [], {"/etc/plain.conf", "/etc", "/"})
    assert "etc/plain.conf" not in system.members
    assert system.lent == ("/etc/plain.conf",)
    assert "usr/share/base-passwd/passwd.master" in system.members


def test_diversions_of_the_packages_come_along(machine: Path) -> None:
    """And those of this machine's owner only as far as a file went another way by them."""
    (machine / "etc/plain.conf").rename(machine / "etc/plain.conf.ours")
    lines = ["/bin/sh", "/bin/sh.distrib", "base-files", "/bin/x", "/bin/x.old", "stranger",
             "/etc/plain.conf", "/etc/plain.conf.ours", ":", "/bin/y", "/bin/y.gone", ":"]  # fmt: skip
    (machine / "var/lib/dpkg/diversions").write_text("\n".join(lines) + "\n")
    members = collect_system(Dpkg(machine), []).members
    assert "etc/plain.conf.ours" in members
    data = members["var/lib/dpkg/diversions"].data
    assert data is not None
    assert data.decode().splitlines() == [*lines[:3], *lines[6:9]]


def test_what_only_root_may_read_stays_here_and_is_no_edit(machine: Path) -> None:
    """As an ordinary user, who may ask for it."""
    (machine / "etc/plain.conf").chmod(0)
    open_to_all(machine)
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from jupyter_dockerize.image.copy.dpkg import Dpkg\n"
        "from jupyter_dockerize.image.copy.system import collect_system\n"
        "os.getuid() or os.setuid(1000)\n"
        "system = collect_system(Dpkg(Path(sys.argv[1])), [])\n"
        "print(*(f.code for f in system.findings), 'etc/plain.conf' in system.members)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, machine],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["edited-configuration", "system-file-unreadable", "False"], done.stderr


def test_without_dpkg_there_is_still_a_userland(tmp_path: Path) -> None:
    members = image(tmp_path)
    assert {"etc/passwd", "etc/group", "etc/nsswitch.conf", "tmp", "home/jovyan/work"} <= set(members)
    assert members["tmp"].mode == 0o1777
