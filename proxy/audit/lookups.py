"""How often somebody's records were answered with lately, and to whom: numbers for who decides, from the index over the log.

Result lists count as much as direct queries. Nothing is opened, and nobody is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from proxy.audit.continuity import unreleased_by

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from proxy.audit.event import Party
    from proxy.audit.index.service import Index
    from proxy.audit.sealing import Sealer

LATELY: Final = timedelta(days=30)
MOST: Final = 200
"""Entries that are looked at, the newest: whoever was looked up more often than that is told of as such."""
PATIENCE: Final = 2.0
"""Seconds that the index has to catch up; then it is asked as far as it goes."""
_ENDS: Final = frozenset({"disclosed", "withheld"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedUp:
    """Answered queries of the last 30 days that concerned somebody: ``own`` the officer's, ``officers`` how many others asked.

    ``more`` tells that there were more, further back. Who asked under two index keys counts as two.
    """

    own: int
    officers: int
    more: bool


class LookUps:
    """Counts them. Blocks for some milliseconds, or for ``PATIENCE`` where the index is behind."""

    def __init__(self, index: Index, sealer: Sealer) -> None:
        """Use an index."""
        self._index = index
        self._sealer = sealer

    def of(self, people: Iterable[Party], officer: str, now: datetime) -> LookedUp:
        """Return what the log says of ``people``, who are the same person or asked about together.

        Raises:
            IndexUnusable: there is no index.
            LogDamaged, EntryUnreadable: an entry cannot be read.
        """
        tokens = {token for party in people for token in self._sealer.searches(*party).values()}
        mine = set(self._sealer.searches("officer", officer).values())
        if not tokens:
            return LookedUp(own=0, officers=0, more=False)
        self._index.catch_up(seconds=PATIENCE)
        hits = self._index.find(tokens, since=now - LATELY, until=now, most=MOST)
        queries = self._index.together(hits.entries)
        unreleased = {number for whole in queries.values() for entry in whole for number in unreleased_by(entry)}
        ends = [
            (about, set(entry.parties.get("officer", ())))
            for about, whole in queries.items()
            for entry in whole
            if entry.kind in _ENDS and entry.index not in unreleased
        ]
        return LookedUp(
            own=len({about for about, officers in ends if officers & mine}),
            officers=len({token for _, officers in ends for token in officers} - mine),
            more=hits.more,
        )
