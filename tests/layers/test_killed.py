"""A kernel that is killed while the head moves back, or while the image is built anew under its layers."""

from __future__ import annotations

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.events import ignore
from jupyter_dockerize.layers import journal, pending
from jupyter_dockerize.layers.opening import opened

from ..image.faults import killed_at
from .conftest import Own
from .test_faults import REF, Copied, agree, copied  # noqa: F401 - a fixture


def test_a_kernel_that_is_killed_while_the_head_goes_back_leaves_the_one_or_the_other(
    copied: Copied,  # noqa: F811
) -> None:
    nth = 0
    while killed_at(nth := nth + 1, lambda: api.rollback(copied.where, 1, REF, engine="builtin"), ["rename"]):
        with opened(REF, "look", engine="builtin", report=ignore, cancel=Cancel()) as found:
            head = found.state.number
            assert head in (1, 2)
            assert found.engine.find(REF).id == found.state.head.image
            assert len(journal.read(found.folder).entries) == head - 1
        assert pending.of(REF) is None
        assert api.rollback(copied.where, 2, REF, engine="builtin").number == 2
        assert copied.in_image() == "begun"
    assert nth > 2
    assert api.history(copied.where, REF).head == 1


@pytest.mark.engine
def test_a_kernel_that_is_killed_while_a_layered_image_is_built_anew_leaves_the_old_or_the_new(
    own: Own,
) -> None:
    own.exec("echo 0 > $VIRTUAL_ENV/said")
    nth = 0
    while killed_at(
        nth := nth + 1, lambda: api.build(own.where, api.NO_WISHES, own.ref, engine="docker"), ["rename"]
    ):
        if agree(own, 2, 1) == 1:
            own.exec(f"echo {nth} > $VIRTUAL_ENV/said")
        assert own.engine.execute(own.ref, ["cat", "/opt/env/said"]).strip().isdigit()
    assert nth > 1
    assert agree(own, 1) == 1
