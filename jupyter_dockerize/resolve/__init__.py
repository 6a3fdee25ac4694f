"""Who asks indexes and registries, and repacks what neither of them can give back."""

from .resolving import resolve

__all__ = ["resolve"]
