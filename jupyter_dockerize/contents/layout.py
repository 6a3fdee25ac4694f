"""Where things are in the image: the one list of its paths and numbers."""

from __future__ import annotations

UID = 1000
USER_NAME = "jovyan"
HOME = "/home/jovyan"
WORK = "/home/jovyan/work"
PORT = 8888

ENVIRONMENT = "/opt/env"
CONDA = "/opt/conda"
SERVER = "/opt/jupyter"
PYTHON = "/opt/python"  # interpreters that uv brought, where the base has no right one
IDENTITY = "/opt/jupyter-dockerize"
IPYTHON_STARTUP = "/usr/local/etc/ipython/startup"  # of every IPython, whatever its prefix
KERNELSPECS = "/usr/local/share/jupyter/kernels"  # on the path of every Jupyter, whatever its prefix

# Of the stages that the image leaves behind.
BUILD = "/build"
UV = "/opt/uv"
UV_CACHE = "/var/cache/uv"
MAMBA_CACHE = "/var/cache/micromamba"
DEBIAN_PYTHON = "/usr/bin/python3"


def prefix(conda: bool) -> str:
    """The environment's prefix."""
    return CONDA if conda else ENVIRONMENT


def interpreter(conda: bool) -> str:
    """The environment's interpreter, which the notebook's kernel runs."""
    return f"{prefix(conda)}/bin/python"
