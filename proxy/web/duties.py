"""Notices and reviews at the doors: ``/notices``, ``/reviews``, one of them, and the move that ends it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import orjson

from proxy.audit.owed import Duty
from proxy.inquiry.body import check_headers, parse_object
from proxy.inquiry.canonical import read_target
from proxy.inquiry.inquiry import BodyUnreadable, ParameterUnknown
from proxy.oversight.duty import DutyUnknown, Outcome, State, view
from proxy.web.escalations import require
from proxy.web.respond import respond

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from proxy.identity.principal import Principal
    from proxy.inquiry.inquiry import Inbound
    from proxy.oversight.service import Oversight

DUTIES: Final[Mapping[str, Duty]] = {"notices": Duty.NOTICE, "reviews": Duty.REVIEW}
_VERBS: Final = {Duty.NOTICE: "acknowledge", Duty.REVIEW: "close"}
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


class Duties:
    """What the doors serve of oversight."""

    def __init__(self, oversight: Oversight) -> None:
        """Take the room."""
        self._oversight = oversight

    async def answer(self, inbound: Inbound, principal: Principal) -> web.StreamResponse:
        """Answer one request of somebody known.

        Raises:
            Refusal: the door answers with it.
        """
        target = read_target(inbound.target)
        room = target.segments[0]
        duty = DUTIES[room]
        match target.segments:
            case (_,):
                return await self._listed(inbound, room, principal, target.query)
            case (_, id_) if not target.query and _ID.match(id_):
                require(inbound, "GET")
                task = await self._oversight.seen(duty, id_, principal)
            case (_, id_, verb) if not target.query and _ID.match(id_) and verb == _VERBS[duty]:
                require(inbound, "POST")
                said = _said(inbound, duty)
                task = await self._oversight.finish(duty, id_, principal, outcome=said["outcome"], words=said["reason"])
            case _:
                raise DutyUnknown("There is nothing of that number for you to look at.")
        return respond(200, orjson.dumps(view(task, self._oversight.clock())), "application/json")

    async def _listed(self, inbound: Inbound, room: str, principal: Principal, query: Mapping[str, str]) -> web.StreamResponse:
        require(inbound, "GET")
        if query and (set(query) != {"state"} or query["state"] not in set(State)):
            raise ParameterUnknown(f"The only parameter here is state, one of {', '.join(State)}.")
        found = await self._oversight.listed(DUTIES[room], principal, State(query["state"]) if query else None)
        now = self._oversight.clock()
        return respond(200, orjson.dumps({room: [view(task, now) for task in found]}), "application/json")


def _said(inbound: Inbound, duty: Duty) -> Mapping[str, str]:
    check_headers(inbound)
    body = parse_object(inbound.body)
    said = {"outcome": str(Outcome.ACKNOWLEDGED), "reason": ""} | body if duty is Duty.NOTICE else body
    if set(said) != {"outcome", "reason"} or not all(type(value) is str for value in said.values()):
        wanted = '{"outcome": "justified", "reason": "…"}' if duty is Duty.REVIEW else '{} or {"reason": "…"}'
        raise BodyUnreadable(f"Send {wanted} as JSON.")
    return {name: str(value) for name, value in said.items()}
