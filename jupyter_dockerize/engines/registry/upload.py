"""One blob on its way into a repository: begun, sent, taken up where it was cut off, ended with its digest.

OCI distribution specification 1.1, "Pushing blobs". A blob is sent in one request, as Docker and Podman do,
which every registry takes; so is one that is made meanwhile, whose size nobody knows. Chunks have traps:
ghcr.io takes 4 MiB at most, Amazon's keeps telling the end of the first (aws/containers-roadmap issue 2831).
So there are chunks only where an upload goes on after it was cut off, or where a request was too large.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator

from ...errors import RegistryError
from ...image.manifest import Descriptor
from .blobs import Source, Total
from .faults import SilentError
from .patience import Patience
from .session import Answer, Body, Endless, Session

SMALL = 4_000_000  # bytes of a chunk where requests may not be large
GOODBYE = 2.0  # seconds in which it may take notice that an upload is given up
COMMIT = 300.0  # seconds in which a registry may move a large blob to its place
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,15})")


def has(session: Session, repository: str, wanted: Descriptor) -> bool:
    """Whether the repository has the blob. Raises `RegistryError` where it has another one by that digest."""
    answer = session.ask("HEAD", f"/v2/{repository}/blobs/{wanted.digest}")
    if answer.status == 404:
        return False
    if answer.status != 200 and not session.owns(answer.url):
        return True  # it is in a store elsewhere, which lets it be fetched, and not be asked for
    if answer.status != 200:
        raise session.faults.refused(answer.status, answer.body, pushing=repository)
    _same_digest(session, answer, wanted.digest)
    if answer.headers.get("Content-Length", str(wanted.size)) != str(wanted.size):
        raise session.faults.broken(f"it has the blob {wanted.digest[:19]}… in another size")
    return True


class Upload:
    """``moved`` hears how many bytes are sent, fewer again where some got lost; ``heard`` gets each byte
    that is sent, once."""

    def __init__(
        self,
        session: Session,
        repository: str,
        source: Source,
        moved: Callable[[int], None],
        heard: Callable[[bytes], object] = lambda new: None,
    ) -> None:
        self._session, self._repository, self._source = session, repository, source
        self._moved = moved
        self._total = Total(source, heard)
        self._patience = Patience(session)
        self._largest: int | None = None  # bytes of a request, where it may not be as large as it likes
        self._again = False  # whether it has failed once to put parts together
        self._begin_anew()

    def run(self) -> bool:
        """Brings the blob there. Whether it was mounted from another repository, so that nothing was sent.

        Raises `RegistryError`, what reading the blob raises, and `CancelledError`: then the registry is told,
        if it listens, that nothing more comes.
        """
        try:
            return self._run()
        except BaseException:
            self._give_up()
            raise

    def _run(self) -> bool:
        unsure = False
        while True:
            try:
                if unsure and self._is_there():
                    return False
                if unsure and self._place:
                    self._ask_how_far()
                unsure = False
                if not self._place and self._begin():
                    return True
                while self._at != self._size:
                    self._send()
                    self._patience.moved()
                if self._end():
                    return False
            except SilentError as error:  # noqa: PERF203 - once per attempt
                self._patience.after(error)
                unsure = True

    @property
    def _size(self) -> int | None:
        """None until it is known."""
        wanted = self._source.descriptor
        return wanted.size if wanted else None

    def _is_there(self) -> bool:
        """Whether all was sent and has arrived, though nobody said so."""
        wanted = self._source.descriptor
        if wanted is None or self._at != wanted.size:
            return False
        return has(self._session, self._repository, wanted)

    def _begin_anew(self) -> None:
        self._place = ""  # > Location: where the upload goes on
        self._at = self._sent = 0  # bytes that the registry has, and that it may have
        self._pieced = False  # whether it was taken up in its middle
        self._moved(0)

    def _begin(self) -> bool:
        """> POST /v2/<name>/blobs/uploads/, with mount and from where another repository has the blob."""
        path = f"/v2/{self._repository}/blobs/uploads/"
        origin, wanted = self._source.origin, self._source.descriptor
        if wanted and origin and origin[0] == self._session.domain and origin[1] != self._repository:
            path += f"?mount={wanted.digest}&from={origin[1]}"
        answer = self._session.ask("POST", path)
        if wanted and answer.status == 201 and "mount=" in path:
            _same_digest(self._session, answer, wanted.digest)
            self._moved(wanted.size)
            return True
        if answer.status != 202:
            raise self._refused(answer)
        self._go_on(answer)
        if not self._place:
            raise self._session.faults.broken("it does not say where the upload goes")
        return False

    def _send(self) -> None:
        """> PATCH […] Content-Range: <start>-<end>, both inclusive; 202 with Range: 0-<end>."""
        start, size = self._at, self._size
        if size is None and not start and self._largest is None:
            self._request(Endless(lambda: self._pieces(0, self._read(0))), 0, None)
        elif size is None:
            part = b"".join(self._read(start, start + SMALL))
            if part:  # else it has ended where the last request did
                self._request(Body(lambda: self._pieces(start, [part]), len(part)), start, start + len(part))
        else:
            end = min(start + (self._largest or size), size)
            self._request(Body(lambda: self._pieces(start, self._read(start, end)), end - start), start, end)

    def _request(self, body: Body | Endless, start: int, end: int | None) -> None:
        """Bytes from ``start`` to ``end``, None for that of the whole, which is known when they are sent."""
        headers = {"Content-Type": "application/octet-stream"}
        if end is not None and (start, end) != (0, self._size):
            headers["Content-Range"] = f"{start}-{end - 1}"
        answer = self._session.ask("PATCH", self._place, headers=headers, body=body)
        too_large = answer.status == 413 or (answer.status == 416 and b"too large" in answer.body)
        if too_large and (end is None or end - start > SMALL):
            self._largest = SMALL
            raise self._session.faults.silent(f"HTTP status {answer.status}: too large for one request")
        self._check_known(answer)
        if answer.status != 202:
            raise self._refused(answer)
        self._go_on(answer)
        there, end = _end_of(answer), self._size if end is None else end
        if end is None:
            raise self._session.faults.silent("it answers before it was sent all")
        # Without the header the digest at the end has the word.
        self._at = end if there is None else self._not_more(there, end)
        if self._at < end:
            raise self._session.faults.silent("it takes less than it is sent")

    def _read(self, start: int, end: int | None = None) -> Iterator[bytes]:
        at = start
        for piece in self._source.open(start, self._session.cancel):
            self._session.cancel.check()
            part = piece if end is None else piece[: end - at]
            at += len(part)
            yield part
            if at == end != self._size:  # at its own end it says whether it is what it was
                break

    def _pieces(self, start: int, parts: Iterable[bytes]) -> Iterator[bytes]:
        """What is sent, told of and counted."""
        self._total.begin(start)
        at = start
        for part in parts:
            self._total.add(part)
            at += len(part)
            self._sent = max(self._sent, at)
            yield part
            self._moved(at)

    def _ask_how_far(self) -> None:
        """> GET /v2/<name>/blobs/uploads/<reference>: 204, with Location and Range.

        Registries of the distribution project before its version 3 drop an upload that was cut off in the
        middle of a request: then it begins anew.
        """
        answer = self._session.ask("GET", self._place)
        there = _end_of(answer) if answer.status in (202, 204) else None
        if there is None or there <= 1:  # "0-0" may mean one byte, or none
            self._begin_anew()
            return
        if self._not_more(there, self._sent) > self._at:
            self._patience.moved()
        self._go_on(answer)
        self._at, self._pieced = there, True
        self._moved(there)

    def _end(self) -> bool:
        """> PUT <location>?digest=<digest>: 201. False where it has to begin anew."""
        self._total.check()
        assert self._source.descriptor
        digest = self._source.descriptor.digest
        url = f"{self._place}{'&' if '?' in self._place else '?'}digest={digest}"
        answer = self._session.ask("PUT", url, idle=COMMIT)
        self._check_known(answer)
        if answer.status == 400 and self._pieced and not self._again:
            self._again = True  # it put the parts together otherwise than it said
            self._begin_anew()
            return False
        if answer.status == 400:
            raise self._session.faults.broken("it says that it received other bytes than were sent")
        if answer.status not in (201, 204):
            raise self._refused(answer)
        _same_digest(self._session, answer, digest)
        return True

    def _give_up(self) -> None:
        """> DELETE […] the upload's location: else a registry keeps what came until it looks for remains.

        In a thread, as nobody limits how long a name takes to be resolved.
        """
        if not self._place:
            return

        def end() -> None:
            with contextlib.suppress(RegistryError), self._session.afterwards(GOODBYE) as session:
                session.ask("DELETE", self._place)

        thread = threading.Thread(target=end, name="end upload", daemon=True)
        thread.start()
        thread.join(GOODBYE)

    def _not_more(self, there: int, sent: int) -> int:
        """How much the registry says that it has. Raises `RegistryError` where that cannot be."""
        if there > sent:
            raise self._session.faults.broken(
                f"it says that it has {there:,} bytes of a blob of which it was sent {sent:,}"
            )
        return there

    def _go_on(self, answer: Answer) -> None:
        """An upload may go on elsewhere: there it gets no credentials (`Session.ask`)."""
        if location := answer.headers.get("Location"):
            self._place = self._session.address(location, answer.url)

    def _check_known(self, answer: Answer) -> None:
        """Raises `SilentError` where the registry knows the upload no more, or otherwise than we do."""
        if answer.status in (404, 410):
            self._begin_anew()
        if answer.status in (404, 410, 416):
            raise self._session.faults.silent(f"HTTP status {answer.status}: it lost an upload")

    def _refused(self, answer: Answer) -> RegistryError:
        return self._session.faults.refused(answer.status, answer.body, pushing=self._repository)


def _end_of(answer: Answer) -> int | None:
    """How many bytes there are, by the header Range; None where it says nothing."""
    found = _RANGE.fullmatch(answer.headers.get("Range", "").strip())
    return int(found[1]) + 1 if found else None


def _same_digest(session: Session, answer: Answer, digest: str) -> None:
    said = answer.headers.get("Docker-Content-Digest", digest)
    if said != digest:
        raise session.faults.broken(f"it answers {said[:80]!r} where {digest[:19]}… was meant")


__all__ = ["Upload", "has"]
