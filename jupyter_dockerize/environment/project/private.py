"""Names of files and folders that no image should have unasked: where people keep secrets, and caches."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

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


def holds_secrets(path: str) -> bool:
    """Whether the path, or a folder that it lies in, has a name under which people keep secrets."""
    return _matches(path, _SECRETS)


def is_cache(path: str) -> bool:
    """Whether the path, or a folder that it lies in, is history or a cache, and can be made again."""
    return _matches(path, _CACHES)


def stays_out(path: str) -> bool:
    """Whether the path goes into no image unless it is named."""
    return holds_secrets(path) or is_cache(path)


def _matches(path: str, patterns: Iterable[str]) -> bool:
    parts = PurePosixPath(path.lower()).parts
    if not parts or any(fnmatchcase(parts[-1], pattern) for pattern in _HARMLESS):
        return False
    for pattern in patterns:
        length = pattern.count("/") + 1
        for end in range(length, len(parts) + 1):
            if fnmatchcase("/".join(parts[end - length : end]), pattern):
                return True
    return False
