"""What this room remembers for a while, in memory and bounded: purposes that later queries inherit, and words said before."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from proxy.purpose.purpose import Purpose
    from proxy.purpose.standing import Asker

ROOTS: Final = 20_000
STATEMENTS: Final = 20_000
CASES_PER_STATEMENT: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Root:
    person: str
    agency: str
    purpose: Purpose
    at: datetime


class Roots:
    """Purposes of recent queries, by their audit entry; each can be inherited by its own principal, for a short time."""

    def __init__(self, lifetime: timedelta, *, most: int = ROOTS) -> None:
        """Take how long a purpose can be inherited, and how many are kept."""
        self._lifetime = lifetime
        self._most = most
        self._roots: OrderedDict[str, _Root] = OrderedDict()

    def remember(self, reference: str, asker: Asker, purpose: Purpose, now: datetime) -> None:
        """Keep a purpose under the entry of the query that stated it.

        A query that inherited its purpose passes on the time of the one that stated it: a chain of queries, each the root
        of the next, would otherwise keep one statement alive for a whole shift.
        """
        at = now
        if purpose.root is not None:
            stated = self._own(purpose.root, asker, now)
            if stated is None:
                return
            at = stated.at
        self._roots[reference] = _Root(person=asker.person, agency=asker.agency, purpose=purpose, at=at)
        if len(self._roots) > self._most:
            self._roots.popitem(last=False)

    def inherited(self, reference: str, asker: Asker, now: datetime) -> Purpose | None:
        """Return the purpose under an entry, or None: unknown, too old and somebody else's are not told apart."""
        root = self._own(reference, asker, now)
        return root.purpose if root else None

    def _own(self, reference: str, asker: Asker, now: datetime) -> _Root | None:
        root = self._roots.get(reference)
        if root is None or (root.person, root.agency) != (asker.person, asker.agency):
            return None
        return root if now - root.at < self._lifetime else None


class Words:
    """On how many cases a person said the same words. Only keyed digests are kept, under a key of this start."""

    def __init__(self, key: bytes, *, most: int = STATEMENTS) -> None:
        """Take a random key of 16 to 64 bytes, and how many statements are kept."""
        self._key = key
        self._most = most
        self._cases: OrderedDict[bytes, set[bytes]] = OrderedDict()

    def said(self, person: str, words: bytes, case: str) -> tuple[int, bool]:
        """Remember words said on a case; return on how many other cases they were said, and whether this case is a new one."""
        mark = self._digest(person.encode() + b"\0" + words)
        cases = self._cases.get(mark)
        if cases is None:
            cases = self._cases[mark] = set()
            if len(self._cases) > self._most:
                self._cases.popitem(last=False)
        else:
            self._cases.move_to_end(mark)
        number = self._digest(case.encode())
        fresh = number not in cases
        others = len(cases) - (not fresh)
        if len(cases) < CASES_PER_STATEMENT:
            cases.add(number)
        return others, fresh and others > 0

    def _digest(self, material: bytes) -> bytes:
        return hashlib.blake2b(material, key=self._key, digest_size=16).digest()
