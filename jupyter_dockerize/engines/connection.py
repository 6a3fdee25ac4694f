"""Clients of the docker SDK for one endpoint. The SDK is imported when the first one is made (0.2 s)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .endpoint import Endpoint
from .ssh import Bridge

if TYPE_CHECKING:
    from docker import APIClient

OLDEST_API = (1, 41)  # Docker 20.10, Podman 4


class Connection:
    """Makes clients for ``endpoint``; they all speak the API version that the engine said it has."""

    def __init__(self, endpoint: Endpoint, environ: Mapping[str, str]) -> None:
        self.endpoint = endpoint
        self._environ = environ
        self._lock = threading.RLock()
        self._bridge: Bridge | None = None
        self._version: str | None = None
        self._shared: APIClient | None = None

    def client(self) -> APIClient:
        """The shared client, for calls that are answered at once. Raises what the SDK raises."""
        with self._lock:
            if self._shared is None:
                if self._version is None:
                    self._version = str(self._fresh(None, 10).version(api_version=False)["ApiVersion"])
                self._shared = self._fresh(self._version, 60)
            return self._shared

    def private(self, *, timeout: float | None = None) -> APIClient:
        """A client of one's own, for a stream that may have to be cut off."""
        shared = self.client()
        return self._fresh(shared.api_version, timeout)

    def about(self, *, timeout: float) -> dict[str, Any]:
        """The engine's answer to ``GET /version``. Raises what the SDK raises."""
        answer: dict[str, Any] = self._fresh(None, timeout).version(api_version=False)
        if not isinstance(answer, dict) or not isinstance(answer.get("ApiVersion"), str):
            raise ValueError("the answer has no ApiVersion")
        return answer

    @property
    def complaint(self) -> str:
        """What ssh said last, where the endpoint is behind ssh."""
        return self._bridge.complaint if self._bridge else ""

    def close(self) -> None:
        with self._lock:
            if self._shared is not None:
                self._shared.close()
                self._shared = None
            if self._bridge is not None:
                self._bridge.close()
                self._bridge = None

    def _fresh(self, version: str | None, timeout: float | None) -> APIClient:
        import docker
        from docker.tls import TLSConfig
        from requests.utils import get_environ_proxies

        tls: TLSConfig | bool = False
        if self.endpoint.tls is not None:
            files = self.endpoint.tls
            tls = TLSConfig(
                client_cert=(str(files.cert), str(files.key)) if files.cert and files.key else None,
                ca_cert=str(files.ca) if files.ca else None,
                verify=files.verify,
            )
        host = self._address()
        # The oldest version keeps the constructor from asking the engine: it has no time limit there.
        client = docker.APIClient(
            host,
            version=version or "1.41",
            tls=tls,
            timeout=timeout,  # type: ignore[arg-type]  # None: no limit
        )
        # REQUESTS_CA_BUNDLE would otherwise replace the endpoint's own CA (a known trait of requests).
        client.trust_env = False
        # The bridge stays as long as somebody may connect through it.
        client.bridge = self._bridge  # type: ignore[attr-defined]
        if host.startswith("tcp://") and self.endpoint.machine:
            client.proxies.update(get_environ_proxies(client.base_url))
        return client

    def _address(self) -> str:
        if self.endpoint.scheme != "ssh":
            return self.endpoint.host
        with self._lock:
            if self._bridge is None:
                self._bridge = Bridge(self.endpoint.host, self.endpoint.cli_environment(self._environ))
            return f"unix://{self._bridge.path}"
