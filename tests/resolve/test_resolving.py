"""A plan resolved: what is locked, carried, added and named, on this platform and on others."""

from __future__ import annotations

import base64
import dataclasses
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.model import (
    Index,
    Packages,
    PipPackage,
    Python,
    Snapshot,
    Source,
    System,
    dump,
)
from jupyter_dockerize.environment.plan.planning import Plan, make_plan
from jupyter_dockerize.errors import ReferenceError, UsageError  # noqa: A004
from jupyter_dockerize.events import Event, Progress, ignore
from jupyter_dockerize.image.manifest import INDEX
from jupyter_dockerize.recipe.resolution import Base, Resolution
from jupyter_dockerize.resolve import resolve
from jupyter_dockerize.resolve.indexes import own_index
from jupyter_dockerize.resolve.target import target_of
from jupyter_dockerize.resolve.uv import Target

from ..engines.registry.servers import Answer, Fake, closing, digest
from .conftest import BASE, Environment, plan_of
from .index import private_index


def resolved(snapshot: Snapshot, plan: Plan | None = None, **options: object) -> tuple[Plan, Resolution]:
    base = options.pop("base", BASE)
    options = {"report": ignore, "cancel": Cancel(), **options}
    return resolve(plan or plan_of(snapshot), snapshot, base, **options)  # type: ignore[arg-type]


def codes(resolution: Resolution) -> dict[str, str]:
    return {finding.code: finding.severity for finding in resolution.findings}


def test_every_package_is_locked_or_carried(environment: Environment) -> None:
    events: list[Event] = []
    plan, resolution = resolved(environment.snapshot(), report=events.append)
    assert {(p.name, bool(p.hashes)) for p in resolution.pip} == {("humanize", True)}
    assert {(w.name, w.reason) for w in resolution.wheels} == {
        ("flat-demo", "editable"),
        ("hatch-demo", "editable"),
        ("local-demo", "local"),
        ("markupsafe", "built here"),
        ("six", "vanished"),
        ("vcs-demo", "vcs"),
    }
    assert plan == plan_of(environment.snapshot())
    assert any(isinstance(event, Progress) for event in events)
    assert not [f for f in resolution.findings if f.severity == "error"]


def test_the_same_plan_gives_the_same_resolution(environment: Environment) -> None:
    assert resolved(environment.snapshot()) == resolved(environment.snapshot())


def test_offline_versions_are_pinned_and_a_finding_says_so(environment: Environment) -> None:
    _, resolution = resolved(environment.snapshot(), offline=True)
    assert {(p.name, p.hashes) for p in resolution.pip} == {("humanize", ()), ("six", ())}
    assert codes(resolution)["not-locked"] == "warning"
    assert codes(resolution)["base-not-pinned"] == "info"


@pytest.mark.parametrize("helper", [{}, {"credsStore": "not-there"}])
def test_a_private_base_is_pinned_with_the_login_that_is_kept_here(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, helper: dict[str, str]
) -> None:
    login = base64.b64encode(b"ada:secret").decode()

    def private(request: BaseHTTPRequestHandler) -> Answer:
        if request.headers.get("Authorization") != f"Basic {login}":
            return 401, {"WWW-Authenticate": 'Basic realm="x"'}, b""
        return 200, {"Content-Type": INDEX}, body

    body = json.dumps({"manifests": [{"platform": {"os": "linux", "architecture": "amd64"}}]}).encode()
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with closing(Fake()) as fake:
        fake.routes["/v2/team/python/manifests/3.12"] = private
        plain = {"auths": {fake.host: {"auth": login}}, **helper}
        (tmp_path / "config.json").write_text(json.dumps(plain))
        base = dataclasses.replace(BASE, ref=f"{fake.host}/team/python:3.12")
        _, resolution = resolved(environment.snapshot(), base=base)
    assert resolution.base.digest == digest(body)


def test_a_process_that_has_its_answer_does_not_wait_for_a_registry(tmp_path: Path) -> None:
    system = System(os="debian", version="12", codename="bookworm")
    python = Python(implementation="cpython", version="3.11.7")
    snapshot = Snapshot(system=system, python=python, packages=Packages())
    plan = plan_of(snapshot, requirements=("==",))
    for name, value in {"snapshot": snapshot, "plan": plan}.items():
        (tmp_path / name).write_bytes(dump(value))
    with closing(Fake()) as fake:
        ended = threading.Event()  # and not before: the thread itself would give up after 60 s
        fake.routes["/v2/team/python/manifests/3.12"] = lambda request: ended.wait(300) and None
        ref = f"{fake.host}/team/python:3.12"
        done = subprocess.run(
            [sys.executable, "-c", REFUSED, ref], cwd=tmp_path, capture_output=True, text=True, timeout=45
        )
        ended.set()
    assert done.stdout == "refused\n", done.stderr


# The answer is an error here, and the registry is asked for its digest meanwhile.
REFUSED = """
import sys
from pathlib import Path
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.environment.model import Snapshot, parse
from jupyter_dockerize.environment.plan.planning import Plan
from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.events import ignore
from jupyter_dockerize.recipe.resolution import Base
from jupyter_dockerize.resolve import resolving

resolving.BASE_SECONDS = 600
plan, snapshot = (parse(Path(n).read_bytes(), t) for n, t in (("plan", Plan), ("snapshot", Snapshot)))
base = Base(ref=sys.argv[1], kind="own", reason="")
try:
    resolving.resolve(plan, snapshot, base, report=ignore, cancel=Cancel())
except UsageError:
    print("refused")
"""


def test_behind_a_proxy_that_does_not_answer_the_same_happens(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    _, resolution = resolved(environment.snapshot())
    assert {p.hashes for p in resolution.pip} == {()}
    assert codes(resolution)["not-locked"] == "warning"
    assert "proxy" in next(f.message for f in resolution.findings if f.code == "not-locked")


def test_offline_with_private_indexes_is_an_error_that_must_be_allowed(environment: Environment) -> None:
    snapshot = dataclasses.replace(
        environment.snapshot(), indexes=(Index(url="https://corp.example.org/simple", kind="extra"),)
    )
    _, resolution = resolved(snapshot, offline=True)
    assert codes(resolution)["not-locked"] == "error"


def test_a_private_index_is_bound_to_its_packages_and_its_login_becomes_a_secret(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with private_index(login=("user", "canary")) as private:
        private.add("humanize", "4.9.0")
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", private.url.replace("//", "//user:canary@"))
        humanize = environment.package("humanize")
        snapshot = dataclasses.replace(
            environment.snapshot(),
            packages=Packages(pip=(humanize,)),
            indexes=(Index(url=private.url, kind="extra", credentials=True),),
        )
        _, resolution = resolved(snapshot)
        assert [(p.name, p.index) for p in resolution.pip] == [("humanize", private.url)]
    assert resolution.secrets == ("netrc",)
    assert "canary" not in repr(resolution)


def test_an_index_that_refuses_is_named_before_anything_is_built(environment: Environment) -> None:
    with private_index(login=("user", "canary")) as private:
        snapshot = dataclasses.replace(
            environment.snapshot(), indexes=(Index(url=private.url, kind="index", credentials=True),)
        )
        _, resolution = resolved(snapshot)
    assert codes(resolution)["index-refused"] == "error"


def test_a_bundle_of_certificates_that_is_gone_is_named(environment: Environment, tmp_path: Path) -> None:
    snapshot = dataclasses.replace(environment.snapshot(), ca=str(tmp_path / "gone.pem"))
    _, resolution = resolved(snapshot, plan_of(snapshot, ca=True), offline=True)
    assert resolution.secrets == ("ca",)
    assert codes(resolution)["ca-unreadable"] == "warning"


def test_a_package_that_was_built_here_and_is_too_large_is_built_again(environment: Environment) -> None:
    snapshot = dataclasses.replace(
        environment.snapshot(), packages=Packages(pip=(environment.package("markupsafe"),))
    )
    _, resolution = resolved(snapshot, wheel_limit=1000)
    assert [p.name for p in resolution.pip] == ["markupsafe"]
    assert resolution.wheels == ()


def edited(environment: Environment, **more: object) -> tuple[Snapshot, Plan]:
    humanize = dataclasses.replace(environment.package("humanize"), edited=("humanize/time.py",), **more)  # type: ignore[arg-type]
    snapshot = dataclasses.replace(environment.snapshot(), packages=Packages(pip=(humanize,)))
    return snapshot, make_plan(snapshot, Wishes())


def test_a_package_of_an_index_that_was_edited_travels_as_it_is(environment: Environment) -> None:
    plan, resolution = resolved(*edited(environment))
    [wheel] = [w for w in resolution.wheels if w.name == "humanize"]
    assert wheel.reason == "edited"
    assert "humanize" not in {p.name for p in resolution.pip}
    assert [c.source for c in plan.choices if c.name == "humanize"] == ["edited"]


@pytest.mark.parametrize("trouble", [{"lost": ("humanize/filesize.py",)}, {"dist_info": "/nowhere"}])
def test_an_edited_package_that_is_not_whole_comes_from_the_index_and_a_finding_says_so(
    environment: Environment, trouble: dict[str, object]
) -> None:
    plan, resolution = resolved(*edited(environment, **trouble))
    assert "humanize" in {p.name for p in resolution.pip}
    assert resolution.wheels == ()
    assert not [c for c in plan.choices if c.name == "humanize"]
    [finding] = [f for f in resolution.findings if f.code == "edits-not-carried"]
    assert finding.severity == "warning"
    assert "humanize 4.9.0" in finding.message


@pytest.mark.parametrize(
    ("used", "needed", "there"),
    [(None, False, set()), (True, False, {"docopt", "six"}), (None, True, {"docopt", "six"})],
)
def test_debians_own_packages_that_no_index_has_a_wheel_of_stay_out_where_nothing_uses_them(
    environment: Environment, used: bool | None, needed: bool, there: set[str]
) -> None:
    """docopt has sources only; this version of six is on no index."""
    debians = {"scope": "debian", "source": Source(kind="apt"), "used": used}
    six = dataclasses.replace(environment.package("six"), **debians)  # type: ignore[arg-type]
    docopt = dataclasses.replace(package("docopt", "0.6.2"), pure=False, **debians)  # type: ignore[arg-type]
    humanize = dataclasses.replace(
        environment.package("humanize"), requires=("six", "docopt") if needed else ()
    )
    snapshot = dataclasses.replace(environment.snapshot(), packages=Packages(pip=(docopt, humanize, six)))
    plan, resolution = resolved(snapshot, make_plan(snapshot, Wishes()))
    brought = {p.name for p in resolution.pip} | {w.name for w in resolution.wheels}
    assert brought & {"docopt", "six"} == there
    assert {p.name for p in plan.packages.pip} & {"docopt", "six"} == there
    choices = {c.name: c.kind for c in plan.choices if c.name in ("docopt", "six")}
    assert choices == dict.fromkeys(("docopt", "six"), "changed" if there else "left-out")


def test_what_the_image_needs_beyond_the_source_is_solved_around_the_pins(environment: Environment) -> None:
    snapshot = dataclasses.replace(
        environment.snapshot(), packages=Packages(pip=(environment.package("humanize"),))
    )
    plan, resolution = resolved(snapshot, plan_of(snapshot, requirements=("python-dateutil", "humanize>=4")))
    names = [p.name for p in resolution.pip]
    assert "python-dateutil" in names
    assert [p.version for p in resolution.pip if p.name == "humanize"] == ["4.9.0"]
    assert {c.name for c in plan.choices if c.kind == "added"} == set(names) - {"humanize"}
    assert {p.name for p in plan.packages.pip} == set(names)


def test_the_ecosystems_own_index_configured_by_name_is_no_configuration(environment: Environment) -> None:
    """It would stand in the image's stored plan as a private one, because no host of it is written down."""
    own, private = (
        Index(url=f"{own_index()}/", kind="index"),
        Index(url="https://corp.invalid/", kind="extra"),
    )
    plan = plan_of(environment.snapshot(), indexes=(own, private))
    found, _ = resolved(environment.snapshot(), plan, offline=True)
    assert found.indexes == (private,)
    assert found.fingerprint == plan.fingerprint


def test_it_is_said_who_needs_what_is_added(environment: Environment) -> None:
    snapshot = dataclasses.replace(
        environment.snapshot(), packages=Packages(pip=(environment.package("humanize"),))
    )
    plan, _ = resolved(snapshot, make_plan(snapshot, Wishes()))
    reasons = {c.name: c.reason for c in plan.choices}
    assert reasons["traitlets"] == "ipykernel, which the notebook needs, needs it"


def test_a_base_that_is_no_reference_is_refused(environment: Environment) -> None:
    with pytest.raises(ReferenceError):
        resolved(environment.snapshot(), base=Base(ref="Not An Image", kind="own", reason=""), offline=True)


@pytest.mark.parametrize("text", ["x @ https://example.org/x.whl", "x\n--index-url https://evil", "=="])
def test_a_requirement_that_is_none_is_refused(environment: Environment, text: str) -> None:
    snapshot = environment.snapshot()
    with pytest.raises(UsageError):
        resolved(snapshot, plan_of(snapshot, requirements=(text,)), offline=True)


def test_a_name_that_is_none_never_reaches_uv(environment: Environment) -> None:
    evil = PipPackage(name="x\n-e .", version="1", source=Source(kind="index"))
    snapshot = dataclasses.replace(environment.snapshot(), packages=Packages(pip=(evil,)))
    with pytest.raises(UsageError):
        resolved(snapshot)


@pytest.mark.parametrize(
    ("codename", "platform", "word"),
    [
        ("bookworm", "linux/amd64", "x86_64-manylinux_2_36"),
        ("bookworm", "linux/arm64", "aarch64-manylinux_2_36"),
        ("bullseye", "linux/amd64", "x86_64-manylinux_2_31"),
        ("trixie", "linux/arm64", "aarch64-manylinux_2_40"),
        ("", "linux/amd64", "x86_64-manylinux_2_28"),
    ],
)
def test_the_target_is_the_base_in_uvs_words(codename: str, platform: str, word: str) -> None:
    snapshot = dataclasses.replace(mac(), python=Python(implementation="cpython", version="3.12.1+"))
    plan = plan_of(snapshot, platform=platform, foreign=True)
    base = Base(ref="x", kind="own", reason="", codename=codename)
    assert target_of(plan, base) == Target("3.12.1", word)


# Recorded: a macOS arm64 environment


def package(name: str, version: str, *requires: str) -> PipPackage:
    return PipPackage(name=name, version=version, source=Source(kind="index"), requires=requires)


LINUX_X86 = 'platform_system == "Linux" and platform_machine == "x86_64"'


def mac(*more: PipPackage) -> Snapshot:
    packages = (
        package("appnope", "0.1.4"),
        package("filelock", "3.14.0"),
        package("fsspec", "2024.5.0"),
        package("humanize", "4.9.0"),
        package("ipykernel", "6.29.4", 'appnope ; platform_system == "Darwin"', "packaging"),
        package("jinja2", "3.1.4", "markupsafe>=2.0"),
        package("markupsafe", "2.1.5"),
        package("mpmath", "1.3.0"),
        package("networkx", "3.3"),
        package("numpy", "1.26.4"),
        package("packaging", "24.0"),
        package("pyobjc-core", "10.2"),
        package("sympy", "1.12", "mpmath>=0.19"),
        package(
            "torch", "2.3.0", "filelock", "typing-extensions>=4.8.0", "sympy", "networkx", "jinja2", "fsspec",
            f"nvidia-cublas-cu12 ==12.1.3.1 ; {LINUX_X86}", f"triton ==2.3.0 ; {LINUX_X86}",
        ),
        package("typing-extensions", "4.12.0"),
    )  # fmt: skip
    return Snapshot(
        system=System(os="macos", version="14.5", arch="arm64"),
        python=Python(implementation="cpython", version="3.11.7"),
        packages=Packages(pip=tuple(sorted((*packages, *more), key=lambda p: p.name))),
    )


@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
def test_a_mac_is_resolved_for_linux_with_every_change_named(platform: str) -> None:
    snapshot = mac()
    before = make_plan(snapshot, Wishes(platform=platform), None)
    plan, resolution = resolved(snapshot, before)
    names = {p.name for p in resolution.pip}
    assert names == {p.name for p in plan.packages.pip}
    assert all(p.hashes for p in resolution.pip)
    kept = {p.name: p.version for p in snapshot.packages.pip if p.name not in ("appnope", "pyobjc-core")}
    assert kept.items() <= {p.name: p.version for p in resolution.pip}.items()
    assert not names & {"appnope", "pyobjc-core"}
    cuda = {name for name in names if name.startswith("nvidia-") or name == "triton"}
    assert bool(cuda) == (platform == "linux/amd64")
    if cuda:
        assert {"triton", "nvidia-cublas-cu12", "nvidia-cudnn-cu12"} <= cuda
    left = {choice.name for choice in plan.choices if choice.kind == "left-out"}
    added = {choice.name: choice.planned for choice in plan.choices if choice.kind == "added"}
    assert {"appnope", "pyobjc-core"} <= left
    assert added == {p.name: p.version for p in resolution.pip if p.name not in kept}
    assert not [finding for finding in resolution.findings if finding.severity == "error"]


def test_a_version_that_the_target_lacks_is_replaced_and_one_with_none_is_an_error() -> None:
    snapshot = mac(package("tensorflow-metal", "1.1.0"), package("mlx-nothing-like-it", "1"))
    plan = plan_of(
        snapshot,
        platform="linux/arm64",
        foreign=True,
        packages=Packages(
            pip=(package("humanize", "4.9.0"), package("numpy", "1.26.99"), package("pywin32", "306"))
        ),
    )
    plan, resolution = resolved(snapshot, plan)
    assert [(c.kind, c.name, c.source) for c in plan.choices] == [("changed", "numpy", "1.26.99")]
    assert {p.name for p in resolution.pip} == {"humanize", "numpy"}
    errors = [f for f in resolution.findings if f.severity == "error"]
    assert [f.code for f in errors] == ["no-wheel-for-target"]
    assert "pywin32" in errors[0].message


def test_pins_that_contradict_each_other_are_kept_and_named() -> None:
    snapshot = mac()
    pins = (package("requests", "2.31.0"), package("idna", "2.0"), package("humanize", "4.9.0"))
    plan = plan_of(snapshot, platform="linux/amd64", foreign=True, packages=Packages(pip=pins))
    plan, resolution = resolved(snapshot, plan)
    assert {(p.name, p.version) for p in resolution.pip} == {(p.name, p.version) for p in pins}
    assert codes(resolution)["contradicting-pins"] == "warning"


def test_what_is_carried_or_compiled_is_not_taken_from_an_index_again(environment: Environment) -> None:
    """requests needs idna and urllib3, which come by other means here; an index's would replace them."""
    snapshot = environment.snapshot()
    carried = dataclasses.replace(environment.package("local-demo"), name="idna", version="2.1")
    pins = (carried, package("docopt", "0.6.2"), package("requests", "2.31.0"), package("pipreqs", "0.4.13"))
    plan = plan_of(snapshot, platform="linux/arm64", foreign=True, packages=Packages(pip=pins))
    plan, resolution = resolved(snapshot, plan)
    assert [w.name for w in resolution.wheels] == ["idna"]
    names = [p.name for p in resolution.pip]
    assert "idna" not in names
    assert names.count("docopt") == 1
    assert {"urllib3", "certifi", "yarg"} <= set(names)
    assert [p.version for p in plan.packages.pip if p.name == "idna"] == ["2.1"]


def test_an_editable_with_compiled_parts_is_an_error_on_another_platform(environment: Environment) -> None:
    snapshot = environment.snapshot()
    package = dataclasses.replace(environment.package("markupsafe"), source=Source(kind="local"))
    plan = plan_of(snapshot, platform="linux/s390x", foreign=True, packages=Packages(pip=(package,)))
    _, resolution = resolved(snapshot, plan, offline=True)
    assert codes(resolution)["no-wheel-for-target"] == "error"
