"""skopeo, umoci and buildah on an image of ours: each takes it, and what they give back is what it was."""

from __future__ import annotations

import json
import secrets
import subprocess
from pathlib import Path

from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.validate.layout import validate

TAG = "judged"
_LAYERS = ("--storage-opt", "overlay.skip_mount_home=true")  # nothing is mounted, nothing to be taken down


def accepted(judges: Path, image: str, folder: Path, *, registry: str = "") -> tuple[str, Path]:
    """The image's digest, and the root that umoci made of it; ``image`` is skopeo's name, ``folder`` is new.

    What goes to the other two comes from skopeo, and where there is a ``registry``, from there.
    """
    folder.mkdir(exist_ok=True)
    kept, back = ("--quiet", "--preserve-digests"), f"oci:{folder / 'back'}:{TAG}"
    digest = _said(judges, "skopeo", "inspect", "--format", "{{.Digest}}", image)
    if registry:
        remote = f"docker://{registry}/jupyter-dockerize-judged:{secrets.token_hex(4)}"
        _said(judges, "skopeo", "copy", *kept, image, remote)
        try:
            _said(judges, "skopeo", "copy", *kept, remote, back)
        finally:
            _said(judges, "skopeo", "delete", remote)
    else:
        _said(judges, "skopeo", "copy", *kept, image, back)
    [listed] = Layout(folder / "back").manifests()
    assert listed.digest == digest
    assert [each for each in validate(folder / "back") if each.severity == "error"] == []
    _said(judges, "umoci", "unpack", "--image", f"{folder / 'back'}:{TAG}", folder / "bundle")
    # In a place of its own: the rig's keeps each layer as a whole copy of those below it.
    buildah = ("--root", folder / "kept", "--runroot", folder / "run", "--storage-driver", "overlay")
    container = _said(judges, "buildah", *buildah, *_LAYERS, "from", back)
    inspected = json.loads(_said(judges, "buildah", *buildah, *_LAYERS, "inspect", container))
    assert inspected["FromImageDigest"] == digest
    return digest, folder / "bundle/rootfs"


def _said(judges: Path, name: str, *words: str | Path) -> str:
    done = subprocess.run([judges / name, *words], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{name} {words}: {done.stderr[-2000:]}"
    return done.stdout.strip()
