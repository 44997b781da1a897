"""``audit hold`` and ``audit prune``: what has to be kept, and what may go.

A hold is durable in the log before the command ends, whether or not a server runs. Pruning needs the log to itself: run it
before the server starts (``ExecStartPre=``), or while it is stopped.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from proxy.audit.entry import EntryUnreadable
from proxy.audit.holds import Hold, HoldLifted, HoldRefused, Holds, HoldSet
from proxy.audit.retention import PruneRefused, Retention, carry_out, newest_time, plan, settle
from proxy.audit.sealing import SealBroken
from proxy.audit.service import AuditTrail
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
    table,
)
from proxy.cli.queued import recorded
from proxy.cli.recording import operator, sealer_of
from proxy.clock import utc_now
from proxy.registry.forms import form
from proxy.tlog.errors import LogBusy
from proxy.tlog.keys import load_signer
from proxy.tlog.log import Log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proxy.audit.retention import Plan
    from proxy.audit.sealing import Sealer
    from proxy.settings import Settings

hold = typer.Typer(no_args_is_help=True)

COLUMNS: Final = ("id", "since", "entry", "covers", "of")
_ENTRIES: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,18})\Z")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")

OrderOption = Annotated[str, typer.Option("--order", help="By which order, motion or letter; it is sealed in the log.")]


@hold.command()
def add(
    *,
    order: OrderOption,
    case: Annotated[str, typer.Option("--case", help="Everything under this case.")] = "",
    subject: Annotated[
        str, typer.Option("--subject", help="Everything about a person or thing, as person_id=1001 or plate=DAU354.")
    ] = "",
    entries: Annotated[str, typer.Option("--entries", help="These entries, as 1000-2000.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Set a legal hold: what it covers is neither pruned nor shredded until another person lifts it."""
    if sum(map(bool, (case, subject, entries))) != 1:
        raise CommandFailed("a hold covers one thing", help="give --case, --subject or --entries", code=Code.WRONG_USE)
    kind, value, first, last = _covered(case, subject, entries)
    try:
        made = Hold(
            id=secrets.token_hex(8),
            order=order.strip(),
            by=operator(),
            kind=kind,
            value=value,
            first=first,
            last=last,
        )
    except HoldRefused as refused:
        raise CommandFailed(str(refused), code=Code.WRONG_USE) from None
    receipt = asyncio.run(recorded(settings_of(config), HoldSet(hold=made)))
    emit({"hold": made.id, "entry": receipt.index}) if as_json else say(f"hold {made.id} is in force: entry {receipt.index}")


def _covered(case: str, subject: str, entries: str) -> tuple[str, str, int, int]:
    if case:
        return "case", case.strip(), -1, -1
    if subject:
        kind, _, value = subject.partition("=")
        if not kind.strip() or not value.strip():
            raise CommandFailed("this names nobody", help="as --subject person_id=1001", code=Code.WRONG_USE)
        return kind.strip(), form(kind.strip(), value.strip()), -1, -1
    match = _ENTRIES.match(entries)
    if match is None:
        raise CommandFailed("this is no stretch of entries", help="as --entries 1000-2000", code=Code.WRONG_USE)
    return "", "", int(match[1]), int(match[2])


@hold.command("list")
def list_(*, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List the holds in force; whom they cover, and by which order, `audit show ENTRY --decrypt` tells.

    Exit 1 when some are in force, 0 when none is.
    """
    settings = settings_of(config)
    rows = [
        {"id": each.id, "since": each.at, "entry": each.index, "covers": each.covers, "of": each.of}
        for each in _holds(settings, sealer_of(settings)).active
    ]
    if as_json:
        emit(rows)
    elif rows:
        table(COLUMNS, [[row[column] for column in COLUMNS] for row in rows])
    else:
        say("no holds")
    if rows:
        raise done(Code.FOUND)


@hold.command()
def lift(
    hold_id: Annotated[str, typer.Argument(metavar="HOLD", help="The hold's id.")],
    *,
    order: OrderOption,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Lift a hold, as another person than who set it."""
    settings, who = settings_of(config), operator()
    try:
        found = _holds(settings, sealer_of(settings)).find(hold_id, who)
    except HoldRefused as refused:
        raise CommandFailed(str(refused), help="`audit hold list` shows those in force", code=Code.WRONG_USE) from None
    receipt = asyncio.run(recorded(settings, HoldLifted(hold=found.id, operator=who, order=order.strip())))
    emit({"hold": found.id, "entry": receipt.index}) if as_json else say(f"hold {found.id} is lifted: entry {receipt.index}")


def prune(
    *,
    before: Annotated[
        str, typer.Option("--before", help="Only entries before this day, as 2025-01-31; default: the ceiling.")
    ] = "",
    order: Annotated[str, typer.Option("--order", help="With --before: why, in words; it is sealed in the log.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and leave it.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Remove whole segments of old entries, never under the floor nor under a hold, while no server runs; hashes stay."""
    if before and (_DATE.match(before) is None or not order.strip()):
        raise CommandFailed(
            "a prune needs its day and its reason", help="as --before 2025-01-31 --order …", code=Code.WRONG_USE
        )
    settings = settings_of(config)
    moment = datetime.fromisoformat(before).replace(tzinfo=UTC) if before else None
    try:
        planned, index = asyncio.run(_prune(settings, moment, order.strip() or "retention", dry_run=dry_run))
    except PruneRefused as refused:
        raise CommandFailed(
            str(refused), help="`retention` in the configuration says what is kept", code=Code.WRONG_USE
        ) from None
    if as_json:
        emit(
            {"from": planned.start, "before": planned.before, "rule": planned.rule, "kept_by": planned.kept_by, "entry": index}
        )
        return
    if planned.before == planned.start:
        say("nothing can go")
    else:
        say(f"entries {planned.start} to {planned.before - 1} {'would go' if index is None else f'are pruned: entry {index}'}")
    say(f"kept: {planned.kept_by}")


async def _prune(settings: Settings, before: datetime | None, order: str, *, dry_run: bool) -> tuple[Plan, int | None]:
    sealer = sealer_of(settings)
    async with _alone(settings, sealer) as (log, trail):
        # What was queued may be a hold, and may be one on what is about to go.
        rule = Retention(
            floor=timedelta(days=settings.retention.floor_days),
            ceiling=timedelta(days=settings.retention.ceiling_days) if settings.retention.ceiling_days else None,
        )
        moment, name = rule.moment(newest_time(settings.log, utc_now), before)
        with progress("looking", log.head.size) as advance:
            holds = await asyncio.to_thread(_holds, settings, sealer)
            planned = await asyncio.to_thread(plan, settings.log, holds, moment, name, advance)
        if dry_run or planned.before == planned.start:
            return planned, None
        return planned, await carry_out(log, trail, planned, operator=operator(), order=order)


@asynccontextmanager
async def _alone(settings: Settings, sealer: Sealer) -> AsyncIterator[tuple[Log, AuditTrail]]:
    """Yield the log with everything in it that was queued, and finish a prune that was interrupted."""
    from proxy.audit.outbox import Outbox  # noqa: PLC0415 -- SQLAlchemy takes its time; what only reads the log does without
    from proxy.database import Database  # noqa: PLC0415

    database = Database(settings.store)
    await database.open()
    try:
        try:
            log = Log(settings.log, signer=load_signer(settings.keys.checkpoint, settings.origin), clock=utc_now)
        except LogBusy:
            help_ = "stop it first; in a unit, `ExecStartPre=` prunes before each start"
            raise CommandFailed("a server writes this log", help=help_) from None
        async with log:
            trail = AuditTrail(log, sealer, utc_now)
            await Outbox(database, sealer, utc_now, os.urandom).drain(trail)
            await asyncio.to_thread(settle, log.directory, log.verifier)
            yield log, trail
    finally:
        await database.close()


def _holds(settings: Settings, sealer: Sealer) -> Holds:
    try:
        return Holds.of(settings.log, sealer)
    except (SealBroken, EntryUnreadable) as error:
        help_ = "until it can be read nothing is pruned; are all body keys here? then run `audit verify`"
        raise CommandFailed(f"a hold cannot be read: {error}", help=help_, code=Code.FOUND) from error
