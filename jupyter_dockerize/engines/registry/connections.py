"""HTTP connections that can be broken from outside: a thread that waits for a registry hears no cancel."""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter

CONNECT = 10.0  # seconds
IDLE = 60.0  # seconds without a byte, in either direction


class Breakable(HTTPAdapter):
    """Knows the sockets of its connections; ``close_all`` ends whatever is being sent or awaited."""

    def __init__(self, connections: int) -> None:
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._closed = False
        self._classes: dict[type, type] = {}
        super().__init__(pool_maxsize=connections)

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: Any = None,
    ) -> Any:
        pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
        if pool.ConnectionCls not in self._classes.values():
            pool.ConnectionCls = self._watched(pool.ConnectionCls)
        return pool

    def close_all(self) -> None:
        with self._lock:
            self._closed = True
            for each in self._sockets:
                self._break(each)

    def _watched(self, kind: type) -> type:
        adapter = self

        class Watched(kind):  # type: ignore[misc]
            def connect(self) -> None:
                super().connect()
                # Until an answer is awaited urllib3 leaves the time limit of connecting on the socket,
                # which is too short for a slow line that takes a block of a layer.
                self.sock.settimeout(IDLE)
                adapter._opened(self.sock)

        return self._classes.setdefault(kind, Watched)

    def _opened(self, one: socket.socket) -> None:
        with self._lock:
            self._sockets.add(one)
            if self._closed:
                self._break(one)

    @staticmethod
    def _break(one: socket.socket) -> None:
        # The plain socket's own: that of TLS would take its state away from the thread that reads.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(one, socket.SHUT_RDWR)


def open_session(adapter: Breakable) -> requests.Session:
    """A session without cookies, which would go to other ports of the same host."""
    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    return session


__all__ = ["CONNECT", "IDLE", "Breakable", "open_session"]
