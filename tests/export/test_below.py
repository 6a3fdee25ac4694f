"""What a copy lies on when nothing was asked for: the image of this container where it is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.registry.credentials import nobody
from jupyter_dockerize.engines.registry.push import push_image
from jupyter_dockerize.environment.model import Snapshot
from jupyter_dockerize.environment.plan.planning import Plan
from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.events import ignore
from jupyter_dockerize.export import below
from jupyter_dockerize.export.below import plan_on
from jupyter_dockerize.export.copying import Copy, Onto
from jupyter_dockerize.export.onto import onto
from jupyter_dockerize.image import disk
from jupyter_dockerize.image.copy.onto import UnfitBaseError
from jupyter_dockerize.image.layout import BLOBS, Layout
from jupyter_dockerize.image.reference import Reference

from ..engines.registry.servers import Conforming
from ..image.copy.environments import planned
from ..image.layouts import good


@pytest.fixture(scope="module")
def environment(tiny: Path) -> tuple[Plan, Snapshot]:
    return planned(tiny)


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))


@pytest.fixture
def other(conforming: Conforming, tmp_path: Path) -> str:
    """An image of a registry that no container here runs."""
    layout, image = good(tmp_path / "image")
    ref = f"{conforming.host}/team/lab:1"
    push_image(layout, image, Reference.parse(ref), logins=nobody)
    return ref


def on(
    environment: tuple[Plan, Snapshot], keep: Layout, image: str | None, *, base: str | None = None
) -> Copy:
    plan, snapshot = environment
    said = replace(snapshot, system=replace(snapshot.system, container="kubernetes", image=image))
    return plan_on(base, plan, said, lambda: keep, None, report=ignore, cancel=Cancel())


@pytest.fixture
def keep(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "keep")


def known(copy: Copy) -> list[str]:
    return [finding.message for finding in copy.findings if finding.code == "known-image-not-used"]


def test_another_image_than_this_container_runs_is_not_used_and_that_is_said(
    environment: tuple[Plan, Snapshot], keep: Layout, other: str
) -> None:
    copy = on(environment, keep, other)
    [said] = known(copy)
    assert other in said
    assert "are here with the same size and date" in said
    assert copy.base is None
    assert copy.captured.packages  # everything, with Debian's packages
    assert list((keep.folder / BLOBS).iterdir()) == []  # nothing of it comes into the result


@pytest.mark.parametrize("name", ["team/none:1", "UPPER/case:1"])
def test_an_image_that_nobody_has_is_not_used_and_that_is_said(
    environment: tuple[Plan, Snapshot], keep: Layout, conforming: Conforming, name: str
) -> None:
    copy = on(environment, keep, f"{conforming.host}/{name}")
    assert len(known(copy)) == 1
    assert copy.base is None


class Stand:
    """This container runs the image, as far as anybody can tell."""

    def misfit(self) -> str:
        return ""


@pytest.mark.parametrize("error", [UnfitBaseError("a link is there"), UsageError("a.csv has changed")])
def test_a_fault_that_is_not_the_images_is_not_told_of_it(
    environment: tuple[Plan, Snapshot],
    keep: Layout,
    other: str,
    error: UsageError,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = below.plan_copy

    def fails(plan: Plan, snapshot: Snapshot, allow: tuple[str, ...], onto: Onto | None, *more: Any) -> Copy:
        if onto:
            raise error
        return real(plan, snapshot, allow, onto, *more)

    monkeypatch.setattr(below, "standing", lambda *of: Stand())
    monkeypatch.setattr(below, "plan_copy", fails)
    if isinstance(error, UnfitBaseError):
        [said] = known(on(environment, keep, other))
        assert said.endswith("everything is copied: a link is there")
    else:
        with pytest.raises(UsageError, match=r"a\.csv has changed"):
            on(environment, keep, other)


def test_scratch_and_a_container_of_which_nothing_is_known_ask_no_registry(
    environment: tuple[Plan, Snapshot], keep: Layout, conforming: Conforming, other: str
) -> None:
    conforming.close()
    assert known(on(environment, keep, other, base="scratch")) == []
    assert known(on(environment, keep, None)) == []


def test_a_base_that_was_asked_for_and_is_not_there_is_refused(
    environment: tuple[Plan, Snapshot], keep: Layout, conforming: Conforming, other: str
) -> None:
    with pytest.raises(UsageError, match="there is no image"):
        on(environment, keep, other, base=f"{conforming.host}/team/none:1")


def test_what_a_base_holds_is_read_once_and_then_needs_no_room(
    environment: tuple[Plan, Snapshot],
    tmp_path: Path,
    conforming: Conforming,
    other: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan, _ = environment
    first = onto(other, plan, Layout.create(tmp_path / "first"), ignore, Cancel())
    for name in [
        key for key in conforming.blobs if key[1] in {b.descriptor.digest for b in first.image.layers}
    ]:
        del conforming.blobs[name]
    monkeypatch.setattr(disk, "free", lambda folder: 0)
    again = onto(other, plan, Layout.create(tmp_path / "again"), ignore, Cancel())
    assert again.contents == first.contents
