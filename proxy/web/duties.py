"""Notices and reviews at the doors: ``/notices``, ``/reviews``, one of them, and the move that ends it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import orjson

from proxy.audit.owed import Duty
from proxy.inquiry.body import check_headers, parse_object
from proxy.inquiry.inquiry import BodyUnreadable, MethodNotAllowed, ParameterUnknown
from proxy.oversight.duty import DutyUnknown, Outcome, State, view
from proxy.web.respond import respond

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from proxy.identity.principal import Principal
    from proxy.inquiry.inquiry import Inbound
    from proxy.oversight.service import Oversight

DUTIES: Final[Mapping[str, Duty]] = {"notices": Duty.NOTICE, "reviews": Duty.REVIEW}
_VERBS: Final = {Duty.NOTICE: "acknowledge", Duty.REVIEW: "close"}
_PATH: Final = re.compile(r"/(notices|reviews)(?:/([A-Za-z0-9_-]{1,64})(?:/(acknowledge|close))?)?\Z")


class Duties:
    """What the doors serve of oversight."""

    def __init__(self, oversight: Oversight) -> None:
        """Take the room."""
        self._oversight = oversight

    async def answer(self, inbound: Inbound, path: str, principal: Principal) -> web.StreamResponse:
        """Answer one request of somebody known.

        Raises:
            Refusal: the door answers with it.
        """
        named = _PATH.match(path)
        if named is None:
            raise DutyUnknown("There is nothing of that number for you to look at.")
        room, task_id, verb = named.groups()
        duty = DUTIES[room]
        if task_id is None:
            return await self._listed(inbound, room, principal)
        if "?" in inbound.target or verb not in {None, _VERBS[duty]}:
            raise DutyUnknown("There is nothing of that number for you to look at.")
        _require(inbound, "POST" if verb else "GET")
        if verb is None:
            task = await self._oversight.seen(duty, task_id, principal)
        else:
            said = _said(inbound, duty)
            task = await self._oversight.finish(duty, task_id, principal, outcome=said["outcome"], words=said["reason"])
        return respond(200, orjson.dumps(view(task, self._oversight.clock())), "application/json")

    async def _listed(self, inbound: Inbound, room: str, principal: Principal) -> web.StreamResponse:
        _require(inbound, "GET")
        name, equals, value = inbound.target.partition("?")[2].partition("=")
        if (name or equals) and (name != "state" or value not in set(State)):
            raise ParameterUnknown(f"The only parameter here is state, one of {', '.join(State)}.")
        found = await self._oversight.listed(DUTIES[room], principal, State(value) if value else None)
        now = self._oversight.clock()
        return respond(200, orjson.dumps({room: [view(task, now) for task in found]}), "application/json")


def _require(inbound: Inbound, method: str) -> None:
    if inbound.method != method:
        raise MethodNotAllowed(f"Use {method} here.", allow=[method])


def _said(inbound: Inbound, duty: Duty) -> Mapping[str, str]:
    check_headers(inbound)
    body = parse_object(inbound.body)
    said = {"outcome": str(Outcome.ACKNOWLEDGED), "reason": ""} | body if duty is Duty.NOTICE else body
    if set(said) != {"outcome", "reason"} or not all(type(value) is str for value in said.values()):
        wanted = '{"outcome": "justified", "reason": "…"}' if duty is Duty.REVIEW else '{} or {"reason": "…"}'
        raise BodyUnreadable(f"Send {wanted} as JSON.")
    return {name: str(value) for name, value in said.items()}
