"""Somebody sets the clock: the log keeps its order and tells of it, nothing is refused for it, nothing lasts longer by it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from proxy.audit.pairing import Pairing
from proxy.clock import utc_now
from proxy.tlog.verify import verify
from tests.spec.conftest import UNBOUNDED, open_street, policies_with

if TYPE_CHECKING:
    from pathlib import Path

    from tests.spec.conftest import Answer, Street

REASON = {"reason": "threat case, agreed by phone"}


@dataclass
class Hand:
    """A clock that is wrong by so much."""

    wrong: timedelta = timedelta()

    def __call__(self) -> datetime:
        """Return what it shows."""
        return utc_now() + self.wrong


async def settled(street: Street, target: str) -> Answer:
    """Ask until the registry, whose copy is old once the clock leaps ahead, has been looked at again: some seconds at most."""
    async with asyncio.timeout(60):
        while (answer := await street.ask("officer", target)).problem == "not-ready":  # noqa: ASYNC110 -- as a terminal would
            await asyncio.sleep(0.1)
    return answer


async def test_a_clock_that_is_set_back_and_forth(tmp_path: Path) -> None:
    """Queries are answered at any hour; entries stand in the order they came in; an approval that has expired stays expired."""
    hand = Hand(timedelta(hours=5))
    async with open_street(tmp_path, policies_with(tmp_path / "policies", UNBOUNDED), clock=hand) as street:
        driver, mayor = (f"/records/persons/{street.town.cast[name].person_id}" for name in ("driver", "mayor"))
        indexes = []
        for hours in (5, 2, 6, 3):
            hand.wrong = timedelta(hours=hours)
            answer = await settled(street, driver)
            assert answer.status == 200
            indexes.append((await street.entry(answer)).index)
        assert indexes == sorted(set(indexes))

        asked = await street.ask("officer", mayor)
        href = asked.json["escalation"]["href"]
        assert (await street.post("supervisor", f"{href}/approve", REASON)).status == 200
        hand.wrong = timedelta(hours=7)
        assert (await settled(street, driver)).status == 200
        assert (await street.ask("supervisor", "/escalations", purpose=None)).status == 200
        hand.wrong = timedelta(hours=2)
        assert (await settled(street, mayor)).status == 403

        entries, pairing = await street.entries(), Pairing()
        for entry in entries:
            pairing.see(entry)
        assert [*pairing.faults, *pairing.unended()] == []
        assert sum(later.at < earlier.at for earlier, later in pairwise(entries)) >= 3
        log = street.servers.audit.log
        assert verify(log.directory, log.verifier).ok
