"""What is installed, by dpkg's word."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_dockerize.environment.interpret.apt import packages


def debian(name: str = "libpq5", **changes: Any) -> Any:
    return {
        "name": name,
        "version": "15.6-0+deb12u1",
        "arch": "amd64",
        "status": "install ok installed",
        "manual": False,
        "essential": False,
        "priority": "optional",
        "source": "postgresql-15",
        "section": "libs",
        **changes,
    }


@pytest.mark.parametrize(
    "status",
    [
        "install ok installed",
        "hold ok installed",
        "deinstall ok installed",
        "install ok triggers-pending",
        "install ok triggers-awaited",
    ],
)
def test_installed(status: str) -> None:
    found, findings = packages({"packages": [debian(status=status, manual=True)], "depends": None})
    assert [(p.name, p.version, p.manual) for p in found] == [("libpq5", "15.6-0+deb12u1", True)]
    assert findings == []


@pytest.mark.parametrize(
    "status", ["deinstall ok config-files", "unknown ok not-installed", "purge ok config-files"]
)
def test_gone(status: str) -> None:
    assert packages({"packages": [debian(status=status)], "depends": None}) == ((), [])


@pytest.mark.parametrize(
    "status",
    [
        "install ok half-installed",
        "install ok unpacked",
        "install ok half-configured",
        "install reinstreq installed",
        "installed",
        "",
        "\x1b[2J",
    ],
)
def test_not_completely_installed_is_said(status: str) -> None:
    found, (finding,) = packages({"packages": [debian(status=status)], "depends": None})
    assert found == ()
    assert finding.code == "apt-half-installed"
    assert "libpq5" in finding.message
    assert finding.message.isprintable()


def test_two_architectures_are_two_packages_and_a_qualifier_is_no_part_of_the_name() -> None:
    facts = [debian("libc6", arch="i386"), debian("libc6:amd64")]
    found, _ = packages({"packages": facts, "depends": None})
    assert [(p.name, p.arch) for p in found] == [("libc6", "amd64"), ("libc6", "i386")]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "x\nRUN evil"},
        {"name": "-o"},
        {"version": "1 2"},
        {"version": ""},
        {"arch": "../"},
        {"name": "A"},
    ],
)
def test_what_is_no_debian_package_is_passed_over_and_said(changes: dict[str, str]) -> None:
    found, (finding,) = packages({"packages": [debian(**changes)], "depends": None})
    assert found == ()
    assert finding.code == "apt-invalid"
    assert finding.message.isprintable()
