"""What runs side by side: the upstream itself, two plain proxies, one that reads bodies, and Showcause."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.processes import AROUND, UNDER_TEST, Process, StartFailed, free_port
from tests.bench.town import TARGETS, TERMINAL_TARGETS, Town

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HERE: Final = Path(__file__).parent
HEADERS: Final[Mapping[str, str]] = {
    "Host": "records.example",
    "User-Agent": "PatrolTerminal/7.4 (car 12; build 2207)",
    "Accept": "application/json",
    "Accept-Language": "en-US,en;q=0.8",
    "X-Request-Id": "6f1b1c0e-6a55-4f38-9f0b-2f7f6c1d3b11",
    "X-Terminal": "car-12",
    "Cache-Control": "no-cache",
}
"""What a real terminal sends; every contender gets these, the credential and the purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One that is measured: where it listens, how each case is asked of it, and the process whose time counts."""

    name: str
    port: int
    targets: Mapping[str, str]
    process: Process | None
    ops_port: int | None = None


def start_upstream(folder: Path, town: Town) -> tuple[Process, int]:
    """Serve the replies as static files."""
    port = free_port()
    town.write_replies(folder / "www")
    return _nginx(folder / "upstream", port, _FILES.format(port=port, root=folder / "www"), AROUND), port


_SERVER: Final = """
daemon off; worker_processes 1; pid nginx.pid; {user}
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; default_type application/json; keepalive_requests 100000000; sendfile on; tcp_nodelay on;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  {server}
}}
"""
_FILES: Final = """
  open_file_cache max=100; etag off;
  server {{
    listen 127.0.0.1:{port}; root {root};
    location = /records/persons.json {{ try_files /search/$arg_surname.json =404; }}
    location / {{ try_files $uri =404; }}
  }}
"""
_PROXY: Final = """
  upstream records {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://records; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
"""


def _nginx(folder: Path, port: int, server: str, cpus: frozenset[int]) -> Process:
    folder.mkdir(parents=True)
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise StartFailed("nginx is not here: apt-get install nginx-light")
    configuration = folder / "nginx.conf"
    # A worker of root's nginx would become nobody, whom the temporary folder does not let in.
    configuration.write_text(_SERVER.format(server=server, user="user root;" if os.geteuid() == 0 else ""))
    process = Process([program, "-p", str(folder), "-c", str(configuration)], folder / "output", cpus=cpus)
    process.wait_for(port, TARGETS["1 KB"], HEADERS)
    return process


def direct(_folder: Path, upstream: int, _town: Town) -> Contender:
    """Nothing in between."""
    return Contender(name="direct", port=upstream, targets=TARGETS, process=None)


def nginx(folder: Path, upstream: int, _town: Town) -> Contender:
    """Nginx as a plain reverse proxy."""
    port = free_port()
    process = _nginx(folder / "nginx", port, _PROXY.format(port=port, upstream=upstream), UNDER_TEST)
    return Contender(name="nginx", port=port, targets=TARGETS, process=process)


def bare(folder: Path, upstream: int, _town: Town) -> Contender:
    """A pass-through of aiohttp."""
    port = free_port()
    command = [sys.executable, str(HERE / "bare.py"), str(port), f"http://127.0.0.1:{upstream}"]
    process = Process(command, folder / "bare.output", cpus=UNDER_TEST)
    process.wait_for(port, TARGETS["1 KB"], HEADERS)
    return Contender(name="bare", port=port, targets=TARGETS, process=process)


def mitmproxy(folder: Path, upstream: int, _town: Town) -> Contender:
    """Mitmproxy in reverse mode, parsing every body, from a virtual environment that is kept for the next run."""
    home = Path(tempfile.gettempdir()) / "showcause-bench" / "mitmproxy"
    program = home / "bin" / "mitmdump"
    if not program.exists():
        sys.stderr.write("making a virtual environment for mitmproxy …\n")
        venv.create(home, with_pip=True)
        done = subprocess.run(
            [home / "bin" / "pip", "install", "--quiet", "mitmproxy"], capture_output=True, text=True, check=False, timeout=600
        )
        if done.returncode:
            raise StartFailed(f"pip install mitmproxy: {done.stderr[-500:]}")
    port = free_port()
    mode = f"reverse:http://127.0.0.1:{upstream}"
    options = ["--listen-host", "127.0.0.1", "--listen-port", str(port), "--quiet", "--set", f"confdir={folder / 'mitm'}"]
    command = [str(program), "--mode", mode, *options, "--scripts", str(HERE / "mitmproxy_addon.py")]
    process = Process(command, folder / "mitmproxy.output", cpus=UNDER_TEST)
    process.wait_for(port, TARGETS["1 KB"], HEADERS)
    return Contender(name="mitmproxy", port=port, targets=TARGETS, process=process)


def showcause(folder: Path, upstream: int, town: Town) -> Contender:
    """Showcause with everything on."""
    port, ops_port = free_port(), free_port()
    configuration = town.write_configuration(folder / "showcause", upstream=upstream, terminals=port, ops=ops_port)
    command = [sys.executable, "-m", "proxy", "serve", "--config", str(configuration)]
    process = Process(command, folder / "showcause.output", cpus=UNDER_TEST, cwd=HERE.parent.parent)
    headers = {**HEADERS, **town.credentials}
    for case, target in TERMINAL_TARGETS.items():
        body = process.wait_for(port, target, headers)
        if json.loads(body) != town.replies[case]:
            raise StartFailed(f"showcause does not answer {case} with what the upstream holds")
    return Contender(name="showcause", port=port, targets=TERMINAL_TARGETS, process=process, ops_port=ops_port)


CONTENDERS: Final[Mapping[str, Callable[[Path, int, Town], Contender]]] = {
    "direct": direct, "nginx": nginx, "mitmproxy": mitmproxy, "bare": bare, "showcause": showcause,
}  # fmt: skip


def stop(contenders: list[Contender]) -> None:
    """Stop every process."""
    for contender in contenders:
        if contender.process is not None:
            contender.process.stop()
