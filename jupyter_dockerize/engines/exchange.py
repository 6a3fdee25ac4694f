"""One ``POST /build`` of the Engine API: the context goes up, lines of JSON come down, until it is cut."""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import threading
from collections.abc import Iterator, Mapping

import requests

from ..cancel import Cancel
from ..errors import BuildError
from .connection import Connection
from .explain import meaning
from .faults import explanation, mapped

LONGEST_LINE = 1 << 20  # bytes of one JSON object; what is longer is passed over


def exchange(
    connection: Connection, parameters: Mapping[str, str], context: bytes, cancel: Cancel
) -> Iterator[bytes]:
    """The lines of the answer. The exchange has a thread of its own, so that a cancel never waits for it."""
    lines: queue.Queue[bytes | Exception | None] = queue.Queue(maxsize=1000)
    talk = _Exchange(connection, parameters, context, lines)
    threading.Thread(target=talk.run, name="classic build", daemon=True).start()
    forget = cancel.on_cancel(talk.cut)
    try:
        while True:
            cancel.check()
            try:
                line = lines.get(timeout=0.2)
            except queue.Empty:
                continue
            if isinstance(line, Exception):
                cancel.check()
                raise line
            if line is None:
                return
            yield line
    finally:
        forget()
        talk.cut()


class _Exchange:
    def __init__(
        self,
        connection: Connection,
        parameters: Mapping[str, str],
        context: bytes,
        lines: queue.Queue[bytes | Exception | None],
    ) -> None:
        self._connection, self._parameters, self._context = connection, dict(parameters), context
        self._lines = lines
        self._over = threading.Event()
        self._response: requests.Response | None = None

    def run(self) -> None:
        try:
            with mapped("build"), self._post() as response:
                for line in split(response.iter_content(chunk_size=None)):
                    if not self._put(line):
                        return
            self._put(None)
        except Exception as error:
            self._put(error)

    def cut(self) -> None:
        """Breaks the connection: the engine ends the build and removes its container."""
        self._over.set()
        if self._response is not None:
            # A response that has ended has no socket any more (and urllib3 then raises AttributeError).
            with contextlib.suppress(OSError, ValueError, AttributeError), \
                    socket.socket(fileno=os.dup(self._response.raw.fileno())) as twin:  # fmt: skip
                twin.shutdown(socket.SHUT_RDWR)

    def _post(self) -> requests.Response:
        import docker.auth

        client = self._connection.private()
        headers = {"Content-Type": "application/x-tar"}
        credentials = docker.auth.load_config().get_all_credentials()
        if credentials:
            headers["X-Registry-Config"] = docker.auth.encode_header(credentials).decode("ascii")
        response = client.post(
            f"{client.base_url}/v{client.api_version}/build",
            params=self._parameters, data=self._body(), headers=headers, stream=True,
        )  # fmt: skip
        self._response = response
        if self._over.is_set():
            self.cut()
        if response.status_code >= 400:
            raise _refused(response)
        return response

    def _body(self) -> Iterator[bytes]:
        for start in range(0, len(self._context), 1 << 20):
            if self._over.is_set():
                raise ConnectionAbortedError("cancelled")
            yield self._context[start : start + (1 << 20)]

    def _put(self, line: bytes | Exception | None) -> bool:
        while not self._over.is_set():
            with contextlib.suppress(queue.Full):
                self._lines.put(line, timeout=0.2)
                return True
        return False


def split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a stream; those that are longer than a megabyte are passed over."""
    rest, too_long = b"", False
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if not too_long and line.strip():
                yield line
            too_long = False
        if len(rest) > LONGEST_LINE:
            rest, too_long = b"", True
    if rest.strip() and not too_long:
        yield rest


def _refused(response: requests.Response) -> BuildError:
    import docker.errors

    try:
        response.raise_for_status()
    except requests.HTTPError as error:
        try:
            docker.errors.create_api_error_from_http_exception(error)
        except docker.errors.APIError as known:
            said = explanation(known)
    cause = meaning(said)
    return BuildError("the engine refused the build", why=cause.why, fix=cause.fix, log=said.splitlines())
