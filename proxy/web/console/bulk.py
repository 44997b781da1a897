"""Refusing several at once, in two steps and with one reason. Nothing is ever approved in bulk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.escalation.lifecycle import ApproverIneligible, EscalationMoved, EscalationUnknown, Move, ReasonMissing
from proxy.escalation.service import MAX_REASON, MIN_REASON
from proxy.inquiry.inquiry import BodyUnreadable
from proxy.web.console.dossier import ACTIONS
from proxy.web.console.visit import Page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from proxy.escalation.lifecycle import Escalation
    from proxy.escalation.service import Escalations
    from proxy.web.console.queue import QueueRoom
    from proxy.web.console.visit import Visit

MOST: Final = 50


class BulkRefusal:
    """The pages on which several are refused."""

    tab = None

    def __init__(self, escalations: Escalations, queue: QueueRoom) -> None:
        """Take whoever decides, and the queue."""
        self._escalations = escalations
        self._queue = queue

    def pages(self) -> Iterable[Page]:
        """Return the list, and its two steps."""
        yield Page("GET", "/queue/refuse", self._list)
        yield Page("POST", "/queue/refuse/check", self._check)
        yield Page("POST", "/queue/refuse", self._refuse)

    async def _list(self, visit: Visit) -> web.StreamResponse:
        return visit.show(
            "bulk.html", waiting=await self._queue.waiting(visit), actions=ACTIONS, least=MIN_REASON, most=MAX_REASON
        )

    async def _check(self, visit: Visit) -> web.StreamResponse:
        chosen = await self._chosen(visit)
        reason = visit.form.text("reason")
        if not MIN_REASON <= len(reason) <= MAX_REASON:
            raise ReasonMissing(f"Say why, in {MIN_REASON} to {MAX_REASON} characters; every officer reads it.")
        return visit.show("bulk_check.html", chosen=chosen, actions=ACTIONS, reason=reason)

    async def _refuse(self, visit: Visit) -> web.StreamResponse:
        left: list[tuple[Escalation, str]] = []
        for escalation in await self._chosen(visit):
            try:
                await self._escalations.decide(escalation.id, visit.principal, Move.REFUSE, visit.form.text("reason"))
            except (ApproverIneligible, EscalationMoved, EscalationUnknown) as refusal:
                left.append((escalation, refusal.detail))
        if left:
            return visit.show("bulk_left.html", left=left)
        return visit.go("/queue", said="refused-all")

    async def _chosen(self, visit: Visit) -> list[Escalation]:
        ids = list(dict.fromkeys(visit.form.several("id")))
        if not ids or len(ids) > MOST:
            raise BodyUnreadable(f"Tick those that you refuse, {MOST} at most.")
        return [await self._escalations.seen(each, visit.principal) for each in ids]
