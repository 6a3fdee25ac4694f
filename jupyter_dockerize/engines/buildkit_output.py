"""What ``docker build`` says about its progress, in the two formats that it has had.

``--progress=rawjson`` (buildx ≥ 0.13): JSON objects, BuildKit's ``client.SolveStatus``
(github.com/moby/buildkit, client/graph.go), indented over many lines by buildx 0.13 and on one line
by later ones. ``--progress=plain``: lines as ``#7 [2/5] RUN …``
and ``#7 0.412 what the step printed``. Neither is trusted: what cannot be parsed is kept as text.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Protocol

import msgspec

from .progress import KEPT, Narrator

_LONGEST_OBJECT = 4 << 20  # bytes

_STEP = re.compile(r"\[(?:(?P<stage>[^\]\s]+) +)?(?P<number>\d+)/(?P<of>\d+)\] (?P<name>.+)", re.DOTALL)


class Output(Protocol):
    """One format. ``failed`` is the step that failed ("" for none), ``errors`` the last words."""

    failed: str
    errors: deque[str]

    def line(self, data: bytes) -> None: ...


class _Vertex(msgspec.Struct):
    digest: str = ""
    name: str = ""
    started: str | None = None
    cached: bool = False
    error: str = ""


class _Status(msgspec.Struct):
    id: str = ""
    vertex: str = ""
    name: str = ""
    total: int = 0
    current: int = 0


class _Log(msgspec.Struct):
    vertex: str = ""
    stream: int = 1
    data: bytes = b""  # base64


class _SolveStatus(msgspec.Struct):
    vertexes: list[_Vertex] | None = None
    statuses: list[_Status] | None = None
    logs: list[_Log] | None = None


class RawJson:
    """``--progress=rawjson``."""

    def __init__(self, narrator: Narrator) -> None:
        self.failed = ""
        self.errors: deque[str] = deque(maxlen=KEPT)
        self._narrator = narrator
        self._decoder = msgspec.json.Decoder(_SolveStatus)
        self._object: list[bytes] = []  # the lines of the one that has begun

    def line(self, data: bytes) -> None:
        # No string of JSON holds a newline, and what is inside an object is indented.
        if data.startswith(b"{"):
            self._object = [data]
        elif self._object:
            self._object.append(data)
            if sum(map(len, self._object)) > _LONGEST_OBJECT:
                self._object = []
        elif not data.startswith((b" ", b"}")):
            self._words(data)
        if self._object and data.rstrip().endswith(b"}") and not data.startswith(b" "):
            whole, self._object = b"".join(self._object), []
            self._status(whole)

    def _words(self, data: bytes) -> None:
        """What is no JSON comes at the end: the error, behind an excerpt of the Dockerfile."""
        text = data.decode(errors="replace").rstrip()
        if text.strip("-"):
            self.errors.append(text[:2000])

    def _status(self, data: bytes) -> None:
        try:
            status = self._decoder.decode(data)
        except msgspec.MsgspecError:
            return  # an object that was cut, or a newer field's type: the next one is whole again
        for vertex in status.vertexes or ():
            self._vertex(vertex)
        for transfer in status.statuses or ():
            if transfer.total > 0:
                self._narrator.transfer(transfer.vertex, transfer.id, transfer.current, transfer.total)
        for log in status.logs or ():
            self._narrator.log(log.vertex, log.data, "stderr" if log.stream == 2 else "stdout")

    def _vertex(self, vertex: _Vertex) -> None:
        step = _STEP.fullmatch(vertex.name)
        if step:
            self._narrator.announce(vertex.digest)
        if vertex.started or vertex.cached:
            if step:
                self._narrator.begin(vertex.digest, step["name"])
            else:
                self._narrator.note(vertex.digest, vertex.name)
        # A step that is cancelled because another failed is not the one that failed, and its end
        # ("signal: killed") is no reason.
        if vertex.error and "context canceled" not in vertex.error:
            self.errors.append(vertex.error[:2000])
            self.failed = self.failed or vertex.digest


class Plain:
    """``--progress=plain``, of buildx before 0.13 and of the CLIs that have BuildKit inside."""

    _LINE = re.compile(rb"#(\d+) (.*)", re.DOTALL)
    _PRINTED = re.compile(rb"(\d+\.\d+) ?(.*)", re.DOTALL)
    _TRANSFER = re.compile(r"(sha256:[0-9a-f]{8,64}) ([\d.]+)([kMGT]?B) / ([\d.]+)([kMGT]?B)")
    _UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}  # noqa: RUF012

    def __init__(self, narrator: Narrator) -> None:
        self.failed = ""
        self.errors: deque[str] = deque(maxlen=KEPT)
        self._narrator = narrator
        self._named: set[str] = set()

    def line(self, data: bytes) -> None:
        found = self._LINE.match(data.rstrip(b"\r\n"))
        if not found:
            text = data.decode(errors="replace").rstrip()
            if text and not set(text) <= {"-"}:
                self.errors.append(text[:2000])
            return
        key, rest = found[1].decode(), found[2]
        if key not in self._named:
            self._begin(key, rest.decode(errors="replace"))
            return
        text = rest[:2000].decode(errors="replace")
        if printed := self._PRINTED.match(rest):
            self._narrator.log(key, printed[2] + b"\n")
        elif moved := self._TRANSFER.match(text):
            done = float(moved[2]) * self._UNITS[moved[3]]
            total = float(moved[4]) * self._UNITS[moved[5]]
            self._narrator.transfer(key, moved[1], int(done), int(total))
        elif text.startswith("ERROR") and "context canceled" not in text:
            self.errors.append(text)
            self.failed = self.failed or key

    def _begin(self, key: str, name: str) -> None:
        self._named.add(key)
        if step := _STEP.fullmatch(name):
            self._narrator.begin(key, step["name"], stage=step["stage"] or "", of=int(step["of"]))
        else:
            self._narrator.note(key, name)
