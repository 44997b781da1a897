"""One escalation: everything that who decides has to know, and the decision in two steps.

The first step shows precisely what would be done; the second does it. What was shown has a digest, which comes back with the
form: a statement that was added to meanwhile, or another person's agreement, has to be looked at first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from proxy.escalation.lifecycle import EscalationMoved, Move, ReasonMissing, State
from proxy.escalation.service import MAX_REASON, MIN_REASON
from proxy.escalation.words import amended, waiting
from proxy.identity.passkeys import PasskeyMissing
from proxy.inquiry.inquiry import BodyUnreadable
from proxy.web.console.dossier import ON_CASE, seen
from proxy.web.console.visit import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aiohttp import web

    from proxy.escalation.lifecycle import Escalation
    from proxy.escalation.service import Escalations
    from proxy.policy.service import PolicySet
    from proxy.registry.service import Registry
    from proxy.web.console.dossier import Dossiers
    from proxy.web.console.visit import Visit

DECISIONS: Final[Mapping[str, Move]] = {"approve": Move.APPROVE, "refuse": Move.REFUSE}


class EscalationRoom:
    """The page of one escalation."""

    tab = None

    def __init__(
        self,
        *,
        escalations: Escalations,
        dossiers: Dossiers,
        registry: Registry,
        policies: Callable[[], PolicySet],
        may_lock: Callable[[str], bool],
    ) -> None:
        """Take the rooms that decide, and that know whom it is about; and which roles may stop somebody."""
        self._may_lock = may_lock
        self._escalations = escalations
        self._dossiers = dossiers
        self._registry = registry
        self._policies = policies

    def pages(self) -> Iterable[Page]:
        """Return the page, its live part, and what can be done."""
        yield Page("GET", "/escalations/{id}", self._page)
        yield Page("GET", "/escalations/{id}/live", self._live)
        yield Page("POST", "/escalations/{id}/check", self._check)
        yield Page("POST", "/escalations/{id}/approve", self._approve)
        yield Page("POST", "/escalations/{id}/refuse", self._refuse)
        yield Page("POST", "/escalations/{id}/ask", self._ask)
        yield Page("POST", "/escalations/{id}/reveal", self._reveal)
        yield Page("POST", "/escalations/{id}/amend", self._amend)
        yield Page("POST", "/escalations/{id}/cancel", self._cancel)

    async def _page(self, visit: Visit) -> web.StreamResponse:
        escalation = await self._escalations.seen(visit.names["id"], visit.principal)
        if escalation.asked.person == visit.principal.person:
            questions = waiting(escalation.words)
            return visit.show("own_escalation.html", escalation=escalation, state=escalation.at(visit.now), questions=questions)
        dossier = await self._dossiers.of(escalation, visit.principal, visit.now)
        may_lock = self._may_lock(visit.principal.role)
        return visit.show("escalation.html", it=dossier, ON_CASE=ON_CASE, least=MIN_REASON, most=MAX_REASON, may_lock=may_lock)

    async def _live(self, visit: Visit) -> web.StreamResponse:
        first = await self._escalations.seen(visit.names["id"], visit.principal)
        shown = visit.query.get("seen", "")

        async def html() -> str:
            now = await self._escalations.seen(first.id, visit.principal)
            return visit.html("escalation_news.html", state=now.at(visit.now), same=seen(now) == shown, id=now.id)

        return await visit.live(self._escalations.generation, html)

    async def _check(self, visit: Visit) -> web.StreamResponse:
        """Show what would be done; nothing is yet."""
        move = DECISIONS.get(visit.form.text("move"))
        if move is None:
            raise BodyUnreadable("The form does not say whether to approve or to refuse.")
        escalation = await self._escalations.seen(visit.names["id"], visit.principal)
        self._require_same(escalation, visit)
        await self._escalations.may_decide(escalation, visit.principal)
        if escalation.at(visit.now) is not State.PENDING:
            raise EscalationMoved(f"This escalation is {escalation.at(visit.now)}.")
        reason = visit.form.text("reason")
        if not MIN_REASON <= len(reason) <= MAX_REASON:
            raise ReasonMissing(f"Say why, in {MIN_REASON} to {MAX_REASON} characters.")
        dossier = await self._dossiers.of(escalation, visit.principal, visit.now)
        passkey, hint = None, ""
        if move is Move.APPROVE:
            try:
                asked = await self._escalations.confirmation(escalation, visit.principal, reason)
                passkey = orjson.dumps(asked).decode() if asked is not None else None
            except PasskeyMissing as missing:
                hint = missing.detail
        return visit.show("check.html", it=dossier, move=str(move), reason=reason, passkey=passkey, hint=hint)

    async def _approve(self, visit: Visit) -> web.StreamResponse:
        escalation = await self._escalations.seen(visit.names["id"], visit.principal)
        self._require_same(escalation, visit)
        moved = await self._escalations.decide(
            escalation.id,
            visit.principal,
            Move.APPROVE,
            visit.form.text("reason"),
            visit.step_up,
            amendments=amended(escalation.words),
        )
        return visit.go("/queue", said="approved" if moved.state is State.APPROVED else "agreed")

    async def _ask(self, visit: Visit) -> web.StreamResponse:
        """Ask for more: nothing is let out by it, so one step is enough."""
        await self._escalations.decide(visit.names["id"], visit.principal, Move.ASK, visit.form.text("reason"))
        return visit.go(f"/escalations/{visit.names['id']}", said="asked")

    async def _amend(self, visit: Visit) -> web.StreamResponse:
        await self._escalations.amend(visit.names["id"], visit.principal, visit.form.text("words"))
        return visit.go(f"/escalations/{visit.names['id']}", said="added")

    async def _cancel(self, visit: Visit) -> web.StreamResponse:
        await self._escalations.cancel(visit.names["id"], visit.principal)
        return visit.go(f"/escalations/{visit.names['id']}", said="canceled")

    async def _refuse(self, visit: Visit) -> web.StreamResponse:
        await self._escalations.decide(visit.names["id"], visit.principal, Move.REFUSE, visit.form.text("reason"))
        return visit.go("/queue", said="refused")

    async def _reveal(self, visit: Visit) -> web.StreamResponse:
        """Show whom it is about. It answers a POST with a page, for once: opened anew, it asks for the reason anew."""
        escalation = await self._escalations.reveal(visit.names["id"], visit.principal, visit.form.text("reason"))
        nameable = self._policies().vocabulary.nameable
        entries = [
            {
                "name": entry.identifiers.name if nameable(entry.category) else "",
                "category": entry.category or "household of a protected person",
                "basis": entry.basis,
                "expires": entry.expires,
            }
            for entry in await self._registry.named(escalation.asked.subjects)
        ]
        return visit.show("revealed.html", escalation=escalation, entries=entries)

    @staticmethod
    def _require_same(escalation: Escalation, visit: Visit) -> None:
        if visit.form.text("seen") != seen(escalation):
            raise EscalationMoved("Something was added to this escalation since you looked. Nothing was done; look again.")
