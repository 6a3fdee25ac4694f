"""Environment A as its own files: copied without Docker, opened by the newest and the older engine."""

from __future__ import annotations

import functools
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from jupyter_dockerize.image.validate.layout import validate
from tests.rig import bridge, channel, place

from ..conftest import Rig, environments, missing
from .conftest import CLI, Environment, address, ask, run, verified

pytestmark = [pytest.mark.engine, pytest.mark.rig, pytest.mark.timeout(1800)]

REF = "jd-test/survey:copy"
NOTEBOOK = "survey of birds.ipynb"


@pytest.fixture(scope="module")
def archive(environment_a: Environment, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The image as a file, and what the command said."""
    target = tmp_path_factory.mktemp("copied") / "image.tar"
    folders = environment_a.environ["PATH"].split(":")
    alone = {name: value for name, value in environment_a.environ.items() if "DOCKER" not in name}
    alone["PATH"] = ":".join(folder for folder in folders if not Path(folder, "docker").exists())
    said = replace(environment_a, environ=alone).cli(
        "build", NOTEBOOK, "--python", str(environment_a.python), "-t", REF, "--method", "copy",
        "-o", str(target), "--include", "data/birds.csv",
    )  # fmt: skip
    assert validate(target) == []
    return target, said


@pytest.fixture(scope="module", params=["docker26", "docker20"])
def engine_environ(request: pytest.FixtureRequest, archive: tuple[Path, Any]) -> Iterator[dict[str, str]]:
    """Each engine, with the image loaded."""
    environ = environments().get(str(request.param))
    if environ is None:
        missing(f"{request.param} is not up (tests/rig/up {request.param})")
    run("docker", "load", "--quiet", "--input", archive[0], environ=environ)
    yield environ
    run("docker", "rmi", "--force", REF, environ=environ)


@pytest.fixture
def private(rig: Rig, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server here that containers reach, and the authority that vouches for it."""
    channel.up()
    host = bridge.address(place.bridge(channel.NAME))
    authority = trustme.CA()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer((host, 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    yield f"https://{host}:{server.server_address[1]}/authority.pem", tmp_path / "authority.pem"
    server.shutdown()
    server.server_close()


def inside(environ: dict[str, str], *argv: str) -> str:
    return run("docker", "run", "--rm", "--network", "none", REF, *argv, environ=environ)


def test_it_is_the_same_environment(engine_environ: dict[str, str], archive: tuple[Path, Any]) -> None:
    assert verified(REF, engine_environ) == ("identical", [])
    assert archive[1]["packages"] > 100


def test_what_grew_by_hand_works(engine_environ: dict[str, str]) -> None:
    """Built here, editable, from a checkout, from a file, from ~/.local; with the libraries below them."""
    code = "import cv2, krill, moult, pelagic, psycopg2, pyfiglet; print(pelagic.__file__, pyfiglet.__file__)"
    editable, user = inside(engine_environ, "python", "-c", code).split()
    assert editable.endswith("/pelagic/pelagic/__init__.py")
    assert user.startswith("/opt/user/")


def test_the_notebook_runs(engine_environ: dict[str, str]) -> None:
    argv = ["jupyter", "nbconvert", "--to", "notebook", "--execute", "--stdout", NOTEBOOK]
    done = json.loads(inside(engine_environ, *argv))
    assert "276" in json.dumps(done["cells"][0]["outputs"])


def test_its_jupyterlab_opens_the_notebook(engine_environ: dict[str, str]) -> None:
    opened = json.loads(run(*CLI, "run", REF, "--json", environ=engine_environ))["containers"][0]
    try:
        host, token = address(opened["url"])
        names = {entry["name"] for entry in ask(f"{host}/api/contents?token={token}")["content"]}
        assert {NOTEBOOK, "survey.py", "data"} <= names
    finally:
        run(*CLI, "stop", opened["name"], environ=engine_environ)


def test_it_speaks_tls_and_trusts_whom_debian_trusts(
    engine_environ: dict[str, str], private: tuple[str, Path]
) -> None:
    """A private authority is not in the image; it counts where the container is told of it."""
    address, authority = private
    code = (
        "import sys, requests, urllib.request as plain\n"
        "try: print(plain.urlopen(sys.argv[1]).read(11), requests.get(sys.argv[1]).status_code)\n"
        "except Exception as error: print(error)"
    )
    argv = ["docker", "run", "--rm"]
    told = [f"--volume={authority}:/run/ca.pem:ro", "--env=SSL_CERT_FILE=/run/ca.pem"]
    told.append("--env=REQUESTS_CA_BUNDLE=/run/ca.pem")
    ask = [REF, "python", "-c", code, address]
    assert "CERTIFICATE_VERIFY_FAILED" in run(*argv, *ask, environ=engine_environ)
    assert run(*argv, *told, *ask, environ=engine_environ).strip() == "b'-----BEGIN ' 200"


def test_the_system_below_is_debian_s(engine_environ: dict[str, str]) -> None:
    """Packages, accounts, authorities, time zones, locale; nobody of this machine."""
    assert inside(engine_environ, "dpkg", "--audit") == ""
    assert "libc6" in inside(engine_environ, "dpkg", "-l")
    code = (
        "import locale, os, pwd, ssl, zoneinfo; zoneinfo.ZoneInfo('Pacific/Auckland'); "
        "locale.setlocale(locale.LC_ALL, 'C.UTF-8'); assert ssl.create_default_context().get_ca_certs(); "
        "print(os.getuid(), pwd.getpwuid(os.getuid()).pw_name)"
    )
    assert inside(engine_environ, "python", "-c", code).split() == ["1000", "jovyan"]
    numbers = [int(line.split(":")[2]) for line in inside(engine_environ, "cat", "/etc/passwd").splitlines()]
    assert [number for number in numbers if 1000 < number < 60000] == []
