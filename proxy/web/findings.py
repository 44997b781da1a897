"""Findings at the doors: ``/findings``, one of them, and the move that closes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import orjson

from proxy.inquiry.body import check_headers, parse_object
from proxy.inquiry.inquiry import BodyUnreadable, MethodNotAllowed, ParameterUnknown
from proxy.oversight.finding import FindingUnknown, Standing, finding_view
from proxy.web.respond import respond

if TYPE_CHECKING:
    from aiohttp import web

    from proxy.identity.principal import Principal
    from proxy.inquiry.inquiry import Inbound
    from proxy.oversight.findings import Findings

ROOM: Final = "findings"
_PATH: Final = re.compile(r"/findings(?:/([A-Za-z0-9_-]{1,64})(?:/(close))?)?\Z")


class FindingsDoor:
    """What the doors serve of findings."""

    def __init__(self, findings: Findings) -> None:
        """Take the room."""
        self._findings = findings

    async def answer(self, inbound: Inbound, path: str, principal: Principal) -> web.StreamResponse:
        """Answer one request of somebody known.

        Raises:
            Refusal: the door answers with it.
        """
        named = _PATH.match(path)
        if named is None:
            raise FindingUnknown("There is no finding of that number for you to look at.")
        finding_id, verb = named.groups()
        _require(inbound, "POST" if verb else "GET")
        if finding_id is None:
            found = await self._findings.listed(principal, _state(inbound))
            return respond(200, orjson.dumps({ROOM: [finding_view(each) for each in found]}), "application/json")
        if "?" in inbound.target:
            raise FindingUnknown("There is no finding of that number for you to look at.")
        if verb is None:
            finding = await self._findings.seen(finding_id, principal)
        else:
            outcome, reason = _said(inbound)
            finding = await self._findings.close(finding_id, principal, outcome=outcome, words=reason)
        return respond(200, orjson.dumps(finding_view(finding)), "application/json")


def _require(inbound: Inbound, method: str) -> None:
    if inbound.method != method:
        raise MethodNotAllowed(f"Use {method} here.", allow=[method])


def _state(inbound: Inbound) -> Standing | None:
    name, equals, value = inbound.target.partition("?")[2].partition("=")
    if not name and not equals:
        return None
    if name != "state" or value not in set(Standing):
        raise ParameterUnknown(f"The only parameter here is state, one of {', '.join(Standing)}.")
    return Standing(value)


def _said(inbound: Inbound) -> tuple[str, str]:
    check_headers(inbound)
    match parse_object(inbound.body):
        case {"outcome": str(outcome), "reason": str(reason), **more} if not more:
            return outcome, reason
        case _:
            raise BodyUnreadable('Send {"outcome": "sustained", "reason": "…"} as JSON.')
