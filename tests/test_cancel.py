"""The token that cancels."""

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.errors import CancelledError


def test_callbacks_are_called_once_and_late_ones_at_once() -> None:
    token, calls = Cancel(), []
    token.on_cancel(lambda: calls.append("early"))
    forget = token.on_cancel(lambda: calls.append("forgotten"))
    forget()
    token.cancel()
    token.cancel()
    token.on_cancel(lambda: calls.append("late"))
    assert calls == ["early", "late"]


def test_check_raises_after_the_cancel_only() -> None:
    token = Cancel()
    token.check()
    token.cancel()
    with pytest.raises(CancelledError):
        token.check()
