"""Two ways to a kernel: one that runs already (`live`), one that is started for this (`fresh`)."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ...cancel import Cancel
from ...errors import KernelError
from ..model import Kernel
from ..names import one_line, printable
from . import child, process
from .channel import Hello, connected
from .probing import Observed
from .running import connection, connection_file

BUSY_AFTER = 2.0  # seconds without an answer on shell: the kernel runs a cell
GONE_AFTER = 10.0  # seconds without any answer: nobody is there


def live(
    target: str, options: Collection[str] = (), *, cancel: Cancel | None = None, timeout: float = 120
) -> Observed:
    """The environment of a running kernel.

    ``target`` is a connection file, a kernel id or its beginning, or the path of the notebook that
    the kernel was started for. An idle kernel is asked through its own channel, on a subshell where it
    has them. A busy one that runs here is observed by its process, so that the running cell notices
    nothing (an execute request on a subshell fires ``post_execute`` hooks beside the cell: the inline
    backend would show and close the figure that the cell is drawing). A busy one elsewhere is asked
    on a subshell, or refused. Raises `KernelError`; ``timeout`` in seconds for the probe's answer.
    """
    cancel = cancel or Cancel()
    file = connection_file(target)
    info = connection(file)
    with connected(info, cancel) as channel:
        hello = channel.hello(BUSY_AFTER)
        if not hello.idle:
            pid = hello.pid if hello.hostname == socket.gethostname() else None
            if running := process.of_kernel(file, pid):
                facts = process.from_outside(running, options, cancel=cancel, timeout=timeout)
                return Observed(facts, _kernel(info, "python"))
        if not hello.answered:
            hello = channel.hello(GONE_AFTER - BUSY_AFTER)
        _check_language(hello, file.name)
        if not hello.idle and not hello.subshells:
            raise KernelError(
                "the kernel is busy, and only its own channel leads to it",
                why="it has no subshells (ipykernel 7 has), and its process is not on this machine",
                fix="wait until its cell ends, or interrupt it, and try again",
            )
        facts = channel.ask(options, subshell=hello.subshells, timeout=timeout)
        executed = channel.executed() if hello.idle else ()
        session = info.get("jupyter_session")
        notebook = session if isinstance(session, str) else ""
        return Observed(facts, _kernel(info, hello.language), executed, notebook)


def fresh(
    name: str,
    options: Collection[str] = (),
    *,
    cwd: Path | None = None,
    cancel: Cancel | None = None,
    timeout: float = 60,
    answer: float = 120,
) -> Observed:
    """The environment of a kernel that is started from its kernelspec and stopped again, always.

    What the kernelspec starts is not looked at (it may be a script, ssh or a container): the kernel
    itself answers. ``timeout`` for the start and ``answer`` for the probe in seconds. Raises `KernelError`.
    """
    cancel = cancel or Cancel()
    cancel.check()
    kernel = installed(name)
    with _started(name, cwd) as (connection, alive), connected(connection, cancel) as channel:
        hello = channel.hello(timeout, alive=alive)
        if not hello.idle:
            raise KernelError(
                f"the kernel {name!r} did not answer within {timeout:g} s",
                fix="start it in a notebook to see what it waits for",
            )
        _check_language(hello, name)
        return Observed(channel.ask(options, subshell=False, timeout=answer), kernel)


def not_python(what: str, language: str) -> KernelError:
    """The error for a kernel or notebook of another language: "WHAT R"."""
    return KernelError(
        f"{what} {printable(language, 200) or 'an unnamed language'}",
        why="environments of Python kernels can be observed",
        fix="name a Python kernel with --kernel, or an interpreter with --python",
    )


def _check_language(hello: Hello, name: str) -> None:
    if not hello.answered:
        raise KernelError(
            f"the kernel {name} does not answer",
            why="it has ended, or its connection file is of another start",
            fix="restart the kernel",
        )
    if hello.language.lower() != "python":
        raise not_python(f"the kernel {name} runs", hello.language)


def _kernel(info: dict[str, Any], language: str) -> Kernel | None:
    """The kernelspec that wrote this connection info; it may be unknown here (a remote kernel)."""
    name = info.get("kernel_name")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", name):
        return None
    try:
        return installed(name)
    except KernelError:
        return Kernel(name=name, language=language)


_ANEW = "install the kernel again (python -m ipykernel install), or name an interpreter with --python"


def installed(name: str) -> Kernel:
    """The kernelspec of that name. Raises `KernelError` where there is none, or it is not Python's."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    specs = KernelSpecManager()
    try:
        spec = specs.get_kernel_spec(name)
    except NoSuchKernel as error:
        have = sorted(specs.find_kernel_specs())
        near = get_close_matches(name, have, 1, 0) if have else []
        raise KernelError(
            f"there is no kernelspec {printable(name, 200)!r}",
            why=f"there are: {', '.join(have) or 'none'}",
            fix="name one of these, or an interpreter with --python",
            instead=(name, *near) if near else (),
        ) from error
    except Exception as error:  # a kernel.json that is not JSON, or holds other types
        raise KernelError(
            f"the kernelspec {printable(name, 200)!r} cannot be read",
            why=one_line(str(error)) or "it is no kernel.json",
            fix=_ANEW,
        ) from error
    if not spec.argv or not all(isinstance(word, str) for word in spec.argv):
        raise KernelError(
            f"the kernelspec {printable(name, 200)!r} starts nothing", why="argv is no command", fix=_ANEW
        )
    if spec.language and spec.language.lower() != "python":
        raise not_python(f"the kernel {name} runs", spec.language)
    return Kernel(name=name, display_name=spec.display_name, language="python")


@contextmanager
def _started(name: str, cwd: Path | None) -> Iterator[tuple[dict[str, Any], Callable[[], None]]]:
    """A kernel's connection info, and a function that raises once it has died; stopped at the end."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name=name)
    manager.shutdown_wait_time = 2.0
    group: int | None = None
    with tempfile.TemporaryFile() as stderr:

        def alive() -> None:
            if not manager.is_alive():
                last = child.tail(stderr.fileno())
                raise KernelError(
                    f"the kernel {name!r} died at its start",
                    why=last or "it printed nothing",
                    fix="start it in a notebook; where its environment has no ipykernel, install it there",
                )

        try:
            try:
                manager.start_kernel(cwd=str(cwd or Path.cwd()), stdout=stderr, stderr=stderr)
            except Exception as error:  # a provisioner raises what it likes
                raise KernelError(
                    f"the kernel {name!r} does not start",
                    why=one_line(str(error)) or "whoever starts it does not say why",
                    fix="start it in a notebook to see why",
                ) from error
            group = getattr(manager.provisioner, "pgid", None)
            yield dict(manager.get_connection_info()), alive
        finally:
            # Politely first: a kernel that is a container or an ssh session ends its other half itself.
            with contextlib.suppress(Exception):
                manager.shutdown_kernel(now=False)
            with contextlib.suppress(Exception):
                manager.cleanup_resources()
            if group and group != os.getpgrp():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
