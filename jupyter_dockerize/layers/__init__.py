"""Installs as layers of an image: made once, kept, listed, undone."""
