"""Locks at the doors: ``/locks``, one of them, and its lifting."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import orjson

from proxy.escalation.lock_rules import LockUnknown
from proxy.escalation.locks import Kind
from proxy.inquiry.body import check_headers, parse_object
from proxy.inquiry.canonical import read_target
from proxy.inquiry.inquiry import BodyUnreadable, MethodNotAllowed, ParameterUnknown
from proxy.web.respond import respond

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from proxy.escalation.lock_service import LockDesk
    from proxy.escalation.locks import Ending, Lock
    from proxy.identity.principal import Principal
    from proxy.inquiry.inquiry import Inbound

LOCKS: Final = "locks"
_PATH: Final = re.compile(r"/locks(?:/([A-Za-z0-9_-]{1,64})(?:/(lift))?)?\Z")
_STATES: Final[Mapping[str, bool]] = {"active": True, "ended": False}
_BODY: Final = (
    f'Send {{"kind": "{"|".join(Kind)}", "target": "…", "reason": "…"}}, "until" (RFC 3339) where it is to end, and'
    ' "anyway": true for what nobody knows.'
)


class LockDoor:
    """What the doors serve of locks."""

    def __init__(self, desk: LockDesk) -> None:
        """Take the room."""
        self._desk = desk

    async def answer(self, inbound: Inbound, principal: Principal) -> web.StreamResponse:
        """Answer one request of somebody known.

        Raises:
            Refusal: the door answers with it.
        """
        target = read_target(inbound.target)
        named = _PATH.match("/" + "/".join(target.segments))
        if named is None or (named[1] is not None and target.query):
            raise LockUnknown("There is no such lock among yours.")
        lock_id, verb = named.groups()
        if lock_id is None:
            return await (self._added if inbound.method == "POST" else self._listed)(inbound, principal)
        _require(inbound, "POST" if verb else "GET")
        if verb is None:
            return _told(self._view(*await self._desk.seen(lock_id, principal)))
        found = await self._desk.lift(lock_id, principal, reason=_reason(inbound), assertion=inbound.header("Step-Up"))
        return _told(self._view(*found))

    async def _added(self, inbound: Inbound, principal: Principal) -> web.StreamResponse:
        if "?" in inbound.target:
            raise ParameterUnknown("Locking takes no parameters.")
        said, anyway = _locking(inbound)
        if said["kind"] not in set(Kind):
            raise BodyUnreadable(_BODY)
        until = _moment(said["until"]) if "until" in said else None
        lock = await self._desk.add(
            principal, Kind(said["kind"]), said["target"], reason=said["reason"], until=until, anyway=anyway
        )
        return _told(self._view(lock, None))

    async def _listed(self, inbound: Inbound, principal: Principal) -> web.StreamResponse:
        if inbound.method != "GET":
            raise MethodNotAllowed("Use GET or POST here.", allow=["GET", "POST"])
        name, equals, value = inbound.target.partition("?")[2].partition("=")
        if (name or equals) and (name != "state" or value not in _STATES):
            raise ParameterUnknown(f"The only parameter here is state, one of {', '.join(_STATES)}.")
        found = await self._desk.listed(principal, active=_STATES.get(value))
        return _told({LOCKS: [self._view(*each) for each in found]})

    def _view(self, lock: Lock, ending: Ending | None) -> dict[str, object]:
        return view(lock, ending) | ({} if self._desk.spread(lock) else {"only_here": True})


def view(lock: Lock, ending: Ending | None) -> dict[str, object]:
    """Return a lock for who may see it."""
    seen: dict[str, object] = {
        "id": lock.id,
        "kind": str(lock.kind),
        "target": lock.named,
        "state": "active" if ending is None else "ended",
        "stops": lock.agency or "everybody",
        "locked_by": lock.by,
        "role": lock.role,
        "reason": lock.reason,
        "created_at": lock.created_at.isoformat(),
        "until": lock.until.isoformat() if lock.until else None,
    }
    if ending is not None:
        seen |= {"ended_by": ending.by, "ended_at": ending.at.isoformat(), "ended_for": ending.reason}
    return seen


def _told(value: object) -> web.StreamResponse:
    return respond(200, orjson.dumps(value), "application/json")


def _require(inbound: Inbound, method: str) -> None:
    if inbound.method != method:
        raise MethodNotAllowed(f"Use {method} here.", allow=[method])


def _locking(inbound: Inbound) -> tuple[Mapping[str, str], bool]:
    """Return what is to be locked, and whether also where nobody knows it."""
    check_headers(inbound)
    body = dict(parse_object(inbound.body))
    anyway = body.pop("anyway", False)
    texts = {name: value for name, value in body.items() if type(value) is str}
    if type(anyway) is not bool or texts.keys() != body.keys() or texts.keys() - {"until"} != {"kind", "target", "reason"}:
        raise BodyUnreadable(_BODY)
    return texts, anyway


def _reason(inbound: Inbound) -> str:
    check_headers(inbound)
    match parse_object(inbound.body):
        case {"reason": str(reason), **more} if not more:
            return reason
        case _:
            raise BodyUnreadable('Send {"reason": "…"} as JSON.')


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise BodyUnreadable("`until` is a time with its offset (RFC 3339), as 2026-11-23T18:00:00Z.")
    return found.astimezone(UTC)
