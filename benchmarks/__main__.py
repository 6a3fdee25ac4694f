"""``python -m benchmarks [snapshot magic bundle recipe]``: measures, and writes RESULTS.md."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

from . import bundle, magic, recipe_build, snapshot

SECTIONS = {"snapshot": snapshot.run, "magic": magic.run, "bundle": bundle.run, "recipe": recipe_build.run}
RESULTS = Path(__file__).parent / "RESULTS.md"
HEAD = """# Results

`make bench` measures all of it again; each section says its target (DESIGN's figures). Medians;
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
        f"Python {platform.python_version()}."
    )


def main(names: list[str]) -> None:
    old = dict(re.findall(r"(?ms)^<!-- (\w+) -->\n(.*?)\n<!-- end -->", RESULTS.read_text() if RESULTS.exists() else ""))
    for name in names or SECTIONS:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        old[name] = SECTIONS[name]()
        print(old[name], flush=True)
    body = "\n\n".join(f"<!-- {name} -->\n{old[name]}\n<!-- end -->" for name in SECTIONS if name in old)
    RESULTS.write_text(f"{HEAD}\n{machine()}\n\n{body}\n")


main(sys.argv[1:])
