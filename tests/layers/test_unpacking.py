"""``apt-get install`` into a copied image, by somebody who is not root: real packages, from apt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.builtin import BuiltinEngine
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.image.copy.dpkg import STATUS
from jupyter_dockerize.layers import pending
from jupyter_dockerize.layers.unpacking import MARKS, asked

from ..image.copy.environments import venv

REF = "unpacked"


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("apt-get install -y jq", ("jq",)),
        ("apt-get update && apt-get install -y --no-install-recommends jq file", ("jq", "file")),
        ("sudo apt install jq=1.6-2.1", ("jq=1.6-2.1",)),
        ("apt-get -o Dpkg::Use-Pty=0 -c /dev/null install -y jq", ("jq",)),
        ("apt-get install -t bookworm-backports jq file=1.2", ("jq/bookworm-backports", "file=1.2")),
        ("apt-get -tbookworm-backports install jq/bookworm", ("jq/bookworm",)),
        ("apt-get install --target-release=bookworm-backports jq", ("jq/bookworm-backports",)),
        ("apt-get update", ()),
        ("apt-get install jq; rm -rf /", ()),
        ("apt-get remove jq", ()),
        ("apt-get install jq | tee log", ()),
        ("pip install jq", ()),
    ],
)
def test_an_install_and_nothing_else_is_unpacked(command: str, names: tuple[str, ...]) -> None:
    assert asked(command) == names


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Where]:
    """A copied image with jq, which the environment's machine need not have, and a layer on top of it."""
    folder = tmp_path_factory.mktemp("unpacked")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DOCKERIZE_STORE", str(folder / "store"))
        patch.chdir(folder)
        where = Where(python=str(venv(folder / "env")))
        done = api.execute(where, "apt-get install -y jq", REF, image_only=True, engine="builtin")
        assert done.layer is not None
        assert {"jq", "libjq1"} <= {each.name for each in done.layer.packages.apt}
        assert {each.name for each in done.layer.packages.apt if each.manual} == {"jq"}
        api.execute(where, "echo kept > $VIRTUAL_ENV/said", REF, engine="builtin")
        yield where


@pytest.mark.rig
def test_it_runs_in_the_image_and_dpkg_knows_it(image: Where) -> None:
    """Also below a layer that came after it."""
    says = (
        "echo '{\"a\": 6}' | jq '.a * 7'; dpkg --audit; "
        "dpkg -s jq libjq1 | grep -c '^Status: install ok installed'"
    )
    assert BuiltinEngine().execute(REF, ["sh", "-c", says]) == b"42\n2\n"
    assert api.verify(REF, engine="builtin").verdict == "identical"
    marks = BuiltinEngine().read(REF, f"/{MARKS}", cancel=Cancel()).decode()
    assert "Package: libjq1\nArchitecture: amd64\nAuto-Installed: 1\n" in marks
    assert "Package: jq\n" not in marks


@pytest.mark.rig
def test_a_maintainer_whose_name_is_no_utf_8_stays_as_it_is(
    image: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the database of a machine may have it that is upgraded since long ago."""
    read = BuiltinEngine.read

    def of_old(engine: BuiltinEngine, ref: str, path: str, **more: Any) -> bytes:
        data = read(engine, ref, path, **more)
        return data.replace(b"Maintainer: ", b"Maintainer: J\xf6rg ") if path == f"/{STATUS}" else data

    with monkeypatch.context() as patch:
        patch.setattr(BuiltinEngine, "read", of_old)
        assert api.execute(image, "apt-get install -y hello", REF, image_only=True, engine="builtin").layer
    status = BuiltinEngine().read(REF, f"/{STATUS}", cancel=Cancel())
    assert b"\nMaintainer: J\xf6rg " in status
    assert BuiltinEngine().execute(REF, ["hello"]) == b"Hello, world!\n"


@pytest.mark.rig
def test_the_library_that_cv2_wants_is_there_without_root(image: Where) -> None:
    done = api.execute(image, "apt-get install -y libgl1", REF, image_only=True, engine="builtin")
    assert done.layer is not None
    assert {"libgl1", "libglvnd0"} <= {each.name for each in done.layer.packages.apt}
    code = "import ctypes; print(ctypes.CDLL('libGL.so.1').glXGetClientString is not None)"
    assert BuiltinEngine().execute(REF, [str(image.python), "-c", code]) == b"True\n"
    assert api.verify(REF, engine="builtin").verdict == "identical"


@pytest.mark.rig
@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("apt-get install -y postgresql", "postgresql-common.* cannot be unpacked without root"),
        ("apt-get install -y no-such-package", "apt-get install failed"),
        ("apt-get purge -y jq", "nothing can be installed into it that is not installed here"),
    ],
)
def test_what_cannot_be_done_is_named_and_changes_nothing(command: str, says: str, image: Where) -> None:
    head = api.history(image, REF).head
    with pytest.raises(UsageError, match=says):
        api.execute(image, command, REF, image_only=True, engine="builtin")
    assert (api.history(image, REF).head, pending.of(REF)) == (head, None)


def test_the_environment_is_as_it_was(image: Where) -> None:
    assert api.keep(image, REF, engine="builtin").layer is None
