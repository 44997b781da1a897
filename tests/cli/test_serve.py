from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.clock import utc_now
from proxy.main import running
from proxy.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.clock import Clock
    from tests.cli.conftest import Office, RecordsServer

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def serving(office: Office, *before: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, int]]]:
    """Run ``serve`` in a process of its own until its three doors are open; yield it and their ports."""
    command = [*before, sys.executable, "-m", "proxy", "serve", "--config", str(office.config)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        ports: dict[str, int] = {}
        try:
            while len(ports) < 3:
                line = process.stderr.readline()
                assert line, "serve ended before its doors were open"
                said = json.loads(line)
                if said["event"] == "door open":
                    ports[said["door"]] = said["port"]
            yield process, ports
        finally:
            process.kill()


def get(port: int, path: str) -> tuple[int, bytes]:
    """Ask the ops door."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def stopped(process: subprocess.Popen[bytes], signum: signal.Signals) -> int:
    """Signal it, and return its exit code once everything that it still said is read."""
    process.send_signal(signum)
    process.communicate(timeout=30)
    return process.returncode


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_serve_opens_its_doors_and_ends_in_good_order(office: Office, signum: signal.Signals) -> None:
    """Exit 0 on either signal; beside it and after it `doctor` has nothing to do, and the log verifies."""
    office.enroll()
    with serving(office) as (process, ports):
        assert get(ports["ops"], "/livez")[0] == 200
        assert office.troubles() == {}
        assert stopped(process, signum) == 0

    assert office.troubles() == {}
    code, _, err = office.call("audit", "verify", "--config", str(office.config))
    assert code == 0, err


def test_prometheus_accepts_what_it_scrapes(office: Office) -> None:
    """The metrics of a real server go through promtool's linter."""
    promtool = shutil.which("promtool")
    if promtool is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is missing; .ci/run installs it")
        pytest.skip("promtool is missing; see CONTRIBUTING.md")
    with serving(office) as (_, ports):
        status, text = get(ports["ops"], "/metrics")

    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, timeout=60, check=False)
    assert status == 200
    assert b"showcause_audit_poisoned 0.0" in text
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_port_that_is_taken_is_told_without_a_traceback(office: Office, records_server: RecordsServer) -> None:
    """Exit 3 and a sentence; the log is closed in good order all the same."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        office.write(records_server.url, doors=f"{{terminals: {{port: {port}}}, console: {{port: 0}}, ops: {{port: 0}}}}")
        command = [sys.executable, "-m", "proxy", "serve", "--config", str(office.config)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 3
    assert str(port) in done.stderr
    assert "help: " in done.stderr
    assert "Traceback" not in done.stderr
    assert office.call("audit", "verify", "--config", str(office.config))[0] == 0


def test_a_key_that_is_missing_stops_the_start(office: Office) -> None:
    """Exit 3, and which key."""
    (office.folder / "keys/body").unlink()

    command = [sys.executable, "-m", "proxy", "serve", "--config", str(office.config)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 3
    assert "keys/body cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_registry_is_told_of_from_the_first_moment(office: Office) -> None:
    """A start on a data folder that was not mounted looks like this."""
    with serving(office) as (process, ports):
        [empty] = [json.loads(get(ports["ops"], "/readyz")[1])["checks"]["registry"]]
        office.enroll()
        while (told := json.loads(get(ports["ops"], "/readyz")[1])["checks"]["registry"])["warns"]:
            pass
        assert stopped(process, signal.SIGTERM) == 0

    assert (empty["ok"], empty["warns"]) == (True, True)
    assert "nobody is protected" in empty["reason"]
    assert told["reason"] == ""


def test_a_limit_of_open_files_is_raised_as_far_as_the_doors_need(office: Office) -> None:
    """A shell's soft limit is no reason to run out of files under load."""
    with serving(office, "prlimit", "--nofile=256:8192") as (process, _):
        soft, _ = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        assert stopped(process, signal.SIGTERM) == 0

    assert soft == 8192


def test_too_few_files_for_the_doors_stop_the_start(office: Office) -> None:
    """It says how many, and both ways out."""
    command = ["prlimit", "--nofile=256:1024", sys.executable, "-m", "proxy", "serve", "--config", str(office.config)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 3
    assert "1024 files open" in done.stderr
    assert "LimitNOFILE" in done.stderr
    assert "limits.connections" in done.stderr


def test_a_store_that_is_gone_is_not_begun_anew_beside_its_log(office: Office) -> None:
    """With an empty one nobody would be protected; only who fills a new one first has decided that it shall be so."""
    office.enroll()
    with serving(office) as (process, _):
        assert stopped(process, signal.SIGTERM) == 0
    (office.folder / "data/store.sqlite3").rename(office.folder / "aside")

    command = [sys.executable, "-m", "proxy", "serve", "--config", str(office.config)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 3
    assert "backup" in done.stderr
    level, detail, hint = office.troubles()["store"]
    assert (level, "is gone" in detail, "backup" in hint) == ("failure", True, True)
    assert not (office.folder / "data/store.sqlite3").exists()

    office.enroll()
    with serving(office) as (process, _):
        assert stopped(process, signal.SIGTERM) == 0


def test_a_clock_that_is_behind_the_log_is_told_of_at_the_start(office: Office) -> None:
    """Either it is wrong now or it was then: somebody has to look, since entries have to tell one time (CJIS AU-8)."""

    async def once(clock: Clock) -> None:
        async with running(load_settings(office.config, {}), clock=clock):
            pass

    asyncio.run(once(lambda: utc_now() + timedelta(hours=30)))
    command = [sys.executable, "-m", "proxy", "serve", "--config", str(office.config)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = next(each for each in map(json.loads, process.stderr) if each["event"] in {"clock", "door open"})
        process.kill()

    assert said["event"] == "clock"
    assert said["level"] == "warning"
    assert 30 * 3600 - 300 < said["seconds"] <= 30 * 3600
