"""Small copies: real files in a folder, in two groups, and what an image of ours has besides."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.environment.comparison import Verdict
from jupyter_dockerize.environment.model import Packages, PipPackage, Python, Source, System
from jupyter_dockerize.environment.plan.planning import Plan
from jupyter_dockerize.events import Report
from jupyter_dockerize.export import copy as export
from jupyter_dockerize.export.copying import Copy
from jupyter_dockerize.export.output import output_of
from jupyter_dockerize.image import disk
from jupyter_dockerize.image.copy.capture import Captured
from jupyter_dockerize.image.copy.grouping import Group
from jupyter_dockerize.image.copy.trees import ROOT, collect, with_parents
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import Config
from jupyter_dockerize.image.tar import Member

PLAN = Plan(
    source="sha256:" + "0" * 64,
    platform="linux/amd64",
    foreign=False,
    system=System(os="debian", version="12", codename="bookworm"),
    python=Python(implementation="cpython", version="3.11.7"),
    packages=Packages(pip=(PipPackage(name="one", version="1", source=Source(kind="index")),)),
    server="environment",
)


def environment(folder: Path) -> Path:
    """Two packages, one of which does not compress."""
    for name, data in (("one/a.py", b"a = 1\n" * 500), ("one/b.py", b""), ("two/c.so", os.urandom(1 << 20))):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "one/link").symlink_to("a.py")
    return folder


def copy_of(folder: Path) -> Copy:
    """What is to be copied of the folder right now: a group for each folder in it, and one of ours."""
    ours = Member(path="etc/ours", data=b"ours", size=4)
    groups = [
        Group(f"package: {each.name}", tuple(with_parents(found.members.values(), lambda path: ROOT)))
        for each in sorted(folder.iterdir())
        if (found := collect([str(each)], owner=ROOT))
    ]
    groups.append(Group("ours", tuple(with_parents([ours], lambda path: ROOT))))
    captured = Captured(groups=tuple(groups), packages=frozenset(), variables=(), findings=())
    config = Config(platform="linux/amd64", env=("PATH=/bin",), cmd=("true",))
    return Copy(plan=PLAN, captured=captured, config=config, findings=())


def deliver(
    copy: Copy, ref: str, output: Path, *, check: bool, report: Report, cancel: Cancel
) -> Verdict | None:
    """Writes the image to ``output`` as a build does that is given a file or a folder; the verdict."""
    place = output_of(output)
    with disk.unfinished_folder(place.path.absolute().parent) as unfinished:
        layout = Layout.create(unfinished.path, lasting=place.folder)
        _, comparison = export.deliver(
            copy, ref, place, unfinished, layout, check=check, report=report, cancel=cancel
        )
    return comparison.verdict if comparison else None
