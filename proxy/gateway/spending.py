"""What each person has spent of the budgets: leaky buckets in memory, bounded, decided without a look at who is protected.

A refusal that depends on whom the registry knows is an oracle (simulatable auditing, Kenthapadi et al. 2005). So a bucket
fills by the query, and by what the terminal itself has seen of the answers; whoever asks could keep the same account.

In memory only: a restart empties them, and a second node counts for itself, so that somebody may spend as often as there are
nodes and restarts. Keys are tokens under a random key of this start; no name, number or person stands in memory here.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.escalation.lifecycle import BudgetSpent
from proxy.gateway.neighborhood import around

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.inquiry.inquiry import Inquiry
    from proxy.policy.budgets import Budgets
    from proxy.telemetry import Metrics

HOUR: Final = 3600.0
MOST_BUCKETS: Final = 1 << 16
"""About 10 MB. Who spends all of an hour's queries fills four thousand; beyond the bound, the longest untouched go first."""
BUDGETS: Final = ("queries", "fruitless", "records", "neighborhood", "unverified", "references")
_DETAILS: Final = {
    "queries": "You have sent more queries than anybody may within an hour.",
    "fruitless": "Too many of your queries within the hour found nothing, too much, or what a supervisor has to agree to.",
    "records": "You have been given as many records as anybody may within an hour.",
    "neighborhood": "Too many of your queries within the hour were around the same name, address or number.",
    "references": "You have named too many cases within the hour that there are not, or that are not yours.",
    "unverified": "You have asked as much without the case directory as anybody may within an hour. It is still down; call.",
}


class _Charge(NamedTuple):
    budget: str
    bucket: bytes
    limit: int
    cost: int


class Charged(NamedTuple):
    """How a query was charged: ``repeated`` is the same one again, ``cascaded`` one that another one caused.

    ``places`` are what it circles around; of a repeated one nobody asks.
    """

    repeated: bool
    cascaded: bool
    places: frozenset[str]


class Buckets:
    """Levels that leak away within the hour, by token; the longest untouched are forgotten when there are too many."""

    def __init__(self, most: int = MOST_BUCKETS) -> None:
        """Take how many are kept."""
        self._most = most
        self._levels: OrderedDict[bytes, tuple[float, float]] = OrderedDict()
        self.forgotten = 0

    def level(self, bucket: bytes, limit: int, now: float) -> float:
        """Return how full a bucket is that leaks ``limit`` within the hour."""
        level, at = self._levels.get(bucket, (0.0, now))
        return max(0.0, level - (now - at) * limit / HOUR)

    def add(self, bucket: bytes, limit: int, amount: float, now: float) -> float:
        """Pour into a bucket, and return how full it is now."""
        level = self.level(bucket, limit, now) + amount
        self._levels[bucket] = level, now
        self._levels.move_to_end(bucket)
        if len(self._levels) > self._most:
            _, (_, at) = self._levels.popitem(last=False)
            self.forgotten += now - at < HOUR
        return level


class Spending:
    """The account of everybody who asks at this node; one event loop writes it."""

    def __init__(self, *, key: bytes, metrics: Metrics, most: int = MOST_BUCKETS) -> None:
        """Take a random key of this start."""
        self._keyed = blake2b(digest_size=16, key=key)
        self._buckets = Buckets(most)
        self._said = Buckets(most)
        self._met = Buckets(most)
        self._spent = {budget: metrics.budget_spent_total.labels(budget) for budget in BUDGETS}
        self._forgotten = metrics.budgets_forgotten_total

    def charge(
        self, budgets: Budgets, person: str, inquiry: Inquiry, root: str | None, now: float, *, unverified: bool = False
    ) -> Charged:
        """Charge a query before anything else is decided about it.

        The same query again tries nothing new. A query that another one caused (``root``, verified) is counted with it, once
        for each action: so a terminal that follows a person up with vehicles and warrants has asked once.
        ``unverified`` ones are all counted: nobody could say whose case it is.

        Raises:
            BudgetSpent: nothing was charged.
        """
        outbound, limit = inquiry.outbound, budgets.neighborhood
        asked = self._token("asked", person, inquiry.action, outbound.target, (outbound.body or b"").hex())
        repeated = self._heard(asked, now)
        step = self._token("cascade", person, root or "", inquiry.action)
        rooted = root is not None and self._heard(self._token("root", person, root), now)
        cascaded = rooted and not self._heard(step, now)
        places = frozenset[str]() if repeated else around(inquiry)
        followed = {place: self._token("cascade", person, root or "", place) for place in places} if cascaded else {}
        cost = min(budgets.broad_counts if inquiry.broad else 1, limit)
        charges = [
            _Charge("neighborhood", self._token("near", person, place), limit, cost)
            for place in places
            if not (cascaded and self._heard(followed[place], now))
        ]
        if not cascaded:
            charges.append(_Charge("queries", self._token("queries", person), budgets.queries, 1))
        if unverified:
            charges.append(_Charge("unverified", self._token("unverified", person), budgets.unverified, 1))
        # What was found is charged afterwards, so here it is enough that there is something left.
        found = (("fruitless", budgets.fruitless), ("records", budgets.records))
        self._require([*charges, *(_Charge(name, self._token(name, person), most, 1) for name, most in found)], now)
        for charge in charges:
            self._pour(charge.bucket, charge.limit, charge.cost, now)
        self._hear([asked, *([step, *followed.values()] if cascaded else [])], now)
        return Charged(repeated=repeated, cascaded=cascaded, places=places)

    def may_refer(self, budgets: Budgets, person: str, now: float) -> None:
        """Return when somebody may name another reference; asked before the case directory is, which is not ours to flood.

        Raises:
            BudgetSpent: too many did not hold.
        """
        self._require([_Charge("references", self._token("references", person), budgets.references, 1)], now)

    def misreferred(self, budgets: Budgets, person: str, now: float) -> None:
        """Charge a reference that did not hold."""
        self._pour(self._token("references", person), budgets.references, 1, now)

    def opened(self, charged: Charged, reference: str, person: str, now: float) -> None:
        """Remember what a query circled around, for those that will name it as their root.

        Only one that was charged in full: a chain of queries, each the root of the next, would otherwise all be free.
        """
        if charged.repeated or charged.cascaded:
            return
        places = (self._token("cascade", person, reference, place) for place in charged.places)
        self._hear([self._token("root", person, reference), *places], now)

    def settle(
        self, charged: Charged, budgets: Budgets, person: str, *, fruitless: bool = False, records: int = 0, now: float
    ) -> None:
        """Charge what the terminal is about to see: that there is nothing for it, or how many records."""
        if fruitless and not (charged.repeated or charged.cascaded):
            self._pour(self._token("fruitless", person), budgets.fruitless, 1, now)
        if records and not charged.repeated:
            self._pour(self._token("records", person), budgets.records, records, now)

    def met(self, person: str, entries: Iterable[str], now: float) -> int:
        """Return how often a person's queries met the same protected one lately; each hour forgets one time.

        For the log alone. Were it a budget, its end would tell that two roads lead to one person.
        """
        levels = [self._met.add(self._token("met", person, entry), 1, 1, now) for entry in entries]
        return math.ceil(max(levels, default=0))

    def _require(self, charges: Iterable[_Charge], now: float) -> None:
        for budget, bucket, limit, cost in charges:
            over = self._buckets.level(bucket, limit, now) + cost - limit
            if over > 0:
                self._spent[budget].inc()
                raise BudgetSpent(_DETAILS[budget], retry_after=max(1, math.ceil(over * HOUR / limit)))

    def _pour(self, bucket: bytes, limit: int, amount: float, now: float) -> None:
        before = self._buckets.forgotten
        self._buckets.add(bucket, limit, amount, now)
        self._forgotten.inc(self._buckets.forgotten - before)

    def _heard(self, token: bytes, now: float) -> bool:
        return self._said.level(token, 1, now) > 0

    def _hear(self, tokens: Iterable[bytes], now: float) -> None:
        """Remember for an hour."""
        for token in tokens:
            if not self._heard(token, now):
                self._said.add(token, 1, 1, now)

    def _token(self, *words: str) -> bytes:
        keyed = self._keyed.copy()
        keyed.update("\0".join(words).encode("utf-8", "surrogatepass"))
        return keyed.digest()
