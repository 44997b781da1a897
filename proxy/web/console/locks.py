"""Locks: what is stopped now, by whom and why; stopping something at once, and having another person lift it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.escalation.lock_rules import LockTargetInvalid, LockTargetUnknown
from proxy.escalation.locks import Kind
from proxy.web.console.visit import Page, Tab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aiohttp import web

    from proxy.escalation.lock_service import LockDesk
    from proxy.web.console.visit import Visit

MOST_ENDED: Final = 20
LONGEST_TARGET: Final = 200


class Named(NamedTuple):
    """A kind of lock for people: what it is, what it does, and how its target is written."""

    label: str
    does: str
    form: str


KINDS: Final[Mapping[str, Named]] = {
    Kind.PRINCIPAL: Named(
        "A person", "Nothing is answered to them, at any terminal, nor here.", "the personnel id, as badge-1234"
    ),
    Kind.TERMINAL: Named("A terminal", "Nothing is answered at it, whoever asks.", "its name, as car-12"),
    Kind.CASE: Named("A case", "Nothing is answered under it, whoever asks.", "its number"),
    Kind.SUBJECT: Named(
        "Somebody in the records",
        "No query finds them, and no record of theirs is answered.",
        "record/ID or entry/ID of the registry, never a name",
    ),
    Kind.GRANT: Named("An approval", "It opens nothing, even if it was given already.", "the escalation's id"),
}
HOURS: Final[Mapping[str, str]] = {
    "": "until somebody lifts it",
    "1": "1 hour",
    "12": "12 hours",
    "24": "1 day",
    "168": "7 days",
    "720": "30 days",
}


@dataclass(frozen=True, slots=True)
class _Roles:
    """The roles for which ``may`` is true now: policy says it, and policy can change while the console is open."""

    may: Callable[[str], bool]

    def __contains__(self, role: object) -> bool:
        return isinstance(role, str) and self.may(role)


class LocksRoom:
    """Who may lock is policy's to say; an auditor reads."""

    def __init__(self, desk: LockDesk) -> None:
        """Take the room that locks."""
        self._desk = desk
        self._readers = _Roles(desk.may_read)
        self._lockers = _Roles(desk.may_lock)
        self.tab = Tab("Locks", "/locks", roles=self._readers)

    def pages(self) -> Iterable[Page]:
        """Return the list with its form, a lock's page, and the two moves."""
        yield Page("GET", "/locks", self._list, roles=self._readers)
        yield Page("POST", "/locks", self._add, roles=self._lockers)
        yield Page("GET", "/locks/{id}", self._lock, roles=self._readers)
        yield Page("POST", "/locks/{id}/lift", self._lift, roles=self._lockers)

    async def _list(self, visit: Visit) -> web.StreamResponse:
        kind = visit.query.get("kind", "")
        return await self._shown(
            visit, kind=kind if kind in KINDS else "", target=visit.query.get("target", "")[:LONGEST_TARGET]
        )

    async def _shown(self, visit: Visit, *, status: int = 200, **filled: str) -> web.StreamResponse:
        """Show the list; ``filled`` is what its form holds, and ``doubt`` what stands against it."""
        ended = await self._desk.listed(visit.principal, active=False)
        return visit.show(
            "locks.html",
            status=status,
            active=[lock for lock, _ in await self._desk.listed(visit.principal, active=True)],
            ended=ended[:MOST_ENDED],
            may_lock=visit.principal.role in self._lockers,
            spread=self._desk.spread,
            kinds=KINDS,
            hours=HOURS,
            **{"said_reason": "", "said_hours": "", "doubt": "", **filled},
        )

    async def _add(self, visit: Visit) -> web.StreamResponse:
        form = visit.form
        kind, hours = form.text("kind"), form.text("hours")
        if kind not in KINDS or hours not in HOURS:
            raise LockTargetInvalid("Choose what is to be locked, and for how long, from the lists.")
        until = visit.now + timedelta(hours=int(hours)) if hours else None
        target, reason = form.text("target"), form.text("reason")
        anyway = form.text("anyway") == "anyway"
        try:
            await self._desk.add(visit.principal, Kind(kind), target, reason=reason, until=until, anyway=anyway)
        except LockTargetUnknown as unknown:
            said = {"kind": kind, "target": target, "said_reason": reason, "said_hours": hours, "doubt": unknown.detail}
            return await self._shown(visit, status=422, **said)
        return visit.go("/locks", said="locked-now")

    async def _lock(self, visit: Visit) -> web.StreamResponse:
        lock, ending = await self._desk.seen(visit.names["id"], visit.principal)
        return visit.show(
            "lock.html",
            lock=lock,
            ending=ending,
            kind=KINDS[lock.kind],
            spread=self._desk.spread(lock),
            hindrance=await self._desk.hindrance(lock, visit.principal),
        )

    async def _lift(self, visit: Visit) -> web.StreamResponse:
        reason = visit.form.text("reason")
        await self._desk.lift(visit.names["id"], visit.principal, reason=reason, assertion=visit.step_up)
        return visit.go("/locks", said="lifted")
