"""``notifications``: whether a channel takes a message, before it has to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.oversight.conftest import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Office, RecordsServer


@pytest.fixture
def taken() -> Iterator[tuple[str, list[bytes]]]:
    """A receiver in a thread, since the command line has a loop of its own."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response_only(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 -- the library's name

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook", bodies
        server.shutdown()


def configured(office: Office, records_server: RecordsServer, url: str) -> None:
    """Write a file with one channel, and name it in the configuration."""
    (office.folder / "pager.key").write_text(SECRET)
    (office.folder / "pager.key").chmod(0o600)
    (office.folder / "notifications.yaml").write_text(
        f"console: https://console.example.gov\nchannels:\n  pager: {{kind: webhook, url: '{url}', secret: pager.key}}\n"
        "chains:\n  supervisor:\n    - channels: [pager]\n"
    )
    office.write(records_server.url, notifications="notifications.yaml")


def test_doctor_finds_a_channel_with_which_nothing_starts(office: Office, records_server: RecordsServer) -> None:
    """A secret that is missing, or that others can read: the start says no more than to ask `doctor`."""
    configured(office, records_server, "http://127.0.0.1:9/hook")
    assert office.troubles() == {}

    (office.folder / "pager.key").chmod(0o644)
    exposed = office.troubles()["notifications.pager"]
    (office.folder / "pager.key").unlink()
    missing = office.troubles()["notifications.pager"]

    assert (exposed[0], "chmod 600" in exposed[1]) == ("failure", True)
    assert (missing[0], "pager.key" in missing[1]) == ("failure", True)


def test_a_channel_is_tried(office: Office, records_server: RecordsServer, taken: tuple[str, list[bytes]]) -> None:
    """A test message arrives, says that it is one, and the command says that it was taken."""
    url, bodies = taken
    configured(office, records_server, url)

    code, out, _ = office.call("notifications", "test", "pager", "--config", str(office.config))

    assert (code, "has taken" in out) == (0, True)
    assert [json.loads(body)["type"] for body in bodies] == ["test.waiting"]


def test_a_channel_that_takes_nothing_is_unavailable(office: Office, records_server: RecordsServer) -> None:
    """Exit 3 with the reason; a name that is none is wrong use, with the nearest."""
    configured(office, records_server, "http://127.0.0.1:1/hook")

    code, _, err = office.call("notifications", "test", "pager", "--config", str(office.config))
    assert (code, "pager: the receiver cannot be reached" in err) == (3, True)

    code, _, err = office.call("notifications", "test", "pagr", "--config", str(office.config))
    assert (code, "did you mean 'pager'?" in err) == (2, True)


def test_the_file_is_checked_with_the_rest(office: Office, records_server: RecordsServer) -> None:
    """Exit 1 with file, line and column."""
    configured(office, records_server, "http://pager.example.gov/hook")

    code, _, err = office.call("check", "--config", str(office.config))

    assert code == 1
    assert f"{office.folder / 'notifications.yaml'}:3:31: this would cross the network in the clear" in err


def test_the_chains_are_listed(office: Office, records_server: RecordsServer) -> None:
    """Who is told, when, by what."""
    configured(office, records_server, "http://127.0.0.1:1/hook")

    code, out, _ = office.call("notifications", "list", "--config", str(office.config), "--json")

    assert (code, json.loads(out)) == (0, [{"role": "supervisor", "after_seconds": 0, "channels": ["pager"]}])
