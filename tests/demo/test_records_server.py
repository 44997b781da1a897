from __future__ import annotations

import os
import shutil
import signal
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from proxy.demo.records_server import RecordsServerFailed, free_port, serving
from proxy.demo.terminal import Query, send

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.demo.town import Town
    from tests.demo.conftest import Processes

STARTER = """
import asyncio, sys
from pathlib import Path
from proxy.demo.records_server import serving
async def main():
    async with serving(Path(sys.argv[1]), 0) as url:
        print(url)
        await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_it_answers_what_the_generator_wrote(records_file: Path, town: Town) -> None:
    """A record comes back as Datasette shapes it, and one that is not there as 404."""
    mayor = town.cast["mayor"]

    async with serving(records_file, 0) as url:
        found = await send(url, Query(who="", target=f"/records/persons/{mayor.person_id}.json?_shape=array"), None)
        absent = await send(url, Query(who="", target="/records/persons/1.json?_shape=array"), None)

    assert found.status == 200
    assert found.document[0]["ssn"] == mayor.ssn
    assert found.document[0]["street"] == mayor.home.line
    assert absent.status == 404
    assert absent.document == {"ok": False, "error": "Record not found", "status": 404, "title": None}


async def test_a_taken_port_is_left_to_who_has_it(records_file: Path) -> None:
    """Another server on the usual port is neither disturbed nor mistaken for ours."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]

        async with serving(records_file, taken) as url:
            assert urlsplit(url).port != taken


async def test_the_usual_port_is_used_when_it_is_free(records_file: Path) -> None:
    """Bookmarks keep working."""
    port = free_port()

    async with serving(records_file, port) as url:
        assert url == f"http://127.0.0.1:{port}"


async def test_it_has_ended_when_the_demo_goes_on(records_file: Path, tmp_path: Path, processes: Processes) -> None:
    """Leaving the block ends the process, an error inside included."""
    mine = tmp_path / "records.db"
    shutil.copy(records_file, mine)

    async def fail() -> None:
        async with serving(mine, 0):
            assert processes.naming(mine)
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        await fail()

    assert not processes.naming(mine)


async def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    """A server that does not come up says why."""
    with pytest.raises(RecordsServerFailed, match="did not start"):
        async with serving(tmp_path / "missing.db", 0):
            pass


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_no_orphan_stays_whatever_way_the_demo_ends(
    records_file: Path, tmp_path: Path, processes: Processes, signum: int
) -> None:
    """A demo that is killed without a chance to clean up takes its records server with it."""
    mine = tmp_path / "records.db"
    shutil.copy(records_file, mine)
    starter = processes.start("-c", STARTER, str(mine))
    assert starter.stdout is not None
    assert starter.stdout.readline().startswith("http://127.0.0.1:")
    assert len(processes.naming(mine)) == 2

    os.kill(starter.pid, signum)

    assert processes.until(lambda: not processes.naming(mine))
