"""How much memory a copy takes does not depend on how much is copied."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..engines.registry.real import RealRegistry
from .copies import environment

MOST = 300 << 20  # bytes

PROGRAM = """
import sys
from dataclasses import replace
from pathlib import Path
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.events import ignore
from jupyter_dockerize.engines.registry.credentials import nobody
from jupyter_dockerize.export.sending import send
from jupyter_dockerize.image.cache import LayerCache
from jupyter_dockerize.image.copy.grouping import Group
from jupyter_dockerize.image.reference import Reference
from jupyter_dockerize.image.tar import Member
from tests.export.copies import copy_of, deliver

small, large, output = map(Path, sys.argv[1:4])
copy = copy_of(small)
folder = "opt/a-path/of-the-usual/length/lib/python3.13/site-packages"
members = [
    Member(path=f"{folder}/package{n // 100}/module_{n}.py", source=str(small / "one/a.py"), size=3000)
    for n in range(65_000)
]
members.append(Member(path=f"{folder}/libtorch.so", source=str(large), size=large.stat().st_size))
groups = [Group(f"layer {n}", tuple(members[n::19])) for n in range(19)]
copy = replace(copy, captured=replace(copy.captured, groups=tuple(groups)))
if sys.argv[4:]:
    ref, known = Reference.parse(sys.argv[4]), LayerCache(output)
    sent = send(copy, ref, check=True, known=known, logins=nobody, report=ignore, cancel=Cancel())
    verdict = sent.comparison.verdict
else:
    verdict = deliver(copy, "memory", output, check=True, report=ignore, cancel=Cancel())
# Not getrusage: its peak is also that of the process which started this one.
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(verdict, int(peak) * 1024)
"""


def peak(*words: Path | str) -> tuple[str, int]:
    """The verdict of a copy, and the bytes of memory that it took."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2], env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    verdict, most = done.stdout.split()
    return verdict, int(most)


def test_a_gigabyte_and_65000_files_are_written_and_read_back_in_little_memory(tmp_path: Path) -> None:
    small, large = environment(tmp_path / "env"), tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(1 << 30)  # a sparse file is its zeros
    verdict, most = peak(small, large, tmp_path / "image.tar")
    assert verdict == "identical"
    assert most < MOST


@pytest.mark.rig
def test_they_go_into_a_registry_in_little_memory(
    tmp_path: Path, real_registry: Callable[[str], RealRegistry]
) -> None:
    small, large = environment(tmp_path / "env"), tmp_path / "large"
    large.write_bytes(os.urandom(50_000_000) * 2)  # does not compress, so that all of it is on its way
    verdict, most = peak(small, large, tmp_path / "records", f"{real_registry('').host}/me/own:1")
    assert verdict == "identical"
    assert most < MOST
