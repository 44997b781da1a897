"""Delegations at the doors: ``/delegations``, and the move that ends one."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final

import orjson

from proxy.escalation.delegation import DelegationInvalid, DelegationUnknown, view
from proxy.inquiry.body import check_headers, parse_object
from proxy.inquiry.canonical import read_target
from proxy.inquiry.inquiry import BodyUnreadable, MethodNotAllowed, ParameterUnknown
from proxy.web.respond import respond

if TYPE_CHECKING:
    from aiohttp import web

    from proxy.clock import Clock
    from proxy.escalation.delegations import Delegations as Room
    from proxy.identity.principal import Principal
    from proxy.inquiry.inquiry import Inbound

ROOM: Final = "delegations"
_PATH: Final = re.compile(r"/delegations(?:/([A-Za-z0-9_-]{1,64})/end)?\Z")
_MEMBERS: Final = frozenset({"delegate", "starts_at", "ends_at"})


class Delegations:
    """What the doors serve of standing in for one another."""

    def __init__(self, room: Room, clock: Clock) -> None:
        """Take the room."""
        self._room = room
        self._clock = clock

    async def answer(self, inbound: Inbound, principal: Principal) -> web.StreamResponse:
        """Answer one request of somebody known.

        Raises:
            Refusal: the door answers with it.
        """
        target = read_target(inbound.target)
        named = _PATH.match("/" + "/".join(target.segments))
        if named is None:
            raise DelegationUnknown("There is no such delegation of yours, or to you.")
        if target.query:
            raise ParameterUnknown("There are no parameters here.")
        if named[1] is not None:
            if inbound.method != "POST":
                raise MethodNotAllowed("Use POST here.", allow=["POST"])
            return self._shown(view(await self._room.end(named[1], principal), self._clock()))
        if inbound.method == "GET":
            found = await self._room.listed(principal)
            return self._shown({ROOM: [view(each, self._clock()) for each in found]})
        if inbound.method != "POST":
            raise MethodNotAllowed("Use GET or POST here.", allow=["GET", "POST"])
        delegate, starts, ends = _said(inbound)
        made = await self._room.add(principal, delegate, starts or self._clock(), ends)
        return self._shown(view(made, self._clock()))

    def _shown(self, content: object) -> web.StreamResponse:
        return respond(200, orjson.dumps(content), "application/json")


def _said(inbound: Inbound) -> tuple[str, datetime | None, datetime]:
    check_headers(inbound)
    body = parse_object(inbound.body)
    if not {"delegate", "ends_at"} <= set(body) <= _MEMBERS or not all(type(value) is str for value in body.values()):
        raise BodyUnreadable(
            'Send {"delegate": "badge-…", "ends_at": "2026-11-30T06:00-06:00"} as JSON, with starts_at if later.'
        )
    starts = _moment(str(body["starts_at"])) if "starts_at" in body else None
    return str(body["delegate"]), starts, _moment(str(body["ends_at"]))


def _moment(text: str) -> datetime:
    moment = None
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
    if moment is None or moment.tzinfo is None:
        raise DelegationInvalid("A time needs its day and its offset from UTC, as in 2026-11-30T06:00-06:00.")
    return moment
