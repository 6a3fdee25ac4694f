"""A conversation with one kernel through its own channels (Jupyter messaging protocol 5.5).

Only shell and control are used: nobody listens to iopub, because everything asked here is silent.
Every wait ends within 0.1 s of a cancellation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ...cancel import Cancel
from ...errors import CancelledError, KernelError
from ..facts import AnyFacts
from ..names import one_line
from . import probing

SUBSHELLS = "kernel subshells"  # JEP 91's name among kernel_info's supported_features
_ANSWER = "answer"
_HISTORY = 2.0  # seconds that an idle kernel has to tell what it ran
_MOST_CELLS = 100_000
_GRACE = 2.5  # seconds that a cancelled probe has to end in, so that its subshell can go


@dataclass(slots=True)
class Hello:
    """What a kernel says of itself. ``idle``: its shell answered, so it runs no cell."""

    language: str = ""
    features: frozenset[str] = frozenset()
    idle: bool = False
    pid: int | None = None
    hostname: str = ""
    answered: bool = False

    @property
    def subshells(self) -> bool:
        return SUBSHELLS in self.features


class Channel:
    """Use by `connected`."""

    def __init__(self, client: Any, cancel: Cancel) -> None:
        self._client, self._cancel = client, cancel

    def hello(self, wait: float, *, alive: Callable[[], None] = lambda: None) -> Hello:
        """Who is there: ends when the shell answers, at the latest after ``wait`` seconds.

        Control answers while a cell runs, shell only between cells. ``alive`` is called now and
        then and raises where waiting has become pointless.
        """
        said = Hello()
        on_shell = self._send("shell", "kernel_info_request", {})
        on_control = self._send("control", "kernel_info_request", {})
        usage = self._send("control", "usage_request", {})  # ipykernel's own; others do not answer
        deadline = time.monotonic() + wait
        for request, content in self._replies(deadline, alive):
            if request in (on_shell, on_control):
                said.answered, said.idle = True, request == on_shell
                said.language = str(_mapping(content.get("language_info")).get("name", ""))
                features = content.get("supported_features")
                said.features = frozenset(map(str, features)) if isinstance(features, list) else frozenset()
            elif request == usage and isinstance(content.get("pid"), int):
                said.pid, said.hostname = content["pid"], str(content.get("hostname", ""))
            if said.idle:
                break
        return said

    def ask(self, options: Collection[str], *, subshell: bool, timeout: float) -> AnyFacts:
        """The facts that the probe gives inside the kernel.

        It is one silent ``user_expressions`` entry: no name, no history, no execution count, `_` and
        ``In`` stay as they were (``post_execute`` hooks fire, as after any request). On a subshell the
        user's cells do not wait for it. Raises `KernelError`.
        """
        expression = probing.expression(options)
        content = {
            "code": "",
            "silent": True,
            "store_history": False,
            "user_expressions": {_ANSWER: expression},
            # The flag is one for the whole kernel: a cell that runs beside a subshell may want to ask.
            "allow_stdin": subshell,
            "stop_on_error": False,
        }
        shell = self._open_subshell() if subshell else None
        request = self._send("shell", "execute_request", content, subshell=shell)
        reply = None
        try:
            reply = self._reply(request, timeout)
        except (CancelledError, KeyboardInterrupt):
            reply = self._reply(request, _GRACE, cancellable=False) if shell else None
            raise
        finally:
            # While the probe still runs in it, deleting the subshell would hold up the kernel's whole
            # shell channel: better a thread too many in the kernel than a cell that does not start.
            if shell and reply is not None:
                self._delete_subshell(shell)
        if reply is None:
            raise KernelError(
                f"the kernel did not answer within {timeout:g} s",
                why="a cell has started meanwhile, or the kernel hangs",
                fix="wait until its cell ends, or interrupt it, and try again",
            )
        answer = _mapping(_mapping(reply.get("user_expressions")).get(_ANSWER))
        if answer.get("status") != "ok":
            why = ": ".join(str(v) for v in (answer.get("ename"), answer.get("evalue")) if v)
            raise KernelError("the probe failed in the kernel", why=why or "it does not evaluate expressions")
        try:
            return probing.from_repr(str(_mapping(answer.get("data")).get("text/plain", "")))
        except ValueError as error:
            raise KernelError("the kernel's answer is not what the probe gives", why=str(error)) from error

    def executed(self) -> tuple[str, ...]:
        """What its session has typed, as `session.executed` has it; () where it does not tell.

        Only of an idle kernel: a busy one answers when its cell ends.
        """
        # Session 0 is the one that runs; a range without "stop" goes to its end.
        asked = {"output": False, "raw": True, "hist_access_type": "range", "session": 0, "start": 1}
        reply = self._reply(self._send("shell", "history_request", asked), _HISTORY) or {}
        history = reply.get("history")
        found: dict[int, str] = {}
        for entry in history if isinstance(history, list) else []:
            match entry:
                case [_, int(count), str(source)] if 0 < count <= _MOST_CELLS:
                    found[count] = source
        return tuple(found.get(count, "") for count in range(max(found, default=-1) + 1))

    def _open_subshell(self) -> str:
        request = self._send("control", "create_subshell_request", {})
        try:
            reply = self._reply(request, 10) or {}
        except (CancelledError, KeyboardInterrupt):
            # It is opened all the same, and nobody else knows its name.
            late = (self._reply(request, _GRACE, cancellable=False) or {}).get("subshell_id")
            if isinstance(late, str):
                self._delete_subshell(late)
            raise
        shell = reply.get("subshell_id")
        if not isinstance(shell, str):
            raise KernelError("the kernel opened no subshell", why=str(reply.get("evalue", "no answer")))
        return shell

    def _delete_subshell(self, shell: str) -> None:
        request = self._send("control", "delete_subshell_request", {"subshell_id": shell})
        self._reply(request, 1.5, cancellable=False)

    def _send(self, channel: str, kind: str, content: dict[str, Any], *, subshell: str | None = None) -> str:
        message = self._client.session.msg(kind, content)
        if subshell:
            message["header"]["subshell_id"] = subshell
        (self._client.shell_channel if channel == "shell" else self._client.control_channel).send(message)
        return str(message["header"]["msg_id"])

    def _reply(self, request: str, timeout: float, *, cancellable: bool = True) -> dict[str, Any] | None:
        deadline = time.monotonic() + timeout
        replies = self._replies(deadline, cancellable=cancellable)
        return next((content for to, content in replies if to == request), None)

    def _replies(
        self, deadline: float, alive: Callable[[], None] = lambda: None, *, cancellable: bool = True
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each reply with the request that it answers, until ``deadline``."""
        import zmq

        channels = {c.socket: c for c in (self._client.shell_channel, self._client.control_channel)}
        poller = zmq.Poller()
        for socket in channels:
            poller.register(socket, zmq.POLLIN)
        while time.monotonic() < deadline:
            if cancellable:
                self._cancel.check()
            alive()
            for socket, _ in poller.poll(100):
                try:
                    message = channels[socket].get_msg(timeout=0)
                except Exception as error:  # unsigned, malformed: jupyter_client raises what it likes
                    raise KernelError("the kernel's answer cannot be read", why=str(error)) from error
                parent = _mapping(message.get("parent_header")).get("msg_id", "")
                yield str(parent), _mapping(message.get("content"))


@contextmanager
def connected(connection: dict[str, Any], cancel: Cancel) -> Iterator[Channel]:
    """A `Channel` to the kernel of this connection info (the content of its connection file).

    Raises `KernelError` where it does not describe a kernel. Connecting itself waits for nobody.
    """
    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient()
    try:
        client.load_connection_info(connection)  # type: ignore[arg-type]
        client.start_channels(iopub=False, stdin=False, hb=False)
    except Exception as error:  # traitlets, zmq and jupyter_client each have their own
        with suppress(Exception):
            client.stop_channels()
        why = f"it has no {error}" if isinstance(error, KeyError) else one_line(str(error))
        raise KernelError("the connection file does not describe a kernel", why=why) from error
    try:
        yield Channel(client, cancel)
    finally:
        client.stop_channels()


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
