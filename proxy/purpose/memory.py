"""What this room remembers for a while, in memory and bounded: purposes that later queries inherit, and words said before."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from proxy.purpose.purpose import Purpose
    from proxy.purpose.standing import Asker

ROOTS: Final = 20_000
NAMED: Final = 200_000
"""Forms of subjects that are remembered for all roots together: about 20 MB."""
FOLLOWED: Final = 8
"""Subjects that one stated purpose can be followed to. A stop has a driver, an owner and passengers; a street has more."""
SIGNATURES: Final = 100_000
"""Some ten thousand statements: about 30 MB."""
CASES_PER_STATEMENT: Final = 64

Subjects = tuple[frozenset[str], ...]
"""Whom an answer named: of each record, every form by which a query could be about its subject (a number, name and birth)."""


@dataclass(slots=True, kw_only=True)
class _Cascade:
    """A purpose that was stated, by whom and when, and the subjects its queries were followed to."""

    person: str
    agency: str
    at: datetime
    followed: set[bytes] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Root:
    cascade: _Cascade
    purpose: Purpose
    named: tuple[frozenset[bytes], ...]

    @property
    def size(self) -> int:
        return sum(map(len, self.named))


class Roots:
    """Purposes of recent queries, by their audit entry; each can be inherited by its own principal, for a short time.

    And only for a query that is wholly about one subject whom the answer named, so that what was said of one person opens
    nobody else. Nothing here knows of whom an answer left out. Subjects are kept as digests under a key of this start.
    """

    def __init__(self, lifetime: timedelta, key: bytes, *, most: int = ROOTS, most_named: int = NAMED) -> None:
        """Take how long a purpose can be inherited, a random key of 16 to 64 bytes, and how much is kept."""
        self._lifetime = lifetime
        self._keyed = hashlib.blake2b(key=key, digest_size=16, person=b"subject")
        self._most = most
        self._most_named = most_named
        self._named = 0
        self._roots: OrderedDict[str, _Root] = OrderedDict()

    def remember(self, reference: str, asker: Asker, purpose: Purpose, named: Subjects, now: datetime) -> None:
        """Keep a purpose, and whom the answer named, under the entry of the query that stated it.

        A query that inherited its purpose passes on the time of the one that stated it, and its account of subjects: a chain
        of queries, each the root of the next, would otherwise keep one statement alive for a whole shift.
        """
        if purpose.root is None:
            cascade = _Cascade(person=asker.person, agency=asker.agency, at=now)
        else:
            stated = self._own(purpose.root, asker, now)
            if stated is None:
                return
            cascade = stated.cascade
        root = _Root(cascade=cascade, purpose=purpose, named=tuple(frozenset(map(self._digest, each)) for each in named))
        before = self._roots.pop(reference, None)
        self._named += root.size - (before.size if before else 0)
        self._roots[reference] = root
        while self._roots and (len(self._roots) > self._most or self._named > self._most_named):
            _, oldest = self._roots.popitem(last=False)
            self._named -= oldest.size

    def inherited(self, reference: str, asker: Asker, sought: frozenset[str], now: datetime) -> Purpose | None:
        """Return the purpose under an entry, for a query about ``sought`` and nobody else, or None.

        None does not tell apart an entry that is unknown, too old, somebody else's, or whose answer named somebody else.
        """
        root = self._own(reference, asker, now)
        forms = frozenset(map(self._digest, sought))
        if root is None or not forms or not any(forms <= each for each in root.named):
            return None
        followed = root.cascade.followed
        subject = self._digest("\0".join(sorted(sought)))
        if subject not in followed and len(followed) >= FOLLOWED:
            return None
        followed.add(subject)
        return root.purpose

    def _own(self, reference: str, asker: Asker, now: datetime) -> _Root | None:
        root = self._roots.get(reference)
        if root is None or (root.cascade.person, root.cascade.agency) != (asker.person, asker.agency):
            return None
        return root if now - root.cascade.at < self._lifetime else None

    def _digest(self, form: str) -> bytes:
        return _digested(self._keyed.copy(), form.encode("utf-8", "surrogatepass"))


class Words:
    """On how many cases a person said the same words. Only keyed digests are kept, under a key of this start."""

    def __init__(self, key: bytes, *, most: int = SIGNATURES) -> None:
        """Take a random key of 16 to 64 bytes, and how many signatures of statements are kept."""
        self._key = key
        self._most = most
        self._cases: OrderedDict[bytes, tuple[bytes, ...]] = OrderedDict()

    def marks(self, person: str, signatures: Sequence[bytes]) -> tuple[bytes, ...]:
        """Return under what a person's words are remembered."""
        keyed = hashlib.blake2b(person.encode() + b"\0", key=self._key, digest_size=16)
        return tuple(_digested(keyed.copy(), signature) for signature in signatures)

    def others(self, marks: Sequence[bytes], case: str) -> tuple[int, bool]:
        """Return on how many other cases these words, or nearly these, were said; and whether this case is a new one."""
        said = {number for mark in marks for number in self._cases.get(mark, ())}
        number = self._digest(case.encode())
        return len(said - {number}), number not in said

    def say(self, marks: Sequence[bytes], case: str) -> None:
        """Remember words said on a case."""
        number = self._digest(case.encode())
        for mark in marks:
            cases = self._cases.get(mark, ())
            if number not in cases and len(cases) < CASES_PER_STATEMENT:
                cases = (*cases, number)
            self._cases[mark] = cases
            self._cases.move_to_end(mark)
        while len(self._cases) > self._most:
            self._cases.popitem(last=False)

    def _digest(self, material: bytes) -> bytes:
        return hashlib.blake2b(material, key=self._key, digest_size=8).digest()


def _digested(keyed: hashlib.blake2b, material: bytes) -> bytes:
    keyed.update(material)
    return keyed.digest()
