"""Reviews, notices and findings: what was answered and has to be judged, or at least known, by somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.audit.owed import Duty
from proxy.oversight.duty import Outcome, State, matter_view
from proxy.oversight.finding import Disposition, Standing
from proxy.oversight.findings import Findings
from proxy.web.console.visit import Page, Tab

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiohttp import web

    from proxy.oversight.duty import Task
    from proxy.oversight.service import Oversight
    from proxy.web.console.visit import Visit

READERS: Final = frozenset({"supervisor", "auditor", "oversight"})
JUDGMENTS: Final[Mapping[Outcome, str]] = {
    Outcome.JUSTIFIED: "Justified: case, words and query fit together",
    Outcome.UNJUSTIFIED: "Not justified: somebody else has to look into it",
    Outcome.ATTESTED: "Attested: I know what this query was for",
    Outcome.QUESTIONED: "Questioned: somebody else has to look into it",
}
ENDINGS: Final[Mapping[Disposition, str]] = {
    Disposition.SUSTAINED: "Sustained: the query was misuse",
    Disposition.NOT_SUSTAINED: "Not sustained: it cannot be told",
    Disposition.EXONERATED: "Exonerated: it was made, and it was lawful and proper",
    Disposition.UNFOUNDED: "Unfounded: it was not as was thought",
}


class ReviewsRoom:
    """The reviews and notices of a person's role; nobody sees their own queries, nor their own people's."""

    tab = Tab("Reviews", "/reviews", roles=READERS)

    def __init__(self, oversight: Oversight) -> None:
        """Take the room whose duties these are."""
        self._oversight = oversight
        self._findings = Findings(oversight)

    def pages(self) -> Iterable[Page]:
        """Return both lists, each of their pages, and the moves that end them."""
        yield Page("GET", "/reviews", self._list, roles=READERS)
        yield Page("GET", "/reviews/{id}", self._review, roles=READERS)
        yield Page("POST", "/reviews/{id}/close", self._close, roles=READERS)
        yield Page("GET", "/notices", self._list, roles=READERS)
        yield Page("GET", "/notices/{id}", self._notice, roles=READERS)
        yield Page("POST", "/notices/{id}/acknowledge", self._acknowledge, roles=READERS)
        yield Page("GET", "/findings/{id}", self._finding, roles=READERS)
        yield Page("POST", "/findings/{id}/close", self._close_finding, roles=READERS)

    async def _list(self, visit: Visit) -> web.StreamResponse:
        due = {duty: await self._oversight.listed(duty, visit.principal, State.DUE) for duty in Duty}
        late = {duty: await self._oversight.listed(duty, visit.principal, State.OVERDUE) for duty in Duty}
        done = await self._oversight.listed(Duty.REVIEW, visit.principal, State.DONE)
        waits = {task.id: task for duty in Duty for task in (*late[duty], *due[duty])}.values()
        first = sorted(waits, key=lambda task: (task.due_at is None, task.due_at or task.opened_at, task.opened_at))
        return visit.show(
            "reviews.html",
            reviews=[(task, matter_view(task)) for task in first if task.duty is Duty.REVIEW],
            notices=[(task, matter_view(task)) for task in first if task.duty is Duty.NOTICE],
            findings=await self._findings.listed(visit.principal, Standing.OPEN),
            done=done[-20:][::-1],
            states={task.id: str(task.at(visit.now)) for task in first},
        )

    async def _review(self, visit: Visit) -> web.StreamResponse:
        return self._shown(visit, await self._oversight.seen(Duty.REVIEW, visit.names["id"], visit.principal))

    async def _notice(self, visit: Visit) -> web.StreamResponse:
        return self._shown(visit, await self._oversight.seen(Duty.NOTICE, visit.names["id"], visit.principal))

    def _shown(self, visit: Visit, task: Task) -> web.StreamResponse:
        # Only through its view: of a query that was drawn by lot a reviewer must not learn who is protected.
        judgments = [(str(each), JUDGMENTS[each]) for each in sorted(task.outcomes & JUDGMENTS.keys())]
        late = task.at(visit.now) is State.OVERDUE
        return visit.show("review.html", task=task, matter=matter_view(task), judgments=judgments, late=late)

    async def _finding(self, visit: Visit) -> web.StreamResponse:
        finding = await self._findings.seen(visit.names["id"], visit.principal)
        return visit.show("finding.html", finding=finding, matter=matter_view(finding.task), endings=ENDINGS.items())

    async def _close_finding(self, visit: Visit) -> web.StreamResponse:
        outcome, words = visit.form.text("outcome"), visit.form.text("reason")
        await self._findings.close(visit.names["id"], visit.principal, outcome=outcome, words=words)
        return visit.go("/reviews", said="finding-closed")

    async def _close(self, visit: Visit) -> web.StreamResponse:
        outcome, words = visit.form.text("outcome"), visit.form.text("reason")
        await self._oversight.finish(Duty.REVIEW, visit.names["id"], visit.principal, outcome=outcome, words=words)
        return visit.go("/reviews", said="reviewed")

    async def _acknowledge(self, visit: Visit) -> web.StreamResponse:
        outcome, words = str(Outcome.ACKNOWLEDGED), visit.form.text("reason")
        await self._oversight.finish(Duty.NOTICE, visit.names["id"], visit.principal, outcome=outcome, words=words)
        return visit.go("/reviews", said="noted")
