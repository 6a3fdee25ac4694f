"""Layers: few, and one more package changes only those that it has to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.image.copy.grouping import LARGE, MOST, OWN_LAYERS, Group, distributions
from jupyter_dockerize.image.tar import Member

AROUND = 5  # the system, Python, our own, the project, the environment's frame


def environment(sizes: dict[str, int]) -> tuple[dict[str, Member], dict[str, str]]:
    """One file of each distribution, and a script that nobody owns."""
    members = {f"lib/{name}.py": Member(path=f"lib/{name}.py", size=size) for name, size in sizes.items()}
    owners = {f"lib/{name}.py": name for name in sizes}
    return {**members, "pyvenv.cfg": Member(path="pyvenv.cfg", size=1)}, owners


def layers(sizes: dict[str, int]) -> list[Group]:
    return distributions(*environment(sizes))


SIZES = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=4), st.integers(0, 8 * LARGE), min_size=1, max_size=60
)


@given(SIZES)
def test_there_are_never_more_than_twenty_and_every_file_is_in_one(sizes: dict[str, int]) -> None:
    groups = layers(sizes)
    assert len(groups) + AROUND - 1 <= MOST
    paths = [member.path for group in groups for member in group.members]
    assert sorted(paths) == sorted(environment(sizes)[0])


@given(st.dictionaries(st.text("abcdefgh", min_size=1, max_size=4), st.integers(0, 1000), max_size=60))
def test_one_more_package_changes_one_layer(sizes: dict[str, int]) -> None:
    before, after = layers(sizes), layers({**sizes, "humanize": 10})
    contents = {frozenset(m.path for m in group.members) for group in before}
    changed = [g for g in after if frozenset(m.path for m in g.members) not in contents]
    assert len(changed) == 1


def test_one_large_package_more_is_a_layer_of_its_own() -> None:
    before, after = (
        layers({"small": 1, "torch": 3 * LARGE}),
        layers({"small": 1, "torch": 3 * LARGE, "jax": 2 * LARGE}),
    )
    assert [group for group in after if group not in before] == [
        Group("package: jax", (Member(path="lib/jax.py", size=2 * LARGE),))
    ]


def test_a_small_package_more_leaves_the_larger_ones_alone() -> None:
    sizes = {f"large{n}": LARGE + n for n in range(12)} | {f"middle{n}": LARGE // 3 for n in range(12)}
    before, after = layers(sizes), layers({**sizes, "humanize": 1 << 20})
    assert [group.title for group in after if group not in before] == ["packages: humanize"]


def test_one_large_package_too_many_takes_the_layer_of_the_smallest() -> None:
    sizes = {f"large{n}": LARGE + n for n in range(OWN_LAYERS)}
    before, after = layers(sizes), layers({**sizes, "torch": 9 * LARGE})
    assert [group.title for group in after if group not in before] == ["package: torch", "packages: large0"]


def test_the_titles_say_what_is_inside() -> None:
    titles = [group.title for group in layers({"torch": LARGE, "small": 1})]
    assert titles == ["package: torch", "packages: small", "the environment's frame"]


def test_bytecode_goes_with_its_source() -> None:
    members, owners = environment({"numpy": 1})
    members["lib/__pycache__/numpy.cpython-311.pyc"] = Member(path="lib/__pycache__/numpy.cpython-311.pyc")
    [group, _] = distributions(members, owners)
    assert len(group.members) == 2


@given(SIZES, st.randoms())
def test_the_order_in_which_they_were_found_does_not_matter(sizes: dict[str, int], random: object) -> None:
    other = list(sizes.items())
    random.shuffle(other)  # type: ignore[attr-defined]
    assert [(g.title, sorted(m.path for m in g.members)) for g in layers(sizes)] == [
        (g.title, sorted(m.path for m in g.members)) for g in layers(dict(other))
    ]
