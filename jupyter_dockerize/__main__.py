"""The command line's way in: its script, and ``python -m jupyter_dockerize``."""

import sys

INTERRUPTED = 130


def main() -> int:
    """Runs `cli.main`; a Ctrl-C that comes while it is still being imported is no traceback either."""
    try:
        from .cli import main as run
        from .foreground import too_late

        status = run()
        too_late()
        return status
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
