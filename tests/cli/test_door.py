"""The door's certificate, as the commands look at it that ask there with a person's key."""

from __future__ import annotations

import http.server
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.cli.test_doctor import certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Office


@contextmanager
def door(folder: Path) -> Iterator[tuple[int, list[str]]]:
    """Serve an empty list of locks with the certificate in a folder; yield the port, and whose keys came."""
    keys: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers["Authorization"])
            body = b'{"locks": []}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "c.pem", folder / "k.pem")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port, keys
        finally:
            server.shutdown()


def configured(office: Office, port: int) -> list[str]:
    """Name the door in the configuration; return the command that asks there."""
    tls = "{certificate: c.pem, key: k.pem}"
    office.write(
        "http://127.0.0.1:9", doors=f"{{terminals: {{port: {port}, tls: {tls}}}, console: {{port: 0}}, ops: {{port: 0}}}}"
    )
    (office.folder / "my.key").write_text("sc_secret\n", "utf-8")
    (office.folder / "my.key").chmod(0o600)
    return ["locks", "list", "--config", str(office.config), "--key", str(office.folder / "my.key")]


def test_on_its_own_machine_a_door_is_known_by_the_certificate_that_is_configured(office: Office) -> None:
    """Whatever authority signed it, and whatever names are in it: hardly one holds 127.0.0.1."""
    certificate(office.folder, days=30)
    with door(office.folder) as (port, keys):
        code, out, err = office.call(*configured(office, port))

    assert (code, out) == (0, "no locks\n"), err
    assert keys == ["Bearer sc_secret"]


def test_a_door_with_another_certificate_is_shown_no_key(office: Office, tmp_path: Path) -> None:
    """Somebody else who listens on its port learns nothing, and the way out is not a start of the server."""
    certificate(office.folder, days=30)
    (tmp_path / "other").mkdir()
    certificate(tmp_path / "other", days=30)
    with door(tmp_path / "other") as (port, keys):
        command = configured(office, port)
        code, _, err = office.call(*command)
        from_afar = office.call(*command, "--url", f"https://127.0.0.1:{port}")

    assert (code, from_afar[0]) == (3, 3)
    for told in (err, from_afar[2]):
        assert "does not hold" in told
        assert "--ca" in told
        assert "no server runs" not in told
    assert keys == []
