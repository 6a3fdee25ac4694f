"""An install of several lines that ends in the middle: it is no layer, and what it did is not lost."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.errors import CancelledError, FindingsError, UsageError
from jupyter_dockerize.events import Event, Log
from jupyter_dockerize.layers import pending

from .conftest import Own

pytestmark = pytest.mark.engine


class Index(HTTPServer):
    """An index that refuses whoever comes. From `listen` on it never answers, while it is `answering` it
    has nothing."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Nothing, bind_and_activate=False)
        self.server_bind()
        self.two_lines = (
            "pip install cowsay==6.0\n"
            f"pip install --retries 0 --index-url http://127.0.0.1:{self.server_port}/simple jd-nobodys-4f1c"
        )

    def listen(self) -> None:
        self.server_activate()

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        serving = threading.Thread(target=self.serve_forever)
        serving.start()
        try:
            yield
        finally:
            self.shutdown()
            serving.join()


class _Nothing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def index() -> Iterator[Index]:
    with Index() as found:
        yield found


def test_an_interrupted_install_is_pending_and_becomes_a_layer_of_what_was_done(
    own: Own, index: Index
) -> None:
    own.exec("pip install six==1.16.0")
    index.listen()
    cancel, seen = Cancel(), list[str]()

    def report(event: Event) -> None:
        seen.append(event.text if isinstance(event, Log) else "")
        if seen[-1].startswith("Looking in indexes: http://127.0.0.1:"):
            cancel.cancel()

    with pytest.raises(CancelledError):
        api.execute(own.where, index.two_lines, own.ref, engine="docker", report=report, cancel=cancel)
    assert "Successfully installed cowsay-6.0" in seen
    left = pending.of(own.ref)
    assert left is not None
    assert (left.phase, left.running) == ("running", False)
    assert api.history(own.where, own.ref).head == 2
    assert (own.imports("six", "cowsay"), own.here("six", "cowsay")) == ([True, False], [True, True])
    with pytest.raises(UsageError, match="was cut off") as refused:
        own.exec("pip install attrs")
    assert "--retry" in refused.value.fix
    assert f"undo {own.ref}" in refused.value.fix

    with pytest.raises(FindingsError, match="does not answer"):  # and may have it, too
        api.keep(own.where, own.ref, retry=True, engine="docker")
    with index.answering():
        done = api.keep(own.where, own.ref, retry=True, engine="docker")
    assert done.layer is not None
    assert (done.number, [str(each) for each in done.layer.changes]) == (3, ["cowsay 6.0"])
    assert own.imports("six", "cowsay", "humanize") == [True, True, False]
    assert pending.of(own.ref) is None


def test_an_install_that_fails_half_way_is_no_layer_and_says_what_changed(own: Own, index: Index) -> None:
    own.exec("pip install six==1.16.0")
    failed = own.exec(index.two_lines)
    assert (failed.layer, failed.status, failed.number) == (None, 1, 2)
    assert [each.code for each in failed.findings] == ["failed-half-way"]
    assert "1 package changed all the same" in failed.findings[0].message
    assert (own.imports("six", "cowsay"), own.here("six", "cowsay")) == ([True, False], [True, True])
    assert (pending.of(own.ref), api.history(own.where, own.ref).head) == (None, 2)
