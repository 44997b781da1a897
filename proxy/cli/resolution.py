"""``registry resolve`` and ``registry sweep``: who an enrolled person is in the records server's own numbers.

Whatever they send is decided and in the log before it is sent, and what they show of anybody is in the log before it is shown.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from proxy.cli.common import (
    DEFAULT_CONFIG,
    Code,
    CommandFailed,
    ConfigOption,
    JsonOption,
    done,
    emit,
    progress,
    say,
    settings_of,
    visible,
    warn,
)
from proxy.cli.proposals import Answers, asked_for, show
from proxy.cli.queued import QueuedLog
from proxy.cli.recording import operator, recording
from proxy.clock import utc_now
from proxy.registry.events import RegistryRevealed
from proxy.registry.keyring import Keyring
from proxy.registry.ledgers import Ledgers
from proxy.registry.resolution import Resolution, Tally, unresolved
from proxy.registry.service import Registry
from proxy.registry.settlement import ProposalUnknown, settle
from proxy.registry.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from proxy.registry.lookup_events import SweepEnded
    from proxy.registry.person import Entry
    from proxy.registry.proposals import Ledger, Proposal
    from proxy.settings import Settings

PER_SECOND: Final = 5.0
ATTENDED_PER_SECOND: Final = 20.0
MINUTES: Final = 240.0
ENTRIES_A_CHUNK: Final = 10
RateOption = Annotated[float, typer.Option("--per-second", min=0.1, max=200, help="Look-ups a second at most.")]


def resolve(
    entry: Annotated[str, typer.Argument(help="The entry's id, as `registry list` shows it.", show_default=False)] = "",
    *,
    all_: Annotated[bool, typer.Option("--all", help="Every entry that no record's id is known of.")] = False,
    accept: Annotated[
        list[str] | None, typer.Option("--accept", help="Confirm the proposal of this id. May be given several times.")
    ] = None,
    decline: Annotated[
        list[str] | None, typer.Option("--decline", help="Never propose this one again. May be given several times.")
    ] = None,
    per_second: RateOption = ATTENDED_PER_SECOND,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Find a protected person in the records: their own records' ids, and who lives with them; you confirm each.

    On a terminal you are asked one by one; otherwise proposals are listed with their ids, for --accept and --decline. What you
    confirm is protected at once. Exit 1 when something waits for an answer.
    """
    if bool(entry) == all_:
        raise CommandFailed("name one entry, or say --all", help="`registry list` shows the entries", code=Code.WRONG_USE)
    settings = settings_of(config)
    if accept or decline:
        if all_:
            raise CommandFailed("--accept and --decline are about one entry", code=Code.WRONG_USE)
        answers = Answers(entry=entry, accept=tuple(accept or ()), decline=tuple(decline or ()))
        if set(answers.accept) & set(answers.decline):
            raise CommandFailed("a proposal is confirmed or declined, not both", code=Code.WRONG_USE)
        _tell_settled(asyncio.run(_settle(settings, answers)), as_json=as_json)
        return
    found = asyncio.run(_look(settings, entry, per_second))
    if not as_json and sys.stdin.isatty() and any(ledger.open for _, ledger in found):
        for answers in asked_for(found):  # each entry's answers are in force before the next is asked about
            _tell_settled(asyncio.run(_settle(settings, answers)), as_json=False)
        return
    show(found, as_json=as_json)
    if any(ledger.open for _, ledger in found):
        raise done(Code.FOUND)


def sweep(
    *,
    show_: Annotated[
        bool, typer.Option("--show", help="Ask nothing; show what waits for a steward. It names people: the log will say so.")
    ] = False,
    per_second: RateOption = PER_SECOND,
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.01, max=1440, help="Stop after so long; go on next time.")
    ] = MINUTES,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Ask the records about everybody enrolled, slowly, and propose what is new since the last time.

    A sweep that was stopped goes on where it was. Exit 1 when something new waits for a steward: `registry sweep --show` lists
    it, `registry resolve ENTRY` confirms it.
    """
    settings = settings_of(config)
    if show_:
        found = asyncio.run(_waiting(settings))
        show(found, as_json=as_json)
        if found:
            raise done(Code.FOUND)
        return
    ended = asyncio.run(_sweep(settings, per_second, minutes))
    _tell_ended(ended, as_json=as_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """What these commands work with."""

    registry: Registry
    ledgers: Ledgers
    log: QueuedLog

    async def reveal(self, count: int) -> None:
        """Have it in the log that so many entries are shown."""
        if count:
            await self.log.record(RegistryRevealed(count=count, by=operator()))


class _Pace:
    """Waits so that there are no more than so many look-ups a second."""

    def __init__(self, per_second: float) -> None:
        """Begin at once."""
        self._gap = 1 / per_second
        self._next = time.monotonic()

    async def wait(self) -> None:
        """Return when the next may be sent."""
        now = time.monotonic()
        if self._next > now:
            await asyncio.sleep(self._next - now)
        self._next = max(now, self._next) + self._gap


@asynccontextmanager
async def _desk(settings: Settings) -> AsyncIterator[_Desk]:
    key = Keyring.of(settings.keys.registry)
    async with recording(settings) as recorder:
        yield _Desk(
            registry=Registry(database=recorder.database, key=key, clock=utc_now, outbox=recorder.outbox),
            ledgers=Ledgers(recorder.database, key, recorder.outbox),
            log=QueuedLog(settings, recorder),
        )


@asynccontextmanager
async def _asking(settings: Settings, per_second: float) -> AsyncIterator[tuple[_Desk, Resolution]]:
    from proxy.gateway.records import RecordsServer  # noqa: PLC0415 -- the street takes its time; the other commands do without
    from proxy.inquiry.routes import load_routes  # noqa: PLC0415
    from proxy.telemetry import Metrics  # noqa: PLC0415
    from proxy.upstream.client import Upstream  # noqa: PLC0415

    routes = load_routes(settings.policies / "routes.yaml").routes
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(_desk(settings))
        upstream = Upstream(settings.upstream.options(), metrics=Metrics())
        await upstream.open()
        stack.push_async_callback(upstream.close)
        yield (
            desk,
            Resolution(
                desk.ledgers,
                RecordsServer(upstream),
                routes,
                desk.log,
                clock=utc_now,
                pause=_Pace(per_second).wait,
                new_id=_query_id,
            ),
        )


def _query_id() -> str:
    return str(uuid.UUID(bytes=os.urandom(16), version=4))


async def _look(settings: Settings, wanted: str, per_second: float) -> list[tuple[Entry, Ledger]]:
    """Ask about one entry, or with none about all that are not resolved."""
    async with _asking(settings, per_second) as (desk, resolution):
        everybody = await desk.registry.entries()
        entries = [_entry(everybody, wanted)] if wanted else unresolved(everybody)
        ledgers: dict[str, Ledger] = {}
        with progress("asking the records", len(entries)) as advance:
            for start in range(0, len(entries), ENTRIES_A_CHUNK):
                chunk = entries[start : start + ENTRIES_A_CHUNK]
                ledgers |= await resolution.look(chunk, everybody, Tally(), by=operator())
                advance(len(chunk))
        await desk.reveal(sum(1 for ledger in ledgers.values() if ledger.open))
        return [(entry, ledgers[entry.id]) for entry in entries]


async def _settle(settings: Settings, answers: Answers) -> tuple[Entry, Sequence[Proposal]]:
    async with _desk(settings) as desk:
        entry = _entry(await desk.registry.entries(), answers.entry)
        try:
            return await settle(
                desk.registry, desk.ledgers, entry, accept=answers.accept, decline=answers.decline, by=operator()
            )
        except ProposalUnknown as unknown:
            raise CommandFailed(str(unknown), code=Code.WRONG_USE) from None


async def _waiting(settings: Settings) -> list[tuple[Entry, Ledger]]:
    async with _desk(settings) as desk:
        ledgers = await desk.ledgers.all()
        found = [(entry, ledgers[entry.id]) for entry in await desk.registry.entries() if entry.id in ledgers]
        open_ = [(entry, ledger) for entry, ledger in found if ledger.open]
        await desk.reveal(len(open_))
        return open_


async def _sweep(settings: Settings, per_second: float, minutes: float) -> SweepEnded:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    try:
        async with _asking(settings, per_second) as (desk, resolution):
            turn = Sweep(desk.registry, desk.ledgers, resolution, utc_now, new_id=_query_id)
            until = utc_now() + timedelta(minutes=minutes)
            left = await turn.begin(by=operator(), per_second=per_second)
            with progress("sweeping", left) as advance:
                return await turn.go_on(until=until, stopping=stop.is_set, advance=advance)
    finally:
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(signum)


def _entry(everybody: Sequence[Entry], wanted: str) -> Entry:
    found = next((entry for entry in everybody if entry.id == wanted), None)
    if found is None:
        raise CommandFailed(f"there is no entry {visible(wanted)}", help="`registry list` shows them", code=Code.WRONG_USE)
    return found


def _tell_settled(settled: tuple[Entry, Sequence[Proposal]], *, as_json: bool) -> None:
    entry, accepted = settled
    if as_json:
        emit({"entry": entry.id, "accepted": [proposal.id for proposal in accepted]})
    else:
        say(f"{entry.id}: {len(accepted)} confirmed; a running server knows it within a second or two")


def _tell_ended(ended: SweepEnded, *, as_json: bool) -> None:
    if as_json:
        emit(dict(ended.facts()))
    else:
        new = ", ".join(f"{count} {kind}" for kind, count in sorted(ended.proposed.items())) or "nothing new"
        say(f"{ended.entries} entries, {ended.lookups} look-ups, {ended.records} records: {new}")
        if ended.failed:
            warn(f"{ended.failed} look-ups were not answered as their route says; `doctor` and the runbook say what to do")
        if ended.outcome in {"out-of-time", "stopped"}:
            say(f"{ended.outcome.replace('-', ' ')}: the next sweep goes on where this one ended")
        if ended.proposed:
            say("`registry sweep --show` lists it, `registry resolve ENTRY` confirms it")
    if ended.outcome == "failed":
        raise CommandFailed(
            f"the sweep ended early: {ended.problem}",
            help="`doctor` tries the records server; the next sweep goes on from here",
        )
    if ended.proposed:
        raise done(Code.FOUND)
