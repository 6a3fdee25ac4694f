"""What we write, taken by others: skopeo, umoci, buildah, and each engine; every file as it was meant."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import docker
import pytest

from jupyter_dockerize.image import archive
from jupyter_dockerize.image.layer import Compression
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import Config, ImageValue
from jupyter_dockerize.image.reference import Reference
from jupyter_dockerize.image.tar import Member
from jupyter_dockerize.image.validate.layout import validate

from ..conftest import Rig, environments, missing
from .layouts import file, folder, link, sha256, write

LARGE = 110 << 20
CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service, version 2
NEWER = (1 << 33) + 5  # seconds: more than eleven octal digits hold


def odd(large: Path) -> tuple[list[Member], list[Member]]:
    """Two layers of everything that file systems allow and tools stumble over."""
    deep = ["d" * 100] * 30
    lower = [
        folder("bin"), folder("etc"), folder("tmp"), Member(path="var", kind="folder", mode=0o1777, gid=7),
        file("bin/" + "n" * 255, b"long"), file("bin/su", b"#!", mode=0o4755), file("bin/sg", mode=0o2755),
        Member(path="bin/hard", kind="hardlink", target="bin/su", mode=0o4755),
        Member(path="bin/again", kind="hardlink", target="bin/" + "n" * 255, mode=0o644),
        file("etc/\udce9\udcff", b"no UTF-8"), file("etc/café", b"UTF-8"), file("etc/a b\n*[x]$Y", b"blank"),
        file("etc/-rf", b"like an option"), file("etc/empty", b""), file("etc/secret", mode=0),
        link("etc/long", "t" * 300), link("etc/bytes", "\udce9/x"), link("etc/dangling", "/no/where"),
        file("etc/old", mtime=-86_400), file("etc/new", mtime=NEWER),
        file("etc/owned", uid=3_000_000, gid=70_000),
        file("etc/noted", xattrs={"user.note": b"\xff\0\n=", "security.capability": CAPABILITY}),
        file("etc/gone"), file("tmp/hidden"), link("old", "etc"),
    ]  # fmt: skip
    upper = [
        *(folder("/".join(deep[: number + 1])) for number in range(len(deep))),
        file("/".join([*deep, "leaf"])),
        Member(path="large", source=str(large), size=LARGE, mtime=1),
        file("etc/.wh.gone", b""), folder("tmp"), file("tmp/.wh..wh..opq", b""), file("tmp/shown"),
        file(".wh.old", b""), Member(path="etc/hard", kind="hardlink", target="tmp/shown", mode=0o644),
    ]  # fmt: skip
    return lower, upper


@dataclass(frozen=True)
class Judged:
    """An image of ours in both forms, and what must be in it."""

    layout: Layout
    archive: Path
    image: ImageValue
    ref: Reference
    members: dict[str, Member]

    @property
    def oci(self) -> str:
        return f"oci:{self.layout.folder}:{self.ref.tag}"


@pytest.fixture(scope="module", params=["gzip", "none"])
def judged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    compression: Compression = request.param
    root = tmp_path_factory.mktemp(f"judged-{compression}")
    large = root / "large"
    with large.open("wb") as opened:  # sparse, with something in the middle
        opened.truncate(LARGE)
        opened.seek(LARGE // 2)
        opened.write(os.urandom(1 << 20))
    lower, upper = odd(large)
    layout = Layout.create(root / "layout")
    config = Config(
        platform="linux/amd64", env=("PATH=/bin", 'ODD=a "b" $c \\'), entrypoint=("/bin/su",),
        cmd=("-c", "é\n"), user="1000:100", folder="/etc", ports=("8888/tcp",), labels={"a": 'ü"$\\'},
    )  # fmt: skip
    image = ImageValue(config=config).append(
        write(layout, lower, compression), write(layout, upper, compression)
    )
    ref = Reference.parse(f"jupyter-dockerize-judged:{compression}")
    layout.name(image, ref)
    archive.write(root / "image.tar", layout, image, ref)
    members = {each.path: each for each in (*lower, *upper) if "/.wh." not in f"/{each.path}"}
    for gone in ("etc/gone", "tmp/hidden", "old"):
        del members[gone]
    return Judged(layout, root / "image.tar", image, ref, members)


def run(*argv: str | os.PathLike[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{argv}: {done.stderr[-2000:]}"
    return done.stdout.strip()


def of_file(path: Path) -> str:
    with path.open("rb") as opened:
        return of_stream(opened)


def of_stream(opened: IO[bytes]) -> str:
    total = hashlib.sha256()
    while piece := opened.read(1 << 20):
        total.update(piece)
    return total.hexdigest()


def contents(member: Member) -> str:
    if member.source:
        return of_file(Path(member.source))
    return hashlib.sha256(member.data or b"").hexdigest()


def kept(member: Member) -> int:
    """The time that buildah and Docker give a file: before 1970 there was nothing."""
    return max(0, member.mtime)


def assert_tree(root: Path, members: dict[str, Member], time: Callable[[Member], int]) -> None:
    """The folder holds these and nothing else, byte for byte and bit for bit."""
    found = {
        os.path.relpath(os.path.join(above, name), root)
        for above, folders, files in os.walk(root)
        for name in (*folders, *files)
    }
    assert found == members.keys()
    for path, member in members.items():
        at, status = root / path, os.lstat(root / path)
        if member.kind == "hardlink":
            assert os.path.samefile(at, root / member.target)
            continue
        if member.kind == "symlink":
            assert os.readlink(at) == member.target
            continue
        assert stat.S_IMODE(status.st_mode) == member.mode, path
        assert (status.st_uid, status.st_gid) == (member.uid, member.gid), path
        if member.kind == "file":
            assert status.st_mtime == time(member), path
            assert of_file(at) == contents(member), path
            for name, value in member.xattrs.items():
                assert os.getxattr(at, name) == value, path


# -- Judges ------------------------------------------------------------------------------------------------


def test_our_own_judge_finds_nothing_but_the_time_before_1970(judged: Judged) -> None:
    for path in (judged.layout.folder, judged.archive):
        assert [each.rule for each in validate(path)] == ["mtime"]


def test_skopeo_takes_the_layout(judges: Path, judged: Judged, tmp_path: Path) -> None:
    run(judges / "skopeo", "copy", judged.oci, f"dir:{tmp_path}")
    assert sha256((tmp_path / "manifest.json").read_bytes()) == judged.image.descriptor.digest


def test_skopeo_takes_the_archive_as_a_layout(judges: Path, judged: Judged, tmp_path: Path) -> None:
    run(judges / "skopeo", "copy", f"oci-archive:{judged.archive}:{judged.ref.tag}", f"dir:{tmp_path}")
    assert sha256((tmp_path / "manifest.json").read_bytes()) == judged.image.descriptor.digest


def test_skopeo_takes_the_archive_as_docker_s(judges: Path, judged: Judged, tmp_path: Path) -> None:
    """This form has no manifest of its own: the configuration and the layers' tars are the same."""
    run(judges / "skopeo", "copy", f"docker-archive:{judged.archive}:{judged.ref}", f"dir:{tmp_path}")
    manifest = json.loads((tmp_path / "manifest.json").read_bytes())
    assert manifest["config"]["digest"] == judged.image.config_descriptor.digest
    assert [each["digest"] for each in manifest["layers"]] == [each.diff_id for each in judged.image.layers]


def test_to_a_registry_and_back_it_is_the_same(
    judges: Path, rig: Rig, judged: Judged, tmp_path: Path
) -> None:
    remote = f"docker://{rig.registry}/jupyter-dockerize-judged:{judged.ref.tag}"
    # Without the option it compresses what is not: that is another image.
    run(judges / "skopeo", "copy", "--preserve-digests", judged.oci, remote)
    run(judges / "skopeo", "copy", "--preserve-digests", remote, f"oci:{tmp_path / 'back'}:{judged.ref.tag}")
    back = Layout(tmp_path / "back")
    [listed] = back.manifests()
    assert listed.digest == judged.image.descriptor.digest
    assert not [each for each in validate(back.folder) if each.severity == "error"]
    inspected = json.loads(run(judges / "skopeo", "inspect", remote))
    assert inspected["Digest"] == judged.image.descriptor.digest
    run(judges / "skopeo", "delete", remote)


@pytest.mark.skipif(os.geteuid() != 0, reason="owners and capabilities are root's to give")
def test_umoci_unpacks_every_file(judges: Path, judged: Judged, tmp_path: Path) -> None:
    image = f"{judged.layout.folder}:{judged.ref.tag}"
    run(judges / "umoci", "unpack", "--image", image, tmp_path / "bundle")
    assert_tree(tmp_path / "bundle/rootfs", judged.members, lambda member: member.mtime)
    process = json.loads((tmp_path / "bundle/config.json").read_bytes())["process"]
    assert process["args"] == ["/bin/su", "-c", "é\n"]
    assert set(judged.image.config.env) <= set(process["env"])


@pytest.mark.skipif(os.geteuid() != 0, reason="owners and capabilities are root's to give")
def test_buildah_unpacks_every_file(judges: Path, judged: Judged) -> None:
    container = run(judges / "buildah", "from", judged.oci)
    try:
        inspected = json.loads(run(judges / "buildah", "inspect", container))
        assert inspected["FromImageDigest"] == judged.image.descriptor.digest
        assert inspected["FromImageID"] == judged.image.config_descriptor.digest.removeprefix("sha256:")
        mounted = Path(run(judges / "buildah", "mount", container))
        assert_tree(mounted, judged.members, kept)
    finally:
        run(judges / "buildah", "rm", container)
        run(judges / "buildah", "rmi", judged.image.config_descriptor.digest.removeprefix("sha256:"))


# -- Engines -----------------------------------------------------------------------------------------------

ENGINES = {name: env for name, env in environments().items() if "without" not in name}


@pytest.fixture(params=ENGINES, ids=str)
def client(request: pytest.FixtureRequest) -> Iterator[docker.DockerClient]:
    """Each engine in turn."""
    try:
        made = docker.from_env(environment=ENGINES[request.param], timeout=300)
        made.ping()
    except docker.errors.DockerException as error:
        missing(f"no engine: {error}")
    yield made
    made.close()


def test_an_engine_loads_it_as_it_is(client: docker.DockerClient, judged: Judged, tmp_path: Path) -> None:
    with judged.archive.open("rb") as opened:
        client.images.load(opened)
    try:
        attrs = client.api.inspect_image(str(judged.ref))
        assert attrs["Id"].removeprefix("sha256:") in {
            judged.image.config_descriptor.digest.removeprefix("sha256:"),
            judged.image.descriptor.digest.removeprefix(
                "sha256:"
            ),  # what the containerd store calls an image
        }
        assert attrs["RootFS"]["Layers"] == [each.diff_id for each in judged.image.layers]
        config = attrs["Config"]
        assert config["Env"] == list(judged.image.config.env)
        assert (config["User"], config["WorkingDir"]) == ("1000:100", "/etc")
        assert config["Labels"] == judged.image.config.labels
        assert_exported(client, judged, tmp_path)
        saved = tmp_path / "saved.tar"
        with saved.open("wb") as target:
            target.writelines(client.images.get(str(judged.ref)).save(named=True))
        assert_saved(saved, judged)
    finally:
        client.images.remove(str(judged.ref), force=True)


def test_an_engine_needs_only_the_layers_that_it_lacks(
    client: docker.DockerClient, judged: Judged, tmp_path: Path
) -> None:
    """The lower layer is there with another image; it is not in the archive of the next one."""
    lower = judged.image.layers[0]
    lowest = ImageValue(config=judged.image.config).append(lower)
    first = Reference.parse(f"jupyter-dockerize-judged:first-{judged.ref.tag}")
    partial = tmp_path / "partial.tar"
    with partial.open("wb") as target:
        target.writelines(archive.stream(judged.layout, judged.image, judged.ref, without=[lower.diff_id]))
    assert {each.rule for each in validate(partial) if each.severity == "error"} == {"missing"}
    try:
        client.images.load(b"".join(archive.stream(judged.layout, lowest, first)))
        with partial.open("rb") as opened:
            client.images.load(opened)
        attrs = client.api.inspect_image(str(judged.ref))
        assert attrs["RootFS"]["Layers"] == [each.diff_id for each in judged.image.layers]
        assert_exported(client, judged, tmp_path)
    finally:
        for ref in (judged.ref, first):
            with contextlib.suppress(docker.errors.ImageNotFound):
                client.images.remove(str(ref), force=True)


def assert_exported(client: docker.DockerClient, judged: Judged, tmp_path: Path) -> None:
    """A container's own file system has every file."""
    container = client.containers.create(str(judged.ref), command=["x"])
    try:
        with (tmp_path / "exported.tar").open("wb") as target:
            target.writelines(container.export())
    finally:
        container.remove()
    with tarfile.open(tmp_path / "exported.tar", errors="surrogateescape") as opened:
        found = {each.name.rstrip("/").removeprefix("./"): each for each in opened}
        for path, member in judged.members.items():
            each = found[path]
            if member.kind == "symlink":
                assert each.linkname == member.target
            elif member.kind == "folder":
                assert each.isdir() and each.mode & 0o7777 == member.mode
            elif member.kind == "file" and not each.islnk():  # another of its names came first
                assert (each.mode & 0o7777, each.uid, each.gid) == (member.mode, member.uid, member.gid), path
                assert each.mtime == kept(member), path
                read = opened.extractfile(each)
                assert read and of_stream(read) == contents(member), path
        assert not found.keys() & {"etc/gone", "tmp/hidden", "old"}


def assert_saved(saved: Path, judged: Judged) -> None:
    """What the engine gives back is the image that it got."""
    with tarfile.open(saved) as opened:
        [listed] = json.load(_member(opened, "manifest.json"))
        config = _member(opened, listed["Config"]).read()
    assert sha256(config) == judged.image.config_descriptor.digest


def _member(opened: tarfile.TarFile, name: str) -> Any:
    found = opened.extractfile(name)
    assert found
    return found
