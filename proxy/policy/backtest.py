"""A candidate held against what was ruled: the log's rulings, made again by other rows on the same facts.

Only what lies open in the entries is read, never a query term. A ruling on a query is in its ``decided`` entry; the rulings on
the records of its reply are in the entry that ends it, counted by kind. Of entries older than those counts only the query's
ruling can be made again; how many that are is told.

As with a shadow, only the candidate's rows are consulted: who was recognized, and which route and code a query had, are facts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from proxy.audit.pairing import DECIDED, TERMINAL
from proxy.policy.decide import ruled
from proxy.policy.decision import Facts, Outcome, Ruling
from proxy.policy.strictness import opens
from proxy.policy.vocabulary import NONE
from proxy.registry.protection import Protection, Recognition, Relation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from proxy.audit.entry import Entry
    from proxy.policy.shadow import Shadow

EXAMPLES: Final = 5
_OURS: Final = frozenset({"registry", "error"})
"""Rules of rulings that no row made."""


class Changed(NamedTuple):
    """What changes of one kind have in common."""

    what: str
    before: str
    after: str
    rule_before: str
    rule_after: str
    looser: bool


@dataclass(slots=True)
class Found:
    """All changes of one kind: how many rulings, for which roles, codes and actions, and the first entries."""

    count: int = 0
    roles: Counter[str] = field(default_factory=Counter)
    purposes: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    entries: list[int] = field(default_factory=list)


class Backtest:
    """Walks the log in order. ``found`` holds the changes by kind."""

    def __init__(self, candidate: Shadow) -> None:
        """Take the candidate's rows."""
        self._candidate = candidate
        self._open: dict[str, Facts] = {}
        self.queries = 0
        self.records = 0
        self.silent = 0
        self.found: dict[Changed, Found] = {}

    def see(self, entry: Entry) -> None:
        """Take the next entry, whether it is a ruling or not."""
        if entry.kind == DECIDED:
            self._query(entry)
        elif entry.kind in TERMINAL:
            self._reply(entry)

    def changes(self) -> list[tuple[Changed, Found]]:
        """Return the changes, what loosens first, then by how many."""
        return sorted(self.found.items(), key=lambda each: (not each[0].looser, -each[1].count, each[0]))

    def _query(self, entry: Entry) -> None:
        said = entry.facts
        facts = Facts(*(str(said.get(column, "")) for column in Facts._fields))
        if said.get("forward") is True:
            self._open[entry.about] = facts
        self.queries += 1
        # A single pairing needs no lists of its own: it is the facts themselves.
        kind = {
            "categories": said.get("categories") or [word for word in (facts.category,) if word != NONE],
            "relations": said.get("relations") or [word for word in (facts.relation,) if word != NONE],
            "masked": None if said.get("break_glass") is True else said.get("masked"),
            # What an emergency opened, the row would have had somebody agree to.
            "outcome": Outcome.ESCALATE if said.get("break_glass") is True else said.get("outcome"),
            "rule": said.get("rule"),
        }
        self._rule("query", entry, facts, kind, 1)

    def _reply(self, entry: Entry) -> None:
        facts = self._open.pop(entry.about, None)
        kinds = entry.facts.get("ruled")
        if facts is None or not isinstance(kinds, list):
            self.silent += facts is not None and bool(entry.facts.get("records") or entry.facts.get("withheld"))
            return
        for kind in kinds:
            if isinstance(kind, dict) and isinstance(count := kind.get("count"), int):
                self.records += count
                self._rule("record", entry, facts._replace(approval=str(kind.get("approval", NONE))), kind, count)

    def _rule(self, what: str, entry: Entry, facts: Facts, kind: Mapping[str, Any], count: int) -> None:
        try:
            before = _ruling(kind)
            recognition = _recognition(kind)
        except ValueError:
            self.silent += 1
            return
        _, after = ruled(self._candidate, facts, recognition)
        same_masks = before.masked == after.masked or kind.get("masked") is None
        if after.outcome is before.outcome and same_masks:
            return
        changed = Changed(what, before.outcome, after.outcome, before.rule, after.rule, _looser(before, after))
        found = self.found.setdefault(changed, Found())
        found.count += count
        for counter, word in ((found.roles, facts.role), (found.purposes, facts.purpose), (found.actions, facts.action)):
            counter[word] += count
        if len(found.entries) < EXAMPLES:
            found.entries.append(entry.index)


def _looser(before: Ruling, after: Ruling) -> bool:
    return after.outcome.severity > before.outcome.severity or opens(before, after)


def _ruling(kind: Mapping[str, Any]) -> Ruling:
    """Return the ruling that was made.

    Raises:
        ValueError: no row made it.
    """
    rule = str(kind["rule"])
    if rule in _OURS:
        msg = "no row ruled"
        raise ValueError(msg)
    return Ruling(outcome=Outcome(kind["outcome"]), rule=rule, because="", masked=frozenset(kind.get("masked") or ()))


def _recognition(kind: Mapping[str, Any]) -> Recognition:
    return Recognition(
        protections=tuple(Protection(entry=word, category=word, basis="") for word in _words(kind, "categories")),
        relations=frozenset(Relation(word) for word in _words(kind, "relations")),
    )


def _words(kind: Mapping[str, Any], name: str) -> Iterator[str]:
    return (str(word) for word in kind.get(name) or ())
