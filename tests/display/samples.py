"""Results to show: a build, a comparison, a snapshot."""

from __future__ import annotations

from pathlib import Path

from jupyter_dockerize.engines.base import Pushed
from jupyter_dockerize.environment.comparison import Comparison, Difference
from jupyter_dockerize.environment.model import (
    AptPackage,
    CondaPackage,
    Packages,
    PipPackage,
    Python,
    Snapshot,
    Source,
    System,
)
from jupyter_dockerize.events import Finding
from jupyter_dockerize.export.build import Built

WITHHELD = Finding(
    "environ-withheld", "info", "variables stay out of the image: MY_FLAG", "give it with docker run -e"
)
EDITED = Finding("edited-files", "warning", "numpy has files that were edited", "reinstall it")

LIBRARY = Difference(
    manager="library", name="cv2/cv2.abi3.so", field="soname", expected="libGL.so.1", found="",
    class_="unexpected", note="the Debian package libgl1 has it: --apt libgl1",
)  # fmt: skip
PATCH = Difference(
    manager="apt", name="libssl3", field="version", expected="3.0.19", found="3.0.22",
    class_="tolerated", note="Debian keeps one version of a package",
)  # fmt: skip
PLANNED = (
    *(
        Difference(
            manager="apt", name=f"lib{n}", field="left-out", expected="1", found="", class_="planned",
            note=f"no package here links to it; --apt lib{n} takes it along",
        )
        for n in range(180)
    ),
    Difference(manager="apt", name="*", field="left-out", expected="515 packages", found="", class_="planned",
               note="part of the system"),
    Difference(manager="pip", name="ipykernel", field="added", expected="", found="7.4", class_="planned",
               note="the notebook needs a kernel"),
)  # fmt: skip


def difference_of(text: str) -> Difference:
    """A difference whose every word is ``text``."""
    return Difference(
        manager="pip", name=text, field=text, expected=text, found=text, class_="unexpected", note=text
    )  # fmt: skip


BUILT = Built(
    ref="penguins",
    digest=None,
    image_id="sha256:" + "0" * 64,
    engine="docker",
    method="rebuild",
    verdict="identical",
    summary="identical: 162 packages",
    fingerprint="sha256:" + "1" * 64,
    packages=162,
    differences=PLANNED,
    findings=(),
    size=1_234_567_890,
    seconds=61.4,
    recipe=Path("/home/ada/recipes/penguins"),
)
PUSHED = Pushed(
    ref="r.example.org/team/penguins:1", digest="sha256:" + "2" * 64, size=1_234_567_890,
    uploaded=2, mounted=1, skipped=5,
)  # fmt: skip
COMPARED = Comparison(
    verdict="different", differences=(LIBRARY, PATCH, *PLANNED), packages=162, found="penguins"
)
SNAPSHOT = Snapshot(
    system=System(os="debian", version="12", libc="glibc 2.36"),
    python=Python(implementation="cpython", version="3.11.7", prefix="/opt/venv"),
    packages=Packages(
        pip=(
            PipPackage(name="numpy", version="2.1.0", scope="env", source=Source(kind="index")),
            PipPackage(
                name="mine", version="0.1", scope="env",
                source=Source(kind="vcs", url="https://example.org/mine.git", commit="c" * 40),
            ),
        ),
        conda=(CondaPackage(name="zlib", version="1.3", build="h1", channel="conda-forge", subdir="linux-64",
                            url="", md5=None, sha256=None),),
        apt=(AptPackage(name="libpq5", version="15", arch="amd64", manual=True),),
    ),
    findings=(EDITED,),
)  # fmt: skip
