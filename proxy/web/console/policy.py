"""The policy that rules: its version and rows as a person reads them, who is answered about whom, and the candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.policy.decision import Facts
from proxy.policy.lattice import ruling_of
from proxy.policy.rows import obligations
from proxy.policy.vocabulary import COLUMNS, NONE
from proxy.web.console.visit import Page, Tab

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aiohttp import web

    from proxy.policy.decision import Ruling
    from proxy.policy.live import LivePolicy
    from proxy.policy.service import PolicySet
    from proxy.telemetry import Metrics
    from proxy.web.console.visit import Visit

ASKED: Final = ("purpose", "action", "standing", "relation", "approval")
"""What the grid is asked for; it shows every role and category."""
_USUAL: Final[Mapping[str, Sequence[str]]] = {
    "purpose": ("C",),
    "action": ("person.read",),
    "standing": ("assigned",),
}


class Cell(NamedTuple):
    """What one role is told about one category."""

    outcome: str
    rule: str
    because: str


class PolicyRoom:
    """Everybody who signs in may read the rules: they are no secret, and who is bound by them should know them."""

    tab = Tab("Policy", "/policy")

    def __init__(self, live: LivePolicy, metrics: Metrics) -> None:
        """Take the policy in force."""
        self._live = live
        self._metrics = metrics

    def pages(self) -> Iterable[Page]:
        """Return the page; the grid is asked for in its address, which holds words of the policy alone."""
        yield Page("GET", "/policy", self._page)

    async def _page(self, visit: Visit) -> web.StreamResponse:
        policies = self._live.policies
        words = {column: sorted(policies.lattice.words(column)) for column in COLUMNS}
        chosen = {column: _chosen(column, visit.query.get(column, ""), words[column]) for column in ASKED}
        return visit.show(
            "policy.html",
            policies=policies,
            reason=self._live.reason,
            words=words,
            chosen=chosen,
            grid=_grid(policies, chosen, words),
            rows=[(row, obligations(row)) for row in policies.sheet.rows],
            shadow=self._live.shadow,
            differences=self._differences(),
        )

    def _differences(self) -> Sequence[tuple[str, str, int]]:
        """Return how many rulings the candidate would have made otherwise, since the start of this node."""
        found = [
            (sample.labels["from"], sample.labels["to"], int(sample.value))
            for metric in self._metrics.policy_shadow_differences_total.collect()
            for sample in metric.samples
            if sample.name.endswith("_total") and sample.value
        ]
        return sorted(found)


def _chosen(column: str, asked: str, words: Sequence[str]) -> str:
    if asked in words:
        return asked
    return next((word for word in (*_USUAL.get(column, ()), NONE) if word in words), words[0])


def _grid(
    policies: PolicySet, chosen: Mapping[str, str], words: Mapping[str, Sequence[str]]
) -> Sequence[tuple[str, Sequence[Cell]]]:
    def cell(role: str, category: str) -> Cell:
        said = {**chosen, "role": role, "category": category}
        ruling: Ruling = ruling_of(policies.lattice.matching(Facts(*(said[column] for column in COLUMNS))))
        return Cell(str(ruling.outcome), ruling.rule, ruling.because)

    return [(role, [cell(role, category) for category in words["category"]]) for role in words["role"]]
