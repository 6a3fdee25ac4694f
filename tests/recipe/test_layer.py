"""One layer as a step: what it says to builders, and that no text of users gets into it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.model import Packages, Python, Snapshot, System
from jupyter_dockerize.environment.plan.planning import make_plan
from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.recipe.layer import SCRIPT, Addition, increment, steps, whole
from jupyter_dockerize.recipe.pip import Lock, locks_in, locks_of
from jupyter_dockerize.recipe.resolution import Base, CarriedWheel, LockedPip, Resolution
from jupyter_dockerize.recipe.steps import BUILDKIT, CLASSIC, Run

PLAN = make_plan(
    Snapshot(
        system=System(os="debian", version="12", codename="bookworm"),
        python=Python(implementation="CPython", version="3.11.7"),
        packages=Packages(),
    ),
    Wishes(),
)
BASE = Base(ref="python:3.11.7-slim-bookworm", kind="python", reason="x", digest="sha256:" + "a" * 64)
LOCK = Lock("requirements.txt", "humanize==4.8.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
INSTALL = Addition(
    number=2,
    name="layers/0002-pip-install-humanize-0123456789ab",
    plan=PLAN,
    base=BASE,
    files={"requirements.txt": LOCK.text.encode()},
    locks=(LOCK,),
    added=(("humanize", "4.8.0"),),
    labels={"jupyter-dockerize.layer.2": '{"command":"pip install humanize; echo $(x)"}'},
)


def test_an_install_is_one_step_whose_files_are_mounted() -> None:
    text = increment("heads/a:1", INSTALL, BUILDKIT).dockerfile
    assert "FROM heads/a:1\n" in text
    assert "# Layer 2: humanize 4.8.0.\n" in text
    final = text.partition("FROM heads/a:1")[2]
    assert final.count("\nRUN ") == 1
    assert "COPY" not in final
    assert (
        "uv pip install --python=/opt/env/bin/python --no-deps --no-cache --require-hashes --no-build"
        in final
    )
    assert r"echo \$(x)" in final
    assert final.rstrip().endswith("USER 1000")


def test_locks_are_found_again_by_their_names_among_the_files_of_a_layer() -> None:
    hashes = ("sha256:" + "0" * 64,)
    packages = (
        LockedPip(name="a", version="1", hashes=hashes),
        LockedPip(name="b", version="1", hashes=hashes, sdist=True),
        LockedPip(name="c", version="1", hashes=()),
        LockedPip(name="d", version="1", hashes=(), sdist=True),
    )
    file = "e-1-py3-none-any.whl"
    wheel = CarriedWheel(name="e", version="1", filename=file, sha256=64 * "0", data=b"", reason="local")
    locks = locks_of(Resolution(base=BASE, pip=packages, wheels=(wheel,)))
    files = {"run.sh": b"", "conda.txt": b"", **{lock.file: lock.text.encode() for lock in locks}}
    assert (len(locks), set(locks_in(files))) == (5, set(locks))
    assert [lock.compiled for lock in locks_in(files)] == [False, False, False, True, True]


def test_builders_without_mounts_get_copies() -> None:
    final = increment("heads/a:1", INSTALL, CLASSIC).dockerfile.partition("FROM heads/a:1")[2]
    assert "COPY layers/0002-pip-install-humanize-0123456789ab /build/" in final
    assert "COPY --from=uv /opt/uv /opt/uv" in final


def test_a_script_is_a_file_and_never_text() -> None:
    addition = replace(INSTALL, locks=(), added=(), files={SCRIPT: b"echo '\"; rm -rf /'\n"}, apt=("bc",))
    bundle = increment("heads/a:1", addition, BUILDKIT)
    assert "rm -rf /'" not in bundle.dockerfile
    assert bundle.files[f"{addition.name}/{SCRIPT}"] == b"echo '\"; rm -rf /'\n"
    assert "sh -e /build/0002-pip-install-humanize-0123456789ab/run.sh" in bundle.dockerfile
    # What the script installs is not installed again.
    assert "apt-get install" not in bundle.dockerfile


def test_certificates_are_mounted_and_no_secret() -> None:
    addition = replace(INSTALL, secrets=("ca", "netrc"))
    final = increment("heads/a:1", addition, BUILDKIT, b"PEM").dockerfile.partition("FROM heads/a:1")[2]
    assert "--mount=type=bind,source=ca.pem,target=/run/secrets/ca" in final
    assert "type=secret,id=ca" not in final
    assert "type=secret,id=netrc" in final
    # In the journal, which everybody reads, it is what a build may be handed.
    assert "type=secret,id=ca" in whole("# first\nFROM a AS uv\n", [addition], BUILDKIT)[0]


def test_a_recipe_without_uv_gets_it_where_a_layer_uses_it() -> None:
    """A conda environment that has nothing of pip needs none."""
    first = "# Made by\nFROM a AS base\nRUN b\n\n# The image.\nFROM base\nUSER 1000\n"
    addition = replace(INSTALL, base=Base(ref="mambaorg/micromamba:2", kind="conda", reason="x"))
    text, files = whole(first, [addition], BUILDKIT)
    stages = [line for line in text.splitlines() if line.startswith("FROM ")]
    assert stages == ["FROM a AS base", "FROM base AS uv", "FROM base"]
    assert "source=env/uv.txt" in text
    assert list(files) == ["env/uv.txt"]
    assert whole(first, [replace(addition, locks=())], BUILDKIT)[1] == {}


def test_what_is_gone_is_removed_by_name() -> None:
    addition = replace(INSTALL, locks=(), files={}, added=(), gone_pip=("attrs",), gone_apt=("bc",))
    run = next(step for step in steps(addition) if isinstance(step, Run))
    assert "uv pip uninstall --python=/opt/env/bin/python attrs" in run.lines
    assert "apt-get purge -y\nbc" in run.lines


@given(st.text(min_size=1))
def test_a_name_that_is_none_is_refused(name: str) -> None:
    for field in ("gone_pip", "gone_apt", "apt"):
        addition = replace(INSTALL, **{field: (name,)})
        try:
            steps(addition)
        except UsageError:
            continue
        assert name.isascii()
        assert name.replace("-", "").replace(".", "").replace("+", "").replace("_", "").isalnum()


def test_conda_packages_need_a_base_of_conda() -> None:
    addition = replace(INSTALL, locks=(), files={"conda.txt": b"@EXPLICIT\n"})
    with pytest.raises(UsageError, match="conda packages cannot be added"):
        steps(addition)
