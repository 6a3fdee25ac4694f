"""The plan: what goes in, what stays out, and that nothing is dropped without a word."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_dockerize.environment.choices import Choice, Wishes
from jupyter_dockerize.environment.model import (
    Index,
    Libraries,
    Library,
    Packages,
    PipPackage,
    Snapshot,
    Source,
    dump,
    parse,
)
from jupyter_dockerize.environment.plan.planning import Plan, make_plan, redacted, refuse
from jupyter_dockerize.environment.project.files import Project
from jupyter_dockerize.errors import FindingsError
from jupyter_dockerize.events import Finding

from ..environments import BOOKWORM, NOBLE, apt, conda, pip, snapshot, snapshots

PLATFORMS = st.sampled_from((None, "linux/amd64", "linux/arm64"))
many = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def names(plan: Plan) -> list[str]:
    return [p.name for p in plan.packages.pip]


def choice(plan: Plan, name: str) -> Choice:
    [found] = [c for c in plan.choices if c.name == name]
    return found


@many
@given(snapshots(), PLATFORMS)
def test_every_name_of_the_source_is_planned_or_named_as_a_choice(
    source: Snapshot, platform: str | None
) -> None:
    plan = make_plan(source, Wishes(platform=platform))
    told = {(c.manager, c.name) for c in plan.choices}
    sources = {(c.manager, c.name, c.source) for c in plan.choices}
    planned = {p.name: p for p in plan.packages.pip}
    first: set[str] = set()
    for package in source.packages.pip:
        if package.name in first:  # shadowed: left out by version and scope
            assert ("pip", package.name, f"{package.version} ({package.scope})") in sources
            continue
        first.add(package.name)
        assert package.name in planned or ("pip", package.name) in told
        if package.name in planned and planned[package.name].version != package.version:
            assert ("pip", package.name) in told
    records = {c.name for c in plan.packages.conda}
    assert all(c.name in records or ("conda", c.name) in told for c in source.packages.conda)
    debian = {p.name for p in plan.packages.apt}
    for package in source.packages.apt:
        if package.manual:
            assert (
                package.name in debian
                or ("apt", package.name) in told
                or package.name in {c.source for c in plan.choices}
            )
    variables = dict(plan.environ)
    assert all(n in variables or ("variable", n) in told or v == "C.UTF-8" for n, v in source.environ)
    assert all(i in plan.indexes or i.url in {c.source for c in plan.choices} for i in source.indexes)


@many
@given(snapshots(), PLATFORMS)
def test_nothing_is_planned_that_is_neither_in_the_source_nor_a_choice(
    source: Snapshot, platform: str | None
) -> None:
    plan = make_plan(source, Wishes(platform=platform))
    assert set(names(plan)) <= {p.name for p in source.packages.pip}
    assert len(names(plan)) == len(set(names(plan)))
    added = {c.planned or c.name for c in plan.choices if c.kind == "added"}
    assert all(r in added for r in plan.requirements)
    assert {p.scope for p in plan.packages.pip} <= {"env"}
    assert "jupyter-dockerize" not in names(plan)


@many
@given(snapshots(), PLATFORMS, st.randoms(use_true_random=False))
def test_the_order_of_the_source_does_not_matter(
    source: Snapshot, platform: str | None, chance: random.Random
) -> None:
    def mixed(values: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(chance.sample(values, len(values)))

    packages = source.packages
    other = replace(
        source,
        packages=Packages(pip=packages.pip, conda=mixed(packages.conda), apt=mixed(packages.apt)),  # type: ignore[arg-type]
        environ=mixed(source.environ),  # type: ignore[arg-type]
    )
    wishes = Wishes(platform=platform)
    assert dump(make_plan(other, wishes)) == dump(make_plan(source, wishes))


@many
@given(snapshots(), PLATFORMS)
def test_the_stored_plan_has_the_same_fingerprint_and_no_path_of_this_machine(
    source: Snapshot, platform: str | None
) -> None:
    plan = make_plan(source, Wishes(platform=platform))
    data = dump(redacted(plan))
    assert parse(data, Plan) == redacted(plan)
    assert redacted(plan).fingerprint == plan.fingerprint == redacted(redacted(plan)).fingerprint
    assert b"/home/ada" not in data and b"corp.local" not in data and b"/srv/" not in data


def test_python_imports_the_first_of_two_and_the_other_one_is_left_out() -> None:
    plan = make_plan(
        snapshot(pip("six", "2.0", scope="user", shadows="1.0 (system)"), pip("six", "1.0", scope="system")),
        Wishes(),
    )
    assert [(p.name, p.version, p.scope) for p in plan.packages.pip if p.name == "six"] == [
        ("six", "2.0", "env")
    ]
    hidden = next(c for c in plan.choices if c.kind == "left-out")
    assert (hidden.source, hidden.reason) == (
        "1.0 (system)",
        "Python imports 2.0 (user) and never sees this one",
    )


@pytest.mark.parametrize(
    ("package", "was"),
    [
        (pip("mine", kind="editable", location="/home/ada/mine"), "editable"),
        (pip("mine", kind="local"), "local"),
        (pip("mine", source=Source(kind="vcs", url="git+https://github.com/a/b", commit="c" * 40)), "vcs"),
        (pip("mine", kind="archive"), "archive"),
        (pip("mine", built_locally=True), "built here"),
        (pip("mine", kind="unknown", built_locally=True), "built here"),
        (pip("mine", edited=("mine/a.py",)), "edited"),
        (pip("mine", kind="local", edited=("mine/a.py",)), "local"),
    ],
)
def test_what_no_index_gives_back_is_carried_as_a_wheel(package: object, was: str) -> None:
    plan = make_plan(snapshot(package), Wishes())  # type: ignore[arg-type]
    made = choice(plan, "mine")
    assert (made.kind, made.source, made.planned) == ("changed", was, "wheel")
    kept = next(p for p in plan.packages.pip if p.name == "mine")
    assert kept.source == package.source and kept.location == package.location  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("package", "platform"),
    [
        (pip("mine", "1.0", "conda", edited=("mine/a.py",)), None),
        (pip("mine", "1.0", edited=("mine/a.py",)), "linux/arm64"),
        (pip("mine", "1.0", lost=("mine/a.py",)), None),
    ],
)
def test_edits_of_condas_packages_for_another_platform_and_losses_are_not_carried(
    package: PipPackage, platform: str | None
) -> None:
    plan = make_plan(snapshot(package), Wishes(platform=platform))
    assert [c for c in plan.choices if c.name == "mine"] == []


def test_python_packages_of_debian_come_from_the_index_and_debians_own_tools_stay() -> None:
    source = snapshot(
        pip("numpy", "1.24.2", "apt", scope="debian"),
        pip("python-apt", "2.6.0", "apt", scope="debian"),
        pip("ufw", "0.36.2", "apt", scope="debian", used=True),
    )
    plan = make_plan(source, Wishes())
    assert {p.name: p.source.kind for p in plan.packages.pip} == {
        "ipykernel": "index",
        "numpy": "index",
        "ufw": "index",
    }
    assert choice(plan, "numpy").kind == "changed"
    assert choice(plan, "python-apt").kind == "left-out"


def test_what_the_notebook_imports_of_debians_packages_is_known_as_used() -> None:
    source = snapshot(
        pip("pycups", "2.0.1", "apt", scope="debian"), pip("pysmbc", "1.0", "apt", scope="debian")
    )
    project = Project(notebook="a.ipynb", folder="/home/ada", files=(), imports=("cups",))
    plan = make_plan(source, Wishes(), project)
    assert [p.name for p in plan.packages.pip if p.used] == ["pycups"]


def test_jupyter_dockerize_and_what_only_it_needs_stay_out() -> None:
    source = snapshot(
        pip("jupyter-dockerize", requires=("docker>=7", "requests", "ipython", "rich", "uv"), requested=True),
        pip("docker", requires=("urllib3",)),
        pip("urllib3"),
        pip("requests", requires=("urllib3", "idna")),
        pip("idna"),
        pip("ipython"),
        pip("rich", requested=True),
        pip("uv"),
        pip("pooch", requires=("requests",)),
        pip("ipykernel", requires=("ipython>=7",)),
        pip("sphinx-theme", requires=("uv; extra == 'theme'",)),
    )
    plan = make_plan(source, Wishes())
    assert names(plan) == "idna ipykernel ipython pooch requests rich sphinx-theme urllib3".split()  # noqa: SIM905
    assert choice(plan, "docker").reason == "only jupyter-dockerize needs it"
    assert choice(plan, "jupyter-dockerize").reason == "the image does not need what made it"


def test_what_the_notebook_imports_is_kept_even_where_only_we_need_it() -> None:
    source = snapshot(
        pip("jupyter-dockerize", requires=("rich", "pyyaml", "uv")), pip("rich"), pip("pyyaml"), pip("uv")
    )
    project = Project(notebook="a.ipynb", folder="/home/ada", files=(), imports=("rich", "yaml"))
    plan = make_plan(source, Wishes(), project)
    assert names(plan) == ["ipykernel", "pyyaml", "rich"]


def test_without_requirements_only_jupyter_dockerize_itself_stays_out() -> None:
    plan = make_plan(snapshot(pip("jupyter-dockerize"), pip("rich")), Wishes())
    assert names(plan) == ["ipykernel", "rich"]


def test_an_environment_without_a_kernel_gets_one() -> None:
    source = replace(snapshot(pip("numpy")), packages=Packages(pip=(pip("numpy"),)))
    plan = make_plan(source, Wishes())
    assert plan.requirements == ("ipykernel",)
    assert choice(plan, "ipykernel").kind == "added"


@pytest.mark.parametrize(
    ("packages", "records", "server"),
    [
        ([], [], "own"),
        ([pip("jupyterlab")], [], "own"),
        ([pip("jupyterlab"), pip("jupyter-server")], [], "environment"),
        ([], [conda("jupyterlab"), conda("jupyter_server")], "environment"),
    ],
)
def test_the_image_has_a_server_of_its_own_where_the_environment_has_none(
    packages: list[object], records: list[object], server: str
) -> None:
    source = snapshot(*packages, conda=tuple(records))  # type: ignore[arg-type]
    assert make_plan(source, Wishes()).server == server


def test_conda_records_are_kept_as_they_are_with_what_pip_put_over_them() -> None:
    records = (conda("numpy", overwritten="numpy 2.0.1"), conda("python", "3.11.7"))
    plan = make_plan(snapshot(pip("numpy", "2.0.1"), conda=records), Wishes())
    assert plan.packages.conda == records
    assert ("numpy", "2.0.1", "index") in [(p.name, p.version, p.source.kind) for p in plan.packages.pip]


def test_a_package_of_the_users_own_folder_moves_into_the_environment_and_that_is_said() -> None:
    plan = make_plan(snapshot(pip("humanize", scope="user")), Wishes())
    assert (choice(plan, "humanize").source, choice(plan, "humanize").planned) == ("user", "env")


def test_local_indexes_stay_here_and_credentials_are_announced() -> None:
    indexes = (
        Index(url="file:///srv/wheels", kind="find-links", local=True),
        Index(url="https://pypi.corp.local/simple", kind="index", credentials=True),
    )
    plan = make_plan(snapshot(indexes=indexes, ca="/etc/ssl/corp.pem"), Wishes())
    assert [i.url for i in plan.indexes] == ["https://pypi.corp.local/simple"]
    assert plan.ca
    assert [f.code for f in plan.findings] == ["index-credentials"]
    assert [c.source for c in plan.choices] == ["file:///srv/wheels"]


def test_libraries_that_nobody_looked_at_are_a_finding() -> None:
    plan = make_plan(snapshot(libraries=None), Wishes())
    assert [f.code for f in plan.findings] == ["libraries-unknown"]


def test_findings_of_severity_error_stop_unless_allowed() -> None:
    bad, mild = Finding("secret-in-notebook", "error", "no"), Finding("other", "warning", "hm")
    refuse([mild], ())
    refuse([bad, mild], ("secret-in-notebook",))
    with pytest.raises(FindingsError) as stopped:
        refuse([mild, bad, bad], ("other",))
    assert stopped.value.findings == (bad,)


def test_a_large_environment_keeps_its_roots_and_names_the_rest() -> None:
    needed = (Library(soname="libpq.so.5", owner="libpq5"),)
    source = snapshot(
        pip("gitpython"),
        system=BOOKWORM,
        apt=(
            apt("libpq5", "15.5-0+deb12u1", manual=False),
            apt("git", "1:2.39"),
            apt("texlive", "2022"),
            apt("bash", essential=True),
            apt("libc6", manual=False),
        ),
        libraries=Libraries(files=9, needed=needed, roots=("libpq5",)),
    )
    plan = make_plan(source, Wishes(apt=("vim",)))
    assert [(p.name, p.version) for p in plan.packages.apt] == [
        ("git", "1:2.39"),
        ("libpq5", "15.5-0+deb12u1"),
        ("vim", ""),
    ]
    assert choice(plan, "texlive").kind == "left-out"
    assert choice(plan, "vim").kind == "added"
    assert choice(plan, "*").source == "2 packages"


def test_the_system_of_the_source_is_kept_for_choosing_a_base() -> None:
    assert make_plan(snapshot(system=NOBLE), Wishes()).system == NOBLE


def test_a_variable_that_the_notebook_reads_and_the_image_lacks_is_told() -> None:
    source = replace(snapshot(pip("numpy")), withheld=("HF_TOKEN", "MFLAGS"))
    reads = Project(notebook="a.ipynb", folder="/w", files=(), variables=("HF_TOKEN", "USER"))
    plan = make_plan(source, Wishes(), reads)
    assert [(f.code, f.severity) for f in plan.findings] == [("environ-withheld", "warning")]
    assert "HF_TOKEN" in plan.findings[0].message and "MFLAGS" not in str(plan)
    assert make_plan(source, Wishes()).findings == ()


def test_where_cells_type_our_magics_the_image_gets_some_that_do_nothing() -> None:
    typed = Project(notebook="a.ipynb", folder="/w", files=(), magics=True)
    source = snapshot(pip("numpy"), pip("jupyter-dockerize"))
    plan = make_plan(source, Wishes(), typed)
    assert plan.magics == "stand-in"
    assert choice(plan, "jupyter-dockerize").kind == "left-out"
    assert choice(plan, "jupyter_dockerize.py").kind == "added"
    assert make_plan(source, Wishes(), replace(typed, magics=False)).magics is None
