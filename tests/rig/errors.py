"""What the rig cannot do here, said in one line."""

from __future__ import annotations


class RigError(Exception):
    """A reason to stop: what went wrong, why, and what to do about it."""


class UnsuitableMachine(RigError):
    """This machine cannot carry the rig at all: not Linux, not Debian, or not root."""
