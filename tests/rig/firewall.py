"""The way out for containers.

Engines run with --iptables=false: an engine that starts clears the chains of every other engine on
the machine, a contributor's own among them. What is left to do is to let our addresses out; published
ports are served by the engines' proxies.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from . import bridge, foundation

POOL = str(bridge.POOL)
RULES = (
    ("nat", "POSTROUTING", ["--source", POOL, "!", "--destination", POOL, "--jump", "MASQUERADE"]),
    # Docker's own default for forwarding is to drop; a contributor's engine may have set it.
    ("filter", "FORWARD", ["--source", POOL, "--jump", "ACCEPT"]),
    ("filter", "FORWARD", ["--destination", POOL, "--jump", "ACCEPT"]),
)


def up() -> None:
    """Add the rules that are not there."""
    for table, chain, rule in RULES:
        if not _iptables(table, "--check", chain, rule):
            _iptables(table, "--insert", chain, rule, needed=True)


def down() -> None:
    """Remove the rules, unless another state folder's rig still needs them."""
    if bridge.any_left() or not foundation.unpacked():
        return
    for table, chain, rule in RULES:
        if _iptables(table, "--check", chain, rule):
            _iptables(table, "--delete", chain, rule)


def _iptables(table: str, action: str, chain: str, rule: list[str], *, needed: bool = False) -> bool:
    environment = foundation.environment()
    command: list[str | Path] = [
        foundation.program("iptables"),
        "--wait",
        "--table",
        table,
        action,
        chain,
        *rule,
    ]
    done = subprocess.run(command, env=environment, capture_output=not needed, check=needed)
    return done.returncode == 0
