"""``audit hold`` and ``audit prune``: what has to be kept is kept, and what goes is told of."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from proxy.__main__ import run
from proxy.audit.events import Started
from proxy.audit.holds import Hold, HoldLifted, HoldRefused, HoldSet
from proxy.audit.keys import create_key
from proxy.audit.reader import AuditReader
from proxy.audit.retention import Pruned, PruneRefused, Retention, newest_time
from proxy.audit.service import AuditTrail
from proxy.cli.recording import sealer_of
from proxy.clock import stamp, utc_now
from proxy.tlog.errors import LogPruned
from proxy.tlog.pruned import INTENDED, intend
from proxy.tlog.pruning import prunable
from proxy.tlog.store import first_kept
from tests.audit.archive import OLD, SEGMENT, Archive, End, Query, Words, configured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from proxy.audit.event import Event


RULE = Retention(floor=timedelta(days=366))


@pytest.fixture
def archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Archive:
    """Return a place with keys and a configuration."""
    return Archive(configured(tmp_path), capsys)


def kinds(archive: Archive) -> Sequence[str]:
    """Return the kinds of the entries that are kept, from the fifth segment on."""
    return [entry.kind for entry in AuditReader(archive.settings.log).entries(4 * SEGMENT)]


def test_what_is_over_the_ceiling_goes_and_the_log_still_verifies(archive: Archive) -> None:
    """Whole segments, an entry that says so, and `audit verify` says what is gone; `audit show` too."""
    asyncio.run(archive.fill())
    code, done = archive.call("prune")
    assert (code, done["from"], done["before"], done["rule"]) == (0, 0, 3 * SEGMENT, "ceiling")
    assert kinds(archive) == ["started", "pruned"]
    code, found = archive.call("verify")
    assert (code, found["ok"], found["pruned"]) == (0, True, 3 * SEGMENT)
    assert f"entries 0 to 767 were pruned (ceiling): entry {done['entry']} of " in str(found["notes"])
    code, said = archive.refused("show", "5")
    assert (code, "entry 5 was pruned: the log is kept from entry 768 on" in said) == (1, True)
    assert archive.call("prune")[1]["before"] == 3 * SEGMENT
    with pytest.raises(LogPruned):
        AuditReader(archive.settings.log).read(0)


def test_nothing_goes_under_the_floor(archive: Archive) -> None:
    """A day within the floor is refused; and the settings take no floor under a year, nor a ceiling under the floor."""
    asyncio.run(archive.fill())
    recent = f"{utc_now() - timedelta(days=100):%Y-%m-%d}"
    code, said = archive.refused("prune", "--before", recent, "--order", "the disk is full")
    assert (code, "at least 366 days" in said, first_kept(archive.settings.log)) == (2, True, 0)
    for wrong in ("{floor_days: 300}", "{floor_days: 800, ceiling_days: 700}"):
        text = archive.config.read_text(encoding="utf-8").replace("{ceiling_days: 800}", wrong)
        (archive.config.parent / "wrong.yaml").write_text(text, encoding="utf-8")
        assert run(["audit", "prune", "--config", str(archive.config.parent / "wrong.yaml")]) == 2


def test_a_clock_that_leaps_ahead_makes_nothing_old(archive: Archive) -> None:
    """The time is the newest entry's where the clock is later; and one entry of a wrong time keeps what follows it."""
    asyncio.run(archive.record(Query(about="q")))
    leapt = utc_now() + timedelta(days=3000)
    assert newest_time(archive.settings.log, lambda: leapt) < utc_now()
    with pytest.raises(PruneRefused):
        RULE.moment(newest_time(archive.settings.log, lambda: leapt), utc_now() - timedelta(days=30))


def test_an_entry_of_a_wrong_time_keeps_what_follows_it(archive: Archive) -> None:
    """Clocks are set back and forth; nothing goes that any entry before it makes doubtful."""

    async def work() -> None:
        await archive.record(*(Query(about=f"q{index}") for index in range(SEGMENT)), ago=OLD)
        await archive.record(Query(about="q"), ago=timedelta(days=1))
        await archive.record(*(Query(about=f"r{index}") for index in range(2 * SEGMENT)), ago=OLD)
        await archive.record(Started(version="1", policy="p"))

    asyncio.run(work())
    planned = archive.plan()
    assert (planned.before, f"entry {SEGMENT}: it is of" in planned.kept_by) == (SEGMENT, True)


@pytest.mark.parametrize(
    ("held", "before"),
    [
        ({"kind": "case", "value": "26-9"}, SEGMENT),
        ({"kind": "plate", "value": "DAU354"}, 0),
        ({"first": 600, "last": 601}, 2 * SEGMENT),
        ({"kind": "case", "value": "26-8"}, 3 * SEGMENT),
    ],
)
def test_a_hold_keeps_what_it_covers(archive: Archive, held: Mapping[str, Any], before: int) -> None:
    """By case, by a person or thing, by entries; of a query all entries; and what is before the first of them may go."""
    special: dict[int, Event] = {300: Query(about="q150", case="26-9"), 511: End(about="q0", plate="DAU354")}
    asyncio.run(archive.fill(special))
    archive.set_by_another(**held)
    assert archive.call("prune")[1]["before"] == before


def test_a_hold_is_lifted_by_another_person_only(archive: Archive) -> None:
    """Who set it cannot; another can, with an order; both are in the log."""
    asyncio.run(archive.fill())
    code, mine = archive.call("hold", "add", "--case", "26-1", "--order", "litigation hold, docket 26-CV-88")
    assert (code, archive.call("prune")[1]["before"]) == (0, 0)
    code, said = archive.refused("hold", "lift", mine["hold"], "--order", "not needed any more")
    assert (code, "Another person" in said) == (2, True)
    asyncio.run(archive.record(HoldLifted(hold=mine["hold"], operator="login:clerk", order="order of the court")))
    archive.set_by_another(kind="case", value="26-1")
    code, listed = archive.call("hold", "list")
    assert (code, [each["id"] for each in listed]) == (1, ["0123456789abcdef"])
    assert archive.call("hold", "lift", "0123456789abcdef", "--order", "order of the court")[0] == 0
    assert archive.call("hold", "list") == (0, [])
    assert archive.call("prune")[1]["before"] == 3 * SEGMENT
    assert kinds(archive)[1:] == ["hold-set", "hold-lifted", "hold-set", "hold-lifted", "pruned"]


def test_an_old_hold_is_itself_kept(archive: Archive) -> None:
    """While it is in force the entry that sets it does not go, or it would be gone."""
    hold = Hold(id="0123456789abcdef", order="preservation letter 17", by="login:clerk", kind="case", value="26-none")
    asyncio.run(archive.fill({400: HoldSet(hold=hold)}))
    assert archive.call("prune")[1]["before"] == SEGMENT
    assert len(archive.holds().active) == 1


def test_a_hold_that_nobody_can_read_keeps_everything(archive: Archive) -> None:
    """Without the body key nobody knows what it covers; without an index key nobody knows whom an entry is about."""
    asyncio.run(archive.fill())
    archive.set_by_another(kind="case", value="26-none")
    body = archive.settings.keys.body
    body.rename(body.with_suffix(".away"))
    create_key(body)
    code, said = archive.refused("prune")
    assert (code, "a hold cannot be read" in said, first_kept(archive.settings.log)) == (1, True, 0)


def test_a_hold_says_what_and_on_whose_order() -> None:
    """One that covers nothing, or names no order, is none."""
    for wrong in (
        {"kind": "case", "value": ""},
        {},
        {"kind": "case", "value": "1", "first": 1, "last": 2},
        {"first": 3, "last": 2},
    ):
        with pytest.raises(HoldRefused):
            Hold(id="1", order="letter of the court", by="x", **wrong)
    with pytest.raises(HoldRefused):
        Hold(id="1", order="pls", by="x", kind="case", value="1")


def test_queries_under_way_at_the_cut_are_known(archive: Archive) -> None:
    """Their ends are kept and their beginnings are not; the entry names them, so verification misses nothing."""
    special: dict[int, Event] = {767: Query(about="late", case="26-1"), 768: End(about="q383"), 770: End(about="late")}
    asyncio.run(archive.fill(special))
    before = archive.call("verify")[1]["findings"]
    archive.call("prune")
    entry = next(entry for entry in AuditReader(archive.settings.log).entries() if entry.kind == "pruned")
    assert set(entry.facts["open"]) == {"late", "q383"}  # type: ignore[arg-type]
    assert archive.call("verify")[1]["findings"] == before


def test_segments_without_an_entry_that_says_so_are_missing(archive: Archive) -> None:
    """Whoever holds the log's key and prunes by hand leaves no order, and verification says so."""
    asyncio.run(archive.fill())

    async def by_hand() -> None:
        async with archive.log() as log:
            intend(log.directory, prunable(log, SEGMENT))
            (log.directory / INTENDED).rename(log.directory / "pruned")

    asyncio.run(by_hand())
    code, found = archive.call("verify")
    assert (code, found["findings"][0]["message"]) == (
        1,
        "entries 0 to 255 are gone, and no entry of the log says that they were pruned",
    )


def test_an_order_to_prune_that_says_too_little_is_read(archive: Archive) -> None:
    """Whoever holds the log's key can write one that names no query under way: what is missing is found."""
    special: dict[int, Event] = {767: Query(about="late", case="26-1"), 768: End(about="q383"), 770: End(about="late")}
    asyncio.run(archive.fill(special))

    async def by_hand() -> None:
        async with archive.log() as log:
            intend(log.directory, prunable(log, 768))
            entry = {"v": 2, "kind": "pruned", "at": stamp(utc_now()), "about": "", "epoch": "index"}
            await log.append(orjson.dumps(entry | {"facts": {"before": 768}, "parties": {}, "body": ""}))
            (log.directory / INTENDED).rename(log.directory / "pruned")

    asyncio.run(by_hand())
    code, found = archive.call("verify")
    assert (code, [each["kind"] for each in found["findings"]][:2]) == (1, ["pairing", "pairing"])


@pytest.mark.parametrize("recorded", [False, True])
def test_a_prune_that_a_crash_interrupted_is_settled_by_its_entry(archive: Archive, recorded: bool) -> None:
    """With the entry it is finished at the next start; without it nothing has happened."""
    asyncio.run(archive.fill())
    planned = archive.plan()

    async def until_the_crash() -> None:
        async with archive.log() as log:
            intend(log.directory, prunable(log, planned.before))
            if recorded:
                trail = AuditTrail(log, sealer_of(archive.settings), utc_now)
                await trail.record(
                    Pruned(
                        operator="login:x",
                        order="retention",
                        start=0,
                        before=planned.before,
                        moment=planned.moment,
                        rule="asked",
                        open=planned.open,
                    )
                )

    async def next_start() -> None:
        async with archive.log() as log:
            await AuditTrail(log, sealer_of(archive.settings), utc_now).start(version="1", policy="p")

    asyncio.run(until_the_crash())
    assert first_kept(archive.settings.log) == 0
    asyncio.run(next_start())
    assert first_kept(archive.settings.log) == (planned.before if recorded else 0)
    assert not (archive.settings.log / INTENDED).exists()
    assert archive.call("verify")[0] == 0


def test_pruning_needs_the_log_to_itself(archive: Archive) -> None:
    """While a server writes it, exit 3, and what to do."""
    asyncio.run(archive.fill())

    async def served() -> tuple[int, str]:
        async with archive.log():
            return await asyncio.to_thread(archive.refused, "prune")

    code, said = asyncio.run(served())
    assert (code, "stop it first" in said, first_kept(archive.settings.log)) == (3, True, 0)


def test_what_is_held_is_not_shredded(archive: Archive) -> None:
    """The hold is named, and tells whoever brings the order to have it lifted first."""
    asyncio.run(archive.record(*(Words(about=f"q{number}", case=f"26-{number}") for number in range(4))))
    archive.set_by_another(kind="case", value="26-2")
    order = ("--order", "expungement order 26-EX-4", "--case", "26-2")
    code, said = archive.refused("shred", "2", *order)
    assert (code, "under legal hold 0123456789abcdef" in said) == (2, True)
    assert archive.call("shred", "1", *order)[0] == 1  # it waits for a second person
