"""Standing in for one another: who decides for me while I am away, and for whom I do."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from proxy.escalation.delegation import MOST_DAYS, DelegationInvalid
from proxy.web.console.visit import Page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from proxy.escalation.delegations import Delegations
    from proxy.web.console.visit import Visit


class DelegationsRoom:
    """Everybody's own, and nobody else's."""

    tab = None

    def __init__(self, delegations: Delegations) -> None:
        """Take the room that hands on."""
        self._delegations = delegations

    def pages(self) -> Iterable[Page]:
        """Return the list with its form, and the two moves."""
        yield Page("GET", "/delegations", self._list)
        yield Page("POST", "/delegations", self._add)
        yield Page("POST", "/delegations/{id}/end", self._end)

    async def _list(self, visit: Visit) -> web.StreamResponse:
        me = visit.principal
        found = await self._delegations.listed(me)
        return visit.show(
            "delegations.html",
            mine=[each for each in found if each.delegator == me.person],
            theirs=[each for each in found if each.delegate == me.person],
            hands_on=self._delegations.hands_on(me.role),
            today=visit.now.astimezone(UTC).date(),
            last=visit.now.astimezone(UTC).date() + timedelta(days=MOST_DAYS - 1),
            most_days=MOST_DAYS,
        )

    async def _add(self, visit: Visit) -> web.StreamResponse:
        first, through = visit.form.text("first"), visit.form.text("through")
        starts = _day(first) if first else visit.now
        await self._delegations.add(visit.principal, visit.form.text("delegate"), starts, _day(through) + timedelta(days=1))
        return visit.go("/delegations", said="handed-on")

    async def _end(self, visit: Visit) -> web.StreamResponse:
        await self._delegations.end(visit.names["id"], visit.principal)
        return visit.go("/delegations", said="ended-delegation")


def _day(text: str) -> datetime:
    """Return the midnight with which a day of UTC begins.

    Raises:
        DelegationInvalid: it is no day.
    """
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        raise DelegationInvalid("A day is written as 2026-11-30. Give the first and the last.") from None
