"""What the docker SDK, requests and the socket raise, mapped in one place."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator

from ..environment.names import one_line
from ..errors import DockerizeError, EngineError


@contextlib.contextmanager
def mapped(doing: str) -> Iterator[None]:
    """Whatever the SDK raises inside becomes an `EngineError` that begins "could not ``doing``"."""
    try:
        yield
    except DockerizeError:
        raise
    except Exception as error:
        raise translated(doing, error) from error


def translated(doing: str, error: Exception) -> Exception:
    """The `EngineError` for an exception of SDK, requests or socket; any other exception itself."""
    import docker.errors
    import requests
    import urllib3

    if isinstance(error, docker.errors.APIError):
        return EngineError(f"the engine could not {doing}", why=explanation(error))
    cause = root(error)
    if isinstance(error, requests.Timeout) or isinstance(cause, TimeoutError):
        return EngineError(
            f"the engine did not answer in time, asked to {doing}",
            fix="look whether it is overloaded or hangs (`docker info`), then try again",
        )
    lost = (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        OSError,
        EOFError,
        docker.errors.StreamParseError,
    )
    if isinstance(error, lost):
        return EngineError(
            f"the connection to the engine broke, asked to {doing}",
            why=describe(cause),
            fix="see `jupyter dockerize engines` for whether it is still there",
        )
    if isinstance(error, docker.errors.DockerException):
        return EngineError(f"could not {doing}", why=str(error))
    return error


def explanation(error: Exception) -> str:
    """The engine's own sentence in an error of its API."""
    said = getattr(error, "explanation", None)
    if isinstance(said, bytes):
        said = said.decode(errors="replace")
    return one_line(str(said or error), 2000)


def root(error: BaseException) -> BaseException:
    """The socket's or TLS error behind the wrappings of requests and urllib3; else ``error`` itself."""
    todo, seen = [error], set[int]()
    while todo:
        one = todo.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, ssl.SSLError | TimeoutError) or (
            isinstance(one, OSError) and one.errno is not None
        ):
            return one
        todo += [
            inner
            for inner in (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
            if isinstance(inner, BaseException)
        ]
    return error


def describe(error: BaseException) -> str:
    """An exception as a short sentence."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return one_line(str(error), 500) or "it broke off"
