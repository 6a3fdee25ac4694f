"""Names of files and folders that no image should have unasked: where people keep secrets, and caches."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SECRETS = (
    ".env", ".env.*", "*.env", ".envrc", ".ssh", ".aws", ".azure", ".gcloud", ".config/gcloud", ".gnupg",
    ".kube", ".docker", ".netrc", "_netrc", ".pgpass", ".pypirc", ".npmrc", ".git-credentials", ".boto",
    "kaggle.json", "credentials.json", "client_secret*.json", "service-account*.json",
    "service_account*.json", "secrets.toml", "secrets.yaml", "secrets.yml", "id_rsa*", "id_dsa*",
    "id_ecdsa*", "id_ed25519*", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx",
    "authorized_keys", "known_hosts", ".*_history", ".viminfo", ".lesshst",  # what was typed, and where to
)  # fmt: skip
_HARMLESS = (".env.example", ".env.sample", ".env.template", "*.pub")
_CACHES = (
    ".git", ".hg", ".svn", ".ipynb_checkpoints", "__pycache__", ".venv", "venv", ".eggs",
    "node_modules", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".tox", ".nox", ".ds_store",
)  # fmt: skip


def _lying_in(patterns: Iterable[str]) -> re.Pattern[str]:
    """Paths of which a part, or several parts in a row, match one of ``patterns``: one expression for all,
    as there are tens of thousands of paths in an environment."""
    parts = "|".join(re.escape(pattern).replace(r"\*", "[^/]*") for pattern in patterns)
    return re.compile(f"(?:.*/)?(?:{parts})(?:/.*)?", re.DOTALL)


_SECRET, _CACHED, _FINE = _lying_in(_SECRETS), _lying_in(_CACHES), _lying_in(_HARMLESS)


def holds_secrets(path: str) -> bool:
    """Whether the path, or a folder that it lies in, has a name under which people keep secrets."""
    return _matches(path, _SECRET)


def is_cache(path: str) -> bool:
    """Whether the path, or a folder that it lies in, is history or a cache, and can be made again."""
    return _matches(path, _CACHED)


def stays_out(path: str) -> bool:
    """Whether the path goes into no image unless it is named."""
    return holds_secrets(path) or is_cache(path)


def _matches(path: str, pattern: re.Pattern[str]) -> bool:
    parts = [part for part in path.lower().split("/") if part not in ("", ".")]
    return bool(parts) and not _FINE.fullmatch(parts[-1]) and bool(pattern.fullmatch("/".join(parts)))
