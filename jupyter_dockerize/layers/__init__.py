"""Installs as layers of an image: made once, kept, listed, undone. Not on Windows."""

import sys

from ..errors import UsageError

if sys.platform == "win32":  # what is known of them is locked as files of Unix are
    raise UsageError("layers need Linux or macOS", fix="start JupyterLab in WSL, or in a container")
