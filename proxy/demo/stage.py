"""The stage of the story: real HTTP at the demo's doors, and the demo's own log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from proxy.audit.reader import AuditReader
from proxy.demo.story import Seen
from proxy.demo.terminal import send
from proxy.policy.service import load_policies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.audit.entry import Entry
    from proxy.demo.run import Demo
    from proxy.demo.story import Expected
    from proxy.demo.terminal import Answer, Query
    from proxy.demo.town import Town

ENDS: Final = frozenset({"disclosed", "withheld", "failed"})
_MASKED: Final = re.compile(r"masked=\(([a-z_ ]*)\)")
_TOLD: Final = re.compile(r"withheld=(\d+)")


class OpenStage:
    """Sends what the story asks, and says what was not as it has to be."""

    def __init__(self, running: Demo) -> None:
        """Play at the doors of a running demo."""
        self._running = running
        self._reader = AuditReader(running.settings.log)
        self._tells = {row.rule: row.tell for row in load_policies(running.settings.policies).sheet.rows}
        self.first_entry: int | None = None

    @property
    def town(self) -> Town:
        """Return who lives there."""
        return self._running.town

    async def ask(self, query: Query) -> Answer:
        """Send a query with the key of who asks, supervisors to the console's door."""
        servers = self._running.servers
        door = servers.console if query.who in {"supervisor", "lieutenant"} else servers.terminals
        answer = await send(door.url, query, self._running.keys[query.who])
        if self.first_entry is None:
            self.first_entry = answer.entry
        return answer

    def look(self, answer: Answer, expected: Expected, note: str = "") -> Seen:
        """Hold an answer, and what the log says of it, against what has to come of it."""
        decided = self._entry(answer)
        decision = str(decided.facts.get("outcome", "")) if decided is not None and decided.kind == "decided" else ""
        return Seen(
            status=answer.status,
            problem=answer.problem,
            decision=decision,
            note=note,
            wrong=tuple(self._wrong(answer, expected, decided, decision)),
        )

    def _wrong(self, answer: Answer, expected: Expected, decided: Entry | None, decision: str) -> Iterator[str]:
        masked = _MASKED.search(answer.headers.get("disclosure", ""))
        for what, found, wanted in (
            ("status", answer.status, expected.status),
            ("problem", answer.problem, expected.problem),
            ("decision", decision, expected.decision),
            ("number of records", answer.records, expected.records),
            ("masked", frozenset(masked[1].split()) if masked else frozenset(), expected.masked),
        ):
            if wanted is not None and found != wanted:
                yield f"{what} is {_words(found)}, not {_words(wanted)}"
        told = answer.raw.lower()
        yield from (f"the answer lacks {what}" for what, text in expected.holds.items() if text.lower().encode() not in told)
        yield from (f"the answer tells {what}" for what, text in expected.lacks.items() if text.lower().encode() in told)
        if expected.decision is None:
            return  # about an escalation, which is recorded as its move; only an answer of the street names its entry
        if decided is None:
            yield "the answer names no entry of the log"
        elif answer.status == 200:
            yield from self._wrong_end(answer, expected, decided)

    def _wrong_end(self, answer: Answer, expected: Expected, decided: Entry) -> Iterator[str]:
        """Hold what was withheld, by the log, against what has to be, and against what the terminal was told."""
        end = next((entry for entry in self._reader.entries(decided.index) if _ends(entry, decided)), None)
        if end is None:
            yield "the log has no end of this query"
            return
        withheld = end.facts.get("withheld")
        if expected.withheld is not None and withheld != expected.withheld:
            yield f"withheld is {withheld}, not {expected.withheld}"
        rules = end.facts.get("rules")
        may_tell = sum(int(str(n)) for rule, n in rules.items() if self._tells.get(rule)) if isinstance(rules, dict) else 0
        header = _TOLD.search(answer.headers.get("disclosure", ""))
        if (int(header[1]) if header else 0) != may_tell:
            yield f"the terminal is told of {header[1] if header else 'no'} withheld records; policy lets it know of {may_tell}"

    def _entry(self, answer: Answer) -> Entry | None:
        return None if answer.entry is None else self._reader.read(answer.entry)


def _ends(entry: Entry, decided: Entry) -> bool:
    return entry.kind in ENDS and entry.about == decided.about


def _words(found: object) -> str:
    return " ".join(sorted(found)) or "nothing" if isinstance(found, frozenset) else str(found or "nothing")
