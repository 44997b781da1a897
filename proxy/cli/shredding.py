"""``audit shred``: the bodies of entries go, on a court's order that one person brings and another agrees to."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.audit.entry import EntryUnreadable
from proxy.audit.holds import Holds
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import SealBroken
from proxy.audit.shredding import (
    Order,
    ShredEnded,
    ShredProposed,
    ShredRefused,
    agree,
    require_shreddable,
    shredded_by,
    waiting,
)
from proxy.cli.common import DEFAULT_CONFIG, Code, CommandFailed, ConfigOption, JsonOption, done, emit, say, settings_of
from proxy.cli.queued import recorded
from proxy.cli.recording import operator, sealer_of
from proxy.clock import stamp, utc_now
from proxy.tlog.shredding import shred as overwrite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.audit.entry import Entry
    from proxy.audit.event import Event
    from proxy.audit.shredding import Proposal
    from proxy.settings import Settings

COPIES = (
    "copies are not reached from here: shred them in every backup, snapshot, shipped copy and evidence bundle that holds these "
    "entries, and have that confirmed in writing"
)


def shred(
    index: Annotated[list[int] | None, typer.Argument(min=0, help="The entries whose bodies are to go.")] = None,
    *,
    order: Annotated[str, typer.Option("--order", help="The court's order, cited so that it can be found.")] = "",
    case: Annotated[str, typer.Option("--case", help="The case under which it was served.")] = "",
    approve: Annotated[str, typer.Option("--approve", metavar="ID", help="Agree, as a second person, to a proposal.")] = "",
    refuse: Annotated[str, typer.Option("--refuse", metavar="ID", help="Refuse a proposal, or withdraw your own.")] = "",
    finish: Annotated[bool, typer.Option("--finish", help="Overwrite what entries order and is still there.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Propose that bodies be shredded, or agree to it as a second person; without arguments, show what waits.

    The entries themselves stay, and every proof with them. Exit 1 when something waits for a second person.
    """
    if sum((bool(index), bool(approve), bool(refuse), finish)) > 1:
        raise CommandFailed("propose, agree, refuse or finish: one of them", code=Code.WRONG_USE)
    settings = settings_of(config)
    try:
        if index:
            _propose(settings, Order(entries=tuple(index), order=order, case=case, by=operator()), as_json=as_json)
        elif approve:
            _approve(settings, approve, as_json=as_json)
        elif refuse:
            _refuse(settings, refuse, as_json=as_json)
        elif finish:
            _finish(settings, as_json=as_json)
        else:
            _show(settings, as_json=as_json)
    except ShredRefused as refused:
        raise CommandFailed(str(refused), code=Code.WRONG_USE) from None
    except (SealBroken, EntryUnreadable, IndexError) as error:
        raise CommandFailed(str(error), help="run `audit verify`", code=Code.FOUND) from error


def _propose(settings: Settings, wanted: Order, *, as_json: bool) -> None:
    _require(settings, wanted.entries)
    proposal = f"s{secrets.token_hex(8)}"
    _record(settings, ShredProposed(proposal=proposal, wanted=wanted))
    if as_json:
        emit({"proposal": proposal, "entries": list(wanted.entries)})
    else:
        say(f"proposed; nothing is shredded until another person agrees: `audit shred --approve {proposal}`")
    raise done(Code.FOUND)


def _approve(settings: Settings, name: str, *, as_json: bool) -> None:
    tombstone = agree(_waiting(settings, name), operator())
    entries = tombstone.wanted.entries
    found = _require(settings, entries)
    abouts = {entry.about for entry in found}
    place = _record(settings, replace(tombstone, about=abouts.pop() if len(abouts) == 1 else ""))
    # Whoever holds the log does it too, as soon as the tombstone is durable; here it is made sure before anybody is told.
    overwrite(settings.log, entries)
    if as_json:
        emit({"shredded": list(entries), "entry": place, "copies": COPIES})
        return
    say(f"what lay sealed beside {_list(entries)} is gone; entry {place} says so")
    say(COPIES)


def _refuse(settings: Settings, name: str, *, as_json: bool) -> None:
    gone = _waiting(settings, name)
    _record(settings, ShredEnded(proposal=gone.id, by=operator()))
    emit({"refused": gone.id}) if as_json else say(f"{gone.id} is refused; nothing is shredded")


def _finish(settings: Settings, *, as_json: bool) -> None:
    ordered = sorted({index for entry in AuditReader(settings.log).entries() for index in shredded_by(entry)})
    count = overwrite(settings.log, ordered)
    emit({"shredded": count}) if as_json else say(f"{count} bodies were still there, and are gone")


def _show(settings: Settings, *, as_json: bool) -> None:
    found = _all_waiting(settings)
    for each in found:
        if as_json:
            emit(
                {
                    "proposal": each.id,
                    "entries": list(each.wanted.entries),
                    "by": each.wanted.by,
                    "expires": stamp(each.expires),
                }
            )
        else:
            say(f"{each.id}: {_list(each.wanted.entries)}, proposed by {each.wanted.by}, until {stamp(each.expires)}")
    if found:
        raise done(Code.FOUND)
    if not as_json:
        say("nothing waits to be shredded")


def _list(entries: Sequence[int]) -> str:
    return ("entries " if len(entries) > 1 else "entry ") + ", ".join(map(str, entries))


def _require(settings: Settings, indexes: Sequence[int]) -> list[Entry]:
    reader = AuditReader(settings.log)
    entries = [reader.read(index) for index in indexes]
    try:
        holds = Holds.of(settings.log, sealer_of(settings))
    except (SealBroken, EntryUnreadable) as error:
        help_ = "until it can be read nothing is shredded; are all body keys here? then run `audit verify`"
        raise CommandFailed(f"a hold cannot be read: {error}", help=help_, code=Code.FOUND) from error
    require_shreddable(entries, holds.named)
    return entries


def _all_waiting(settings: Settings) -> Sequence[Proposal]:
    return waiting(settings.log, sealer_of(settings), utc_now())


def _waiting(settings: Settings, name: str) -> Proposal:
    for each in _all_waiting(settings):
        if each.id == name:
            return each
    raise ShredRefused("There is no such proposal, or none that still waits.")


def _record(settings: Settings, event: Event) -> int:
    return asyncio.run(recorded(settings, event)).index
