"""The queue: what waits for who has signed in, the most urgent first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.escalation.lifecycle import ApproverIneligible, State
from proxy.web.console.dossier import ACTIONS
from proxy.web.console.visit import Page, Tab, go

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiohttp import web

    from proxy.escalation.lifecycle import Escalation
    from proxy.escalation.service import Escalations
    from proxy.web.console.visit import Visit


class QueueRoom:
    """What a person may decide; everybody may look, and sees what is theirs."""

    tab = Tab("Queue", "/queue")

    def __init__(self, escalations: Escalations) -> None:
        """Take the room whose escalations these are."""
        self._escalations = escalations

    def pages(self) -> Iterable[Page]:
        """Return the queue, its live part, and the way in."""
        yield Page("GET", "/", self._home)
        yield Page("GET", "/queue", self._queue)
        yield Page("GET", "/queue/live", self._live)

    async def _home(self, _visit: Visit) -> web.StreamResponse:
        return go("/queue")

    async def _queue(self, visit: Visit) -> web.StreamResponse:
        return visit.show("queue.html", waiting=await self.waiting(visit), actions=ACTIONS)

    async def _live(self, visit: Visit) -> web.StreamResponse:
        async def html() -> str:
            return visit.html("queue_list.html", waiting=await self.waiting(visit), actions=ACTIONS)

        return await visit.live(self._escalations.generation, html)

    async def waiting(self, visit: Visit) -> Sequence[Escalation]:
        """Return what waits for this person's decision, that which expires first before the others."""
        found = await self._escalations.listed(visit.principal, State.PENDING)
        mine = [each for each in found if each.at(visit.now) is State.PENDING and await self._theirs(each, visit)]
        return sorted(mine, key=lambda each: (each.expires_at, each.created_at, each.id))

    async def _theirs(self, escalation: Escalation, visit: Visit) -> bool:
        if any(each.person == visit.principal.person for each in escalation.approvals):
            return False
        try:
            await self._escalations.may_decide(escalation, visit.principal)
        except ApproverIneligible:
            return False
        return True
