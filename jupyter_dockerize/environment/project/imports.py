"""What Python code says by itself: the names it imports and the texts it holds.

Read, not run: syntax trees of cells and modules, line by line where one is no plain Python (magics,
half-written code). Used for what a kernel cannot tell that has not run the notebook.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

_OTHER_LANGUAGE = re.compile(r"\s*%%(?!time|timeit|capture|prun|python3?\b|memit|mprun|snakeviz)")
_NOT_PYTHON = re.compile(r"^([ \t]*)(?:[%!?]|[\w., ]+=[ \t]*[%!]).*$|^([ \t]*)[\w.]+\?{1,2}[ \t]*$", re.M)
_IMPORT = re.compile(r"^[ \t]*((?:import|from)[ \t]+[\w.].*)$", re.M)
LONGEST = 4 << 20  # characters of one cell or module that are parsed


@dataclass(frozen=True, slots=True)
class Code:
    """``imports``: dotted names, ".b" for relative ones; ``texts``: string literals. Sorted, each once."""

    imports: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


def read(sources: Iterable[str]) -> Code:
    """What the code in ``sources`` (cells, modules) imports and mentions; never raises."""
    imports: set[str] = set()
    texts: set[str] = set()
    for source in sources:
        if len(source) > LONGEST or _OTHER_LANGUAGE.match(source):
            continue
        tree = _tree(source) or _tree(_NOT_PYTHON.sub(r"\1\2pass", source))
        trees = [tree] if tree else [_line(line) for line in _IMPORT.findall(source)]
        for node in (node for tree in trees if tree for node in ast.walk(tree)):
            if isinstance(node, ast.Import):
                imports.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                imports.update(_from(node))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
    return Code(tuple(sorted(imports)), tuple(sorted(texts)))


def _tree(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _line(line: str) -> ast.Module | None:
    """One import by itself; of names in brackets that go on below, only where they come from."""
    return _tree(line) or _tree(line.partition("(")[0] + "*")


def _from(node: ast.ImportFrom) -> list[str]:
    """``from a import b``: a and a.b, because b may be a module; ``from . import b``: ``.b``."""
    origin = "." * node.level + (node.module or "")
    inner = origin if origin.endswith(".") else f"{origin}."
    own = [origin] if node.module else []
    return own + [inner + alias.name for alias in node.names if alias.name != "*"]
