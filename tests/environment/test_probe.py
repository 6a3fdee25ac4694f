"""The probe as a guest: it runs in any interpreter, answers whole, and leaves nothing behind."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_dockerize.environment import probe
from jupyter_dockerize.environment.facts import Facts

from .probed import SOURCE, by_name, dist_info, run

ALL = ("hashes", "libraries", "modules", "requires", "sizes")


def _interpreters() -> list[str]:
    """A CPython of each version from 3.8 on, as far as uv or pyenv have them here."""
    uv = [sys.executable, "-m", "uv", "python", "list", "--only-installed", "--output-format", "json"]
    listed = json.loads(subprocess.run(uv, capture_output=True, check=True).stdout)
    found = {entry["version"]: entry["path"] for entry in listed if entry["implementation"] == "cpython"}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found |= {path.parts[-3]: str(path) for path in pyenv.glob("versions/*/bin/python")}
    minors = {tuple(map(int, version.split(".")[:2])): path for version, path in found.items() if path}
    return [minors[version] for version in sorted(minors) if version >= (3, 8)]


INTERPRETERS = _interpreters()


@pytest.mark.parametrize("python", INTERPRETERS)
def test_it_answers_in_every_python_that_is_here(python: str) -> None:
    facts = run(*ALL, python=python)
    version = subprocess.run(
        [python, "-c", "import sys; print(sys.version.split()[0])"], capture_output=True, text=True
    )
    assert facts["python"]["version"] == version.stdout.strip()
    assert facts["probe"]["options"] == list(ALL)
    assert facts["probe"]["faults"] == []


def test_there_is_an_interpreter_to_be_tested_in() -> None:
    assert INTERPRETERS


def test_debians_own_python_and_its_packages() -> None:
    if not Path("/usr/lib/python3/dist-packages").is_dir():
        pytest.skip("this machine has no Debian Python")
    facts = run(python="/usr/bin/python3")
    scopes = {place["path"]: place["scope"] for place in facts["pip"]["paths"]}
    assert scopes["/usr/lib/python3/dist-packages"] == "debian"
    local = [path for path in scopes if path.startswith("/usr/local/lib/python3")]
    assert all(scopes[path] == "env" for path in local)


@pytest.mark.rig
def test_it_answers_in_debians_of_every_age() -> None:
    """Roots that hold a python3 each, named by JUPYTER_DOCKERIZE_TEST_ROOTS (root only: chroot)."""
    roots = os.environ.get("JUPYTER_DOCKERIZE_TEST_ROOTS")
    if not roots:
        assert not os.environ.get("JUPYTER_DOCKERIZE_REQUIRE_ENGINE"), "the rig's roots are not here"
        pytest.skip("JUPYTER_DOCKERIZE_TEST_ROOTS names no folder")
    for codename in ("bullseye", "bookworm", "trixie"):
        facts = run("libraries", python="/usr/bin/python3", before=["chroot", f"{roots}/{codename}"])
        assert facts["system"]["os_release"]["VERSION_CODENAME"] == codename
        assert facts["libraries"]["missing"] == []
        assert facts["libraries"]["files"] > 40
        scopes = {place["path"]: place["scope"] for place in facts["pip"]["paths"]}
        assert scopes["/usr/lib/python3/dist-packages"] == "debian"
        assert {fault["what"] for fault in facts["probe"]["faults"]} <= {"/proc/self/maps"}  # not mounted


def test_the_source_is_python_3_8() -> None:
    """Grammar by the parser; names that came later by a list of those that are easily used."""
    tree = ast.parse(SOURCE, feature_version=(3, 8))
    later = {
        "removeprefix",
        "removesuffix",
        "bit_count",
        "pairwise",
        "batched",
        "getencoding",
        "is_relative_to",
    }
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not used & later
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            names = {keyword.arg for keyword in node.keywords}
            assert not (isinstance(node.func, ast.Name) and node.func.id == "zip" and "strict" in names)
    evaluated = [node for node in tree.body if isinstance(node, ast.AnnAssign)]
    assert not evaluated, "list[str] at the top level is evaluated, and 3.8 cannot"


def test_only_the_standard_library_is_imported() -> None:
    tree = ast.parse(SOURCE)
    names = {
        alias.name.partition(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names
    }
    names |= {str(n.module).partition(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert names <= sys.stdlib_module_names
    assert "subprocess" not in names


def test_the_shape_is_what_facts_say(tmp_path: Path) -> None:
    facts = probe.gather(ALL)
    msgspec.convert(json.loads(json.dumps(facts)), Facts, strict=True)
    assert set(facts) == set(Facts.__annotations__)
    assert facts["libraries"] is not None
    assert facts["modules"] is not None
    assert probe.gather(())["libraries"] is None


BARE = """
import json, os, sys
before = (set(sys.modules), dict(os.environ), list(sys.path), os.getcwd(), sys.stdout, set(globals()))
threads = len(os.listdir('/proc/self/task')) if os.path.isdir('/proc/self') else 1
own = {}
exec(compile(sys.stdin.buffer.read(), 'x', 'exec'), own)
facts = own['gather'](('hashes', 'libraries', 'modules', 'requires'))
new = set(sys.modules) - before[0]
print(json.dumps({
    'faults': facts['probe']['faults'],
    'modules': sorted(new),
    'environ': dict(os.environ) == before[1],
    'path': sys.path == before[2],
    'cwd': os.getcwd() == before[3],
    'fds': len(os.listdir('/proc/self/fd')) if os.path.isdir('/proc/self') else 0,
    'threads': threads == (len(os.listdir('/proc/self/task')) if os.path.isdir('/proc/self') else 1),
    'names': sorted(set(globals()) - before[5]),
}))
"""


def test_nothing_is_left_in_the_process(tmp_path: Path) -> None:
    command = [sys.executable, "-B", "-c", BARE]
    done = subprocess.run(command, input=SOURCE, capture_output=True, cwd=tmp_path, check=True, timeout=120)
    said = json.loads(done.stdout)
    assert done.stderr == b""
    assert said["faults"] == []
    assert (said["environ"], said["path"], said["cwd"], said["threads"]) == (True, True, True, True)
    foreign = {name.partition(".")[0] for name in said["modules"]} - sys.stdlib_module_names
    assert {name for name in foreign if not name.startswith("_sysconfigdata")} == set()
    assert "subprocess" not in said["modules"]
    assert said["names"] == ["before", "facts", "new", "own", "threads"]
    assert list(tmp_path.iterdir()) == []


def test_no_file_stays_open() -> None:
    probe.gather(ALL)
    before = sorted(os.listdir("/proc/self/fd")) if sys.platform == "linux" else []
    probe.gather(ALL)
    assert (sorted(os.listdir("/proc/self/fd")) if sys.platform == "linux" else []) == before


PARTS = [
    "python_facts",
    "system_facts",
    "environ_facts",
    "path_facts",
    "distribution_facts",
    "index_facts",
    "conda_facts",
    "apt_facts",
    "library_facts",
    "module_facts",
    "owners",
    "elf",
    "checkout_facts",
]


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output error"), KeyError("x"), MemoryError(), RecursionError()]
)
def test_one_part_that_fails_is_a_fault_and_the_shape_stays(
    monkeypatch: pytest.MonkeyPatch, name: str, error: Exception
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(probe, name, fails)
    facts = probe.gather(ALL)
    msgspec.convert(json.loads(json.dumps(facts)), Facts, strict=True)


def test_without_linuxs_folders_it_still_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows: no os.pread, no os.uname, no O_NONBLOCK, no /proc."""
    for name in ("pread", "uname", "confstr", "O_NONBLOCK", "O_CLOEXEC"):
        monkeypatch.delattr(os, name)
    monkeypatch.setattr(sys, "platform", "win32")
    facts = probe.gather(ALL)
    msgspec.convert(json.loads(json.dumps(facts)), Facts, strict=True)
    assert (facts["system"]["os"], facts["system"]["os_release"]["ID"]) == ("win32", "windows")
    assert facts["libraries"] is None
    assert facts["pip"]["distributions"]


def test_a_mac_is_named_by_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    import platform

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "mac_ver", lambda: ("14.5", ("", "", ""), "arm64"))
    assert probe.system_facts({})["os_release"] == {"ID": "macos", "VERSION_ID": "14.5"}


@pytest.mark.skipif(shutil.which("setarch") is None, reason="setarch(8) is Linux's")
def test_a_machine_that_plays_an_older_one_is_what_its_programs_are_for() -> None:
    """`setarch` changes what uname says, and not what this interpreter is compiled for."""
    narrow = {"x86_64": "i686", "aarch64": "armv8l"}[os.uname().machine]
    played = ["setarch", {"i686": "i686", "armv8l": "linux32"}[narrow]]
    said = subprocess.run([*played, "uname", "-m"], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == narrow
    assert run(before=played)["system"]["machine"] == os.uname().machine


def test_a_machine_is_described_from_its_own_files(tmp_path: Path) -> None:
    files = {
        "usr/lib/os-release": "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME='bookworm'\nHOME_URL=https://x\n",
        "etc/timezone": "Europe/Berlin\n",
        "proc/cpuinfo": "processor : 0\nmodel name\t: A CPU @ 2 GHz\nflags\t\t: sse avx\n\nprocessor : 1\n",
        "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug\n",
        "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA A100\nIRQ: 1\n",
        "usr/local/cuda/version.json": '{"cuda": {"version": "12.1.105"}}',
        "run/.containerenv": "",
        "lib/ld-musl-x86_64.so.1": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = probe.system_facts({"LC_ALL": "de_DE.UTF-8", "LANG": "C"}, str(tmp_path))
    assert found["os_release"] == {"ID": "debian", "VERSION_ID": "12", "VERSION_CODENAME": "bookworm"}
    assert (found["timezone"], found["locale"], found["cuda"]) == ("Europe/Berlin", "de_DE.UTF-8", "12.1.105")
    assert found["cpu_model"] == "A CPU @ 2 GHz"
    assert found["gpus"] == [{"model": "NVIDIA A100", "driver": "535.104.05"}]
    assert found["container"] == "podman"
    empty = probe.system_facts({}, str(tmp_path / "empty"))
    assert (empty["os_release"], empty["gpus"], empty["cuda"], empty["container"]) == ({}, [], None, None)


IMPORTS = """
import sys
sys.path.insert(0, sys.argv[1]); sys.path.append(sys.argv[2])
import targeted, beside, owned.part, local_project
import importlib.util
spec = importlib.util.find_spec('lazy'); spec.loader = importlib.util.LazyLoader(spec.loader)
module = importlib.util.module_from_spec(spec); sys.modules['lazy'] = module; spec.loader.exec_module(module)
class Odd:
    def __getattr__(self, name): raise RuntimeError(name)
sys.modules['odd'] = Odd(); sys.modules['none'] = None
own = {}
exec(sys.stdin.read(), own)
facts = own['gather'](('modules',))
print(__import__('json').dumps([facts, 'BANG' in globals().get('__builtins__').__dict__]))
"""


def test_what_is_imported_is_told_by_record_and_nothing_lazy_wakes_up(tmp_path: Path) -> None:
    target, notebook, source = tmp_path / "target", tmp_path / "notebook", tmp_path / "source"
    for folder in (target / "owned", notebook, source / "local_project"):
        folder.mkdir(parents=True)
    files = {
        target / "targeted.py": "",
        target / "owned/__init__.py": "",
        target / "owned/part.py": "",
        target / "unused.py": "",
        notebook / "beside.py": "",
        notebook / "lazy.py": "import builtins; builtins.BANG = 1",
        source / "local_project/__init__.py": "",
        target / "edit.pth": f"{source}\n",
    }
    for path, text in files.items():
        path.write_text(text)
    dist_info(target, "Targeted", RECORD="targeted.py,sha256=x,0\n")
    dist_info(target, "owner-of-part", RECORD='"owned/part.py",,\r\nowned/__init__.py,,\r\n')
    dist_info(target, "unused", RECORD="unused.py,,\n")
    editable = {"url": source.as_uri(), "dir_info": {"editable": True}}
    dist_info(target, "local-project", RECORD="x,,\n", direct_url_json=json.dumps(editable))
    plain = {"url": source.as_uri(), "dir_info": {}}
    dist_info(target, "installed-from-folder", RECORD="targeted.py,,\n", direct_url_json=json.dumps(plain))
    env = {**os.environ, "PYTHONPATH": str(source)}
    command = [sys.executable, "-B", "-c", IMPORTS, str(target), str(notebook)]
    done = subprocess.run(
        command, input=SOURCE, capture_output=True, env=env, cwd="/", timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    facts, woken = json.loads(done.stdout)
    assert facts["probe"]["faults"] == []
    expected = {"Targeted", "owner-of-part", "local-project", "installed-from-folder"}
    assert {name for name in facts["modules"]["distributions"] if name in by_name(facts)} >= expected
    assert "unused" not in facts["modules"]["distributions"]
    assert facts["modules"]["files"]["beside"] == str(notebook / "beside.py")
    assert not {"targeted", "owned.part", "local_project"} & set(facts["modules"]["files"])
    assert woken is False
    assert facts["modules"]["executed"] == 0


def test_options_are_those_that_it_knows() -> None:
    assert probe.gather(["requires", "nonsense", "--modules"])["probe"]["options"] == ["requires"]
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", probe.gather()["python"]["version"])
