"""An answer that can be checked for being complete: which entries of a log name certain tokens, and that no other does.

Pure: bytes in, findings out. Whoever has the log, or only its entries (bodies are not needed), reads them again from the first
to the last and finds the same ones, or names those that were left out or added.

*What a good answer proves*: of the log whose tree has this root at this size, exactly these entries of the stretch of time hold
any of these tokens. With a checkpoint from elsewhere that agrees (``cosigned``), it is the log that others saw too.
*What not*: that the tokens are those of the person (whoever holds the index key makes them anew and sees); that an entry names
everybody: what was sought by a prefix or a range, and people who are only named in a report, have no token, and entries in
``unnamed`` say of themselves that they had no room for all; and nothing of what was never recorded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from proxy.audit.entry import EntryUnreadable, decode
from proxy.tlog.merkle import Tree, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from proxy.audit.entry import Entry
    from proxy.audit.event import Party

FORM: Final = "showcause-answer/1"
UNNAMED: Final = "unnamed"
_KEYS: Final = ["form", "origin", "size", "root", "since", "until", "asked", "entries", "unnamed"]
_TOKEN: Final = re.compile(r"[0-9a-f]{32}\Z")
_HEAD: Final = re.compile(rb'\{"v":2,"kind":"[^"\\]*","at":"[^"\\]*","about":"[^"\\]*","epoch":"([^"\\]*)",')
_HASH: Final = re.compile(r"[0-9a-f]{64}\Z")


class AnswerInvalid(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """This is no answer of the form."""


class Asked(NamedTuple):
    """One token that was asked for: of what kind, and made in which epoch."""

    kind: str
    epoch: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Which entries, of the first ``size`` of a log, hold what was asked between two moments; all of it in open numbers.

    ``unnamed`` are entries of that time whose headers had no room for everybody: each may concern whoever was asked about.
    """

    origin: str
    size: int
    root: str
    since: datetime
    until: datetime
    asked: tuple[Asked, ...]
    entries: tuple[int, ...]
    unnamed: tuple[int, ...] = ()

    def document(self) -> bytes:
        """Return its bytes: JSON, keys in this order."""
        return orjson.dumps(
            {
                "form": FORM,
                "origin": self.origin,
                "size": self.size,
                "root": self.root,
                "since": self.since.isoformat(),
                "until": self.until.isoformat(),
                "asked": [each._asdict() for each in self.asked],
                "entries": list(self.entries),
                "unnamed": list(self.unnamed),
            },
            option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
        )

    @classmethod
    def parse(cls, content: bytes) -> Answer:
        """Return the answer that a document is.

        Raises:
            AnswerInvalid: it is none.
        """
        try:
            said = orjson.loads(content)
            if not isinstance(said, dict) or list(said) != _KEYS or said["form"] != FORM or not _HASH.match(said["root"]):
                raise AnswerInvalid("this is not an answer of a form that this program knows")
            answer = cls(
                origin=_text(said["origin"]),
                size=_number(said["size"]),
                root=said["root"],
                since=_moment(said["since"]),
                until=_moment(said["until"]),
                asked=tuple(Asked(**{name: _text(word) for name, word in each.items()}) for each in said["asked"]),
                entries=tuple(map(_number, said["entries"])),
                unnamed=tuple(map(_number, said["unnamed"])),
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise AnswerInvalid("this is not an answer of a form that this program knows") from error
        if not answer.asked or not all(_TOKEN.match(each.token) for each in answer.asked):
            raise AnswerInvalid("the answer does not say what was asked")
        for numbers in (answer.entries, answer.unnamed):
            if list(numbers) != sorted(set(numbers)) or (numbers and numbers[-1] >= answer.size):
                raise AnswerInvalid("the answer's entries are not in order, or not of its log")
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What became of a check: nothing in any list is a complete answer.

    ``unasked`` are the epochs of entries of that time for which no token was asked for: nobody can tell whom those name.
    """

    root: str
    missing: Sequence[int]
    added: Sequence[int]
    unreadable: Sequence[int]
    unnamed_missing: Sequence[int]
    unasked: Sequence[str]
    short: bool
    other_root: bool

    @property
    def complete(self) -> bool:
        """Tell whether the answer is complete, and of this log."""
        lists = (self.missing, self.added, self.unreadable, self.unnamed_missing, self.unasked)
        return not any(lists) and not self.short and not self.other_root


def asked_for(parties: Iterable[Party], searches: Callable[[str, str], Mapping[str, str]]) -> tuple[Asked, ...]:
    """Return the tokens of parties in each epoch whose key is there; ``searches`` is a sealer's."""
    return tuple(Asked(party.kind, epoch, token) for party in parties for epoch, token in sorted(searches(*party).items()))


def answer_of(
    entries: Iterable[tuple[int, bytes]], *, origin: str, size: int, asked: Sequence[Asked], since: datetime, until: datetime
) -> Answer:
    """Return the answer of a log's first ``size`` entries, read one after the other.

    Raises:
        AnswerInvalid: there are not so many, or one cannot be read.
    """
    scan = _Scan(asked, since, until)
    scan.take(entries, size)
    if scan.tree.size < size or scan.unreadable:
        raise AnswerInvalid("the log cannot be read whole; run `audit verify`")
    return Answer(
        origin=origin,
        size=size,
        root=scan.tree.root().hex(),
        since=since,
        until=until,
        asked=tuple(asked),
        entries=tuple(scan.found),
        unnamed=tuple(scan.unnamed),
    )


def check(answer: Answer, entries: Iterable[tuple[int, bytes]]) -> Checked:
    """Compare an answer with a log's entries, from the first on; the root that they have is in the result."""
    scan = _Scan(answer.asked, answer.since, answer.until)
    scan.take(entries, answer.size)
    root = scan.tree.root().hex()
    return Checked(
        root=root,
        missing=sorted(set(scan.found) - set(answer.entries)),
        added=sorted(set(answer.entries) - set(scan.found)),
        unreadable=scan.unreadable,
        unnamed_missing=sorted(set(scan.unnamed) - set(answer.unnamed)),
        unasked=sorted(scan.unasked),
        short=scan.tree.size < answer.size,
        other_root=root != answer.root,
    )


def holds(entry: Entry, asked: Iterable[Asked]) -> bool:
    """Tell whether an entry's header holds any of the tokens, each as the kind and in the epoch that it is of."""
    return any(each.epoch == entry.epoch and each.token in entry.parties.get(each.kind, ()) for each in asked)


class _Scan:
    """Reads entries in order."""

    def __init__(self, asked: Sequence[Asked], since: datetime, until: datetime) -> None:
        self._asked = asked
        # A backslash may hide any of it: then the entry is decoded.
        self._any = re.compile(b"|".join(re.escape(each.token.encode()) for each in asked) + rb'|\\|"%s":' % UNNAMED.encode())
        pairs, kinds = {each[:2] for each in asked}, {each.kind for each in asked}
        self._epochs = {each.epoch for each in asked if all((kind, each.epoch) in pairs for kind in kinds)}
        self._passed = {epoch.encode() for epoch in self._epochs}
        self._since, self._until = since, until
        self.tree = Tree()
        self.found: list[int] = []
        self.unnamed: list[int] = []
        self.unreadable: list[int] = []
        self.unasked: set[str] = set()

    def take(self, entries: Iterable[tuple[int, bytes]], size: int) -> None:
        for number, content in entries:
            if number >= size or number != self.tree.size:
                return
            self.tree.push(leaf_hash(content))
            head = _HEAD.match(content)
            # Looked for as bytes first: decoding each would cost ten times as much.
            if head is None or head[1] not in self._passed or self._any.search(content) is not None:
                self._see(number, content)

    def _see(self, number: int, content: bytes) -> None:
        try:
            entry = decode(number, content)
            inside = self._since <= datetime.fromisoformat(entry.at) < self._until
        except (EntryUnreadable, ValueError):
            self.unreadable.append(number)
            return
        if inside and entry.epoch not in self._epochs:
            self.unasked.add(entry.epoch)
            self._passed.add(entry.epoch.encode())
        if inside and holds(entry, self._asked):
            self.found.append(number)
        if inside and entry.facts.get(UNNAMED):
            self.unnamed.append(number)


def _number(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("no number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")  # noqa: TRY004 -- every way of being no answer ends in one sentence
    return value


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return moment
