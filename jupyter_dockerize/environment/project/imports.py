"""What Python code says by itself: what it imports, the texts it holds, the variables that it reads.

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
_ENV = re.compile(r"^[ \t]*%(?:set_)?env[ \t]+(\w+)([ \t]*=|[ \t]+\S)?", re.M)
_MODE = re.compile(r"[rbt+]*[wax][wbt+]*")  # of `open`, where it writes
_WRITES = re.compile(r"to_(?!datetime|numeric|numpy|list|dict|frame)\w+|save\w*|write\w*|dump|imsave|imwrite")
LONGEST = 4 << 20  # characters of one cell or module that are parsed


@dataclass(frozen=True, slots=True)
class Code:
    """``imports``: dotted names, ".b" for relative ones; ``texts``: string literals. Sorted, each once.

    ``variables``: names of environment variables that it reads (``os.environ["A"]``, ``os.getenv("A")``,
    ``%env A``), without those that it sets itself. ``written``: texts that name what it writes.
    """

    imports: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    written: tuple[str, ...] = ()


def read(sources: Iterable[str]) -> Code:
    """What the code in ``sources`` (cells, modules) imports and mentions; never raises."""
    imports: set[str] = set()
    texts: set[str] = set()
    written: set[str] = set()
    given: dict[bool, set[str]] = {False: set(), True: set()}  # variables that are read, and that are set
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
            elif name := _by_name(node):
                imports.add(name)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
            elif variable := _variable(node):
                given[variable[1]].add(variable[0])
            elif isinstance(node, ast.Call):
                written.update(_written(node))
        for name, value in _ENV.findall(source):
            given[bool(value)].add(name)
    variables = given[False] - given[True]
    return Code(*(tuple(sorted(found)) for found in (imports, texts, variables, written)))


def _tree(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _variable(node: ast.AST) -> tuple[str, bool] | None:
    """The environment variable that ``node`` reads or sets, and whether it sets it."""
    match node:
        case ast.Subscript(value=of, slice=ast.Constant(value=str(name)), ctx=use) if _is_environ(of):
            return name, not isinstance(use, ast.Load)
        case ast.Call(func=ast.Attribute(value=of, attr=how), args=[ast.Constant(value=str(name)), *_]):
            if _is_environ(of) and how in ("get", "pop", "setdefault"):
                return name, how == "setdefault"
            return (name, how == "putenv") if how in ("getenv", "putenv") else None
        case ast.Call(func=ast.Name(id="getenv"), args=[ast.Constant(value=str(name)), *_]):
            return name, False
        case ast.Compare(left=ast.Constant(value=str(name)), comparators=[of]) if _is_environ(of):
            return name, False
    return None


def _written(call: ast.Call) -> list[str]:
    """The texts of a call that name a file to be written: ``open(…, "w")``, ``to_csv(…)``, ``savefig(…)``."""
    how = getattr(call.func, "attr", "") or getattr(call.func, "id", "")
    named: list[ast.expr] = [*call.args, *(keyword.value for keyword in call.keywords)]
    if how == "open":
        modes = [v.value for v in named if isinstance(v, ast.Constant) and isinstance(v.value, str)]
        if not any(_MODE.fullmatch(mode) for mode in modes):
            return []
    elif not _WRITES.fullmatch(how):
        return []
    of = call.func.value if isinstance(call.func, ast.Attribute) else None
    if isinstance(of, ast.Call):  # Path("x").write_text(…)
        named += of.args
    return [v.value for v in named if isinstance(v, ast.Constant) and isinstance(v.value, str)]


def _by_name(node: ast.AST) -> str:
    """What ``import_module("a.b")`` or ``__import__("a")`` imports; "" for all else."""
    match node:
        case ast.Call(
            func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
            args=[ast.Constant(value=str(name)), *_],
        ) if all(part.isidentifier() for part in name.lstrip(".").split(".")):
            return name
    return ""


def _is_environ(node: ast.AST) -> bool:
    return "environ" in (getattr(node, "attr", ""), getattr(node, "id", ""))


def _line(line: str) -> ast.Module | None:
    """One import by itself; of names in brackets that go on below, only where they come from."""
    return _tree(line) or _tree(line.partition("(")[0] + "*")


def _from(node: ast.ImportFrom) -> list[str]:
    """``from a import b``: a and a.b, because b may be a module; ``from . import b``: ``.b``."""
    origin = "." * node.level + (node.module or "")
    inner = origin if origin.endswith(".") else f"{origin}."
    own = [origin] if node.module else []
    return own + [inner + alias.name for alias in node.names if alias.name != "*"]
