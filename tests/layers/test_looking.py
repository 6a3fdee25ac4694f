"""What is installed and nothing is linked to any more was removed by nobody."""

from __future__ import annotations

from dataclasses import replace

from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.model import Snapshot
from jupyter_dockerize.environment.plan.planning import Plan, make_plan
from jupyter_dockerize.layers.looking import with_asked
from jupyter_dockerize.layers.pinning import changed

from ..environment.environments import apt, snapshot


def plan_of(here: Snapshot, *needed: str) -> Plan:
    plan = make_plan(here, Wishes())
    found = tuple(each for each in here.packages.apt if each.name in needed)
    return replace(plan, packages=replace(plan.packages, apt=found))


def test_a_library_that_is_needed_no_longer_is_gone_only_where_somebody_removed_it() -> None:
    here = snapshot(apt=(apt("libexpat1", manual=False), apt("libgl1", manual=False)))
    head = plan_of(here, "libexpat1")
    after = with_asked(plan_of(here, "libgl1"), here, head)
    new, was = changed(head, head, after)
    assert ([each.name for each in new.apt], was) == (["libgl1"], ())

    removed = snapshot(apt=(apt("libgl1", manual=False),))
    _, was = changed(head, head, with_asked(plan_of(removed, "libgl1"), removed, head))
    assert [each.name for each in was] == ["libexpat1"]
