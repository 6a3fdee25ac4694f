"""An image without JupyterLab, which we make ourselves, is refused by what it lacks."""

from __future__ import annotations

import pytest

from jupyter_dockerize.engines.builtin.running import _listening
from jupyter_dockerize.errors import EngineError


def test_an_image_that_opens_python_is_said_to_have_no_jupyterlab() -> None:
    with pytest.raises(EngineError, match="has no JupyterLab") as caught:
        _listening(["/opt/env/bin/python"], 1)
    assert "install jupyterlab" in str(caught.value.fix)
