"""What a step of the build is for: the comment that stands above it in our Dockerfile.

Builders name a step by its instruction, which says little to whoever waits for it.
"""

from __future__ import annotations

from collections.abc import Callable


def captions(dockerfile: str) -> Callable[[str], str]:
    """From a builder's name of a step to the first line of the comment above it.

    Names that are not in ``dockerfile``, and steps above its first section, come back as they are.
    """
    known: dict[str, str] = {}
    caption = ""
    _, *sections = dockerfile.split("\n\n")  # the first one's comment is about the whole file
    for section in sections:
        for line in section.replace("\\\n", "").splitlines():
            if not line.startswith("#"):
                known.setdefault(_flat(line), caption)
                continue
            caption = line.removeprefix("# ").removesuffix(".")
    return lambda name: known.get(_flat(name), name)


def _flat(instruction: str) -> str:
    return " ".join(instruction.split())
