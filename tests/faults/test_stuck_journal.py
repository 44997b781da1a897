"""A journal that takes no more lines: the copy of the record must not hold up what the record is about."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from tests.faults.served import under_load

if TYPE_CHECKING:
    from tests.faults.served import Served

pytestmark = pytest.mark.faults

QUERIES = 400


async def test_a_journal_that_stalls_holds_up_no_query(served: Served) -> None:
    """Standard error is a pipe that nobody reads any more: queries are answered, recorded, and the server stops when told."""
    await served.start()
    served.stop_reading()

    await under_load(served, 8, lambda: len(served.answers) >= QUERIES, seed=0)

    assert (await served.ops("/readyz"))[0] == 200
    async with asyncio.timeout(20):
        assert await served.end(signal.SIGTERM) == 0
    assert served.missing() == []
    assert len(served.answers) >= QUERIES
