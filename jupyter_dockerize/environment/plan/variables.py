"""Which environment variables the image gets: those that decide results, not those of the machine.

What reaches this file has passed the probe's allow-list already; nothing here is secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from ...events import Finding
from ...sizes import and_more
from ..choices import Choice

LOCALE = "C.UTF-8"  # the image's, whatever the source has
_LISTED = 10

_MACHINE = (
    "*_NUM_THREADS", "*_MAX_THREADS", "*_NUM_WORKERS", "CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", "MKL_*",
    "NUMEXPR_*", "OMP_*", "OPENBLAS_*", "PYTORCH_CUDA_ALLOC_CONF", "VECLIB_*", "XLA_FLAGS",
)  # fmt: skip
_KEPT = (
    "CUBLAS_WORKSPACE_CONFIG", "DASK_*", "JAX_ENABLE_X64", "KERAS_BACKEND", "MPLBACKEND", "NUMBA_*",
    "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "PYTHONIOENCODING", "PYTHONOPTIMIZE",
    "PYTHONUNBUFFERED", "PYTHONUTF8", "PYTHONWARNINGS", "TF_*", "TOKENIZERS_PARALLELISM", "TZ",
)  # fmt: skip


def variables(environ: Iterable[tuple[str, str]]) -> tuple[tuple[tuple[str, str], ...], list[Choice]]:
    """What goes into the image, sorted, and a choice for each that does not."""
    kept: list[tuple[str, str]] = []
    choices: list[Choice] = []
    for name, value in sorted(environ):
        if name in ("LANG", "LC_ALL", "LC_CTYPE"):
            if value != LOCALE:
                choices.append(_choice("changed", name, "the image's locale", value, LOCALE))
        elif name.startswith("LC_") or name == "LANGUAGE":
            choices.append(_choice("left-out", name, f"the image's locale is {LOCALE}", value))
        elif name == "MPLBACKEND" and ("inline" in value or value.startswith("module://")):
            choices.append(_choice("left-out", name, "the kernel sets it for itself", value))
        elif _matches(name, _MACHINE):
            reason = f"belongs to the machine: docker run -e {name}={value} sets it"
            choices.append(_choice("left-out", name, reason, value))
        elif _matches(name, _KEPT):
            kept.append((name, value))
        else:
            choices.append(
                _choice("left-out", name, "belongs to the source's place, not to its packages", value)
            )
    return tuple(kept), choices


def missed(withheld: Iterable[str], read: Iterable[str]) -> list[Finding]:
    """What to know of the variables that the notebook reads, that are set here, and that no image gets."""
    names = sorted(set(withheld) & set(read))
    if not names:
        return []
    return [
        Finding(
            "environ-withheld",
            "warning",
            f"the notebook reads what stays out of the image: {and_more(names, _LISTED)}",
            f"give it when the image is run: docker run {' '.join(f'-e {n}' for n in names[:_LISTED])}",
        )
    ]


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _choice(kind: str, name: str, reason: str, source: str, planned: str = "") -> Choice:
    return Choice(
        kind="changed" if kind == "changed" else "left-out",
        manager="variable",
        name=name,
        reason=reason,
        source=source,
        planned=planned,
    )
