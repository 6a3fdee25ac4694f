"""One endpoint for CLI and SDK, in the docker CLI's own order of precedence."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.engines.endpoint import Endpoint, candidates
from jupyter_dockerize.errors import NoEngineError


def context(folder: Path, name: str, host: str, *, tls: bool = False, skip: bool = False) -> None:
    """A context as ``docker context create`` stores it."""
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    docker = {"Host": host, "SkipTLSVerify": skip}
    (meta / "meta.json").write_text(
        json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": docker}})
    )
    if tls:
        files = folder / "contexts" / "tls" / key / "docker"
        files.mkdir(parents=True)
        for file in ("ca.pem", "cert.pem", "key.pem"):
            (files / file).write_text(file)


def test_docker_host_comes_first(tmp_path: Path):
    context(tmp_path, "gpu", "ssh://me@gpu")
    environ = {
        "DOCKER_HOST": "unix:///run/mine.sock",
        "DOCKER_CONTEXT": "gpu",
        "DOCKER_CONFIG": str(tmp_path),
    }
    (found,) = candidates(environ)
    assert (found.host, found.origin, found.context) == ("unix:///run/mine.sock", "DOCKER_HOST", None)
    assert str(found.socket) == "/run/mine.sock"


def test_then_the_context_of_the_environment(tmp_path: Path):
    context(tmp_path, "gpu", "ssh://me@gpu:2222")
    (found,) = candidates({"DOCKER_CONTEXT": "gpu", "DOCKER_CONFIG": str(tmp_path)})
    assert (found.host, found.context, found.machine) == ("ssh://me@gpu:2222", "gpu", "gpu")


def test_then_the_current_context(tmp_path: Path):
    context(tmp_path, "far", "tcp://10.0.0.5:2376", tls=True)
    (tmp_path / "config.json").write_text('{"currentContext": "far"}')
    (found,) = candidates({"DOCKER_CONFIG": str(tmp_path)})
    assert found.host == "tcp://10.0.0.5:2376"
    assert found.tls is not None
    assert found.tls.verify
    assert found.tls.key is not None
    assert found.tls.key.read_text() == "key.pem"


def test_a_context_may_forgo_verification(tmp_path: Path):
    context(tmp_path, "lax", "tcp://10.0.0.5:2376", skip=True)
    (found,) = candidates({"DOCKER_CONTEXT": "lax", "DOCKER_CONFIG": str(tmp_path)})
    assert found.tls is not None
    assert not found.tls.verify


def test_then_the_sockets_that_engines_open(tmp_path: Path):
    found = candidates({"HOME": str(tmp_path), "XDG_RUNTIME_DIR": "/run/user/1000"})
    hosts = [one.host for one in found]
    assert hosts[:2] == ["unix:///var/run/docker.sock", "unix:///run/user/1000/docker.sock"]
    assert "unix:///run/user/1000/podman/podman.sock" in hosts
    assert f"unix://{tmp_path}/.colima/default/docker.sock" in hosts


def test_the_default_context_is_the_default_socket(tmp_path: Path):
    found = candidates({"DOCKER_CONTEXT": "default", "HOME": str(tmp_path)})
    assert found[0].host == "unix:///var/run/docker.sock"


def test_a_context_that_is_missing(tmp_path: Path):
    with pytest.raises(NoEngineError, match="no docker context 'gone'") as caught:
        candidates({"DOCKER_CONTEXT": "gone", "DOCKER_CONFIG": str(tmp_path)})
    assert "docker context ls" in caught.value.fix


def test_a_context_that_is_broken(tmp_path: Path):
    context(tmp_path, "gpu", "ssh://gpu")
    (file,) = tmp_path.glob("contexts/meta/*/meta.json")
    file.write_text("{")
    with pytest.raises(NoEngineError, match="cannot be read"):
        candidates({"DOCKER_CONTEXT": "gpu", "DOCKER_CONFIG": str(tmp_path)})


@pytest.mark.parametrize("config", ["{", "[]", '{"currentContext": 5}'])
def test_a_broken_configuration_is_passed_over_as_the_cli_does(tmp_path: Path, config: str):
    (tmp_path / "config.json").write_text(config)
    assert len(candidates({"DOCKER_CONFIG": str(tmp_path)})) > 1


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("tcp://box:2375", "tcp://box:2375"),
        ("box:2375", "tcp://box:2375"),
        ("tcp://box", "tcp://box:2375"),
        ("tcp://[::1]:2375", "tcp://[::1]:2375"),
        ("ssh://me@box:22", "ssh://me@box:22"),
        ("unix://run/docker.sock", "unix:///run/docker.sock"),
    ],
)
def test_the_forms_of_docker_host(written: str, meant: str):
    assert candidates({"DOCKER_HOST": written})[0].host == meant


@pytest.mark.parametrize(
    "host",
    ["ssh://-oProxyCommand=evil", "ssh://-l@box", "ssh://me:secret@box", "ssh://box/path", "http://box:1",
     "tcp://", "tcp://box:99999", "tcp://a b:1", "ftp://box"],
)  # fmt: skip
def test_what_is_no_address_is_refused(host: str):
    with pytest.raises(NoEngineError, match="DOCKER_HOST is not the address of an engine") as caught:
        candidates({"DOCKER_HOST": host})
    assert "secret" not in str(caught.value)


@given(st.text(min_size=1, max_size=40))
def test_any_text_is_an_address_or_refused(host: str):
    for text in (host, f"ssh://{host}", f"tcp://{host}"):
        try:
            found = candidates({"DOCKER_HOST": text, "HOME": "/nonexistent"})[0]
        except NoEngineError:
            continue
        assert found.scheme in ("unix", "tcp", "ssh", "npipe")
        if found.scheme == "ssh":
            assert not found.machine.startswith("-")


def test_this_machine_has_no_name():
    for host in ("unix:///x", "tcp://localhost:2375", "tcp://127.0.0.1:2375", "tcp://[::1]:2375"):
        assert Endpoint(host=host, origin="").machine == ""
    assert Endpoint(host="tcp://10.0.0.5:2375", origin="").machine == "10.0.0.5"


def test_the_cli_gets_the_endpoint_and_nothing_private(tmp_path: Path):
    environ = {
        "DOCKER_HOST": "tcp://box:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path),
        "PATH": "/bin", "HOME": "/home/me", "AWS_SECRET_ACCESS_KEY": "canary", "BUILDX_BUILDER": "other",
    }  # fmt: skip
    (tmp_path / "ca.pem").write_text("")
    (endpoint,) = candidates(environ)
    assert endpoint.cli_environment(environ) == {
        "PATH": "/bin", "HOME": "/home/me", "DOCKER_HOST": "tcp://box:2376",
        "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path),
    }  # fmt: skip


def test_the_cli_gets_a_context_by_its_name(tmp_path: Path):
    context(tmp_path, "gpu", "ssh://gpu")
    environ = {"DOCKER_CONTEXT": "gpu", "DOCKER_CONFIG": str(tmp_path)}
    assert candidates(environ)[0].cli_environment(environ) == environ
