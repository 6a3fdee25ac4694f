"""Variables that decide results go into the image; those of the machine and the place stay, by name."""

from __future__ import annotations

import pytest

from jupyter_dockerize.environment.plan.variables import missed, variables


@pytest.mark.parametrize(
    ("name", "value", "kept", "kind"),
    [
        ("PYTHONHASHSEED", "0", True, None),
        ("MPLBACKEND", "Agg", True, None),
        ("MPLBACKEND", "module://matplotlib_inline.backend_inline", False, "left-out"),
        ("MPLBACKEND", "inline", False, "left-out"),
        ("TZ", "Europe/Zurich", True, None),
        ("OMP_NUM_THREADS", "4", False, "left-out"),
        ("NUMBA_NUM_THREADS", "4", False, "left-out"),
        ("NUMBA_DISABLE_JIT", "1", True, None),
        ("CUDA_VISIBLE_DEVICES", "1", False, "left-out"),
        ("LANG", "C.UTF-8", False, None),
        ("LANG", "de_CH.UTF-8", False, "changed"),
        ("LC_NUMERIC", "de_CH.UTF-8", False, "left-out"),
        ("SOMETHING_ELSE", "1", False, "left-out"),
    ],
)
def test_a_variable_is_kept_or_named(name: str, value: str, kept: bool, kind: str | None) -> None:
    environ, choices = variables([(name, value)])
    assert environ == (((name, value),) if kept else ())
    assert [(c.kind, c.name, c.manager) for c in choices] == ([(kind, name, "variable")] if kind else [])


def test_the_reason_tells_how_to_set_a_variable_of_the_machine() -> None:
    [choice] = variables([("OMP_NUM_THREADS", "4")])[1]
    assert "docker run -e OMP_NUM_THREADS=4" in choice.reason


def test_only_variables_that_the_notebook_reads_are_told() -> None:
    assert missed(["IS_SANDBOX", "MFLAGS"], ["HOME"]) == []
    [finding] = missed(["IS_SANDBOX", "HF_TOKEN", "DATABASE_URL"], ["HF_TOKEN", "DATABASE_URL", "HOME"])
    assert finding.message == "the notebook reads what stays out of the image: DATABASE_URL, HF_TOKEN"
    assert finding.fix == "give it when the image is run: docker run -e DATABASE_URL -e HF_TOKEN"
