"""The engine that is always there on Linux: images are written by us, and opened by bubblewrap."""

from .engine import BuiltinEngine

__all__ = ["BuiltinEngine"]
