"""Whom the identity provider has vouched for here: what its newest token said of each person, and when that was.

It lists who could decide and who can be named, and opens no door: whoever decides shows a token, which alone counts then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from proxy.identity.credential import Holder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from proxy.identity.claims import Identity

CONSOLE: Final = "console"
"""Where the provider's people decide: a token names the terminal of a query, and no desk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One person. ``issued_at`` is the token's time by the provider's clock, ``seen_at`` ours; both aware, in UTC."""

    person: str
    agency: str
    roles: frozenset[str]
    issued_at: datetime
    seen_at: datetime

    @classmethod
    def of(cls, who: Identity, issued_at: datetime, now: datetime) -> Seen:
        """Return what a token that holds says of somebody."""
        return cls(person=who.person, agency=who.agency, roles=who.roles, issued_at=issued_at, seen_at=now)

    def fresh(self, now: datetime, within: timedelta) -> bool:
        """Tell whether it was lately, also by a clock that was set back."""
        return abs(now - self.seen_at) < within

    def beside(self, known: Seen | None) -> Seen:
        """Return what holds beside what is known. Tokens count whole seconds: of two of one second, what both say."""
        if known is None or (self.agency, self.issued_at) != (known.agency, known.issued_at):
            return self
        return replace(self, roles=self.roles & known.roles)

    def adds(self, known: Seen | None, *, now: datetime, pause: timedelta) -> bool:
        """Tell whether it is worth writing down beside what is known: something else, by a newer token, or a sign of life.

        An older token, which still holds, brings back no role that a newer one has taken.
        """
        if known is None:
            return True
        if (self.agency, self.roles) != (known.agency, known.roles):
            return self.issued_at > known.issued_at or (self.issued_at == known.issued_at and self.roles < known.roles)
        return not known.fresh(now, pause)

    def holders(self) -> Iterator[Holder]:
        """Yield the person once for each role."""
        for role in sorted(self.roles):
            yield Holder(person=self.person, agency=self.agency, role=role, unit=None, terminal=CONSOLE)
