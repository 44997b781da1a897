"""The leak trace for programs, at the console's door: ``POST /leaks``, recorded before it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from proxy.audit.entry import EntryUnreadable
from proxy.audit.errors import AuditUnavailable
from proxy.audit.index.file import IndexUnusable
from proxy.audit.sealing import SealBroken
from proxy.inquiry.body import check_headers, parse_object
from proxy.inquiry.canonical import read_target
from proxy.inquiry.inquiry import BodyUnreadable, ParameterUnknown, RouteUnknown
from proxy.oversight.leak.answer import view
from proxy.oversight.leak.asking import TRACERS, kinds_of, must_not_be_own, with_cause
from proxy.oversight.leak.claim import number_of, read_claims, read_moment, span_of
from proxy.tlog.errors import LogDamaged
from proxy.web.escalations import require
from proxy.web.respond import respond

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web

    from proxy.clock import Clock
    from proxy.identity.principal import Principal
    from proxy.inquiry.inquiry import Inbound
    from proxy.oversight.leak.answer import Answer
    from proxy.oversight.leak.events import LeakTraced
    from proxy.oversight.leak.service import LeakTrace
    from proxy.policy.service import PolicySet
    from proxy.purpose.directory import CaseDirectory
    from proxy.registry.service import Registry

LEAKS: Final = "leaks"
_TEXTS: Final = ("case", "statement", "at", "about")
_WANTED: Final = (
    'Send {"case": …, "statement": …, "at": "2026-11-20T09:00Z", "published": [{"kind": "phone", "value": …}]} as JSON;'
    " about, within_hours and page may be there too."
)


class LeakDoor:
    """What the console's door serves of leak traces."""

    def __init__(
        self, traces: LeakTrace, cases: CaseDirectory, registry: Registry, policies: Callable[[], PolicySet], clock: Clock
    ) -> None:
        """Take the use case, and who knows the case of whoever asks, who is close to them, the kinds of fields, the time."""
        self._traces = traces
        self._cases = cases
        self._registry = registry
        self._policies = policies
        self._clock = clock

    async def answer(self, inbound: Inbound, principal: Principal) -> web.StreamResponse:
        """Answer one request of somebody known.

        Raises:
            Refusal: the door answers with it.
        """
        target = read_target(inbound.target)
        if principal.role not in TRACERS or len(target.segments) != 1:
            raise RouteUnknown("There is no such page here, or it is not for your role.")
        require(inbound, "POST")
        if target.query:
            raise ParameterUnknown("Everything stands in the body here, so that no log of addresses holds it.")
        check_headers(inbound)
        asked = await self._asked(parse_object(inbound.body), principal)
        return respond(200, orjson.dumps(view(await traced(self._traces, asked))), "application/json")

    async def _asked(self, body: Mapping[str, object], principal: Principal) -> LeakTraced:
        published, page = body.get("published"), number_of(body.get("page", 1))
        texts = {name: body.get(name, "") for name in _TEXTS}
        known = body.keys() <= {*_TEXTS, "published", "within_hours", "page"}
        lines = [each for each in published if isinstance(each, dict)] if isinstance(published, list) else []
        if not known or not lines or len(lines) != len(published if isinstance(published, list) else ()):
            raise BodyUnreadable(_WANTED)
        if page is None or not all(type(each) is str for each in texts.values()):
            raise BodyUnreadable(_WANTED)
        said = {name: str(text) for name, text in texts.items()}
        claims = read_claims(
            lines,
            at=read_moment(said["at"]) if said["at"] else None,
            within=span_of(number_of(body.get("within_hours", 0))),
            about=said["about"],
        )
        must_not_be_own(claims, self._registry.recognizer, principal)
        return await with_cause(
            self._cases,
            operator=principal.person,
            role=principal.role,
            case=said["case"],
            statement=said["statement"],
            claims=claims,
            kinds=kinds_of(self._policies().routes.routes),
            now=self._clock(),
            page=int(page),
        )


async def traced(traces: LeakTrace, asked: LeakTraced) -> Answer:
    """Return the answer to a question.

    Raises:
        AuditUnavailable: it was not recorded, or the log cannot be read, so nothing is shown.
    """
    try:
        return await traces.trace(asked)
    except (LogDamaged, EntryUnreadable, SealBroken) as error:
        raise AuditUnavailable("The log cannot be read; the operator runs `audit verify`.") from error
    except IndexUnusable as error:
        raise AuditUnavailable("The log's index cannot be read; the operator runs `audit rebuild-index`.") from error
