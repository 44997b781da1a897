"""``audit rotate-key`` beside the whole running server: what comes next is of a new epoch, and questions find all of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from proxy.__main__ import run
from proxy.audit.sealing import body_key_of
from proxy.demo.home import shipped_policies
from tests.spec.conftest import open_street
from tests.spec.test_questions import entries_of

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.demo.home import Home
    from proxy.demo.town import Town
    from tests.spec.conftest import Street


async def shown(street: Street) -> tuple[str, dict[str, str]]:
    """Have an officer ask for the driver; return the reference, and the key ids that the decision's entry names."""
    answer = await street.ask("officer", f"/records/persons/{street.town.cast['driver'].person_id}")
    assert answer.status == 200
    entry = await street.entry(answer)
    assert entry.body
    return answer.headers["Audit-Entry"], {"index": entry.epoch, "body": body_key_of(entry.body)[0]}


def folders(home: Home, _: Town) -> None:
    """Keep each of the two keys in a folder, of the name that its file had: a file is never overwritten."""
    for name in ("index.key", "body.key"):
        key = home.keys / name
        moved = key.rename(home.keys / "moved")
        key.mkdir(mode=0o700)
        moved.rename(key / name)


@pytest.mark.parametrize("ring", ["index", "body"])
async def test_a_running_server_goes_on_in_the_new_epoch(tmp_path: Path, ring: str) -> None:
    """Nobody waits for it; who looked at somebody is answered over both epochs, with what each of them saw."""
    async with open_street(tmp_path, shipped_policies(), folders) as street:
        driver = street.town.cast["driver"].person_id
        first, before = await shown(street)

        code = await asyncio.to_thread(run, ["audit", "rotate-key", ring, "--config", str(street.home.config)])

        assert code == 0
        async with asyncio.timeout(30):
            while (after := await shown(street))[1] == before:  # noqa: ASYNC110 -- the server looks at its keys by turns
                await asyncio.sleep(0.05)
        second, epochs = after
        other = "body" if ring == "index" else "index"
        assert epochs[other] == before[other]
        found = await entries_of(street, "person_id", driver)
        assert {first, second} <= found.keys()
        assert set(found[first]["seen"]) == set(found[second]["seen"]) != set()
