"""What an image tells strangers about itself: its packages, and nothing of whose machine it was."""

from __future__ import annotations

from dataclasses import replace

from jupyter_dockerize.contents import identity
from jupyter_dockerize.environment.choices import Choice
from jupyter_dockerize.environment.model import Index, Packages, PipPackage, Source, System, dump, parse
from jupyter_dockerize.environment.plan.planning import Plan, redacted

from ..recipe.test_recipe import load


def labels(plan: Plan) -> dict[str, str]:
    return identity.labels(redacted(plan), "rebuild", python="/opt/env/bin/python")


def test_the_labels_say_what_it_is_and_how_it_runs() -> None:
    plan, _ = load("venv")
    found = labels(plan)
    assert found[identity.LABEL_NOTEBOOK] == "penguins.ipynb"
    assert found[identity.LABEL_PYTHON] == "/opt/env/bin/python"
    assert found[identity.LABEL_RUN] == "docker run --rm -p 8888:8888 IMAGE"
    assert found[identity.LABEL_FINGERPRINT] == parse(dump(redacted(plan)), Plan).fingerprint


def test_an_environment_without_a_notebook_says_so() -> None:
    plan, _ = load("own-server")
    assert labels(plan)[identity.LABEL_NOTEBOOK] == ""


def test_nothing_of_the_machine_is_stored() -> None:
    plan, _ = load("venv")
    package = PipPackage(
        name="x",
        version="1",
        source=Source(kind="editable", url="file:///home/lovelace/x"),
        dist_info="/home/lovelace/venv/x.dist-info",
        location="/home/lovelace/x",
    )
    hostile = replace(
        plan,
        packages=Packages(pip=(package,)),
        system=System(os="debian", image="registry.corp.example/hub:1", cpu="Cpu of Lovelace", cpus=64),
        indexes=(Index(url="https://pypi.corp.example/simple", kind="extra"),),
        choices=(
            Choice(kind="left-out", manager="file", name="a", reason="it is in /home/lovelace/data"),
            Choice(kind="left-out", manager="file", name="b", reason="it is in C:\\Users\\lovelace\\data"),
            Choice(kind="left-out", manager="file", name="data/home/kept.csv", reason="/root/x"),
        ),
    )
    text = dump(redacted(hostile)).decode()
    assert "lovelace" not in text.lower()
    assert "corp" not in text
    assert "/root" not in text
    assert "data/home/kept.csv" in text
