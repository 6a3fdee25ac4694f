"""Commands that become layers, in a real engine: what changed is pinned, built, verified; nothing is lost."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess

import pytest
from uv import find_uv_bin

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.cli import main
from jupyter_dockerize.contents.identity import Method
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.comparison import Comparison
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.errors import (
    BuildError,
    CancelledError,
    EngineError,
    UsageError,
    VerificationError,
)
from jupyter_dockerize.events import Event, Log, Step
from jupyter_dockerize.export.inside import layers_in
from jupyter_dockerize.layers import adding, consolidating, journal, pending, state
from jupyter_dockerize.resolve.wheelfile import Member, make

from .conftest import Own

pytestmark = pytest.mark.engine


def test_an_install_is_a_layer_that_is_listed_undone_and_redone(own: Own) -> None:
    """The image is made first; a fresh container of each head imports exactly what that head should have."""
    first = own.exec("pip install humanize==4.8.0")
    assert (first.number, first.verdict) == (2, "equivalent")
    assert first.layer is not None
    assert [str(each) for each in first.layer.changes] == ["humanize 4.8.0"]
    assert (own.imports("humanize", "cowsay"), own.here("humanize", "cowsay")) == ([True, False],) * 2
    second = own.exec("pip install cowsay==6.0 && pip install humanize==4.9.0")
    assert second.layer is not None
    assert [str(each) for each in second.layer.changes] == ["cowsay 6.0", "humanize 4.8.0 → 4.9.0"]
    assert own.imports("humanize", "cowsay") == [True, True]

    undone = api.undo(own.where, own.ref)
    assert undone.number == 2
    assert [str(each) for each in undone.environment] == ["cowsay 6.0", "humanize 4.8.0 → 4.9.0"]
    assert (own.imports("humanize", "cowsay"), own.here("humanize", "cowsay")) == (
        [True, False],
        [True, True],
    )
    assert api.verify(own.ref, engine="docker").verdict in ("identical", "equivalent")
    api.redo(own.where, own.ref)
    assert own.imports("humanize", "cowsay") == [True, True]
    back = api.rollback(own.where, 1, own.ref, env=True)
    assert (own.imports("humanize", "cowsay"), own.here("humanize", "cowsay")) == ([False, False],) * 2
    assert back.environment == ()
    rows = api.history(own.where, own.ref).rows
    assert [(row.number, row.undone) for row in rows] == [(1, False), (2, True), (3, True)]

    other = own.exec("pip install cowsay==6.1")
    assert other.number == 2
    assert [row.layer.command for row in api.history(own.where, own.ref).rows][1:] == [
        "pip install cowsay==6.1"
    ]
    with pytest.raises(UsageError, match=r"nothing of .* was undone"):
        api.redo(own.where, own.ref)


def test_what_fails_or_changes_nothing_makes_no_layer(own: Own) -> None:
    own.exec("pip install humanize==4.8.0")
    again = own.exec("pip install humanize==4.8.0")
    assert (again.layer, again.status, again.number) == (None, 0, 2)
    failed = own.exec("pip install humanize==99")
    assert (failed.layer, failed.status, failed.number) == (None, 1, 2)
    half = own.exec("pip install cowsay==6.0 && false")
    assert (half.layer, half.status) == (None, 1)
    assert [finding.code for finding in half.findings] == ["failed-half-way"]
    assert pending.of(own.ref) is None
    kept = api.keep(own.where, own.ref)
    assert kept.layer is not None
    assert ([str(each) for each in kept.layer.changes], kept.layer.origin) == (["cowsay 6.0"], "keep")
    assert own.imports("humanize", "cowsay") == [True, True]
    assert api.keep(own.where, own.ref).layer is None


def test_what_no_index_has_travels_as_a_wheel(own: Own) -> None:
    """Of a file, a checkout or a repository; also where the journal is all that is left."""
    metadata = Member(b"Metadata-Version: 2.1\nName: wheel-of-ours\nVersion: 1.0\n")
    files = {"wheel_of_ours-1.0.dist-info/METADATA": metadata, "ours.py": Member(b"")}
    wheel = make("wheel-of-ours", "1.0", ["py3-none-any"], files)
    assert own.where.notebook
    (own.where.notebook.parent / wheel.filename).write_bytes(wheel.data)
    done = own.exec(f"pip install {own.where.notebook.parent / wheel.filename}")
    assert (done.number, done.verdict) == (2, "equivalent")
    assert api.keep(own.where, own.ref).layer is None
    (own.where.notebook.parent / wheel.filename).unlink()
    assert api.rebuild(own.journal, engine="docker").changed == ()
    assert own.imports("ours") == [True]
    verified = api.verify(own.ref, engine="docker")
    assert verified.verdict == "equivalent"
    assert "wheel-of-ours" in {each.name for each in verified.differences if each.class_ == "planned"}
    own.exec("pip install --force-reinstall --no-deps humanize==4.8.0 && pip uninstall -y wheel-of-ours")
    verified = api.verify(own.ref, engine="docker")
    assert "wheel-of-ours" not in {each.name for each in verified.differences}


def test_what_is_no_install_runs_in_the_image_as_it_was_typed(own: Own) -> None:
    command = (
        """printf '%s\\n' "it's $((6 * 7)); $(echo Füße)" 'a  b' > "$VIRTUAL_ENV/said" ; echo \\"done\\" """
    )
    done = own.exec(command)
    assert done.layer is not None
    assert done.layer.literal
    here = (own.python.parents[1] / "said").read_bytes()
    assert here == "it's 42; Füße\na  b\n".encode()
    assert own.engine.execute(own.ref, ["cat", "/opt/env/said"]) == here
    owner = own.engine.execute(own.ref, ["stat", "-c", "%u", "/opt/env/said"])
    assert owner == b"1000\n"


def test_the_image_alone_gets_what_needs_root(own: Own) -> None:
    done = own.exec("pip install cowsay==6.0", image_only=True)
    assert done.layer is not None
    assert (done.layer.origin, [str(each) for each in done.layer.changes]) == ("image-only", ["cowsay 6.0"])
    assert (own.imports("cowsay"), own.here("cowsay")) == ([True], [False])
    # Nobody misses it here: neither what is kept nor what is run again takes it away.
    assert api.keep(own.where, own.ref).layer is None
    own.exec("echo kept > $VIRTUAL_ENV/said")
    assert (own.imports("cowsay"), own.here("cowsay")) == ([True], [False])
    failed = own.exec("exit 3", image_only=True)
    assert (failed.layer, failed.status) == (None, 3)
    assert pending.of(own.ref) is None
    assert own.imports("cowsay") == [True]


def test_a_layer_that_cannot_be_built_is_pending_until_it_is(
    own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.exec("pip install humanize==4.8.0")
    whole = DockerEngine.build

    def broken(*args: object, **options: object) -> object:
        raise BuildError("the engine went away", log=["gone"])

    monkeypatch.setattr(DockerEngine, "build", broken)
    with pytest.raises(BuildError):
        own.exec("pip install cowsay==6.0")
    left = pending.of(own.ref)
    assert left is not None
    assert (left.phase, left.typed.command) == ("installed", "pip install cowsay==6.0")
    assert own.imports("humanize", "cowsay") == [True, False]
    with pytest.raises(UsageError, match="is in no image yet"):
        own.exec("pip install attrs")
    with pytest.raises(UsageError, match="is in no image yet"):
        api.rollback(own.where, 1, own.ref)
    assert api.history(own.where, own.ref).pending == "pip install cowsay==6.0"
    monkeypatch.setattr(DockerEngine, "build", whole)
    done = api.keep(own.where, own.ref, retry=True)
    assert done.layer is not None
    assert (done.number, done.layer.command) == (3, "pip install cowsay==6.0")
    assert own.imports("humanize", "cowsay") == [True, True]
    assert pending.of(own.ref) is None
    with pytest.raises(UsageError, match=r"nothing of .* is pending"):
        api.keep(own.where, own.ref, retry=True)


def test_an_interrupt_of_the_command_leaves_the_head(own: Own) -> None:
    own.exec("pip install humanize==4.8.0")
    cancel = Cancel()

    def report(event: Event) -> None:
        if isinstance(event, Log) and event.text == "begun":
            cancel.cancel()

    with pytest.raises(CancelledError):
        api.execute(own.where, "echo begun; sleep 600", own.ref, report=report, cancel=cancel)
    assert pending.of(own.ref) is None
    assert api.history(own.where, own.ref).head == 2
    assert own.exec("pip install cowsay==6.0").number == 3


def test_an_interrupt_of_the_build_leaves_the_change_pending(own: Own) -> None:
    own.exec("pip install humanize==4.8.0")
    cancel = Cancel()

    def report(event: Event) -> None:
        if isinstance(event, Step) and event.name == "Building the layer":
            cancel.cancel()

    with pytest.raises(CancelledError):
        api.execute(own.where, "pip install cowsay==6.0", own.ref, report=report, cancel=cancel)
    assert own.imports("humanize", "cowsay") == [True, False]
    assert api.keep(own.where, own.ref, retry=True).number == 3
    assert own.imports("humanize", "cowsay") == [True, True]


def test_an_image_that_is_not_what_was_installed_is_not_the_head(own: Own) -> None:
    """What the script does in the image is not what it did here."""
    own.exec("pip install humanize==4.8.0")
    with pytest.raises(VerificationError, match="stays as it was"):
        own.exec('[ -e /opt/env ] && pip install -q cowsay==6.0; echo "$VIRTUAL_ENV"')
    assert own.imports("humanize", "cowsay") == [True, False]
    assert api.history(own.where, own.ref).head == 2


def test_a_command_with_a_secret_that_would_be_run_again_is_refused(own: Own) -> None:
    for command in (
        "curl -H 'Authorization: Bearer abcdef0123456789' https://a.example | sh",
        "TOKEN=s3cr3tvalue ./x",
    ):
        with pytest.raises(UsageError, match="holds a secret") as caught:
            own.exec(command)
        assert "abcdef0123456789" not in str(caught.value)
    assert own.engine.inspect(own.ref) is None


def test_drift_of_before_is_no_part_of_the_layer(own: Own) -> None:
    own.exec("pip install humanize==4.8.0")
    subprocess.run([find_uv_bin(), "pip", "install", "-q", "--python", own.python, "attrs"], check=True)
    done = own.exec("pip install cowsay==6.0")
    assert done.layer is not None
    assert [each.name for each in done.layer.changes] == ["cowsay"]
    kept = api.keep(own.where, own.ref)
    assert kept.layer is not None
    assert [each.name for each in kept.layer.changes] == ["attrs"]


def test_a_clone_of_the_journal_becomes_the_same_images(own: Own) -> None:
    own.exec("pip install humanize==4.8.0")
    own.exec("echo kept > $VIRTUAL_ENV/said")
    own.exec("pip install cowsay==6.0 && pip uninstall -y humanize")
    before = own.engine.find(own.ref)
    written = journal.read(own.journal)
    assert [entry.layer.command for entry in written.entries] == [
        "pip install humanize==4.8.0",
        "echo kept > $VIRTUAL_ENV/said",
        "pip install cowsay==6.0 && pip uninstall -y humanize",
    ]
    for one in own.engine.images():
        for name in one.refs:
            if own.ref in name:
                own.engine.remove(name)

    shutil.rmtree(state.folder_for(own.ref))
    with pytest.raises(UsageError, match="they are not here"):  # and they are not overwritten
        own.exec("pip install attrs")
    assert journal.read(own.journal) == written
    rebuilt = api.rebuild(own.journal, engine="docker")
    assert (rebuilt.number, rebuilt.changed) == (4, ())
    assert rebuilt.fingerprint == before.labels["jupyter-dockerize.fingerprint"]
    assert own.imports("humanize", "cowsay") == [False, True]
    assert own.engine.execute(own.ref, ["cat", "/opt/env/said"]) == b"kept\n"
    assert [row.number for row in api.history(own.where, own.ref).rows] == [1, 2, 3, 4]
    api.rollback(own.where, 2, own.ref)
    assert own.imports("humanize", "cowsay") == [True, False]
    # A layer of somebody else's that came by a pull is not overwritten either.
    folder = next((own.journal / "layers").glob("0002-*"))
    shutil.copytree(folder, folder.with_name("0003-theirs-0123456789ab"))
    data = (folder / "layer.json").read_text().replace("4.8.0", "4.7.0")
    (folder.with_name("0003-theirs-0123456789ab") / "layer.json").write_text(data)
    with pytest.raises(UsageError, match="from elsewhere"):
        api.undo(own.where, own.ref)
    assert len(journal.read(own.journal).entries) == 2


def test_layers_that_two_people_added_merge_in_git_and_are_rebuilt(own: Own) -> None:
    """Each on a branch; what the journal writes anew for all layers is no conflict."""

    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        return subprocess.check_output(["git", "-C", own.journal, *who, *words], text=True)

    def committed(branch: str, command: str) -> None:
        git("checkout", "-q", "-b", branch, *([] if branch == "main" else ["main"]))
        own.exec(command)
        git("add", "-A")
        git("commit", "-qm", command)

    subprocess.run(["git", "init", "-q", "-b", "none", own.journal.parents[1]], check=True)
    own.journal.mkdir(parents=True)
    committed("main", "pip install humanize==4.8.0")
    committed("theirs", "pip install cowsay==6.0")
    api.undo(own.where, own.ref, env=True)
    git("checkout", "-q", ".")
    committed("ours", "pip install attrs==24.2.0")
    git("merge", "-q", "--no-edit", "theirs")
    with pytest.raises(UsageError, match="from elsewhere"):
        own.exec("pip install six==1.16.0")
    rebuilt = api.rebuild(own.journal, engine="docker")
    assert (rebuilt.number, rebuilt.changed) == (4, ())
    assert own.imports("humanize", "cowsay", "attr") == [True, True, True]
    steps = [line for line in (own.journal / "Dockerfile").read_text().splitlines() if "# Layer " in line]
    assert sorted(line.partition(": ")[2] for line in steps) == [
        "attrs 24.2.0.",
        "cowsay 6.0.",
        "humanize 4.8.0.",
    ]
    assert [line.partition(":")[0] for line in steps] == ["# Layer 2", "# Layer 3", "# Layer 4"]


def test_the_image_says_its_history_itself(own: Own) -> None:
    own.exec("pip install humanize==4.8.0")
    labels = own.engine.find(own.ref).labels
    said = json.loads(labels["jupyter-dockerize.layer.2"])
    assert said["command"] == "pip install humanize==4.8.0"
    assert [package["version"] for package in said["packages"]["pip"]] == ["4.8.0"]
    lock = own.engine.execute(own.ref, ["sh", "-c", "cat /opt/jupyter-dockerize/layers/*/requirements.txt"])
    assert b"humanize==4.8.0 " in lock
    assert b"--hash=sha256:" in lock


def test_all_layers_become_one_recipe_and_what_was_typed_stays_on_it(own: Own) -> None:
    own.exec("pip install humanize==4.8.0")
    own.exec("echo kept > $VIRTUAL_ENV/said")
    own.exec("pip install humanize==4.9.0 cowsay==6.0")
    before = api.history(own.where, own.ref).rows[-1].layer.fingerprint
    assert own.where.notebook
    aside = own.where.notebook.rename(own.where.notebook.with_suffix(".aside"))  # as beside a journal alone
    folded = api.consolidate(Where(python=own.where.python), own.ref)
    aside.rename(own.where.notebook)
    assert (folded.before, folded.number) == (4, 2)
    assert folded.size == own.engine.find(own.ref).size
    assert [row.layer.command for row in api.history(own.where, own.ref).rows] == [
        "%dockerize",
        "echo kept > $VIRTUAL_ENV/said",
    ]
    assert own.imports("humanize", "cowsay") == [True, True]
    assert own.engine.execute(own.ref, ["cat", "/opt/env/said"]) == b"kept\n"
    assert own.engine.find(own.ref).labels["jupyter-dockerize.fingerprint"] == before
    assert api.verify(own.ref, engine="docker").verdict in ("identical", "equivalent")
    with pytest.raises(UsageError, match="one layer only"):
        api.rollback(own.where, 1, own.ref)
        api.consolidate(own.where, own.ref)


@pytest.mark.parametrize("method", ["rebuild", "copy"])
def test_before_there_are_too_many_layers_the_way_out_is_named_and_works(
    method: Method, own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adding, "MANY", 3)
    api.build(own.where, Wishes(), own.ref, method=method, engine="docker")
    assert "many-layers" not in [each.code for each in own.exec("pip install humanize==4.8.0").findings]
    findings = {each.code: each for each in own.exec("pip install cowsay==6.0").findings}
    _, command, _ = findings["many-layers"].fix.split("`")
    words = shlex.split(command)[2:]
    assert main([*words, *(["--python", str(own.python)] if words[0] == "build" else [])]) == 0
    again = own.exec("pip install six==1.16.0")
    assert (again.number, "many-layers" in [each.code for each in again.findings]) == (2, False)
    assert own.engine.find(own.ref).labels["jupyter-dockerize.method"] == method
    site = ["/opt/env/bin/python"] if method == "rebuild" else [str(own.python)]
    own.engine.execute(own.ref, [*site, "-c", "import humanize, cowsay, six"])


def test_a_name_that_the_engine_does_not_give_up_spoils_nothing_and_hides_nothing(
    own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of images on the way are removed by the next prune."""

    def busy(engine: DockerEngine, ref: str) -> None:
        raise EngineError(f"{ref} is in use")

    def otherwise(*_: object, **__: object) -> Comparison:
        return Comparison(verdict="different", packages=1)

    own.exec("pip install humanize==4.8.0")
    with monkeypatch.context() as patch:
        patch.setattr(DockerEngine, "remove", busy)
        assert own.exec("pip install cowsay==6.0", image_only=True).number == 3
        with patch.context() as broken:
            broken.setattr(consolidating, "verify_against_plan", otherwise)
            with pytest.raises(VerificationError, match="not what was installed"):
                api.consolidate(own.where, own.ref)
        assert api.consolidate(own.where, own.ref).number == 1
    kept = {f"{state.REPOSITORY}/{own.ref}:{chain}" for chain in state.names(state.folder_for(own.ref))}
    now = state.load(own.ref)
    assert now
    going = {each.name for each in api.prune().layers}
    assert kept - going == {now.tag(now.head)}
    assert not any(map(own.engine.inspect, going))
    assert own.imports("humanize", "cowsay") == [True, True]


def test_a_layer_is_named_by_its_number(own: Own, capsys: pytest.CaptureFixture[str]) -> None:
    """It is compared with another, verified, and looked at, undone or not."""
    own.exec("pip install humanize==4.8.0")
    own.exec("pip install humanize==4.9.0 cowsay==6.0")
    api.undo(own.where, own.ref)
    found = api.diff(f"image:{own.ref}#2", f"image:{own.ref}#3", engine="docker")
    assert (found.expected, found.found) == (f"image:{own.ref}#2", f"image:{own.ref}#3")
    assert sorted((each.name, each.expected, each.found) for each in found.differences) == [
        ("cowsay", "", "6.0 (env)"),
        ("humanize", "4.8.0", "4.9.0"),
    ]
    verified = api.verify(f"{own.ref}#3", engine="docker")
    assert (verified.verdict in ("identical", "equivalent"), verified.found) == (True, f"{own.ref}#3")
    assert main(["history", f"{own.ref}#3"]) == 0
    said = capsys.readouterr().out
    assert "pip: humanize 4.8.0 → 4.9.0" in said
    assert "pip: cowsay 6.0" in said
    assert "4.8.0\n" not in said
    assert main(["history", own.ref, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ref"], told["head"]) == (own.ref, 2)
    wanted = {"number", "command", "added", "removed", "changed", "size", "created"}
    assert all(wanted <= layer.keys() for layer in told["layers"])
    for ref, why in ((f"{own.ref}#4", "has no layer 4"), (f"{own.ref}#x", "names no layer")):
        with pytest.raises(UsageError, match=why):
            api.verify(ref, engine="docker")
    with pytest.raises(UsageError, match="no layers"):
        api.diff("image:nobodys#1", "live", engine="docker")


def test_a_layer_of_many_packages_has_a_small_label_and_is_whole_in_the_image(
    own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Builders take minutes to read a label of a few hundred KiB."""
    monkeypatch.setattr("jupyter_dockerize.layers.layered._LONGEST", 100)
    own.exec("pip install humanize==4.8.0")
    own.exec("pip install cowsay==6.0")
    image = own.engine.find(own.ref)
    assert "humanize-4.8.0" not in image.labels["jupyter-dockerize.layer.2"]
    assert json.loads(image.labels["jupyter-dockerize.layer.2"])["packages"]["pip"] == []
    assert api.verify(own.ref, engine="docker").verdict in ("identical", "equivalent")
    layers = layers_in(own.engine, image, cancel=Cancel())
    assert [str(each) for layer in layers for each in layer.changes] == ["humanize 4.8.0", "cowsay 6.0"]
