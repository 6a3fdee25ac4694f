"""Plan → Bundle: how to rebuild an environment, as a Dockerfile and the files beside it."""

from .recipe import render

__all__ = ["render"]
