"""A second Python beside the environment's: what its packages brought, and nothing else of this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jupyter_dockerize.image.copy.python import PythonFiles
from jupyter_dockerize.image.copy.server import in_the_way, joined, server_files
from jupyter_dockerize.image.tar import Member

from .environments import has, install, planned, site, without


def test_what_nobody_recorded_stays_here(python: Path) -> None:
    prefix = python.parents[1]
    for name in (
        "etc/jupyter/jupyter_server_config.py",
        "share/notes.txt",
        f"{site(python)}/mine.py",
        "bin/mine",
    ):
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).write_text("c.ServerApp.token = 'canary'\n")
    files = server_files(*planned(python))
    for kept in (python, prefix / "pyvenv.cfg", site(python) / "humanize/__init__.py", python.resolve()):
        assert has(files, kept), kept
    assert not any("mine" in path or "config.py" in path or "notes" in path for path in files.environment)
    assert f"{prefix}/bin/activate".lstrip("/") not in files.environment
    assert files.findings == ()


def test_a_package_that_is_not_planned_stays_here_with_its_folders(python: Path) -> None:
    plan, snapshot = planned(python)
    files = server_files(without(plan, "toolz"), snapshot)
    assert not any("toolz" in path for path in files.environment)
    assert has(files, site(python) / "humanize/__init__.py")


def test_its_kernels_are_not_the_notebooks(python: Path) -> None:
    install(python, "ipykernel")
    plan, snapshot = planned(python)
    assert (python.parents[1] / "share/jupyter/kernels/python3/kernel.json").is_file()
    assert not any("jupyter/kernels" in path for path in server_files(plan, snapshot).environment)


def files(base: dict[str, Member], **environment: Member) -> PythonFiles:
    return PythonFiles("Python 3", base, environment, {}, (), (), (), frozenset(), (), ("/base",))


def member(path: str, data: bytes = b"", **more: str) -> Member:
    return replace(Member(path=path, data=data, size=len(data)), **more)  # type: ignore[arg-type]


def test_where_both_have_a_file_it_is_the_environments() -> None:
    own = files({"base": member("base", b"own")}, env=member("env", b"own"))
    other = files({"base": member("base", b"not"), "env": member("env", b"not")}, more=member("more"))
    both = joined(own, other)
    assert both.environment == own.environment
    assert both.base == {"base": own.base["base"], "more": other.environment["more"]}
    assert both.title == "Python 3, and a JupyterLab"


def test_a_link_in_the_place_of_the_others_folder_is_in_the_way() -> None:
    link = member("opt/lib", kind="symlink", target="/elsewhere")
    own, other = files({"opt/lib/a": member("opt/lib/a")}), files({"opt/lib": link})
    assert in_the_way(own, other) == in_the_way(other, own) == "opt/lib"
    assert in_the_way(own, own) is None
