"""What counts as this machine: plain http is spoken with it, and its proxies are nobody else's."""

import http.server
import threading

import pytest

from jupyter_dockerize.engines.loopback import ADDRESS, is_loopback, serves


def test_this_machine_by_its_names_and_addresses():
    assert all(is_loopback(host) for host in ("localhost:5000", "127.1.2.3", "[::1]:80", "me@127.0.0.1:22"))
    others = ("localhost.example.org", "10.0.0.1:80", "", "127.0.0.1.x", "127.example.org")
    assert not any(is_loopback(host) for host in others)


@pytest.mark.parametrize(("status", "whether"), [(200, True), (403, False)])
def test_a_server_answers_for_itself_at_its_port_until_it_has_ended(status: int, whether: bool):
    class Api(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/api" else 404)
            self.end_headers()

    with http.server.HTTPServer((ADDRESS, 0), Api) as server:
        port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        assert serves(port) is whether
        server.shutdown()
        thread.join()
    assert serves(port) is False
