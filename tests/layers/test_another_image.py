"""A notebook that works in another's image: that is the one meant, once it was named in this kernel."""

from __future__ import annotations

import pytest

from ..commandline import notebook
from .conftest import Own, session, with_magics

pytestmark = pytest.mark.engine


def test_the_image_that_was_used_last_is_meant_by_the_next_line(own: Own) -> None:
    own.exec("pip install humanize==4.8.0")
    with_magics(own.python)
    assert own.where.notebook
    second = notebook(own.where.notebook.with_name("second.ipynb"), "1")
    with session(own.python, second) as kernel:
        assert "no layers" in str(kernel.run("%docker_history").error)
        done = kernel.run(f"%docker_exec --image {own.ref} pip install -q cowsay==6.0")
        assert done.error is None, done.error
        assert f"layer 3 of {own.ref}: cowsay 6.0" in done.stdout
        said = kernel.run("%pip install -q six==1.16.0").stdout
        assert f"not in the image {own.ref}, layer 3: six 1.16.0" in said
        assert kernel.run("%docker_history nobodys").error is not None  # looked at, not used
        assert "cowsay 6.0" in kernel.run("%docker_history").stdout
        assert f"layer 4 of {own.ref}: six 1.16.0" in kernel.run("%dockerize keep").stdout
        assert kernel.run("%docker_undo").error is None
        assert "six" not in own.engine.find(own.ref).labels.get("jupyter-dockerize.layer.4", "")
