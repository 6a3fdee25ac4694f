"""Results in plain text: short, the verdict first, nothing of it markup or escape sequence."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.api import Recipe
from jupyter_dockerize.contents.identity import LABEL_NOTEBOOK
from jupyter_dockerize.display import card, text
from jupyter_dockerize.engines import Survey
from jupyter_dockerize.engines.base import Container, Image, Status
from jupyter_dockerize.engines.registry.login import LoggedIn
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.plan.planning import make_plan
from jupyter_dockerize.events import Finding
from jupyter_dockerize.export.server import NoServer
from jupyter_dockerize.image.store import Former, Pruned

from .samples import (
    BUILT,
    COMPARED,
    EDITED,
    LIBRARY,
    PATCH,
    PLANNED,
    PUSHED,
    SNAPSHOT,
    WITHHELD,
    difference_of,
)

HOSTILE = "\x1b]52;c;ZXZpbA==\x07x\x1b[2J\r\x9b31m\u202e"
DANGEROUS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def test_a_build_is_told_in_a_few_lines_verdict_first() -> None:
    said = text.build(replace(BUILT, findings=(EDITED, WITHHELD)))
    lines = said.splitlines()
    assert lines[0] == "✓ penguins: identical: 162 packages"
    assert lines[1] == "  1.2 GB, 162 packages, 61 s, by docker"
    assert "! numpy has files that were edited [edited-files]\n    → reinstall it" in said
    assert "left out of the image on purpose: 695 Debian packages (`--json` lists them)" in said
    assert lines[-3:] == [
        "open it:   jupyter dockerize run penguins",
        "anywhere:  docker run --rm -p 8888:8888 penguins",
        "recipe:    /home/ada/recipes/penguins",
    ]
    assert len(lines) < 16


def test_what_nobody_planned_comes_with_what_to_do() -> None:
    said = text.comparison(COMPARED)
    assert said.startswith("✗ image penguins: not the same environment (different: 1 library)\n")
    assert (
        "✗ libGL.so.1 is missing in the image, cv2/cv2.abi3.so needs it\n"
        "    → the Debian package libgl1 has it: --apt libgl1" in said
    )
    assert "~ libssl3: 3.0.19 planned, 3.0.22 in the image" in said


def test_hundreds_of_differences_do_not_scroll_by() -> None:
    many = tuple(replace(LIBRARY, name=f"file{n}.so") for n in range(700))
    lines = text.comparison(replace(COMPARED, differences=many)).splitlines()
    assert len(lines) < 50
    assert "✗ and 680 more libraries missing in the image: `--json` lists all" in lines


def test_a_snapshot_shows_what_would_not_come_back_by_its_name() -> None:
    said = text.snapshot(SNAPSHOT)
    assert said.startswith(
        "Python 3.11.7 in /opt/venv\ndebian 12 amd64, glibc 2.36\n2 pip, 1 conda, 1 Debian packages"
    )
    assert re.search(r"^mine +0\.1 +env +vcs https://example.org/mine.git @ c{12}$", said, re.MULTILINE)
    assert "\nnumpy 2.1.0, zlib 1.3\n" in said


def test_a_recipe_groups_what_it_leaves_out(tmp_path: Path) -> None:
    plan = make_plan(SNAPSHOT, Wishes())
    choices = tuple(
        replace(
            plan.choices[0],
            kind="left-out",
            manager="apt",
            name=f"lib{n}",
            reason=f"unused; --apt lib{n} takes it",
        )
        for n in range(239)
    )
    value = Recipe(
        folder=tmp_path / "my image",
        files=("Dockerfile", "README.md"),
        plan=replace(plan, choices=choices),
        base="python:3.11.7-slim-bookworm",
        secrets=("ca",),
        findings=(),
    )
    said = text.recipe(value)
    assert (
        "left out: 239 Debian packages: lib0, lib1, lib2, lib3, lib4, lib5, lib6, lib7 and 231 more\n" in said
    )
    assert "    unused; --apt NAME takes it\n" in said
    line = f"build it:  docker build --secret id=ca,src=ca.pem -t analysis '{tmp_path}/my image'"
    assert said.endswith(f"{line}\n    ca.pem: the certificates of your network's CA, in PEM")
    known = text.recipe(replace(value, secret_files={"ca": "/etc/ssl/our.pem"}))
    assert known.endswith(f"--secret id=ca,src=/etc/ssl/our.pem -t analysis '{tmp_path}/my image'")
    assert len(said.splitlines()) < 10


def test_engines_say_why_not_and_what_to_do() -> None:
    down = Status(name="docker", available=False, reason="it is not running", fix="start it")
    assert text.engines(Survey(chosen=None, engines=(down,))) == (
        "✗ docker: it is not running\n    → start it\nchosen: none"
    )


def test_empty_lists_say_how_to_fill_them() -> None:
    assert "jupyter dockerize build" in text.images([])
    assert "jupyter dockerize run" in text.containers([])


def test_images_show_their_notebook_and_which_lost_their_name() -> None:
    labels = {LABEL_NOTEBOOK: "penguins.ipynb"}
    image = Image(id="sha256:1", refs=("penguins:latest",), labels=labels, size=889_000_000)
    assert "(replaced)" not in text.images([image])
    said = text.images([image, replace(image, id="sha256:" + "2" * 64, refs=())]).splitlines()
    assert said[1].split()[:2] == ["penguins:latest", "penguins.ipynb"]
    assert said[2].split()[:2] == ["(replaced)", "penguins.ipynb"]
    assert "`docker image prune`" in said[-1]


def test_what_is_open_is_told_by_its_address_and_how_to_stop_it() -> None:
    said = text.opened(
        Container(name="p-1", id="1", ref="p", status="running", url="http://127.0.0.1:1/lab?token=t")
    )
    assert said == "http://127.0.0.1:1/lab?token=t\nstop it:  jupyter dockerize stop p-1"
    noted = text.opened(Container(name="p", id="1", ref="p", status="running", url="http://x", note="first"))
    assert noted.splitlines()[:2] == ["! first", "http://x"]


def test_what_is_open_of_an_older_build_says_so() -> None:
    one = Container(name="p-1", id="1", ref="p", status="running", replaced=True)
    assert text.containers([one]).splitlines()[1].split() == ["p-1", "p", "(replaced)", "running"]


def test_what_was_pushed_says_what_went_over_the_line() -> None:
    said = "pushed: 2 layers sent, 1 taken from another repository there, 5 there already"
    assert text.pushed(PUSHED) == f"r.example.org/team/penguins:1: {said}\n  {PUSHED.digest}"
    assert f"\n  {said}\n" in text.build(replace(BUILT, pushed=PUSHED))
    assert (
        text.in_registry(replace(PUSHED, uploaded=0, mounted=0, skipped=1)) == "pushed: 1 layer there already"
    )
    assert text.in_registry(replace(PUSHED, uploaded=0, mounted=0, skipped=0)) == "pushed"


def test_what_is_nowhere_but_in_its_registry_is_opened_from_there() -> None:
    built = replace(BUILT, ref=PUSHED.ref, engine="builtin", method="copy", kept=False, recipe=None)
    said = text.build(replace(built, pushed=PUSHED))
    assert said.endswith(f"open it:   docker run --rm -p 8888:8888 {PUSHED.ref}")
    assert "jupyter dockerize run" not in said
    assert "open it" not in text.build(built)  # there is none
    for pushed in (PUSHED, None):
        assert ("docker run" in card.of(replace(built, pushed=pushed))) == bool(pushed)


def test_an_image_without_jupyterlab_is_opened_as_what_it_starts(tmp_path: Path) -> None:
    bare = replace(BUILT, method="copy", findings=(NoServer("none is here").finding,))
    file = tmp_path / "image.tar"
    for made in (
        bare,
        replace(bare, engine="builtin", output=file),
        replace(bare, engine="builtin", kept=False, pushed=PUSHED),
    ):
        for said in (text.build(made), card.of(made)):
            assert "docker run --rm -it penguins" in said
            assert "-p 8888" not in said and "dockerize run" not in said


def test_a_login_says_who_keeps_it() -> None:
    kept = LoggedIn(registry="r.example.org", user="ada", helper="pass", file=Path("c"), checked=True)
    assert text.logged_in(kept) == "r.example.org knows you as ada; kept by docker-credential-pass"
    told = text.logged_in(replace(kept, helper=""))
    assert "kept by c" in told
    assert "[login-in-plain-text]" in told


@given(st.text() | st.just(HOSTILE))
def test_nothing_that_others_wrote_does_anything_in_a_terminal(hostile: str) -> None:
    finding = Finding(hostile, "warning", hostile, hostile)
    difference = difference_of(hostile)
    planned = replace(difference, class_="planned")
    image = Image(id=hostile, refs=(hostile,), size=1, created=hostile, platform=hostile)
    container = Container(name=hostile, id="1", ref=hostile, status=hostile, url=hostile, note=hostile)
    status = Status(name=hostile, available=False, reason=hostile, fix=hostile, endpoint=hostile)
    for said in (
        text.build(
            replace(
                BUILT, ref=hostile, summary=hostile, findings=(finding,), differences=(difference, planned)
            )
        ),
        text.comparison(
            replace(COMPARED, verdict="skipped", reason=hostile, differences=(difference, planned))
        ),
        text.images([image]),
        text.containers([container]),
        text.opened(container),
        text.pushed(replace(PUSHED, ref=hostile)),
        text.logged_in(
            LoggedIn(registry=hostile, user=hostile, helper=hostile, file=Path("x"), checked=False)
        ),
        text.engines(Survey(chosen=None, engines=(status,))),
    ):
        assert not DANGEROUS.search(said)


def test_what_is_pruned_is_named() -> None:
    nothing = Pruned(images=(), freed=0)
    assert text.pruned(nothing, dry_run=False).startswith("nothing to remove")
    images, recipes = ("a:old", "sha256:3f1c2a9d04b7"), ("\x1b[31mb:old",)
    only = replace(nothing, recipes=recipes, freed=4000)
    said = text.pruned(only, dry_run=False).splitlines()
    assert said[0] == "1 recipe is removed, 4 kB are free"
    assert said[1].startswith("  the recipe of ")
    assert not DANGEROUS.search(said[1])
    said = text.pruned(replace(only, images=images), dry_run=True).splitlines()
    assert said[0] == "2 images and 1 recipe would be removed, 4 kB would be free"
    assert text.pruned(replace(only, images=images, recipes=()), dry_run=False).startswith("2 images are")
    layer = Former(image="a", command="pip install x\npip install y", name="layers/a:0", size=2000)
    all_of_them = replace(only, images=images, layers=(layer,), forgotten=("c",), left=(("d", "it is open"),))
    said = text.pruned(all_of_them, dry_run=False).splitlines()
    assert said[0] == "2 images, 1 layer and 1 recipe are removed, 4 kB are free"
    assert "  of a, 2 kB: pip install x" in said
    assert said[-2:] == ["  what is known here of the layers of c", "! d is left alone: it is open"]
    assert text.pruned(replace(nothing, left=(("d", "it is open"),)), dry_run=True).endswith("it is open")


def test_the_samples_hold_every_class() -> None:
    assert {d.class_ for d in (LIBRARY, PATCH, *PLANNED)} == {"unexpected", "tolerated", "planned"}
