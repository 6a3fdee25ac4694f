"""Proxies reach the build; those that only this machine can reach do not."""

import pytest

from jupyter_dockerize.engines.proxies import proxies


def test_both_spellings_are_passed():
    environ = {"https_proxy": "http://proxy:3128", "NO_PROXY": "localhost", "HTTP_PROXY": "", "PATH": "/bin"}
    assert proxies(environ) == {"https_proxy": "http://proxy:3128", "NO_PROXY": "localhost"}


@pytest.mark.parametrize(
    "host", ["localhost:3128", "http://127.0.0.1:3128", "http://[::1]:3128", "http://u:p@127.0.1.1:1"]
)
def test_a_proxy_of_this_machine_is_nobody_elses(host: str):
    assert proxies({"HTTPS_PROXY": host, "NO_PROXY": "x"}) == {}
