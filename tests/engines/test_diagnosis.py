"""Every way in which an engine can be missing: one line that says so, and what to do."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from jupyter_dockerize.engines.base import Status
from jupyter_dockerize.engines.diagnosis import explain
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.engines.endpoint import Endpoint
from jupyter_dockerize.engines.place import Place

from .listeners import DOCKER, engine, garbage, listening, silence


def status(host: str, **environ: str) -> Status:
    found = DockerEngine(environ={"PATH": "/nonexistent", "DOCKER_HOST": host, **environ}).status(seconds=1)
    if not found.available:
        assert found.reason
        assert "\n" not in found.reason
        assert found.fix
    return found


def test_an_engine_that_answers(tmp_path: Path):
    with listening(engine(DOCKER), tmp_path / "s") as host:
        found = status(host)
    assert (found.available, found.version, found.flavour) == (True, "26.1.5", "Docker Engine")
    assert found.builder == "classic"  # there is no docker CLI on this PATH
    assert found.endpoint == host


def test_a_socket_without_a_listener(tmp_path: Path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "docker.sock"))
    listener.close()
    found = status(f"unix://{tmp_path}/docker.sock")
    assert "not running" in found.reason
    assert "docker start" in found.fix or "start docker" in found.fix


def test_a_file_that_is_no_socket(tmp_path: Path):
    (tmp_path / "docker.sock").write_text("")
    assert "is not a socket" in status(f"unix://{tmp_path}/docker.sock").reason


def test_no_socket_where_docker_host_names_one(tmp_path: Path):
    found = status(f"unix://{tmp_path}/docker.sock")
    assert "no socket at" in found.reason
    assert "DOCKER_HOST" in found.reason


def test_a_socket_without_permission(tmp_path: Path):
    """Asked as an ordinary user, where these tests run as root."""
    code = f"""if True:
        import sys
        sys.path[:0] = {[path for path in sys.path if path]!r}
        from jupyter_dockerize.engines.docker import DockerEngine
        engine = DockerEngine(environ=dict(PATH="/nonexistent", DOCKER_HOST=sys.argv[1]))
        status = engine.status(seconds=5)
        print(status.available, status.reason, "|", status.fix)
    """
    argv = [sys.executable, "-c", code, f"unix://{tmp_path}/docker.sock"]
    with listening(engine(DOCKER), tmp_path / "docker.sock"):
        (tmp_path / "docker.sock").chmod(0)
        for folder in [tmp_path, *tmp_path.parents][:3]:
            folder.chmod(0o755)
        if os.getuid() == 0:
            if not can_import_as_nobody():
                pytest.skip("nobody cannot read this Python's files")
            argv = ["setpriv", "--reuid=65534", "--clear-groups", *argv]
        said = subprocess.run(argv, capture_output=True, text=True, check=True, cwd="/").stdout
    assert said.startswith("False no permission to use")
    assert "usermod -aG docker" in said


def can_import_as_nobody() -> bool:
    """An interpreter below /root, as some developers have it, is out of an ordinary user's reach."""
    argv = ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", f"open({__file__!r})"]
    return shutil.which("setpriv") is not None and subprocess.run(argv, capture_output=True).returncode == 0


def test_permission_in_words(tmp_path: Path):
    endpoint = Endpoint(host=f"unix://{tmp_path}/docker.sock", origin="the default socket")
    reason, fix = explain(endpoint, PermissionError(13, "Permission denied"), Place(platform="linux"))
    assert reason == f"no permission to use {tmp_path}/docker.sock"
    assert "usermod -aG docker" in fix


@pytest.mark.parametrize("unix", [True, False], ids=["unix", "tcp"])
def test_a_listener_that_never_answers(tmp_path: Path, unix: bool):
    with listening(silence, tmp_path / "s" if unix else None) as host:
        assert "does not answer" in status(host).reason


@pytest.mark.parametrize("unix", [True, False], ids=["unix", "tcp"])
def test_a_listener_that_speaks_something_else(tmp_path: Path, unix: bool):
    with listening(garbage, tmp_path / "s" if unix else None) as host:
        assert "does not speak the Docker Engine API" in status(host).reason


@pytest.mark.parametrize("answer", [{}, [], {"ApiVersion": 5}, {"ApiVersion": "x"}])
def test_a_web_server_that_is_no_engine(tmp_path: Path, answer: object):
    with listening(engine(answer), tmp_path / "s") as host:  # type: ignore[arg-type]
        assert "does not speak the Docker Engine API" in status(host).reason


def test_a_port_where_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        found = status(f"tcp://127.0.0.1:{taken.getsockname()[1]}")
    assert "nothing listens at" in found.reason
    assert "DOCKER_HOST" in found.fix


def test_a_name_that_is_not_known(monkeypatch: pytest.MonkeyPatch):
    def unknown(*arguments: object, **options: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "is not known" in status("tcp://nowhere:2375").reason


def test_tls_asked_of_a_plain_port(tmp_path: Path):
    with listening(garbage) as host:
        assert (
            "does not speak TLS" in status(host, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(tmp_path)).reason
        )


def test_a_certificate_that_is_not_trusted(tmp_path: Path):
    files = ("-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x", *files],
        check=True, capture_output=True,
    )  # fmt: skip
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with listening(lambda plain: engine(DOCKER)(server.wrap_socket(plain, server_side=True))) as host:
        found = status(host, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(tmp_path / "none"))
    assert "certificate" in found.reason
    assert "is not trusted" in found.reason


def test_ssh_that_is_refused(tmp_path: Path):
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\necho 'me@box: Permission denied (publickey).' >&2\nexit 255\n")
    ssh.chmod(0o755)
    found = status("ssh://me@box", PATH=f"{tmp_path}:/usr/bin:/bin")
    assert "over ssh" in found.reason
    assert "Permission denied (publickey)" in found.reason
    assert "ssh box docker version" in found.fix


def test_nothing_of_the_way_over_ssh_is_left_behind(tmp_path: Path):
    """The engine may be forgotten, or the process end, and nobody closes it."""
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\nexit 255\n")
    ssh.chmod(0o755)
    code = (
        "import gc, os\n"
        "from jupyter_dockerize.engines.ssh import Bridge\n"
        "from jupyter_dockerize.engines.docker import DockerEngine\n"
        "forgotten = Bridge('ssh://me@box', os.environ); gc.collect()\n"
        "print(os.listdir(os.environ['TMPDIR']) != [])\n"
        "del forgotten; gc.collect()\n"
        "print(os.listdir(os.environ['TMPDIR']) != [])\n"
        "engine, kept = DockerEngine(), Bridge('ssh://me@box', os.environ)\n"
        "engine.status()\n"
    )
    # A short one: where a socket's path would be too long, it is elsewhere.
    temporary = Path(tempfile.mkdtemp(prefix="t"))
    environ = {**os.environ, "DOCKER_HOST": "ssh://me@box", "PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environ | {"TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", "False"]
    temporary.rmdir()  # it is empty


def test_a_long_name_of_the_temporary_folder_does_not_end_the_way_over_ssh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\necho 'me@box: no.' >&2\nexit 255\n")
    ssh.chmod(0o755)
    long = tmp_path / ("long" * 30)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    assert "me@box: no." in status("ssh://me@box", PATH=f"{tmp_path}:/usr/bin:/bin").reason


def test_no_ssh_client():
    assert "no ssh client" in status("ssh://me@box").reason


def test_a_context_that_is_missing(tmp_path: Path):
    found = DockerEngine(environ={"DOCKER_CONTEXT": "gone", "DOCKER_CONFIG": str(tmp_path)}).status()
    assert "no docker context 'gone'" in found.reason


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"ApiVersion": "1.39", "Version": "18.09.1"}, "18.09.1 is too old"),
        ({"Os": "windows"}, "Windows containers"),
    ],
)
def test_an_engine_that_cannot_be_used(tmp_path: Path, answer: dict[str, str], reason: str):
    with listening(engine(DOCKER | answer), tmp_path / "s") as host:
        found = status(host)
    assert not found.available
    assert reason in found.reason


@pytest.mark.parametrize(
    ("answer", "flavour"),
    [
        ({"Components": [{"Name": "Podman Engine"}]}, "Podman"),
        ({"Platform": {"Name": "Docker Desktop 4.30.0 (149282)"}}, "Docker Desktop"),
        ({"Platform": None, "Components": "x"}, "Docker Engine"),
    ],
)
def test_which_engine_it_is(tmp_path: Path, answer: dict[str, object], flavour: str):
    with listening(engine(DOCKER | answer), tmp_path / "s") as host:
        assert status(host).flavour == flavour


@pytest.mark.parametrize(
    ("place", "reason", "fix"),
    [
        (Place(platform="linux"), "neither Docker nor Podman is installed", "docs.docker.com"),
        (Place(platform="linux", docker=True), "no Docker Engine is running", "service docker start"),
        (Place(platform="linux", docker=True, service=True), "no Docker Engine", "systemctl start docker"),
        (Place(platform="linux", podman=True), "Podman is installed", "podman system service"),
        (Place(platform="linux", podman=True, service=True), "Podman is installed", "systemctl --user"),
        (Place(platform="linux", wsl=True), "WSL", "WSL integration"),
        (Place(platform="linux", container="Kubernetes"), "inside Kubernetes", "DOCKER_HOST"),
        (Place(platform="linux", container="a container"), "inside a container", "docker.sock"),
        (Place(platform="darwin"), "not installed", "Docker Desktop"),
        (Place(platform="darwin", docker=True), "Docker Desktop is not running", "start Docker Desktop"),
        (Place(platform="win32", docker=True), "Docker Desktop is not running", "start Docker Desktop"),
    ],
)
def test_nothing_there_at_all(place: Place, reason: str, fix: str):
    """By facts of such machines; the tests run on one only."""
    default = Endpoint(host="unix:///var/run/docker.sock", origin="the default socket")
    said = explain(default, FileNotFoundError(2, "No such file"), place)
    assert reason in said[0]
    assert fix in said[1]


def test_the_first_socket_that_answers_is_used(tmp_path: Path):
    """Rootless Docker's socket has no listener, Podman's has."""
    (tmp_path / "podman").mkdir()
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "docker.sock"))
    dead.close()
    podman = DOCKER | {"Components": [{"Name": "Podman Engine"}]}
    environ = {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": "/nonexistent"}
    if Path("/var/run/docker.sock").exists():
        pytest.skip("this machine has an engine of its own at the default socket")
    with listening(engine(podman), tmp_path / "podman" / "podman.sock"):
        found = DockerEngine(environ=environ).status()
    assert found.available
    assert found.flavour == "Podman"
