"""The judges of images: skopeo, umoci and buildah, of Debian 12's packages.

Each is started through a small script in a folder of its own, which names its libraries, its policy and, for
buildah, a storage of the rig's: nothing of a contributor's own configuration or images is read or written.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path

from . import apt, foundation, machine, mounts, place

NAMES = ("skopeo", "umoci", "buildah")
PACKAGES = (*NAMES, "libgpgme11", "libassuan0", "libsubid4")


def up(registry: str) -> Path:
    """Give the folder that holds the three programs and nothing else."""
    home = apt.unpack("bookworm", PACKAGES, place.state() / "packages" / "judges")
    configuration = _configure(registry)
    found = foundation.environment(home)
    environment = {key: found[key] for key in ("PATH", "LD_LIBRARY_PATH", "LANG")} | configuration
    programs = place.folder("bin", "judges")
    # Docker's own folder may be another engine's, and without the file that buildah then insists on.
    start = "exec env -u DOCKER_CONFIG -u REGISTRY_AUTH_FILE"
    given = " ".join(f"{key}={shlex.quote(value)}" for key, value in sorted(environment.items()))
    for name in NAMES:
        program, real = programs / name, shlex.quote(os.fspath(home / "usr/bin" / name))
        text = f'#!/bin/sh\n{start} {given} {real} "$@"\n'
        if not program.is_file() or program.read_text() != text:
            program.write_text(text)
            program.chmod(0o755)
            machine.run([program, "--version"])
    return programs


def down() -> None:
    """Remove what buildah unpacked; there is no process to end."""
    storage = place.state() / "judges"
    if storage.is_dir():
        mounts.clear(storage)
        shutil.rmtree(storage)


def _configure(registry: str) -> dict[str, str]:
    config = place.folder("config", "judges")
    containers = config / ".config/containers"  # in the home folder: the one place where all three look
    containers.mkdir(parents=True, exist_ok=True)
    (containers / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}\n')
    storage = place.folder("judges")
    # JSON's strings are TOML's as well. vfs: layers are plain folders, whatever the file system here.
    (containers / "storage.conf").write_text(f"""\
[storage]
driver = "vfs"
graphroot = {json.dumps(os.fspath(storage / "storage"))}
runroot = {json.dumps(os.fspath(storage / "run"))}
""")
    (containers / "registries.conf").write_text(f"""\
[[registry]]
location = {json.dumps(registry)}
insecure = true
""")
    return {
        "HOME": os.fspath(config),
        "CONTAINERS_STORAGE_CONF": os.fspath(containers / "storage.conf"),
    }
