"""People and terminals: who may ask at all, by which credential, and who has signed in here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.web.console.visit import Page, Tab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiohttp import web

    from proxy.identity.service import Identities
    from proxy.web.console.visit import Visit

READERS: Final = frozenset({"supervisor", "auditor", "oversight"})
_EVERYBODY: Final = frozenset({"auditor", "oversight"})


class PeopleRoom:
    """A supervisor sees the people of their agency; an auditor and the oversight desk everybody."""

    tab = Tab("People", "/people", roles=READERS)

    def __init__(self, identities: Identities, may_lock: Callable[[str], bool]) -> None:
        """Take the room that knows the credentials, and who tells which roles may stop somebody."""
        self._identities = identities
        self._may_lock = may_lock

    def pages(self) -> Iterable[Page]:
        """Return the list."""
        yield Page("GET", "/people", self._list, roles=READERS)

    async def _list(self, visit: Visit) -> web.StreamResponse:
        me, now = visit.principal, visit.now
        everywhere = me.role in _EVERYBODY
        everybody = [each for each in self._identities.enrolled() if everywhere or each.holder.agency == me.agency]
        vouched = [each for each in self._identities.vouched(now) if everywhere or each.agency == me.agency]
        good = [each for each in everybody if each.revoked_at is None and (each.expires_at is None or each.expires_at > now)]
        ended = [each for each in everybody if each not in good]
        return visit.show(
            "people.html",
            may_lock=self._may_lock(me.role),
            good=sorted(good, key=lambda each: (each.holder.person, each.holder.terminal, each.id)),
            vouched=sorted(vouched, key=lambda each: each.person),
            ended=sorted(ended, key=lambda each: each.revoked_at or each.expires_at or now, reverse=True)[:50],
        )
