from __future__ import annotations

import asyncio
import http.client
import re
import shlex
import signal
import socket
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from proxy.demo.home import Home, Ports, shipped_policies
from proxy.demo.run import demo
from proxy.demo.suggestions import Doors, suggestions
from proxy.demo.terminal import Answer, Query, send

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.demo.conftest import Processes

LAST_LINE = "Ctrl-C stops everything."
SIGN_IN = re.compile(
    r"  Sign in to the console at (http://localhost:\d+/) with a supervisor's key:\n  supervisor +(sc_\S{43})\n"
)
DOOR = re.compile(r"  (records|terminals|console|ops) +(http://127\.0\.0\.1:(\d+)) ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A demo as a newcomer sees it: a process, and what it printed."""

    process: subprocess.Popen[str]
    text: str

    @property
    def urls(self) -> dict[str, str]:
        """Return what was printed as running where."""
        return {name: url for name, url, _ in DOOR.findall(self.text)}

    def curls(self) -> list[list[str]]:
        """Return the printed curl lines, as a shell splits them."""
        return [shlex.split(line) for line in self.text.splitlines() if line.startswith("curl ")]

    def stop(self, signum: int = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(signum)
        return self.process.wait(timeout=40)


def _start(processes: Processes, home: Path, *more: str) -> Running:
    process = processes.start("-m", "proxy", "demo", "--home", str(home), *more)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(LAST_LINE):
            return Running(process=process, text="".join(lines))
    pytest.fail("".join(lines) + process.communicate()[1])


def _sign_in(link: str, key: str) -> tuple[int, str | None]:
    """Send the console's form as a browser does; return the status, and where it leads."""
    host = link.removeprefix("http://").rstrip("/")
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin", "Origin": "null"}
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request("POST", "/sign-in", urlencode({"key": key}), headers)
    answer = connection.getresponse()
    connection.close()
    return answer.status, answer.getheader("Location")


def _query(words: list[str]) -> tuple[str, Query]:
    """Read a printed curl line as curl does: the door's URL, and what is sent there."""
    assert words[:2] == ["curl", "-isS"]
    method, url, headers, body = "GET", "", [], None
    rest = iter(words[2:])
    for word in rest:
        match word:
            case "-X":
                method = next(rest)
            case "-H":
                name, _, value = next(rest).partition(": ")
                headers.append((name, value))
            case "-d":
                body = next(rest)
            case _:
                url = word
    door, target = re.fullmatch(r"(http://[^/]+)(/.*)", url, re.DOTALL).groups()  # type: ignore[union-attr]
    query = Query(who="", target=target, method=method, headers=tuple(headers))
    assert body is None or method == "POST"
    return door, query


async def _ask(words: list[str]) -> Answer:
    door, query = _query(words)
    return await send(door, query, None)


def _portless(words: list[str]) -> list[str]:
    return [re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", word) for word in words]


async def test_a_second_start_finds_everything_again(processes: Processes, made: Home) -> None:
    """The same keys open the same doors, the log goes on, and Ctrl-C ends with 0 and leaves no process."""
    home = made.path
    first = _start(processes, home)
    whose_car = first.curls()[0]
    entry = (await _ask(whose_car)).entry
    assert entry is not None
    assert first.stop() == 0
    assert processes.naming(home) == []

    second = _start(processes, home)
    answer = await _ask([word.replace(first.urls["terminals"], second.urls["terminals"]) for word in whose_car])

    # The ports may be others: somebody else may have taken the first ones meanwhile.
    assert [_portless(words) for words in second.curls()] == [_portless(words) for words in first.curls()]
    assert answer.status == 200
    assert answer.entry is not None
    assert answer.entry > entry
    assert second.stop() == 0
    said, complained = second.process.communicate()
    assert "Stopped." in said
    assert complained == ""
    assert processes.naming(home) == []


async def test_fresh_starts_anew_and_keeps_what_is_not_ours(processes: Processes, made: Home) -> None:
    """New keys, a new log; the old keys open nothing; a file of the newcomer's stays."""
    home = made.path
    first = _start(processes, home)
    assert first.stop() == 0
    (home / "notes.txt").write_text("mine")

    second = _start(processes, home, "--fresh")
    old = [word.replace(first.urls["terminals"], second.urls["terminals"]) for word in first.curls()[0]]
    refused, answered = await _ask(old), await _ask(second.curls()[0])

    assert (refused.status, refused.problem) == (401, "credential-invalid")
    assert answered.status == 200
    assert (home / "notes.txt").read_text() == "mine"
    assert second.stop() == 0


async def test_usual_ports_that_are_taken_are_left_to_who_has_them(processes: Processes, made: Home) -> None:
    """With every usual port taken the demo starts all the same, prints where, and the configuration says so too."""
    usual = Ports()
    taken = []
    for port in (usual.terminals, usual.console, usual.ops, usual.records):
        try:
            taken.append(socket.create_server(("127.0.0.1", port)))
        except OSError:
            continue  # somebody has it already, which serves as well
    try:
        running = _start(processes, made.path)
    finally:
        for each in taken:
            each.close()

    ports = {int(port) for _, _, port in DOOR.findall(running.text)}
    assert len(ports) == 4
    assert ports.isdisjoint({usual.terminals, usual.console, usual.ops, usual.records})
    config = made.config.read_text()
    assert all(str(port) in config for port in ports)
    assert (await _ask(running.curls()[0])).status == 200
    told = SIGN_IN.search(running.text)
    assert told is not None
    assert await asyncio.to_thread(_sign_in, told[1], told[2]) == (303, "/")
    assert (await send(running.urls["ops"], Query(who="", target="/readyz"), None)).document["ready"]
    assert running.stop(signal.SIGTERM) == 0


async def test_a_port_that_is_taken_since_we_looked_is_left_too(made: Home) -> None:
    """Another demo that is faster by a moment does not stop this one."""
    faster: list[socket.socket] = []

    class Raced(Home):
        """A home in whose start somebody takes a door's port right after it was chosen."""

        def write_config(self, ports: Ports, *, level: str = "warning") -> None:
            super().write_config(ports, level=level)
            if not faster:
                faster.append(socket.create_server(("127.0.0.1", ports.ops)))

    try:
        async with demo(Raced(made.path, made.policies), usual_ports=False) as running:
            assert running.servers.ops.port != faster[0].getsockname()[1]
            assert (await send(running.servers.ops.url, Query(who="", target="/readyz"), None)).status == 200
    finally:
        for each in faster:
            each.close()


async def test_a_demo_that_was_killed_starts_again_and_its_log_holds(processes: Processes, made: Home) -> None:
    """After kill -9 nothing stays behind, and the next start finds its data."""
    home = made.path
    killed = _start(processes, home)
    assert (await _ask(killed.curls()[0])).status == 200
    killed.stop(signal.SIGKILL)
    assert processes.until(lambda: not processes.naming(home))

    again = _start(processes, home)

    assert (
        await _ask([word.replace(killed.urls["terminals"], again.urls["terminals"]) for word in killed.curls()[0]])
    ).status == 200
    verify = processes.start("-m", "proxy", "audit", "verify", "--config", str(home / "config.yaml"))
    said, _ = verify.communicate(timeout=30)
    assert verify.returncode == 0, said
    assert again.stop() == 0


def test_a_demo_interrupted_while_it_is_made_is_made_by_the_next_start(processes: Processes, tmp_path: Path) -> None:
    """Ctrl-C during the preparations leaves no process and nothing half made."""
    home = Home(tmp_path / "demo", shipped_policies())
    process = processes.start("-m", "proxy", "demo", "--home", str(home.path))
    assert processes.until(home.records.exists)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=40) in {0, 128 + signal.SIGINT}
    assert processes.naming(home.path) == []

    running = _start(processes, home.path)

    assert running.stop() == 0
    with closing(sqlite3.connect(home.records)) as records:
        assert records.execute("SELECT count(*) FROM persons").fetchone() == (20_000,)


def test_two_demos_in_one_home_are_told_apart(processes: Processes, made: Home) -> None:
    """The second ends with a sentence and without touching the first; --fresh does not help it."""
    home = made.path
    running = _start(processes, home)

    for more in ([], ["--fresh"]):
        second = processes.start("-m", "proxy", "demo", "--home", str(home), *more)
        _, complained = second.communicate(timeout=30)
        assert second.returncode == 3
        assert "is running" in complained

    assert running.stop() == 0


async def test_every_suggestion_answers_as_it_says(made: Home) -> None:
    """Whoever pastes the printed lines into a shell, in their order, sees the status that stands beside them."""
    async with demo(made, usual_ports=False) as running:
        doors = Doors(terminals=running.servers.terminals.url, console=running.servers.console.url)
        found = list(suggestions(running.town, running.keys, doors, "python -m proxy", "config.yaml"))
        told = {}
        for suggestion in found:
            if suggestion.status is not None:
                told[suggestion.text] = (await _ask(shlex.split(suggestion.command))).status

    assert told == {suggestion.text: suggestion.status for suggestion in found if suggestion.status is not None}
    assert len(told) > 8


def test_json_without_a_tour_is_wrong_use(processes: Processes) -> None:
    """A program that expects JSON is not left waiting for a demo that runs forever."""
    process = processes.start("-m", "proxy", "demo", "--json")

    said, _ = process.communicate(timeout=30)

    assert process.returncode == 2
    assert "--tour" in said
