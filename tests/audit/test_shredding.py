"""Bodies go on an order that two persons brought, whatever crashes in between, and verification tells what is right."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

import pytest

from proxy.audit.bodies import Bodies
from proxy.audit.entry import encode
from proxy.audit.outbox import Outbox
from proxy.audit.sealing import SealBroken, Shredded
from proxy.audit.shredding import (
    PROPOSAL_LASTS,
    BodiesShredded,
    Order,
    Proposal,
    ShredEnded,
    ShredProposed,
    ShredRefused,
    agree,
    require_shreddable,
    waiting,
)
from proxy.database import Database
from proxy.tlog.shredding import shred
from tests.audit.conftest import NOON, Asked, Disclosed, noon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.audit.conftest import World

ORDER = Order(entries=(1,), order="In re A.B., 26-CV-0431, order of Nov 27", case="26-CV-0431", by="login:clerk")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockAdded(Asked):
    """An entry whose body the program reads again."""

    kind: ClassVar[str] = "lock-added"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Return an open store."""
    store = Database(tmp_path / "store.sqlite3")
    await store.open()
    yield store
    await store.close()


def faults(world: World) -> list[tuple[int, str]]:
    """Return what verification says of the bodies: the entry, and the last words."""
    bodies = Bodies()
    for entry in world.reader().entries():
        bodies.see(entry)
    return [(fault.index, fault.message) for fault in bodies.faults()]


def is_gone(world: World, index: int) -> bool:
    """Tell whether nobody reads that body any more."""
    try:
        world.reader().unseal(world.reader().read(index))
    except Shredded:
        return True
    return False


async def test_a_second_person_has_the_bodies_shredded(world: World) -> None:
    """The tombstone is in the log first and cites the order; then the named bodies are gone, and no other."""
    async with world.log() as log:
        trail = world.trail(log)
        for number in range(3):
            await trail.record(Asked(about=f"q{number}"))
        await trail.record(ShredProposed(proposal="s1", wanted=ORDER))
        [proposal] = waiting(world.directory, world.sealer, NOON)
        receipt = await trail.record(agree(proposal, "login:judge"))
    assert [is_gone(world, index) for index in range(3)] == [False, True, False]
    tombstone = world.reader().read(receipt.index)
    assert world.reader().unseal(tombstone)["order"] == ORDER.order
    assert tombstone.facts["entries"] == [1]
    assert faults(world) == []
    assert waiting(world.directory, world.sealer, NOON) == []


def test_who_proposed_is_not_the_second_person() -> None:
    """Nobody shreds alone."""
    with pytest.raises(ShredRefused, match="second person"):
        agree(Proposal(id="s1", at=NOON, wanted=ORDER), ORDER.by)


@pytest.mark.parametrize(
    "parts",
    [{"order": "short"}, {"order": "  "}, {"case": " "}, {"entries": ()}, {"entries": (-1,)}, {"entries": tuple(range(1001))}],
)
def test_an_order_that_says_too_little_is_refused(parts: dict[str, object]) -> None:
    """No order, no case, no entries, too many."""
    words: dict[str, object] = {"entries": (1,), "order": ORDER.order, "case": ORDER.case, "by": ORDER.by}
    with pytest.raises(ShredRefused):
        Order(**(words | parts))  # type: ignore[arg-type]


async def test_a_proposal_ends_by_refusal_and_by_time(world: World) -> None:
    """What was refused, or waited for two weeks, cannot be agreed to."""
    async with world.log() as log:
        trail = world.trail(log)
        await trail.record(Asked())
        await trail.record(Asked())
        for name in ("s1", "s2"):
            await trail.record(ShredProposed(proposal=name, wanted=ORDER))
        await trail.record(ShredEnded(proposal="s1", by="login:judge"))
    assert [each.id for each in waiting(world.directory, world.sealer, NOON)] == ["s2"]
    assert waiting(world.directory, world.sealer, NOON + PROPOSAL_LASTS + timedelta(seconds=1)) == []


async def test_what_is_kept_held_or_gone_is_not_shredded(world: World) -> None:
    """Entries that the program reads again, those under a legal hold, and those without a body."""
    async with world.log() as log:
        for event in (LockAdded(), Asked(), Disclosed()):
            await world.trail(log).record(event)
    lock, asked, bare = world.reader().entries()
    for entry in (lock, bare):
        with pytest.raises(ShredRefused, match=f"Entry {entry.index}"):
            require_shreddable([entry], lambda _entry: None)
    with pytest.raises(ShredRefused, match="legal hold h-7"):
        require_shreddable([asked], lambda _entry: "h-7")
    require_shreddable([asked], lambda _entry: None)
    shred(world.directory, [1])
    with pytest.raises(ShredRefused, match="shredded before"):
        require_shreddable([world.reader().read(1)], lambda _entry: None)


async def test_a_crash_after_the_tombstone_is_made_good_at_the_next_start(world: World) -> None:
    """The entry is durable, the body is still there: said by verification, and gone once the node has started."""
    async with world.log() as log:
        for _ in range(2):
            await world.trail(log).record(Asked())
        await log.append(*_tombstone(world))
    assert not is_gone(world, 1)
    assert [(index, "still there" in message) for index, message in faults(world)] == [(1, True)]
    async with world.log() as log:
        await world.trail(log).start(version="1", policy="p")
    assert is_gone(world, 1)
    assert faults(world) == []


def _tombstone(world: World) -> tuple[bytes, bytes]:
    event = BodiesShredded(proposal="s1", wanted=ORDER, agreed="login:judge")
    return encode(
        world.sealer,
        kind=event.kind,
        at="2026-11-23T12:00:00.12Z",
        about="",
        facts=event.facts(),
        parties=event.parties(),
        sealed=event.sealed(),
    )


@pytest.mark.parametrize("crash", ["before the entry", "after the entry", "half way", "after the bodies"])
async def test_a_crash_of_a_drain_shreds_once_and_whole(world: World, database: Database, crash: str) -> None:
    """Wherever it comes, the next drain leaves one tombstone, and the bodies that it names are gone."""
    wanted = Order(entries=(0, 1), order=ORDER.order, case=ORDER.case, by=ORDER.by)
    event = BodiesShredded(proposal="s1", wanted=wanted, agreed="login:judge")
    outbox = Outbox(database, world.sealer, noon, os.urandom)
    async with world.log() as log:
        for _ in range(2):
            await world.trail(log).record(Asked())
        async with database.begin() as connection:
            await outbox.put(connection, event)
        [row] = await outbox._claim(log.head.size)
        segment = world.directory / "segments" / "000000000000.seg"
        untouched = segment.read_bytes()
        if crash != "before the entry":
            await outbox._record(world.trail(log), row)
    if crash in {"after the entry", "half way"}:
        with segment.open("r+b") as file:
            file.write(untouched)
        assert not is_gone(world, 0)
    if crash == "half way":
        shred(world.directory, [0])
    async with world.log() as log:
        await Outbox(database, world.sealer, noon, os.urandom).drain(world.trail(log))
    assert is_gone(world, 0)
    assert is_gone(world, 1)
    assert [entry.kind for entry in world.reader().entries()] == ["asked", "asked", "shredded"]
    assert faults(world) == []


async def test_swapped_altered_and_missing_bodies_are_named(world: World) -> None:
    """Two bodies of one length in each other's place, one with another byte, one that is zeros without an order."""
    async with world.log() as log:
        for _ in range(5):
            await world.trail(log).record(Asked())
    bodies = [entry.body or b"" for entry in world.reader().entries()]
    segment = world.directory / "segments" / "000000000000.seg"
    content = segment.read_bytes().replace(bodies[1], b"-" * len(bodies[1]))
    content = content.replace(bodies[2], bodies[1]).replace(b"-" * len(bodies[1]), bodies[2])
    segment.write_bytes(content.replace(bodies[3], bodies[3][:-1] + bytes([bodies[3][-1] ^ 1])))
    shred(world.directory, [4])
    found = faults(world)
    assert [index for index, _ in found] == [1, 2, 3, 4]
    assert "no entry cites an order" in found[-1][1]
    for index in (1, 2, 3):
        with pytest.raises(SealBroken):
            world.reader().unseal(world.reader().read(index))


async def test_a_tombstone_reaches_back_only(world: World) -> None:
    """Nobody orders in advance that what is yet to be written be gone."""
    ahead = Order(entries=(0, 1, 2), order=ORDER.order, case=ORDER.case, by=ORDER.by)
    async with world.log() as log:
        trail = world.trail(log)
        await trail.record(Asked())
        await trail.record(BodiesShredded(proposal="s1", wanted=ahead, agreed="login:judge"))
        await trail.record(Asked())
    assert [is_gone(world, index) for index in range(3)] == [True, False, False]
    assert faults(world) == []
