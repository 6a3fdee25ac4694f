"""What is said of a layer whose packages need more than themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.model import Libraries, Library, MissingLibrary, Packages, Snapshot
from jupyter_dockerize.environment.plan.planning import make_plan
from jupyter_dockerize.events import Finding
from jupyter_dockerize.layers.model import Layer
from jupyter_dockerize.layers.needed import added, lacking

from ..environment.environments import apt, pip, snapshot

CV2 = "site-packages/cv2/cv2.abi3.so"


def layer(*packages: str, debian: tuple[str, ...] = ()) -> Layer:
    found = Packages(pip=tuple(map(pip, packages)), apt=tuple(map(apt, debian)))
    return Layer(command="pip install", origin="exec", packages=found)


def test_why_a_debian_package_came_along_is_said_once() -> None:
    needed = (
        Library(soname="libGL.so.1", owner="libgl1", by=("cv2/qt/plugins/libqxcb.so",)),
        Library(soname="libOpenGL.so.0", owner="libgl1", by=("cv2/qt/plugins/libqxcb.so",)),
        Library(soname="libSM.so.6", owner="libsm6", by=("opencv_python.libs/libQt5.so",)),
        Library(
            soname="libz.so.1", owner="zlib1g", by=("cv2/qt/plugins/libqxcb.so",)
        ),  # the image has it already
    )
    here = snapshot(pip("opencv-python"), libraries=Libraries(files=1, needed=needed))
    assert list(added(layer("opencv-python", debian=("libgl1", "libsm6")).packages, here)) == [
        "cv2 needs libGL.so.1 → libgl1 added",
        "opencv_python needs libSM.so.6 → libsm6 added",
    ]


def test_a_library_that_is_not_even_here_is_named_where_the_layer_brought_the_file(tmp_path: Path) -> None:
    (tmp_path / "RECORD").write_text("cv2/cv2.abi3.so,sha256=x,1\n")
    package = replace(pip("opencv-python"), dist_info=str(tmp_path))
    missing = (
        MissingLibrary(file=CV2, soname="libGL.so.1"),
        MissingLibrary(file="site-packages/other/a.so", soname="libX.so.9"),
    )
    here = snapshot(package, pip("other"), libraries=Libraries(files=2, missing=missing))
    (found,) = _lacking(layer("opencv-python"), here)
    assert (found.code, found.fix) == ("library-missing", "apt-get install libgl1")
    assert "cv2.abi3.so' cannot find libGL.so.1" in found.message
    assert not _lacking(layer("humanize"), here)


def test_what_the_packages_require_and_only_the_environment_has_is_named() -> None:
    here = snapshot(pip("humanize", requires=("numpy",)), pip("numpy", "2.0.1"))
    made = layer("humanize")
    plan = make_plan(here, Wishes())
    without = replace(plan, packages=Packages(pip=(pip("humanize"),)))
    (found,) = lacking(made, without, here, here.packages.pip, "penguins")
    assert found.code == "needs-more"
    assert found.message == "what was installed needs numpy 2.0.1, and penguins lacks it"
    assert lacking(made, plan, here, here.packages.pip, "penguins") == ()


def _lacking(made: Layer, here: Snapshot) -> tuple[Finding, ...]:
    return lacking(made, make_plan(here, Wishes()), here, here.packages.pip, "penguins")
