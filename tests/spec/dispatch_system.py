"""A dispatch system as a process of its own: ``python dispatch_system.py PORT CASES.json`` serves the documented contract."""

from __future__ import annotations

import http.server
import json
import sys
from pathlib import Path


class Handler(http.server.BaseHTTPRequestHandler):
    """``GET /cases/<number>``."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with the case, or 404."""
        found = json.loads(Path(sys.argv[2]).read_text("utf-8")).get(self.path.removeprefix("/cases/"))
        body = json.dumps(found).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
        """Say nothing."""


if __name__ == "__main__":
    with http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler) as server:
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()
