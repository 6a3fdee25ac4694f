"""What registries do instead of what they should, as errors: silent, busy, refusing, or lying.

So do the servers that they send us to, for tokens or for blobs: an error names the one that it was.
"""

from __future__ import annotations

import email.utils
import json
import re
import ssl
import time
from collections.abc import Mapping

import requests

from ...environment.names import one_line
from ...errors import RegistryError
from ..faults import root

SAID = 300  # characters of a registry's own words that are passed on


class SilentError(RegistryError):
    """It did not answer, or not to the end. Asked again it may; ``wait`` is how many seconds it asks for."""

    wait = 0.0


class RefusedError(RegistryError):
    """It answered, and does not want to. ``who`` it was, in words."""

    status = 0
    who = ""


class Faults:
    """The errors of one registry; ``who`` is another server which it sends us to.

    ``note`` is what we did not do for it, which may be the cause.
    """

    def __init__(self, host: str, who: str = "", note: str = "") -> None:
        self.host, self.who, self.note = host, who or f"the registry {host}", note

    def silent(self, why: str) -> SilentError:
        return SilentError(
            f"{self.who} does not answer",
            why=why,
            fix="check the network, the proxy and the CA bundle (REQUESTS_CA_BUNDLE)",
        )

    def busy(self, status: int, headers: Mapping[str, str], body: bytes) -> SilentError:
        error = SilentError(f"{self.who} is busy or out of order", why=_why(status, body), fix="try later")
        error.wait = _seconds(headers.get("Retry-After", ""))
        return error

    def refused(self, status: int, body: bytes = b"", *, pushing: str = "") -> RefusedError:
        """``pushing`` is the repository, where something was to be written into it."""
        login = f"`jupyter dockerize login {self.host}`"
        if self.note and status in (401, 403):
            verb = "push" if pushing else "pull"
            fix = f"`docker login {self.host}` shows it to that host: have Docker {verb} the image"
        elif status == 401:
            fix = f"log in with {login}, as a user who may {'push there' if pushing else 'see it'}"
        elif pushing and status == 404:
            fix = "make the repository, or the project that it belongs to, at the registry first"
        elif pushing and status in (403, 405):
            fix = f"name a repository that you may write to, or log in as somebody who may: {login}"
        elif status == 403:
            fix = f"check the name; private images need a login: {login}"
        elif status == 413:
            fix = "a proxy before it limits the size of requests: ask its administrator"
        else:
            fix = "try later"
        what = f"does not take {pushing}" if pushing else "refuses"
        why = _why(status, body) + (f"; {self.note}" if self.note else "")
        error = RefusedError(f"{self.who} {what}", why=why, fix=fix)
        error.status, error.who = status, self.who
        return error

    def broken(self, why: str) -> RegistryError:
        return RegistryError(f"{self.who} does not keep to the specification", why=why)


def why_silent(error: Exception) -> str:
    """The cause in few words; addresses with user names or tokens are not repeated."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate is signed by an authority that is not trusted here"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refuses or does not answer"
    if isinstance(error, (requests.Timeout, TimeoutError)) or "timed out" in text:
        return "it did not answer in time"
    if "Name or service not known" in text or "Temporary failure in name resolution" in text:
        return "its name is not known here"
    if missing := re.search(r"CA certificate bundle, invalid path: (.+)", text):
        return f"the CA bundle {one_line(missing[1])} is not there"
    cause = root(error)
    if isinstance(cause, ssl.SSLError):
        return (
            f"it does not speak TLS as it should: {(cause.reason or 'broken off').lower().replace('_', ' ')}"
        )
    if isinstance(cause, OSError) and cause.strerror:
        return one_line(cause.strerror).lower()
    if isinstance(error, ValueError):
        return "its address cannot be used"
    return "the connection broke off"


def _why(status: int, body: bytes) -> str:
    """> errors: […] code, message (distribution-spec, "Error Codes"); but a proxy may send anything."""
    try:
        first = json.loads(body)["errors"][0]
        said = ", ".join(str(first[key]) for key in ("code", "message") if first.get(key))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        said = ""
    return f"HTTP status {status}{f': {one_line(said, SAID)}' if said else ''}"


def _seconds(text: str) -> float:
    """RFC 9110, 10.2.3, Retry-After: a number of seconds, or a date. 0 for what is neither."""
    try:
        return float(int(text[:12])) if text.strip().isdigit() else _until(text)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _until(date: str) -> float:
    return max(0.0, email.utils.parsedate_to_datetime(date).timestamp() - time.time())


__all__ = ["Faults", "RefusedError", "SilentError", "why_silent"]
