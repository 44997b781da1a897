from __future__ import annotations

import ctypes
import http.server
import os
import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from proxy.__main__ import run
from proxy.audit.keys import create_key
from proxy.tlog.keys import create_signing_key

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class RecordsServer:
    """A real HTTP server whose answer a test sets, and which keeps what it was asked."""

    url: str = ""
    status: int = 200
    ahead: timedelta = timedelta()
    tells_time: bool = True
    journal: list[tuple[str, str, str | None]] = field(default_factory=list)


@dataclass
class Office:
    """A configured place that is in order until a test breaks something, and the command line in it."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def config(self) -> Path:
        return self.folder / "showcause.yaml"

    def write(self, url: str, **sections: str) -> None:
        lines = {
            "origin": "office.example.gov/audit",
            "data": "data",
            "policies": "policies",
            "keys": "{checkpoint: keys/checkpoint, index: keys/index, body: keys/body, registry: keys/registry, "
            "unsafe_same_disk: true}",
            "upstream": f"{{url: '{url}', connect_seconds: 1, reply_seconds: 2}}",
            "doors": "{terminals: {port: 0}, console: {port: 0}, ops: {port: 0}}",
        } | sections
        self.config.write_text("".join(f"{name}: {value}\n" for name, value in lines.items()), "utf-8")

    def call(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit code, standard output and standard error of one command line."""
        code = run(arguments)
        told = self.capsys.readouterr()
        return code, told.out, told.err

    def enroll(self) -> None:
        """Protect somebody."""
        file = self.folder / "r.jsonl"
        file.write_text('{"person_id": "100500", "category": "official", "basis": "KRS 61"}\n', "utf-8")
        assert self.call("registry", "import", str(file), "--config", str(self.config))[0] == 0

    def troubles(self) -> dict[str, tuple[str, str, str]]:
        """Return what `doctor` found, but for what is well: part -> level, detail, next."""
        code, out, err = self.call("doctor", "--config", str(self.config), "--json")
        found = {
            each["part"]: (each["level"], each["detail"], each["next"])
            for each in orjson.loads(out)["checks"]
            if each["level"] != "ok"
        }
        assert code == bool(found), err
        return found


@contextmanager
def bound_by_modes() -> Iterator[None]:
    """Let the modes of files bind this thread although it may be root's, as they bind the service's user."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice
    assert libc.capget(header, sets) == 0
    whole = sets[0]
    sets[0] &= ~(1 << 1 | 1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, sets) == 0
    try:
        yield
    finally:
        sets[0] = whole
        assert libc.capset(header, sets) == 0


@pytest.fixture
def records_server() -> Iterator[RecordsServer]:
    state = RecordsServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            state.journal.append((self.command, self.path, self.headers.get("Authorization")))
            self.send_response_only(state.status)
            if state.tells_time:
                self.send_header("Date", format_datetime(datetime.now(UTC) + state.ahead, usegmt=True))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 -- the library's name

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        yield state
        server.shutdown()


@pytest.fixture
def office(tmp_path: Path, records_server: RecordsServer, capsys: pytest.CaptureFixture[str]) -> Office:
    (tmp_path / "keys").mkdir(mode=0o700)
    (tmp_path / "data").mkdir(mode=0o700)
    create_signing_key(tmp_path / "keys/checkpoint")
    for name in ("index", "body", "registry"):
        create_key(tmp_path / "keys" / name)
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    made = Office(tmp_path, capsys)
    made.write(records_server.url)
    return made
