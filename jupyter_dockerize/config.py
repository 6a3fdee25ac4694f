"""Defaults of every verb: ``jupyter_dockerize_config.py`` (or ``.json``) on Jupyter's configuration path.

One file for the command line and the magics alike; what is typed goes first. For example, in a
folder that ``jupyter --paths`` lists under "config":

    c = get_config()
    c.Dockerize.base = "registry.example.org/team/python:3.12"
    c.Dockerize.allow = ["edited-files"]
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from traitlets import Bool, Enum, TraitError, Unicode
from traitlets import List as ListOf
from traitlets.config import Config, Configurable
from traitlets.config.loader import ConfigFileNotFound, JSONFileConfigLoader, PyFileConfigLoader

from .errors import UsageError

NAME = "jupyter_dockerize_config"
PROGRESS = ("rich", "plain", "jsonl", "none")


class Dockerize(Configurable):
    """What is meant where nothing is typed. The names are those of the options."""

    engine = Unicode("auto", help="Who builds and runs: auto, or an engine's name.").tag(config=True)
    base = Unicode(
        None, allow_none=True, help="The image to start from; none: the one that suits the environment."
    ).tag(config=True)
    platform = Unicode(
        None, allow_none=True, help="linux/amd64 or linux/arm64; none: that of the environment."
    ).tag(config=True)
    minimal = Bool(False, help="Take only what the notebook really uses.").tag(config=True)
    verify = Bool(True, help="Look after a build whether the image equals the environment.").tag(config=True)
    hashes = Bool(False, help="Look for files that were edited after install.").tag(config=True)
    apt = ListOf(
        Unicode(), help="Debian packages that every image gets; options add to them."
    ).tag(config=True)  # fmt: skip
    allow = ListOf(
        Unicode(), help="Codes of findings that may not stop the work; options add to them."
    ).tag(config=True)  # fmt: skip
    store = Unicode(
        "",
        help="The folder of the builtin engine's images; empty: dockerize/images in Jupyter's data folder.",
    ).tag(config=True)
    quota = Unicode(
        "", help="How much the builtin engine's images may take, such as 20G; empty: what the disk has."
    ).tag(config=True)
    progress = Enum(
        PROGRESS,
        None,
        allow_none=True,
        help="How progress is shown on stderr; none: rich in a terminal, plain elsewhere.",
    ).tag(config=True)

    def options(self) -> dict[str, object]:
        """The defaults by the names that the parsed arguments have."""
        return {
            "engine": self.engine,
            "base": self.base,
            "platform": self.platform,
            "minimal": self.minimal,
            "no_verify": not self.verify,
            "hashes": self.hashes,
            "apt": list(self.apt),
            "allow": list(self.allow),
            "progress": self.progress,
        }


def load(folders: Sequence[str] | None = None) -> Dockerize:
    """The configuration of ``folders``, the first of which has the last word; of Jupyter's own by default.

    Raises `UsageError` for a file that cannot be read, or a value that is not what it should be.
    """
    if folders is None:
        from jupyter_core.paths import jupyter_config_path

        folders = jupyter_config_path()
    found = Config()
    for folder in reversed(folders):
        for loader in (JSONFileConfigLoader, PyFileConfigLoader):
            name = f"{NAME}.{'json' if loader is JSONFileConfigLoader else 'py'}"
            try:
                found.merge(loader(name, path=folder).load_config())
            except ConfigFileNotFound:
                continue
            except Exception as error:  # whatever a file of Python can raise
                raise UsageError(
                    f"the configuration {folder}/{name} cannot be read",
                    why=f"{type(error).__name__}: {error}",
                    fix="mend it, or move it away",
                ) from error
    return _checked(found)


def _checked(found: Config) -> Dockerize:
    section = found.get("Dockerize", {})
    unknown = sorted(set(section) - set(Dockerize.class_trait_names(config=True)))
    if unknown:
        # Not an error: the same file may serve a newer version.
        warnings.warn(f"{NAME}: Dockerize has no {', '.join(unknown)}", stacklevel=2)
        for name in unknown:
            del section[name]
    try:
        return Dockerize(config=found)
    except TraitError as error:
        raise UsageError(f"a value in {NAME} is not what it should be", why=str(error)) from error
