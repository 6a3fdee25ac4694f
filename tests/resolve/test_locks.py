"""Locks of pip packages, asked of the real index and of private ones."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.errors import RegistryError
from jupyter_dockerize.resolve.credentials import Access
from jupyter_dockerize.resolve.indexes import Indexes
from jupyter_dockerize.resolve.locks import Locks, Pin, lock, serve, unlocked
from jupyter_dockerize.resolve.uv import Served, Target, Unsolved

from .index import private_index

AMD64 = Target("3.11.7", "x86_64-manylinux_2_36")


def locked(*pins: tuple[str, str], indexes: Indexes = Indexes(), access: Access = Access()) -> Locks:  # noqa: B008
    return lock([Pin(*pin) for pin in pins], AMD64, indexes, access, Cancel())


def test_pins_get_every_hash_that_the_index_has() -> None:
    locks = locked(("six", "1.16.0"), ("numpy", "1.26.4"))
    assert [(p.name, p.version, p.index, p.sdist) for p in locks.pip] == [
        ("numpy", "1.26.4", None, False),
        ("six", "1.16.0", None, False),
    ]
    assert locks.pip[1].hashes == (
        "sha256:1e61c37477a1626458e36f7b1d82aa5c9b094fa4802892072e49de9c60c4c926",
        "sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254",
    )
    assert len(locks.pip[0].hashes) > 20
    assert locks.lost == ()


def test_what_is_gone_or_for_other_platforms_only_does_not_sink_the_others() -> None:
    locks = locked(
        ("six", "1.16.99"),
        ("humanize", "4.9.0"),
        ("pywin32", "306"),
        ("markupsafe", "3.0.2"),
        ("docopt", "0.6.2"),
    )
    assert [(p.name, p.sdist) for p in locks.pip] == [
        ("docopt", True),
        ("humanize", False),
        ("markupsafe", False),
    ]
    assert [str(pin) for pin in locks.lost] == ["pywin32==306", "six==1.16.99"]


def test_a_package_that_is_there_as_source_only_is_marked_and_not_built() -> None:
    locks = locked(("docopt", "0.6.2"), ("psycopg2", "2.9.9"))
    assert [(p.name, p.sdist, bool(p.hashes)) for p in locks.pip] == [
        ("docopt", True, True),
        ("psycopg2", True, True),
    ]


def test_a_private_index_has_the_only_word_on_the_names_that_it_knows() -> None:
    """Dependency confusion: the public index has another humanize 4.9.0, and it must not be taken."""
    with private_index() as private:
        digest = private.add("humanize", "4.9.0")
        private.add("six", "0.0.1")
        locks = locked(
            ("humanize", "4.9.0"),
            ("six", "1.16.0"),
            ("docopt", "0.6.2"),
            indexes=Indexes(extra=(private.url,)),
        )
    assert [(p.name, p.hashes, p.index) for p in locks.pip if p.name == "humanize"] == [
        ("humanize", (digest,), private.url)
    ]
    assert [p.index for p in locks.pip if p.name == "docopt"] == [None]
    # It knows six, and not in this version: carried from the installed files, never from elsewhere.
    assert [str(pin) for pin in locks.lost] == ["six==1.16.0"]


def test_an_index_in_place_of_the_public_one_is_the_only_one_that_is_asked() -> None:
    with private_index() as private:
        private.add("corp-tool", "1.0")
        locks = locked(("corp-tool", "1.0"), ("humanize", "4.9.0"), indexes=Indexes(default=private.url))
    assert [(p.name, p.index) for p in locks.pip] == [("corp-tool", None)]
    assert [pin.name for pin in locks.lost] == ["humanize"]


def test_credentials_go_to_their_index_and_nowhere_else() -> None:
    with private_index(login=("user", 'p"w\\ #')) as private, private_index() as other:
        private.add("corp-tool", "1.0")
        private.add("corp-lib", "2.0")
        access = Access(logins={"127.0.0.1": ("user", 'p"w\\ #')})
        locks = locked(("corp-tool", "1.0"), indexes=Indexes(default=private.url), access=access)
        assert [p.name for p in locks.pip] == ["corp-tool"]
        assert 'p"w' not in repr(access)
        url = other.url.replace("127.0.0.1", "localhost")
        other.add("corp-lib", "2.0")
        assert locked(("corp-lib", "2.0"), indexes=Indexes(default=url), access=access).pip
    assert {authorization for _, authorization in other.seen} == {None}


def test_a_local_version_is_asked_of_the_configured_indexes_first() -> None:
    with private_index() as private:
        digest = private.add("torch", "2.3.0+cu121")
        locks = locked(("torch", "2.3.0+cu121"), indexes=Indexes(extra=(private.url,)))
    assert [(p.version, p.hashes, p.index) for p in locks.pip] == [("2.3.0+cu121", (digest,), private.url)]


def test_an_index_that_answers_nonsense_is_named_after_some_tries() -> None:
    pins = [Pin(f"package-{number}", "1") for number in range(200)]

    def ask(some: object) -> list[Served]:
        raise Unsolved("no")

    with pytest.raises(RegistryError, match="serves none of 200 packages"):
        serve(pins, ask)


@settings(max_examples=200)
@given(st.sets(st.integers(0, 60), max_size=40), st.booleans(), st.booleans())
def test_exactly_what_is_lost_is_found_whatever_the_message_says(
    lost: set[int], hints: bool, lies: bool
) -> None:
    pins = [Pin(f"p{number}", "1") for number in range(61)]

    def ask(some: object) -> list[Served]:
        wrong = [p for p in some if int(p.name[1:]) in lost]  # type: ignore[attr-defined]
        if wrong:
            blamed = next((p for p in some if p not in wrong), wrong[0]) if lies else wrong[0]  # type: ignore[attr-defined]
            raise Unsolved(f"Because there is no version of {blamed}" if hints else "no solution")
        return [Served(p.name, p.version, (), None) for p in some]  # type: ignore[attr-defined]

    found = {s.name for s in serve(pins, ask)}
    assert found == {pin.name for pin in pins if int(pin.name[1:]) not in lost}


def test_without_an_index_versions_are_pinned_and_local_labels_keep_theirs() -> None:
    found = unlocked([Pin("torch", "2.3.0+cu121"), Pin("six", "1.16.0"), Pin("x", "1+g123")])
    assert [(p.name, p.hashes, p.index) for p in found] == [
        ("six", (), None),
        ("torch", (), "https://download.pytorch.org/whl/cu121"),
        ("x", (), None),
    ]


def test_hashes_are_sorted_and_well_formed() -> None:
    (package,) = locked(("markupsafe", "3.0.2")).pip
    assert list(package.hashes) == sorted(set(package.hashes))
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in package.hashes)
