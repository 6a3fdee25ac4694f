"""A kernel as a notebook has one: cells go in, and every message that belongs to them comes out."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

LIMIT = 300.0  # seconds until a cell counts as hanging


@dataclass
class Outputs:
    """What a cell gave: its displays by id as they are now, how often each was redrawn, and the rest."""

    displays: dict[str, dict[str, str]] = field(default_factory=dict)
    redrawn: dict[str, int] = field(default_factory=dict)
    stdout: str = ""
    stderr: str = ""
    value: str | None = None
    error: dict[str, Any] | None = None

    @property
    def card(self) -> dict[str, str]:
        """The only display: its media types."""
        (one,) = self.displays.values()
        return one


class Session:
    """A running kernel. Use as a context."""

    def __init__(self, python: Path, cwd: Path, **environ: str) -> None:
        self.manager = KernelManager(transport="ipc", ip=str(cwd / "k"))
        spec = self.manager.kernel_spec
        assert spec is not None
        spec.argv[0] = str(python)
        env = {**os.environ, "JUPYTER_CONFIG_DIR": "/nonexistent", **environ}
        self.manager.start_kernel(cwd=str(cwd), env=env)
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.cells: dict[str, Outputs] = {}
        self.idle: set[str] = set()  # cells that are done

    def __enter__(self) -> Session:
        self.run("%load_ext jupyter_dockerize")
        return self

    def __exit__(self, *exc: object) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def begin(self, code: str) -> str:
        """Starts a cell; its id."""
        cell = self.client.execute(code)
        self.cells[cell] = Outputs()
        return cell

    def run(self, code: str) -> Outputs:
        """What a cell gave until it was done."""
        cell = self.begin(code)
        self.until(lambda: cell in self.idle)
        return self.cells[cell]

    def until(self, done: Callable[[], bool]) -> None:
        """Takes messages until ``done()``."""
        end = time.monotonic() + LIMIT
        while not done():
            assert time.monotonic() < end, "the kernel says nothing"
            try:
                self._take(self.client.get_iopub_msg(timeout=1))
            except queue.Empty:
                continue

    def _take(self, message: dict[str, Any]) -> None:
        cell, content = message["parent_header"].get("msg_id"), message["content"]
        out = self.cells.setdefault(cell, Outputs())
        kind = message["msg_type"]
        if kind == "status" and content["execution_state"] == "idle":
            self.idle.add(cell)
        elif kind == "stream":
            setattr(out, content["name"], getattr(out, content["name"]) + content["text"])
        elif kind == "execute_result":
            out.value = content["data"]["text/plain"]
        elif kind == "error":
            out.error = content
        elif kind in ("display_data", "update_display_data"):
            name = content["transient"].get("display_id", "")
            # A frontend redraws a display wherever it is, whichever cell the message belongs to.
            owner = next((one for one in self.cells.values() if name in one.displays), out)
            owner.redrawn[name] = owner.redrawn.get(name, -1) + 1
            owner.displays[name] = content["data"]
