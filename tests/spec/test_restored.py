"""An older copy of the log's folder is put back beside the store: nothing is served until somebody has decided what it is."""

from __future__ import annotations

import asyncio
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from proxy import main
from proxy.database import Database
from proxy.demo.home import shipped_policies
from proxy.settings import load_settings
from proxy.tlog.errors import LogDamaged
from proxy.tlog.store import newest_seal
from tests.spec.conftest import open_street

if TYPE_CHECKING:
    from pathlib import Path

    from tests.spec.conftest import Street


async def read_to(street: Street, size: int) -> None:
    """Wait until the store says that the log was read up to an entry: oversight reads it by turns."""
    store = Database(street.home.data / "store.sqlite3")
    await store.open()
    async with asyncio.timeout(30):
        while next(iter(store.rows("SELECT next FROM oversight_read")), (0,))[0] < size:  # noqa: ASYNC110 -- of another connection
            await asyncio.sleep(0.05)
    await store.close()


async def test_a_log_that_is_shorter_than_what_was_read_of_it_is_not_continued(tmp_path: Path) -> None:
    """The copy verifies and its signature is real; the store knows that there was more, and says how much."""
    async with open_street(tmp_path, shipped_policies()) as street:
        log, older = street.home.data / "log", tmp_path / "older"
        target = f"/records/persons/{street.town.cast['driver'].person_id}"
        assert (await street.ask("officer", target)).status == 200
        shutil.copytree(log, older)
        had = street.servers.audit.log.head.size
        assert (await street.ask("officer", target)).status == 200
        await read_to(street, street.servers.audit.log.head.size)
        config = street.home.config
    shutil.rmtree(log)
    shutil.copytree(older, log)

    with pytest.raises(LogDamaged, match=re.escape(f"has {had} entries, and ")) as refused:
        async with main.running(load_settings(config, {})):
            pass

    assert "an older copy of its folder was put back" in str(refused.value)
    assert newest_seal(log) == had


async def test_the_whole_log_is_continued(tmp_path: Path) -> None:
    """A node that was stopped and started again goes on where it was."""
    async with open_street(tmp_path, shipped_policies()) as street:
        had, config = street.servers.audit.log.head.size, street.home.config
        await read_to(street, had)

    async with main.running(load_settings(config, {})) as again:
        assert again.audit.log.head.size > had
