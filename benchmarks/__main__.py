"""``python -m benchmarks [snapshot magic bundle recipe copy push layers]``: measures for RESULTS.md."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

from . import bundle, copy, layers, magic, push, recipe_build, snapshot

SECTIONS = {
    "snapshot": snapshot.run,
    "magic": magic.run,
    "bundle": bundle.run,
    "recipe": recipe_build.run,
    "copy": copy.run,
    "push": push.run,
    "layers": layers.run,
}
RESULTS = Path(__file__).parent / "RESULTS.md"
HEAD = """# Results

`make bench` measures all of it again; each section says its target, and whether it is met. Medians;
a ratio is the median of pairs that ran in turn, so it holds when the machine's speed drifts.
"""


def machine() -> str:
    """What it was measured on."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    release = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())
    return (
        f"Measured on {os.cpu_count()} cores ({model[1] if model else '?'}), "
        f"{int(memory[1]) / 1e6 if memory else 0:.0f} GB, {release[1] if release else '?'}, "
        f"Python {platform.python_version()}; {os.getloadavg()[2]:.1f} processes were running "
        "on average when it ended (a quiet machine: 1)."
    )


def main(names: list[str]) -> None:
    for name in names or SECTIONS:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        section = SECTIONS[name]()
        print(section, flush=True)
        _keep(name, section)


def _keep(name: str, section: str) -> None:
    """Puts one section into the results; the others stay as they are."""
    text = RESULTS.read_text() if RESULTS.exists() else ""
    found = dict(re.findall(r"(?ms)^<!-- (\w+) -->\n(.*?)\n<!-- end -->", text)) | {name: section}
    body = "\n\n".join(f"<!-- {n} -->\n{found[n]}\n<!-- end -->" for n in SECTIONS if n in found)
    RESULTS.write_text(f"{HEAD}\n{machine()}\n\n{body}\n")


main(sys.argv[1:])
