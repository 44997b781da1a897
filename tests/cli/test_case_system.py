"""The case system's mapping, as ``check`` and ``doctor`` see it."""

from __future__ import annotations

import http.server
import json
import threading
from typing import TYPE_CHECKING

import pytest

from tests.purpose.conftest import ORI
from tests.purpose.vendor import MAPPING, incident

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Office, RecordsServer


@pytest.fixture
def vendor() -> Iterator[str]:
    """A dispatch system that knows one case, in a thread, since the command line has a loop of its own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path.endswith("/26-1")
            body = json.dumps(incident("26-1") if known else {}).encode()
            self.send_response_only(200 if known else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 -- the library's name

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def mapped(office: Office, records_server: RecordsServer, url: str, more: str = "", **replaced: str) -> None:
    """Write a mapping and name it in the configuration."""
    text = MAPPING.format(url=url, more=more, agency=ORI)
    for before, after in replaced.items():
        text = text.replace(before, after)
    (office.folder / "case_system.yaml").write_text(text)
    office.write(records_server.url, cases="{system: case_system.yaml}")


def test_a_mapping_is_checked_with_the_rest(office: Office, records_server: RecordsServer) -> None:
    """Exit 1 with file, line and column, and no network."""
    mapped(office, records_server, "http://127.0.0.1:1", incident="incidnt")

    code, _, err = office.call("check", "--config", str(office.config))

    assert code == 1
    assert f"{office.folder / 'case_system.yaml'}:6:45: 'incidnt' is no kind of reference" in err
    assert "did you mean 'incident'?" in err
    mapped(office, records_server, "http://127.0.0.1:1")
    assert office.call("check", "--config", str(office.config))[0] == 0


def test_doctor_reads_the_probe_by_the_mapping(office: Office, records_server: RecordsServer, vendor: str) -> None:
    """All is well when a case that is always there becomes a case."""
    mapped(office, records_server, vendor, "probe: 26-1")

    assert office.troubles() == {}


@pytest.mark.parametrize(
    ("more", "before", "after", "level", "says"),
    [
        ("", "", "", "warning", "the mapping was not tried"),
        ("probe: 26-2", "", "", "failure", "does not know the probe"),
        ("probe: 26-1", "ACTIVE", "OPEN", "failure", "status: not one word"),
        ("probe: 26-1", "$.incident.no", "$.no", "failure", "another case"),
    ],
)
def test_doctor_says_what_does_not_fit(  # noqa: PLR0917 -- one row of the table
    office: Office, records_server: RecordsServer, vendor: str, more: str, before: str, after: str, level: str, says: str
) -> None:
    """In words that name the column and no value of the case."""
    mapped(office, records_server, vendor, more, **({before: after} if before else {}))

    (found,) = office.troubles().items()

    assert (found[0], found[1][0]) == ("case system", level)
    assert says in found[1][1]
    assert found[1][2]


def test_doctor_says_when_nobody_is_there_or_a_file_is_missing(office: Office, records_server: RecordsServer) -> None:
    """A refused connection, and a secret that cannot be read, each with what to do."""
    mapped(office, records_server, "http://127.0.0.1:1")
    assert "cannot be reached" in office.troubles()["case system"][1]

    mapped(office, records_server, "http://127.0.0.1:1", "secret_headers: keys/none")
    found = office.troubles()
    assert found["cases.system.secret_headers"][0] == "failure"
    assert "cannot be read" in found["case system"][1]
