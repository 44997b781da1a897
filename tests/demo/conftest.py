"""The town of the demo, made once; and processes, watched from outside."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.demo.home import Home, shipped_policies
from proxy.demo.records import build_town, write_records
from tests.homes import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxy.demo.town import Town

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def town() -> Town:
    return build_town()


@pytest.fixture(scope="session")
def records_file(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("records") / "records.db"
    write_records(town, path)
    return path


@pytest.fixture(scope="session")
def records(records_file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{records_file}?immutable=1", uri=True)) as connection:
        yield connection


@pytest.fixture
async def made(tmp_path: Path) -> Home:
    """A home that an earlier start has made."""
    home = Home(tmp_path / "home", shipped_policies())
    with home.held():
        await settle(home)
    return home


class Processes:
    """Starts programs of ours, and finds every process that names a path."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-u", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "80"},
        )
        self._started.append(process)
        return process

    def naming(self, path: Path) -> list[int]:
        found = []
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdecimal() and os.fsencode(path) in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    def until(self, condition: Callable[[], object], seconds: float = 30) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def end(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def processes() -> Iterator[Processes]:
    watched = Processes()
    yield watched
    watched.end()
