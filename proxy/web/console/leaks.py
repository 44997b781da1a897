"""The leak trace: a form with what was published, and who was shown exactly that before. POST, so that no address holds it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from proxy.inquiry.inquiry import BodyUnreadable
from proxy.oversight.leak.asking import TRACERS, kinds_of, must_not_be_own, with_cause
from proxy.oversight.leak.claim import LeakUnclear, bounded, read_line, read_moment
from proxy.web.console.visit import Page, Tab
from proxy.web.leaks import traced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aiohttp import web

    from proxy.oversight.leak.claim import Claim
    from proxy.oversight.leak.events import LeakTraced
    from proxy.oversight.leak.service import LeakTrace
    from proxy.policy.service import PolicySet
    from proxy.purpose.directory import CaseDirectory
    from proxy.registry.service import Registry
    from proxy.web.console.visit import Visit

FIELDS: Final = ("case", "statement", "published", "at", "within", "about", "page")
WITHIN: Final = {"0": "known to the minute", "6": "6 hours", "24": "a day", "72": "3 days", "168": "a week"}
"""How much earlier it may have been out, in hours."""


class LeakRoom:
    """A trace: its form, and its answer below it."""

    tab = Tab("Leaks", "/leak", roles=TRACERS)

    def __init__(self, traces: LeakTrace, cases: CaseDirectory, registry: Registry, policies: Callable[[], PolicySet]) -> None:
        """Take the use case, and who knows the case of whoever asks, who is close to them, and the kinds of fields."""
        self._traces = traces
        self._cases = cases
        self._registry = registry
        self._policies = policies

    def pages(self) -> Iterable[Page]:
        """Return the form and its answer."""
        yield Page("GET", "/leak", self._form, roles=TRACERS)
        yield Page("POST", "/leak", self._found, roles=TRACERS)

    async def _form(self, visit: Visit) -> web.StreamResponse:
        fields = dict.fromkeys(FIELDS, "") | {"at": f"{visit.now:%Y-%m-%dT%H:%M}", "within": "24"}
        return visit.show("leak.html", answer=None, fields=fields, within=WITHIN)

    async def _found(self, visit: Visit) -> web.StreamResponse:
        fields = {name: visit.form.text(name) for name in FIELDS}
        answer = await traced(self._traces, await self._asked(visit, fields))
        return visit.show("leak.html", answer=answer, fields=fields, within=WITHIN)

    async def _asked(self, visit: Visit, fields: dict[str, str]) -> LeakTraced:
        page = fields["page"] or "1"
        if fields["within"] not in WITHIN or not (page.isascii() and page.isdigit() and len(page) < 6):
            raise BodyUnreadable("The form did not arrive as it was made.")
        claims = _claims(fields)
        must_not_be_own(claims, self._registry.recognizer, visit.principal)
        return await with_cause(
            self._cases,
            operator=visit.principal.person,
            role=visit.principal.role,
            case=fields["case"],
            statement=fields["statement"],
            claims=claims,
            kinds=kinds_of(self._policies().routes.routes),
            now=visit.now,
            page=int(page),
        )


def _claims(fields: dict[str, str]) -> Sequence[Claim]:
    """Return what the lines of the form claim.

    Raises:
        LeakUnclear: with the number of the line that is not clear.
    """
    moment = fields["at"]
    # A browser sends a local moment without a zone (HTML, 2.3.5.5); the form says that it is UTC.
    at = read_moment(moment if moment.endswith("Z") else f"{moment}Z")
    claims: list[Claim] = []
    for number, line in enumerate(fields["published"].splitlines(), start=1):
        if not line.strip():
            continue
        try:
            claims.append(read_line(line, at=at, within=timedelta(hours=int(fields["within"])), about=fields["about"]))
        except LeakUnclear as unclear:
            raise LeakUnclear(f"Line {number}: {unclear.detail}") from None
    return bounded(claims)
