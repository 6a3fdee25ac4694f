"""What stands in for the magics in the image of a notebook that types them, so that "run all" works there.

IPython runs the start-up files of its system-wide folder in every kernel and terminal
(`IPython.core.shellapp`). That folder is no part of the environment, which stays equal, and lies under no
home that a volume may hide.
"""

from __future__ import annotations

from importlib import resources

from .. import layout

MODULE = "jupyter_dockerize.py"
FOLDER = f"{layout.IDENTITY}/magics"
STARTUP = f"{layout.IPYTHON_STARTUP}/jupyter-dockerize.py"

# The module leaves sys.modules again: %load_ext then takes the real one, once that has been installed.
_START = f"""\
# The notebook of this image types %dockerize: the magics of {FOLDER} let its cells run.
def _stand_in(shell):
    import sys
    from importlib.util import find_spec

    if find_spec("jupyter_dockerize") is None:
        sys.path.append("{FOLDER}")
        import jupyter_dockerize

        jupyter_dockerize.load_ipython_extension(shell)
        del sys.modules["jupyter_dockerize"]


_stand_in(get_ipython())
del _stand_in
"""


def files() -> dict[str, bytes]:
    """Path in the image → bytes: the module, and what makes IPython find it."""
    module = resources.files(__package__).joinpath(MODULE).read_bytes()
    return {f"{FOLDER}/{MODULE}": module, STARTUP: _START.encode()}
