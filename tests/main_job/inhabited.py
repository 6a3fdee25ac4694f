"""A container that somebody works in, with the product mounted; and its registry, whose bytes are counted."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import secrets
import site
import socket
import tarfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupyter_dockerize
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.registry.pull import pull_manifest
from jupyter_dockerize.image.reference import Reference

from .conftest import run

# Nothing of the product is the container's own.
MAIN = (
    "import sys; sys.path[1:1] = ['/product/project', '/product/packages']; "
    "from jupyter_dockerize.__main__ import main; sys.exit(main())"
)


class Counting:
    """Passes connections on to a registry, and counts the bytes that go there and come back."""

    def __init__(self, registry: str) -> None:
        self._to = registry.rsplit(":", 1)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self.sent = self.received = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                here, _ = self._server.accept()
            except OSError:
                return
            there = socket.create_connection((self._to[0], int(self._to[1])))
            for one, other, up in ((here, there, True), (there, here, False)):
                threading.Thread(target=self._pass, args=(one, other, up), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, up: bool) -> None:
        try:
            while data := one.recv(1 << 16):
                with self._lock:
                    if up:
                        self.sent += len(data)
                    else:
                        self.received += len(data)
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            other.close()

    def close(self) -> None:
        self._server.close()


@contextlib.contextmanager
def counted(registry: str) -> Iterator[Counting]:
    """The registry at another address, by which its bytes are counted."""
    counting = Counting(registry)
    try:
        yield counting
    finally:
        counting.close()


@dataclass(frozen=True)
class Container:
    """A running container; ``python`` is the one that runs the product in it."""

    name: str
    python: str

    def sh(self, script: str, user: str = "") -> str:
        """What a shell prints there; it stops at the first command that fails."""
        return run("docker", "exec", *(("--user", user) if user else ()), self.name, "sh", "-ec", script)

    def product(self, *words: str, environ: Mapping[str, str] | None = None) -> Any:
        """The JSON object of ``jupyter dockerize WORDS --json``."""
        variables = [word for name, value in (environ or {}).items() for word in ("--env", f"{name}={value}")]
        done = run(
            "docker", "exec", *variables, self.name,
            self.python, "-c", MAIN, *words, "--json", "--progress", "none",
        )  # fmt: skip
        return json.loads(done)


@contextlib.contextmanager
def inhabited(
    image: str, said: str, *options: str, python: str = "python", mounts: Mapping[Path, str]
) -> Iterator[Container]:
    """A container of ``image``, which says that it runs ``said``; ``mounts`` lead from here to there."""
    name = f"jd-test-additions-{secrets.token_hex(4)}"
    source = Path(jupyter_dockerize.__file__).parents[1]
    every = {source: "/product/project", Path(site.getsitepackages()[0]): "/product/packages", **mounts}
    run(
        "docker", "run", "--detach", "--name", name, "--network", "host",
        "--env", f"JUPYTER_IMAGE_SPEC={said}", *options,
        *(word for here, there in every.items() for word in ("--volume", f"{here}:{there}:ro")),
        image, "sleep", "infinity",
    )  # fmt: skip
    try:
        yield Container(name, python)
    finally:
        run("docker", "rm", "--force", "--volumes", name)


def layers(ref: str) -> Any:
    """Those of an image in a registry, the lowest first."""
    return pull_manifest(Reference.parse(ref), "linux/amd64", cancel=Cancel()).layers


def size(ref: str) -> int:
    """Bytes of its layers."""
    return sum(layer.descriptor.size for layer in layers(ref))


def above(ref: str, base: str) -> list[bytes]:
    """The layers, as tars, that an image has on its base's own."""
    lower, every = layers(base), layers(ref)
    assert [each.descriptor.digest for each in lower] == [
        each.descriptor.digest for each in every[: len(lower)]
    ]
    return [gzip.decompress(b"".join(blob.open(0, Cancel()))) for blob in every[len(lower) :]]


def files(layer: bytes) -> dict[str, bytes]:
    """The bytes of what is in a layer, by name; its folders are left out."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        held = {each.name: each.isfile() and tar.extractfile(each) for each in tar if not each.isdir()}
        return {name: file.read() if file else b"" for name, file in held.items()}


__all__ = ["Container", "Counting", "above", "counted", "files", "inhabited", "layers", "size"]
