"""Behind a private authority, from an index with a login: it builds, and neither is in the image."""

from __future__ import annotations

import base64
import functools
import http.server
import os
import ssl
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest
import trustme

from tests.rig import bridge, channel, place

from .conftest import CLI, Environment, git_project, in_image, notebook_folder, run

pytestmark = [pytest.mark.engine, pytest.mark.rig, pytest.mark.timeout(900)]

REF = "jd-test/corporate"
USER, PASSWORD = "canary-user", "canary-Pa55-7f3a9"
AWS = "canary-aws-4be1"
REMOTE = "canary-remote-91cd"


class Index(http.server.SimpleHTTPRequestHandler):
    """A simple index (PEP 503) of a folder's wheels, for those who log in."""

    def do_GET(self) -> None:
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {login}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def corporate(tmp_path_factory: pytest.TempPathFactory, rig: object) -> Iterator[Environment]:
    folder = tmp_path_factory.mktemp("corporate")
    packages = ("harbour", "DEPTH = 12\n"), ("buoy", "COLOUR = 'red'\n"), ("jetty", ""), ("cleat", "")
    for name, body in packages:
        wheels = folder / "index" / "simple" / name
        project = git_project(folder / name, name, body)
        run(sys.executable, "-m", "uv", "build", "-q", "--wheel", "-o", wheels, project)
        (wheels / ".gitignore").unlink(missing_ok=True)
    authority = trustme.CA()
    server = _serve(folder / "index", authority)
    bundle = folder / "ca.pem"
    system = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    bundle.write_bytes((Path(system).read_bytes() if system else b"") + authority.cert_pem.bytes())
    host, port = server.server_address[:2]
    environ = {
        **os.environ,
        "PIP_EXTRA_INDEX_URL": f"https://{USER}:{PASSWORD}@{host}:{port}/simple",
        "PIP_CERT": str(bundle),
        "SSL_CERT_FILE": str(bundle),
        "REQUESTS_CA_BUNDLE": str(bundle),
        "AWS_SECRET_ACCESS_KEY": AWS,
    }
    python = folder / "venv" / "bin" / "python"
    run(sys.executable, "-m", "uv", "venv", "-q", "--seed", folder / "venv")
    run(python, "-m", "pip", "install", "-q", "ipykernel", "harbour", environ=environ)
    editable = git_project(folder / "lighthouse", "lighthouse", "HEIGHT = 40\n")
    run("git", "remote", "add", "origin", f"https://oauth2:{REMOTE}@git.example.org/x.git", cwd=editable)
    run(python, "-m", "pip", "install", "-q", "--editable", editable, environ=environ)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    yield Environment(python=python, notebook=notebook_folder(folder / "project"), environ=environ)
    server.shutdown()


def _serve(folder: Path, authority: trustme.CA) -> http.server.ThreadingHTTPServer:
    """At an address that containers reach: they do not reach this machine's loopback."""
    channel.up()
    host = bridge.address(place.bridge(channel.NAME))
    handler = functools.partial(Index, directory=str(folder))
    server = http.server.ThreadingHTTPServer((host, 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def built(corporate: Environment) -> Iterator[Any]:
    done = subprocess.run(
        [*CLI, "build", str(corporate.notebook), "--python", str(corporate.python), "-t", REF,
         "--json", "--progress", "jsonl"],
        env=corporate.environ, capture_output=True, text=True, timeout=800,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    yield done
    run("docker", "rmi", "--force", REF)


@pytest.fixture(scope="module")
def canaries(corporate: Environment) -> dict[str, bytes]:
    """What must be nowhere. A line from the middle of the certificate stands for it."""
    certificate = (corporate.python.parents[2] / "authority.pem").read_bytes().splitlines()
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode())
    return {
        "password": PASSWORD.encode(),
        "login": login,
        "aws": AWS.encode(),
        "remote": REMOTE.encode(),
        "certificate": certificate[len(certificate) // 2],
    }


def test_the_package_of_the_private_index_is_in_the_image(built: Any) -> None:
    out = in_image(REF, "python", "-c", "import harbour, lighthouse; print(harbour.DEPTH, lighthouse.HEIGHT)")
    assert out.split() == ["12", "40"]


def test_no_layer_history_or_configuration_holds_a_secret(
    built: Any, canaries: dict[str, bytes], tmp_path: Path
) -> None:
    archive = tmp_path / "image.tar"
    run("docker", "save", "-o", archive, REF)
    searched = 0
    with tarfile.open(archive) as image:
        for member in image.getmembers():
            file = image.extractfile(member) if member.isfile() else None
            if file is None:
                continue
            head = file.read(265)
            file.seek(0)
            if head[257:262] == b"ustar" or head[:2] == b"\x1f\x8b":
                searched += _search_layer(file, canaries)
            else:
                _assert_none(member.name, file.read(), canaries)
    assert searched > 1000
    _assert_none("history", run("docker", "history", "--no-trunc", REF).encode(), canaries)
    _assert_none("inspect", run("docker", "inspect", REF).encode(), canaries)


def test_nothing_that_was_printed_or_written_holds_a_secret(
    built: Any, corporate: Environment, canaries: dict[str, bytes], tmp_path: Path
) -> None:
    _assert_none("stdout", built.stdout.encode(), canaries)
    _assert_none("stderr", built.stderr.encode(), canaries)
    where = ["--python", str(corporate.python)]
    _assert_none("snapshot", str(corporate.cli("snapshot", *where)).encode(), canaries)
    corporate.cli("recipe", str(corporate.notebook), *where, "-o", str(tmp_path / "recipe"))
    for path in (tmp_path / "recipe").rglob("*"):
        if path.is_file():
            _assert_none(str(path), path.read_bytes(), canaries)


@pytest.fixture(scope="module")
def layered(built: Any, corporate: Environment) -> Iterator[Any]:
    """Installs whose command names the index and its login, which nothing else here knows any more."""
    environ = {name: value for name, value in corporate.environ.items() if name != "PIP_EXTRA_INDEX_URL"}
    index = corporate.environ["PIP_EXTRA_INDEX_URL"]
    lines = (
        f"pip install --no-deps --extra-index-url {index} buoy",
        f"pip install --no-deps --index-url {index} jetty",
        f"pip install --no-deps 'cleat @ {index}/cleat/cleat-0.3.1-py3-none-any.whl'",
    )
    done = subprocess.run(
        [*CLI, "exec", "--notebook", str(corporate.notebook), "--python", str(corporate.python),
         "--image", REF, "--", "\n".join(lines)],
        env={**environ, "NETRC": "/dev/null"}, capture_output=True, text=True, timeout=800,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    yield done


def test_a_layer_from_the_index_that_its_command_names_is_in_the_image(layered: Any) -> None:
    code = "import buoy, cleat, jetty; print(buoy.COLOUR)"
    assert in_image(REF, "python", "-c", code).split() == ["red"]


def test_nothing_of_the_layer_holds_the_login(
    layered: Any, corporate: Environment, canaries: dict[str, bytes], tmp_path: Path
) -> None:
    _assert_none("stdout", layered.stdout.encode(), canaries)
    _assert_none("stderr", layered.stderr.encode(), canaries)
    journal = corporate.notebook.parent / "dockerize"
    written = [journal, Path(os.environ["JUPYTER_DOCKERIZE_STORE"])]
    found = [path for folder in written for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "layer.json" for path in found)
    for path in found:
        _assert_none(str(path), path.read_bytes(), canaries)
    assert "buoy" in run("docker", "history", "--no-trunc", REF)
    test_no_layer_history_or_configuration_holds_a_secret(layered, canaries, tmp_path)


def test_its_journal_is_rebuilt_where_only_netrc_knows_the_login(
    layered: Any, corporate: Environment, canaries: dict[str, bytes], tmp_path: Path
) -> None:
    """And no index is configured: where each package comes from is in the locks."""
    host = corporate.environ["PIP_EXTRA_INDEX_URL"].rpartition("@")[2].partition(":")[0]
    (tmp_path / "netrc").write_text(f"machine {host} login {USER} password {PASSWORD}\n")
    environ = {name: value for name, value in corporate.environ.items() if name != "PIP_EXTRA_INDEX_URL"}
    other = replace(corporate, environ={**environ, "NETRC": str(tmp_path / "netrc")})
    said = other.cli("rebuild", str(corporate.notebook.parent / "dockerize/corporate"))
    _assert_none("rebuild", str(said).encode(), canaries)
    out = in_image(REF, "python", "-c", "import harbour, buoy; print(harbour.DEPTH, buoy.COLOUR)")
    assert out.split() == ["12", "red"]


def test_without_the_login_the_build_says_what_is_missing_and_leaves_no_image(corporate: Environment) -> None:
    environ = {
        **corporate.environ,
        "PIP_EXTRA_INDEX_URL": corporate.environ["PIP_EXTRA_INDEX_URL"].replace(PASSWORD, "wrong"),
    }
    other = Environment(python=corporate.python, notebook=corporate.notebook, environ=environ)
    said = other.cli(
        "build", str(corporate.notebook), "--python", str(corporate.python), "-t", "jd-test/none", status=1
    )
    assert "401" in said or "login" in said or "credential" in said, said
    assert run("docker", "images", "-q", "jd-test/none") == ""


def _search_layer(file: IO[bytes], canaries: dict[str, bytes]) -> int:
    count = 0
    with tarfile.open(fileobj=file, mode="r:*") as layer:
        for member in layer:
            content = layer.extractfile(member) if member.isfile() else None
            if content is not None:
                _assert_none(member.name, content.read(), canaries)
                count += 1
    return count


def _assert_none(where: str, data: bytes, canaries: dict[str, bytes]) -> None:
    found = [name for name, canary in canaries.items() if canary in data]
    assert not found, f"{where} holds: {', '.join(found)}"
