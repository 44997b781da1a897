"""Findings at the doors: ``/findings``, one of them, and the move that closes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import orjson

from proxy.inquiry.body import check_headers, parse_object
from proxy.inquiry.canonical import read_target
from proxy.inquiry.inquiry import BodyUnreadable, ParameterUnknown
from proxy.oversight.finding import FindingUnknown, Standing, finding_view
from proxy.web.escalations import require
from proxy.web.respond import respond

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from proxy.identity.principal import Principal
    from proxy.inquiry.inquiry import Inbound
    from proxy.oversight.findings import Findings

FINDINGS: Final = "findings"
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


class FindingsDoor:
    """What the doors serve of findings."""

    def __init__(self, findings: Findings) -> None:
        """Take the room."""
        self._findings = findings

    async def answer(self, inbound: Inbound, principal: Principal) -> web.StreamResponse:
        """Answer one request of somebody known.

        Raises:
            Refusal: the door answers with it.
        """
        target = read_target(inbound.target)
        match target.segments:
            case (_,):
                require(inbound, "GET")
                found = await self._findings.listed(principal, _state(target.query))
                return respond(200, orjson.dumps({FINDINGS: [finding_view(each) for each in found]}), "application/json")
            case (_, id_) if not target.query and _ID.match(id_):
                require(inbound, "GET")
                finding = await self._findings.seen(id_, principal)
            case (_, id_, "close") if not target.query and _ID.match(id_):
                require(inbound, "POST")
                outcome, reason = _said(inbound)
                finding = await self._findings.close(id_, principal, outcome=outcome, words=reason)
            case _:
                raise FindingUnknown("There is no finding of that number for you to look at.")
        return respond(200, orjson.dumps(finding_view(finding)), "application/json")


def _state(query: Mapping[str, str]) -> Standing | None:
    if not query:
        return None
    if set(query) != {"state"} or query["state"] not in set(Standing):
        raise ParameterUnknown(f"The only parameter here is state, one of {', '.join(Standing)}.")
    return Standing(query["state"])


def _said(inbound: Inbound) -> tuple[str, str]:
    check_headers(inbound)
    match parse_object(inbound.body):
        case {"outcome": str(outcome), "reason": str(reason), **more} if not more:
            return outcome, reason
        case _:
            raise BodyUnreadable('Send {"outcome": "sustained", "reason": "…"} as JSON.')
