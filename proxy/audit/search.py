"""Looking through the log: by case or officer, in a stretch of time, newest first. Whoever looks is in the log first.

Nothing but the log is read: its tokens tell which entries are about whom, and without the index key nobody can ask. A walk is
bounded; where it stopped is told, so that the next one goes on from there and nobody takes a part for the whole.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from proxy.audit.entry import decode, prefix
from proxy.audit.event import Event, Party
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import KeyGone, Shredded
from proxy.tlog.store import SegmentReader, newest_seal, segments_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from proxy.audit.entry import Entry
    from proxy.audit.event import AuditLog, Json
    from proxy.audit.sealing import Sealer

By = Literal["case", "officer"]
WALK: Final = 200_000
"""Entries that one search looks at, at most: about two seconds."""
FOUND: Final = 100
SET_BACK: Final = timedelta(days=1)
"""Times in a log go up, but for a clock that was set back: by less than this, or its node would not have gone on."""
_EPOCH: Final = re.compile(rb'"epoch":"([^"\\]*)"')
_QUERIES: Final = (prefix("decided"), prefix("refused"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSearched(Event):
    """Somebody looks through the log; recorded before they see anything."""

    kind: ClassVar[str] = "log-searched"
    operator: str
    role: str
    case: str
    statement: str
    by: By
    value: str
    since: datetime
    until: datetime
    before: int | None = None

    def facts(self) -> Mapping[str, Json]:
        """Return by what was searched, and in which stretch; never for whom."""
        return {
            "by": self.by,
            "role": self.role,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "before": self.before,
        }

    def parties(self) -> Iterable[Party]:
        """Return who searched, under which case, and what was searched for."""
        yield Party("actor", self.operator)
        yield Party("case", self.case)
        yield Party(self.by, self.value)

    def sealed(self) -> Mapping[str, Json]:
        """Return all of it in words."""
        return {"operator": self.operator, "case": self.case, "statement": self.statement, "searched": self.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One query as a search shows it: who asked, why, and what was decided. Whom it was about stays sealed."""

    index: int
    at: datetime
    officer: str
    terminal: str
    case: str
    purpose: str
    statement: str
    action: str
    outcome: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found, newest first. ``before`` is where the next one goes on, or None: there is nothing more.

    ``dead`` names the epochs that the walk came through and whose key is not here: nobody can search their entries.
    """

    lines: Sequence[Line]
    looked: int
    before: int | None
    dead: Sequence[str] = ()


class LogSearch:
    """The use case."""

    def __init__(self, directory: Path, sealer: Sealer, audit: AuditLog) -> None:
        """Read the log in ``directory``."""
        self._directory = directory
        self._sealer = sealer
        self._reader = AuditReader(directory, sealer)
        self._audit = audit

    async def search(self, searched: LogSearched) -> Found:
        """Record the search, then return the queries it finds.

        Raises:
            AuditUnavailable: it could not be recorded, so nothing is shown.
            LogDamaged, EntryUnreadable, SealBroken: an entry cannot be read.
        """
        await self._audit.record(searched)
        return await asyncio.to_thread(self._walk, searched)

    def _walk(self, searched: LogSearched) -> Found:
        end = newest_seal(self._directory) if searched.before is None else searched.before
        lines: list[Line] = []
        dead: set[str] = set()
        looked = 0
        for segment in reversed(segments_of(self._directory)):
            if segment.first >= end:
                continue
            if looked >= WALK or len(lines) >= FOUND:
                return Found(lines=lines, looked=looked, before=end, dead=sorted(dead))
            matching = deque(self._matching(segment.first, end, searched, dead), maxlen=FOUND - len(lines) + 1)
            looked += end - segment.first
            lines += [self._line(entry) for entry in reversed(matching)]
            if len(lines) > FOUND:
                return Found(lines=lines[:FOUND], looked=looked, before=lines[FOUND - 1].index, dead=sorted(dead))
            end = segment.first
            first = next(self._reader.entries(end, end + 1), None)
            if first is not None and datetime.fromisoformat(first.at) < searched.since - SET_BACK:
                break
        return Found(lines=lines, looked=looked, before=None, dead=sorted(dead))

    def _matching(self, start: int, end: int, searched: LogSearched, dead: set[str]) -> Iterator[Entry]:
        tokens = self._sealer.searches(searched.by, searched.value)
        any_of = re.compile(b"|".join(token.encode() for token in tokens.values()))
        # Looked for as bytes first: reading every entry would cost ten times as much.
        for stored in SegmentReader(self._directory).stored(start, end):
            if not stored.entry.startswith(_QUERIES):
                continue
            epoch = _EPOCH.search(stored.entry)
            if epoch is not None and (name := epoch[1].decode()) not in tokens:
                dead.add(name)
            elif any_of.search(stored.entry):
                entry = decode(*stored)
                inside = searched.since <= datetime.fromisoformat(entry.at) < searched.until
                if inside and tokens.get(entry.epoch) in entry.parties.get(searched.by, ()):
                    yield entry

    def _clear(self, entry: Entry) -> dict[str, Json]:
        """Return a body in clear; of one that was shredded, or whose key was destroyed, words that say so."""
        try:
            return self._reader.unseal(entry)
        except Shredded:
            return {"statement": "(shredded on a court's order)"}
        except KeyGone:
            return {"statement": "(the body key was destroyed)"}

    def _line(self, entry: Entry) -> Line:
        sealed, facts = self._clear(entry), entry.facts
        return Line(
            index=entry.index,
            at=datetime.fromisoformat(entry.at),
            officer=str(sealed.get("operator") or ""),
            terminal=str(sealed.get("terminal") or ""),
            case=str(sealed.get("case") or ""),
            purpose=str(facts.get("purpose") or ""),
            statement=str(sealed.get("statement") or ""),
            action=str(facts.get("action") or ""),
            outcome=str(facts.get("outcome") or facts.get("problem") or entry.kind),
            rule=str(facts.get("rule") or ""),
        )
