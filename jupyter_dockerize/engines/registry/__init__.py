"""Registries, spoken with directly: digests, logins, pushing and pulling without any engine.

The OCI distribution specification 1.1 over `requests`. What is public stands in `digest`, `login`, `push`,
`pull` and `blobs`; `session` has the rules for what a registry may do.
"""

from .digest import digest_of
from .faults import why_silent

__all__ = ["digest_of", "why_silent"]
