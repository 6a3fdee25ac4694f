"""No secret gets into the facts, wherever it stood; what is public stays."""

from __future__ import annotations

import json
import string
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_dockerize.environment import probe

from .probed import by_name, dist_info, run

SECRET = "CANARYcanary7391"  # by its shape no token: only its place says that it is secret


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://index.example.org/simple", "https://index.example.org/simple"),
        ("https://user:S@example.org/simple/", "https://example.org/simple/"),
        ("https://S@example.org/simple", "https://example.org/simple"),
        ("https://S:@example.org/simple", "https://example.org/simple"),
        ("https://user:a@b@S@example.org:8443/simple", "https://example.org:8443/simple"),
        ("https://user%3AS%40example.org/simple", "https://example.org/simple"),
        ("https://user:%53S@example.org/x", "https://example.org/x"),
        ("https://user:pa/S@example.org/x", "https://***"),
        ("https://S#x@example.org/x", "https://***"),
        ("https://S?x@example.org/x", "https://***"),
        ("https://user:S", "https://***"),
        ("https://us er:S@example.org/x", "https://example.org/x"),
        ("https://\x00user\x1b:S@example.org/x", "https://example.org/x"),
        ("https:\\\\user:S@example.org\\x", "example.org\\x"),
        ("https://user:S@example.org\\x", "https://example.org/x"),
        ("//user:S@example.org/x", "example.org/x"),
        ("https://example.org/a.whl?X-Amz-Signature=S", "https://example.org/a.whl"),
        ("https://example.org/a.whl#token=S", "https://example.org/a.whl"),
        ("https://example.org/a.whl;token=S", "https://example.org/a.whl"),
        ("https://conda.anaconda.org/t/S/conda-forge", "https://conda.anaconda.org/t/***/conda-forge"),
        (
            "https://example.org/proxy/https://S@host.example/x",
            "https://example.org/proxy/https://host.example/x",
        ),
        ("https://example.org/proxy/user:S@host.example/x", "https://example.org/proxy/host.example/x"),
        ("https://pypi.fury.io/S/me/", "https://pypi.fury.io/***/me/"),
        ("https://dl.cloudsmith.io/S/org/repo/python/", "https://dl.cloudsmith.io/***/org/repo/python/"),
        ("https://dl.cloudsmith.io/public/org/repo/", "https://dl.cloudsmith.io/public/org/repo/"),
        ("https://u:S@dl.cloudsmith.io/basic/org/repo/", "https://dl.cloudsmith.io/basic/org/repo/"),
        ("https://packagecloud.io/priv/S/org/repo/", "https://packagecloud.io/priv/***/org/repo/"),
        ("git+https://S@github.com/a/b.git@v1.2", "git+https://github.com/a/b.git@v1.2"),
        ("git+https://github.com/a/b.git@v1.2", "git+https://github.com/a/b.git@v1.2"),
        ("git+ssh://git@github.com/a/b.git@main", "git+ssh://git@github.com/a/b.git@main"),
        ("ssh://S@example.org/a.git", "ssh://example.org/a.git"),
        ("git@github.com:a/b.git", "git@github.com:a/b.git"),
        ("user:S@example.org:a/b.git", "example.org:a/b.git"),
        ("file:///srv/wheels", "file:///srv/wheels"),
        ("/srv/wheels", "/srv/wheels"),
        ("https://[2001:db8::1]:8080/simple", "https://[2001:db8::1]:8080/simple"),
        ("https://u:S@[2001:db8::1]:8080/simple", "https://[2001:db8::1]:8080/simple"),
        ("https://example.org/ghp_aaaaaaaaaaaaaaaaaaaaaaaa/x", "https://example.org/***/x"),
    ],
)
def test_urls_lose_what_is_secret_and_keep_what_is_public(url: str, public: str) -> None:
    found = probe.redact_url(url.replace("S", SECRET) if "S" in url.replace("Signature", "") else url)
    assert found == public


@pytest.mark.parametrize(
    ("url", "has"),
    [
        ("https://index.example.org/simple/", False),
        ("https://u:p@example.org/simple", True),
        ("https://token@example.org/simple", True),
        ("https://${USER}:${PASS}@example.org/simple", True),
        ("https://example.org/simple?token=x", True),
        ("https://conda.anaconda.org/t/abc/conda-forge", True),
        ("https://example.org/a.whl#sha256=00", False),
        ("git+ssh://git@github.com/a/b.git", False),
        ("/srv/wheels", False),
        ("file:///srv/wheels", False),
    ],
)
def test_an_index_says_whether_it_had_credentials(url: str, has: bool) -> None:
    assert probe.has_credentials(url) is has


WORD = st.text(string.ascii_letters + string.digits + "._~-", min_size=1, max_size=12)
PASSWORD = st.text(string.ascii_letters + string.digits + "._~-!$&'()*+,=:@%", max_size=12)


@settings(max_examples=400, deadline=None)
@given(before=PASSWORD, after=PASSWORD, user=WORD, path=st.lists(WORD, max_size=4))
def test_a_password_made_of_anything_leaves_and_the_path_stays(
    before: str, after: str, user: str, path: list[str]
) -> None:
    tail = "/".join(["", "x", *path, "simple"])
    found = probe.redact_url(f"https://{user}:{before}{SECRET}{after}@example.org{tail}")
    assert SECRET not in found
    assert found.startswith("https://example.org/x")


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=60))
def test_redaction_takes_any_text_and_once_is_enough(text: str) -> None:
    for redacted in (probe.redact_url(text), probe.redact_text(text)):
        assert isinstance(redacted, str)
    once = probe.redact_url("https://" + text)
    assert probe.redact_url(once) == once
    assert probe.has_credentials(text) in (True, False)


@settings(max_examples=200, deadline=None)
@given(before=st.text(max_size=20), after=st.text(max_size=20))
def test_urls_are_redacted_inside_any_text(before: str, after: str) -> None:
    found = probe.redact_text(f"{before} https://u:{SECRET}@example.org/x {after}")
    assert SECRET not in found


WITHHELD = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_PROFILE",
    "GITHUB_TOKEN",
    "GIT_TOKEN",
    "HF_TOKEN",
    "KAGGLE_KEY",
    "OPENAI_API_KEY",
    "WANDB_API_KEY",
    "DATABASE_URL",
    "PGPASSWORD",
    "DB_PWD",
    "SENTRY_DSN",
    "UV_INDEX_CORP_PASSWORD",
    "NPM_TOKEN",
    "MY_PROJECT_MODE",
    "DATA_PATH",
    "APP_PORT",
    "PIPELINE_MODE",
    "STYLE",
    "LD_PRELOAD",
    "DASK_GATEWAY__AUTH__API_TOKEN",
    "DOCKER_PASSWORD",
    "CONDA_TOKEN",
    "SSH_PRIVATE_KEY",
]
NOISE = [
    "PATH",
    "HOME",
    "PWD",
    "OLDPWD",
    "SHLVL",
    "_",
    "TERM",
    "LS_COLORS",
    "SSH_AUTH_SOCK",
    "SSH_CONNECTION",
    "XDG_RUNTIME_DIR",
    "JUPYTERHUB_API_TOKEN",
    "JPY_API_TOKEN",
    "JPY_SESSION_NAME",
    "KUBERNETES_SERVICE_HOST",
    "HUB_PORT_8081_TCP_ADDR",
    "MYSVC_SERVICE_PORT_HTTP",
    "GPG_KEY",
    "PYTHON_VERSION",
    "PYTHON_SHA256",
    "NVIDIA_VISIBLE_DEVICES",
    "NV_CUDA_LIB_VERSION",
    "NVARCH",
    "CUDA_VERSION",
    "CONDA_PREFIX",
    "CONDA_DEFAULT_ENV",
    "VIRTUAL_ENV",
    "PIP_INDEX_URL",
    "UV_CACHE_DIR",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "HTTPLIB2_CA_CERTS",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "HTTPS_PROXY",
    "http_proxy",
    "no_proxy",
    "RUST_BACKTRACE",
    "CLOUDSDK_CONFIG",
    "CONTAINER_NAME",
    "CC",
    "CFLAGS",
    "HISTSIZE",
    "PROMPT_COMMAND",
    "NB_USER",
    "NB_UID",
    "DEBIAN_FRONTEND",
    "VSCODE_IPC_HOOK_CLI",
    "GIT_PAGER",
    "KERNEL_ID",
    "container",
]


@pytest.mark.parametrize("name", WITHHELD)
def test_what_somebody_set_on_purpose_is_named_and_not_told(name: str) -> None:
    assert probe.environ_facts({name: SECRET}) == {"kept": {}, "withheld": [name]}


@pytest.mark.parametrize("name", NOISE)
def test_what_shells_hubs_and_images_set_is_passed_over(name: str) -> None:
    assert probe.environ_facts({name: SECRET}) == {"kept": {}, "withheld": []}


def test_the_backend_that_ipykernel_sets_itself_is_passed_over() -> None:
    inline = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    assert probe.environ_facts(inline) == {"kept": {}, "withheld": []}
    assert probe.environ_facts({"MPLBACKEND": "Agg"})["kept"] == {"MPLBACKEND": "Agg"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OMP_NUM_THREADS", "4"),
        ("LANG", "de_DE.UTF-8"),
        ("TZ", "Europe/Berlin"),
        ("PYTHONHASHSEED", "0"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("CUDA_VISIBLE_DEVICES", "0,1"),
        ("DASK_ARRAY__CHUNK_SIZE", "128 MiB"),
    ],
)
def test_settings_that_change_results_are_kept(name: str, value: str) -> None:
    assert probe.environ_facts({name: value})["kept"] == {name: value}


@pytest.mark.parametrize("value", ["https://u:p@example.org", "a\nb", "x " * 101, "ghp_" + "a" * 30, "`id`"])
def test_an_allowed_name_does_not_carry_an_odd_value(value: str) -> None:
    assert probe.environ_facts({"LANG": value})["kept"] == {}
    system = probe.system_facts({"LANG": value, "TZ": value, "container": value, "JUPYTER_IMAGE_SPEC": value})
    assert value not in json.dumps(system)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=30), st.just(SECRET), max_size=6))
def test_values_outside_the_allow_list_never_appear(environ: dict[str, str]) -> None:
    found = probe.environ_facts(environ)
    assert set(found["kept"]) <= {name for name in environ if probe.KEPT.fullmatch(name)}
    assert SECRET not in json.dumps(found["withheld"])


@pytest.mark.parametrize(
    "image", ["quay.io/jupyter/base-notebook:2024-01", "hub:5000/a/b@sha256:" + "0" * 64, "python:3.11-slim"]
)
def test_the_image_that_a_hub_names_is_kept_whole(image: str) -> None:
    assert probe.system_facts({"JUPYTER_IMAGE_SPEC": image})["image"] == image


def test_of_several_names_of_its_image_the_one_by_digest_counts() -> None:
    pinned = "registry.example.org/hub/lab@sha256:" + "1" * 64
    said = {"JUPYTER_IMAGE_SPEC": "hub/lab:1", "JUPYTER_IMAGE": pinned}
    assert probe.system_facts(said)["image"] == pinned
    assert probe.system_facts({"KAGGLE_DOCKER_IMAGE": pinned, "CI_JOB_IMAGE": "x:1"})["image"] == pinned
    assert probe.system_facts({"CI_JOB_IMAGE": "x:1"})["image"] == "x:1"


def _everywhere(tmp_path: Path) -> tuple[dict[str, str], Path]:
    """An environment with the canary in every place of the threat list; (variables, sys.path folder)."""
    home, site = tmp_path / "home", tmp_path / "site"
    at = f"https://user:{SECRET}@example.org"
    files = {
        home / ".config/pip/pip.conf": f"[global]\nindex-url = {at}/simple\nextra-index-url =\n  {at}/b\n",
        home / ".pip/pip.conf": f"[global\nindex-url {SECRET}\n",
        home
        / ".config/uv/uv.toml": f'[[index]]\nname = "corp"\nurl = "{at}/uv"\n[pip]\nindex-url = "{at}/i"\n',
        home / ".condarc": f"channels:\n  - https://conda.anaconda.org/t/{SECRET}/corp\n  - '{at}/chan'\n",
        home / ".netrc": f"machine example.org login x password {SECRET}\n",
        tmp_path / "project/.git/config": f'[remote "origin"]\n\turl = {at}/repo.git # {SECRET}\n',
        tmp_path / "project/.git/HEAD": "ref: refs/heads/main\n",
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    urls = {
        "vcs": {
            "url": f"{at}/r.git",
            "vcs_info": {"vcs": "git", "commit_id": "0" * 40, "requested_revision": f"{at}/"},
        },
        "signed": {
            "url": f"https://example.org/a.whl?X-Amz-Signature={SECRET}",
            "archive_info": {"hash": f"sha256={SECRET}"},
        },
        "fragment": {"url": f"https://example.org/a.tgz#token={SECRET}&subdirectory=sub", "archive_info": {}},
        "broken": {"url": {SECRET: 1}, "vcs_info": SECRET, "dir_info": {}},
        "editable": {"url": (tmp_path / "project").as_uri(), "dir_info": {"editable": True}},
    }
    requires = f"Requires-Dist: dep @ {at}/dep.whl ; python_version > '3'\nRequires-Dist: {at}/x\n"
    for name, direct in urls.items():
        metadata = f"Name: {name}\nVersion: 1\n{requires}"
        dist_info(
            site, name, "1", direct_url_json=json.dumps(direct), METADATA=metadata, WHEEL=f"Generator: {at}\n"
        )
    (site / "direct_url.dist-info").mkdir()
    (site / "direct_url.dist-info/METADATA").write_text("Name: cut\nVersion: 1\n")
    (site / "direct_url.dist-info/direct_url.json").write_text(f'{{"url": "{at}/cut')
    environ = {
        "HOME": str(home),
        "PYTHONPATH": str(site),
        "PIP_INDEX_URL": f"{at}/simple",
        "PIP_EXTRA_INDEX_URL": f"https://{SECRET}@example.org/extra",
        "PIP_FIND_LINKS": f"{at}/links",
        "UV_INDEX": f"corp={at}/uv2",
        "UV_DEFAULT_INDEX": f"{at}/uv3",
        "UV_INDEX_CORP_PASSWORD": SECRET,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "MY_SETTING": SECRET,
        "DATABASE_URL": f"postgres://u:{SECRET}@db/x",
        "HTTPS_PROXY": f"http://u:{SECRET}@proxy:3128",
        "TZ": f"http://u:{SECRET}@proxy:3128",
        "JUPYTER_IMAGE_SPEC": f"u:{SECRET}@registry/x",
        "LC_ALL": "C.UTF-8",
    }
    return environ, site


def test_the_canary_is_in_no_fact_and_the_public_parts_are(tmp_path: Path) -> None:
    environ, _ = _everywhere(tmp_path)
    facts = run("requires", "hashes", "libraries", env=environ, cwd=tmp_path)
    assert SECRET not in json.dumps(facts)
    found = by_name(facts)
    assert {"vcs", "signed", "fragment", "broken", "editable", "cut"} <= set(found)
    assert found["vcs"]["direct_url"]["url"] == "https://example.org/r.git"
    assert found["signed"]["direct_url"]["url"] == "https://example.org/a.whl"
    assert found["fragment"]["direct_url"]["subdirectory"] == "sub"
    assert found["editable"]["checkout"]["remote"] == "https://example.org/repo.git"
    assert found["vcs"]["requires"][0] == "dep @ https://example.org/dep.whl ; python_version > '3'"
    urls = {(index["url"], index["tool"], index["credentials"]) for index in facts["pip"]["indexes"]}
    assert ("https://example.org/simple", "pip", True) in urls
    assert ("https://example.org/uv2", "uv", True) in urls
    assert ("https://example.org/uv", "uv", True) in urls
    withheld = {"AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "MY_SETTING", "UV_INDEX_CORP_PASSWORD"}
    assert withheld <= set(facts["environ"]["withheld"])


def test_conda_records_and_channels_lose_their_tokens(tmp_path: Path) -> None:
    meta = tmp_path / "conda-meta"
    meta.mkdir()
    at = f"https://conda.anaconda.org/t/{SECRET}/corp"
    record = {
        "name": "x",
        "version": "1",
        "build": "0",
        "channel": at,
        "url": f"{at}/noarch/x-1-0.conda",
        "fn": "x",
        "requested_spec": f"{at}::x[url='https://u:{SECRET}@example.org/x']",
        "md5": 5,
        "files": [],
    }
    (meta / "x-1-0.json").write_text(json.dumps(record))
    (tmp_path / ".condarc").write_text(f"channels:\n  - {at}\n  - https://u:{SECRET}@example.org/c\n")
    facts = probe.conda_facts(str(tmp_path), {}, probe.Faults())
    assert SECRET not in json.dumps(facts)
    assert facts["records"][0]["url"] == "https://conda.anaconda.org/t/***/corp/noarch/x-1-0.conda"
    assert facts["channels"][-2:] == ["https://conda.anaconda.org/t/***/corp", "https://example.org/c"]


def test_a_comment_behind_an_index_is_no_index(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = https://example.org/simple ; was {SECRET}/x\n")
    environ = {"HOME": "/nonexistent", "UV_INDEX": f"https://example.org/a,{SECRET}"}
    found, _ = probe.index_facts(environ, str(tmp_path), probe.Faults())
    assert SECRET not in json.dumps(found)
    assert {"https://example.org/simple", "https://example.org/a"} <= {index["url"] for index in found}


@pytest.mark.parametrize(
    "head", ["ref: ../../secret", "ref: refs/heads/../../../secret", "ref: refs/heads/link"]
)
def test_a_hostile_checkout_reads_no_other_file(tmp_path: Path, head: str) -> None:
    git = tmp_path / "project" / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (tmp_path / "secret").write_text(SECRET)
    (git / "refs/heads/link").symlink_to(tmp_path / "secret")
    (git / "HEAD").write_text(head + "\n")
    assert SECRET not in json.dumps(probe.checkout_facts(str(tmp_path / "project")))


def test_sys_path_and_faults_are_redacted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, f"https://u:{SECRET}@example.org/packages"])
    assert SECRET not in json.dumps(probe.python_facts())
    faults = probe.Faults()
    url = f"https://u:{SECRET}@example.org"
    faults.add("pip", url, ValueError(url))
    assert SECRET not in json.dumps(faults.list)
