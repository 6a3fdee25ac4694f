"""What counts as this machine: plain http is spoken with it, and its proxies are nobody else's."""

from jupyter_dockerize.engines.loopback import is_loopback


def test_this_machine_by_its_names_and_addresses():
    assert all(is_loopback(host) for host in ("localhost:5000", "127.1.2.3", "[::1]:80", "me@127.0.0.1:22"))
    others = ("localhost.example.org", "10.0.0.1:80", "", "127.0.0.1.x", "127.example.org")
    assert not any(is_loopback(host) for host in others)
