"""What a command that is kept as it was typed writes into the image is looked at before it is in a layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.errors import FindingsError, UsageError
from jupyter_dockerize.layers import pending, state

from ..commandline import notebook
from ..image.copy.environments import venv
from .conftest import Own

# No part of the command is a token, so that nothing of it is cut.
TOKEN = '"ghp_$(printf x | sha256sum | cut -c1-36)"'


@pytest.mark.engine
def test_a_command_that_is_kept_leaves_no_secret_in_a_layer(own: Own) -> None:
    own.exec("pip install humanize==4.9.0")
    head = state.load(own.ref)
    assert head is not None
    before = names(own)
    command = f"echo token {TOKEN} > $VIRTUAL_ENV/settings.ini"
    with pytest.raises(FindingsError, match=r"/opt/env/settings\.ini holds .* secret") as refused:
        own.exec(command)
    assert "--retry --allow secret-in-file" in refused.value.fix
    assert state.load(own.ref) == head
    assert names(own) == before
    assert pending.of(own.ref) is not None
    done = api.keep(own.where, own.ref, retry=True, allow=["secret-in-file"], engine="docker")
    assert [each.code for each in done.findings] == ["secret-in-file"]
    assert own.engine.execute(own.ref, ["cat", "/opt/env/settings.ini"]).startswith(b"token ghp_")


@pytest.mark.engine
def test_nor_does_one_that_runs_in_the_image_only(own: Own) -> None:
    command = f"mkdir /srv/app && echo token {TOKEN} > /srv/app/settings.ini"
    with pytest.raises(FindingsError, match=r"/srv/app/settings\.ini holds .* secret"):
        own.exec(command, image_only=True)
    head = state.load(own.ref)
    assert head is not None
    assert (head.number, pending.of(own.ref)) == (1, None)
    done = api.execute(
        own.where, command, own.ref, image_only=True, allow=["secret-in-file"], engine="docker"
    )
    assert [each.code for each in done.findings] == ["secret-in-file"]


@pytest.mark.engine
def test_files_whose_names_are_no_text_are_searched(own: Own) -> None:
    command = f"mkdir /srv/app && echo token {TOKEN} > \"/srv/app/$(printf 'caf\\351').ini\""
    with pytest.raises(FindingsError, match=r"/srv/app/caf.*\.ini holds .* secret"):
        own.exec(command, image_only=True)


def test_of_a_copy_it_is_the_same_for_commands_and_for_keep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
    (tmp_path / "project").mkdir()
    path = notebook(tmp_path / "project/survey.ipynb", "1")
    where = Where(notebook=path, python=str(venv(tmp_path / "env", "pip")))
    command = f"echo token {TOKEN} > $VIRTUAL_ENV/settings.ini"
    with pytest.raises(FindingsError, match=r"settings\.ini holds .* secret") as refused:
        api.execute(where, command, "survey", engine="builtin")
    assert "exec --image survey --retry --allow secret-in-file" in refused.value.fix
    head = state.load("survey")
    assert head is not None
    assert head.number == 1
    done = api.keep(where, "survey", retry=True, allow=["secret-in-file"], engine="builtin")
    assert done.number == 2
    (tmp_path / "env/more.ini").write_text((tmp_path / "env/settings.ini").read_text())
    with pytest.raises(FindingsError, match=r"more\.ini"):
        api.keep(where, "survey", engine="builtin")
    assert api.keep(where, "survey", allow=["secret-in-file"], engine="builtin").number == 3
    with pytest.raises(UsageError, match="no finding has the code"):
        api.keep(where, "survey", allow=["secret-in-flie"], engine="builtin")


def names(own: Own) -> list[str]:
    return sorted(name for one in own.engine.images() for name in one.refs if own.ref in name)
