"""A layout judged: every file that its index leads to, and what they say of each other.

OCI image specification 1.1, image-layout.md. Everything is hostile: nothing outside is opened, sizes and
counts are capped, and a layer streams through.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ..manifest import INDEX, MANIFEST
from . import configuration, documents, mediatypes
from .configuration import Configured
from .descriptor import Ref
from .descriptor import digest as fault_of
from .layer import Shape, look, stacked
from .stored import Blob, Stored, opened, printable
from .violation import Found, Limits, Say, Unfit, Violation, quoted

MARK = "oci-layout"
INDEX_FILE = "index.json"
DOCKER_LIST = "manifest.json"
DEEPEST = 4  # indexes in indexes


def validate(path: Path, limits: Limits | None = None) -> list[Violation]:
    """Every violation of the layout in the folder, or in the tar archive, at ``path``; none for a sound one.

    A violation with severity "info" or "warning" does not make it unfit. Raises `UsageError` where there is
    nothing that can be opened.
    """
    found = Found(limits or Limits())
    try:
        with opened(path, found) as stored:
            _Judge(stored, found).layout()
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or str(error)) from error
    return found.violations


class _Judge:
    def __init__(self, stored: Stored, found: Found) -> None:
        self._stored, self._found, self._limits = stored, found, found.limits
        self._known: set[str] = set()  # digests that something names
        self._manifests: set[str] = set()
        self._shapes: dict[tuple[str, str], Shape] = {}
        self._images: list[tuple[str, list[str]]] = []  # configuration and layers, by digest

    def layout(self) -> None:
        # > `oci-layout` file […] It MUST exist; It MUST be a JSON object
        plain = self._document(MARK)
        if plain is not None:
            documents.mark(plain, self._found.at(MARK))
        # > `index.json` file […] It MUST exist; It MUST be an image index JSON object.
        plain = self._document(INDEX_FILE)
        if plain is not None:
            self._index(plain, INDEX_FILE, INDEX, 1)
        self._unnamed()
        self._docker_list()

    def _index(self, plain: dict[str, Any], where: str, media_type: str, depth: int) -> None:
        say = self._found.at(where)
        for ref in documents.index(plain, say, self._limits, media_type):
            meant = mediatypes.meant(ref.media_type)
            if meant not in (INDEX, MANIFEST):
                # > An encountered mediaType that is unknown to the implementation MUST NOT generate an error.
                say("media-type", f"{ref.digest} is {quoted(ref.media_type)}: not looked at", "warning")
                self._whole(ref)
            elif len(self._manifests) >= self._limits.images:
                say("too-many", f"only {self._limits.images:,} images are looked at")
                return
            elif ref.digest not in self._manifests:
                self._manifests.add(ref.digest)
                if meant == MANIFEST:
                    self._manifest(ref)
                elif depth >= DEEPEST:
                    say("too-deep", f"more than {DEEPEST} indexes in each other")
                else:
                    inner = self._named(ref)
                    if inner is not None:
                        self._index(inner, ref.digest, ref.media_type, depth + 1)

    def _manifest(self, ref: Ref) -> None:
        plain = self._named(ref)
        if plain is None:
            return
        say = self._found.at(ref.digest)
        config, layers = documents.manifest(plain, say, self._limits, ref.media_type)
        configured = self._config(config, len(layers)) if config else None
        if configured and ref.platform and configured.platform and configured.platform != ref.platform:
            told, own = "/".join(ref.platform), "/".join(configured.platform)
            say("platform", f"the index says {quoted(told)}, its configuration {quoted(own)}")
        shapes = [self._layer(each) if each else Shape(None) for each in layers]
        if config:
            self._images.append((config.digest, [each.digest for each in layers if each]))
        for number, link in stacked(shapes):
            layer = layers[number]
            assert layer is not None
            self._found.at(layer.digest)(
                "through-link", f"it writes below {quoted(link)}, a symbolic link of a layer below"
            )
        if configured and configured.diff_ids is not None and config:
            for number, (given, shape) in enumerate(zip(configured.diff_ids, shapes, strict=False)):
                # > A layer DiffID is the digest over the layer's uncompressed tar archive
                if shape.diff_id and given != shape.diff_id:
                    self._found.at(config.digest)(
                        "diff-id", f"diff_ids[{number}] is {quoted(given)}, the layer's is {shape.diff_id}"
                    )

    def _config(self, ref: Ref, layers: int) -> Configured | None:
        plain = self._named(ref)
        return configuration.config(plain, self._found.at(ref.digest), layers) if plain is not None else None

    def _layer(self, ref: Ref) -> Shape:
        say = self._found.at(ref.digest)
        compression = mediatypes.compression(ref.media_type)
        if mediatypes.foreign(ref.media_type):
            # > Implementations SHOULD NOT produce new non-distributable layers.
            say("foreign", f"a layer that may not be passed on: {quoted(ref.media_type)}")
        elif compression is None:
            say("compression", f"a layer that nobody can unpack: {quoted(ref.media_type)}")
        elif compression == "zstd":
            say("compression", "zstd: engines before Docker 23 refuse it, and we do not look in", "warning")
        key = (ref.digest, ref.media_type)
        if key not in self._shapes:
            self._shapes[key] = self._looked(ref, compression, say)
        else:
            self._whole(ref, read=False)
        return self._shapes[key]

    def _looked(self, ref: Ref, compression: str | None, say: Say) -> Shape:
        if compression not in ("gzip", "none"):
            self._whole(ref)
            return Shape(None)
        self._known.add(ref.digest)
        try:
            with self._stored.open(_path(ref.digest)) as blob:
                total = hashlib.new(ref.digest.partition(":")[0])
                shape = look(_heard(blob, total), compression, "sha256", say, self._limits)
                self._compare(ref, blob.size, total.hexdigest())
                return shape
        except Unfit as error:
            say(error.rule, error.message)
            return Shape(None)

    def _whole(self, ref: Ref, *, read: bool = True) -> None:
        """The blob is there, with its size and digest; what is in it is nobody's business."""
        self._known.add(ref.digest)
        try:
            with self._stored.open(_path(ref.digest)) as blob:
                if read:
                    total = hashlib.new(ref.digest.partition(":")[0])
                    for _ in _heard(blob, total):
                        pass
                self._compare(ref, blob.size, total.hexdigest() if read else None)
        except Unfit as error:
            self._found.at(ref.digest)(error.rule, error.message)

    def _named(self, ref: Ref) -> dict[str, Any] | None:
        """The document that a descriptor names."""
        self._known.add(ref.digest)
        return self._document(_path(ref.digest), ref)

    def _document(self, name: str, ref: Ref | None = None) -> dict[str, Any] | None:
        say = self._found.at(ref.digest if ref else name)
        try:
            with self._stored.open(name) as blob:
                if blob.size > self._limits.document:
                    raise Unfit("too-large", f"a document of {blob.size:,} bytes")
                data = b"".join(blob.pieces())
        except Unfit as error:
            say(error.rule, error.message)
            return None
        if ref:
            algorithm = ref.digest.partition(":")[0]
            self._compare(ref, len(data), hashlib.new(algorithm, data).hexdigest())
        return documents.parsed(data, say)

    def _compare(self, ref: Ref, size: int, encoded: str | None) -> None:
        say = self._found.at(ref.digest)
        # > If the length of the retrieved content does not match the specified length, the content SHOULD NOT
        # > be trusted.
        if size != ref.size:
            say("size", f"it has {size:,} bytes, and {ref.size:,} are named")
        # > The content of `blobs/<alg>/<encoded>` MUST match the digest `<alg>:<encoded>`
        if encoded is not None and encoded != ref.digest.partition(":")[2]:
            say("digest", f"its bytes are {ref.digest.partition(':')[0]}:{encoded}")

    def _unnamed(self) -> None:
        # > The blobs directory MAY contain blobs which are not referenced by any of the refs.
        for name in self._stored.blobs():
            digest = name.removeprefix("blobs/").replace("/", ":", 1)
            say = self._found.at(printable(name))
            if fault := fault_of(digest):
                # > The character set of the entry name […] MUST match the respective grammar elements
                say("digest-grammar", f"its name as a digest {fault}", "info" if "/." in name else "error")
            elif digest not in self._known:
                say("unreferenced", "a blob that nothing names", "info")

    def _docker_list(self) -> None:
        """docker's own list, where an archive has it, names what the index names."""
        try:
            with self._stored.open(DOCKER_LIST) as blob:
                data = b"".join(blob.pieces()) if blob.size <= self._limits.document else b""
        except Unfit:
            return
        say = self._found.at(DOCKER_LIST)
        plain = documents.parsed(b'{"listed":' + data + b"}", say)
        listed = plain["listed"] if plain else None
        if (
            plain is None
            or not isinstance(listed, list)
            or not all(isinstance(each, dict) for each in listed)
        ):
            say("docker-list", "it is no list of images")
            return
        images = [(_path(config), [_path(layer) for layer in layers]) for config, layers in self._images]
        for each in listed:
            if (each.get("Config"), each.get("Layers")) not in images:
                say("docker-list", f"it names an image that the index does not: {quoted(each.get('Config'))}")


def _heard(blob: Blob, total: Any) -> Iterator[bytes]:
    for piece in blob.pieces():
        total.update(piece)
        yield piece


def _path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/", 1)


__all__ = ["validate"]
