"""Reviews and notices: what has been answered and has to be judged, or at least known, by somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.audit.owed import Duty
from proxy.oversight.duty import Outcome, State
from proxy.web.console.visit import Page, Tab

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from proxy.oversight.service import Oversight
    from proxy.web.console.visit import Visit

READERS = frozenset({"supervisor", "auditor", "oversight"})


class ReviewsRoom:
    """The reviews and notices of a person's role; nobody sees their own queries, nor their own people's."""

    tab = Tab("Reviews", "/reviews", roles=READERS)

    def __init__(self, oversight: Oversight) -> None:
        """Take the room whose duties these are."""
        self._oversight = oversight

    def pages(self) -> Iterable[Page]:
        """Return both lists, each of their pages, and the moves that end them."""
        yield Page("GET", "/reviews", self._list, roles=READERS)
        yield Page("GET", "/reviews/{id}", self._review, roles=READERS)
        yield Page("POST", "/reviews/{id}/close", self._close, roles=READERS)
        yield Page("GET", "/notices", self._list, roles=READERS)
        yield Page("GET", "/notices/{id}", self._notice, roles=READERS)
        yield Page("POST", "/notices/{id}/acknowledge", self._acknowledge, roles=READERS)

    async def _list(self, visit: Visit) -> web.StreamResponse:
        due = {duty: await self._oversight.listed(duty, visit.principal, State.DUE) for duty in Duty}
        done = await self._oversight.listed(Duty.REVIEW, visit.principal, State.DONE)
        reviews = sorted(due[Duty.REVIEW], key=lambda task: (task.due_at is None, task.due_at, task.opened_at))
        return visit.show("reviews.html", reviews=reviews, notices=due[Duty.NOTICE], done=done[-20:][::-1])

    async def _review(self, visit: Visit) -> web.StreamResponse:
        return visit.show("review.html", task=await self._oversight.seen(Duty.REVIEW, visit.names["id"], visit.principal))

    async def _notice(self, visit: Visit) -> web.StreamResponse:
        return visit.show("review.html", task=await self._oversight.seen(Duty.NOTICE, visit.names["id"], visit.principal))

    async def _close(self, visit: Visit) -> web.StreamResponse:
        outcome, words = visit.form.text("outcome"), visit.form.text("reason")
        await self._oversight.finish(Duty.REVIEW, visit.names["id"], visit.principal, outcome=outcome, words=words)
        return visit.go("/reviews", said="reviewed")

    async def _acknowledge(self, visit: Visit) -> web.StreamResponse:
        outcome, words = str(Outcome.ACKNOWLEDGED), visit.form.text("reason")
        await self._oversight.finish(Duty.NOTICE, visit.names["id"], visit.principal, outcome=outcome, words=words)
        return visit.go("/reviews", said="noted")
