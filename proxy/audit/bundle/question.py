"""The question that a bundle answers, and the one rule by which its entries are chosen: exporter and verifier both run it.

An entry answers when, within the time asked for, it carries the token of whom was asked about, or belongs to the same query
(``about``) as one that does. ``Chooser`` is fed the leaves of the range twice: first to learn which queries those are, then
to tell of each leaf whether it answers.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast, get_args

import orjson

from proxy.clock import is_stamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proxy.audit.entry import Entry

By: TypeAlias = Literal["officer", "subject", "person_id", "case", "terminal", "entries"]
"""Whom or what was asked about: a kind of party, or entries by their numbers."""

MAX_QUESTION: Final = 16 << 20
MAX_ENTRIES: Final = 100_000
_TOKEN: Final = re.compile(r"[0-9a-f]{32}\Z")
_VERSION: Final = 1


class QuestionInvalid(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """``question.json`` is not one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked. ``since`` and ``until`` (exclusive) are times as entries state them, or empty.

    ``tokens`` are those of ``value``, by the epoch of the index key they were made in.
    """

    by: By
    value: str
    tokens: Mapping[str, str]
    since: str = ""
    until: str = ""

    def within(self, at: str) -> bool:
        """Tell whether a time is in the stretch asked for; times of one form compare as text."""
        return (not self.since or at >= self.since) and (not self.until or at < self.until)

    def names(self, entry: Entry) -> bool:
        """Tell whether an entry carries the token of whom was asked about."""
        token = self.tokens.get(entry.epoch)
        return token is not None and token in entry.parties.get(self.by, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Entries ``first`` up to ``end`` (exclusive) of the log."""

    first: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """``question.json``: the question, who exported the answer and why, and what the answer is.

    ``entries`` answer the question; of ``disclosed`` the key lies in the bundle; the bodies of ``shredded`` were destroyed on
    an order. ``stretch`` is what the question spans, None when entries were asked for by number: then nothing is claimed of
    others. ``policy`` is the digest of the files under ``policies``, empty when they are not there.
    """

    origin: str
    question: Question
    exported_at: str
    exporter: str
    case: str
    statement: str
    entries: tuple[int, ...]
    disclosed: tuple[int, ...]
    shredded: tuple[int, ...]
    stretch: Stretch | None
    policies: tuple[str, ...] = ()
    policy: str = ""

    def encode(self) -> bytes:
        """Return the file."""
        question, stretch = self.question, self.stretch
        document = {
            "v": _VERSION,
            "origin": self.origin,
            "by": question.by,
            "value": question.value,
            "tokens": dict(question.tokens),
            "since": question.since,
            "until": question.until,
            "range": None if stretch is None else [stretch.first, stretch.end],
            "entries": self.entries,
            "disclosed": self.disclosed,
            "shredded": self.shredded,
            "policies": self.policies,
            "policy": self.policy,
            "exported_at": self.exported_at,
            "exporter": self.exporter,
            "case": self.case,
            "statement": self.statement,
        }
        return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


_WORDS: Final = ("origin", "value", "since", "until", "policy", "exported_at", "exporter", "case", "statement")
_KEYS: Final = frozenset({"v", "by", "tokens", "range", "entries", "disclosed", "shredded", "policies", *_WORDS})


def decode_asked(content: bytes) -> Asked:
    """Return the document, every part of its type and within its bounds.

    Raises:
        QuestionInvalid: it is not one.
    """
    if len(content) > MAX_QUESTION:
        raise QuestionInvalid("it is too large")
    try:
        document = orjson.loads(content)
        spelled = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    except (ValueError, TypeError) as error:
        msg = f"it is not JSON: {error}"
        raise QuestionInvalid(msg) from None
    if spelled != content.removesuffix(b"\n"):
        raise QuestionInvalid("it is in another spelling than an export's, or says something twice")
    if not isinstance(document, dict) or document.keys() != _KEYS or document["v"] != _VERSION:
        raise QuestionInvalid("it has other members than a question of this version")
    words = {name: _word(document, name) for name in _WORDS}
    asked = Asked(
        origin=words["origin"],
        question=Question(
            by=_by(document["by"]),
            value=words["value"],
            tokens=_tokens(document["tokens"]),
            since=_time(words["since"]),
            until=_time(words["until"]),
        ),
        exported_at=_time(words["exported_at"]),
        exporter=words["exporter"],
        case=words["case"],
        statement=words["statement"],
        entries=_numbers(document, "entries"),
        disclosed=_numbers(document, "disclosed"),
        shredded=_numbers(document, "shredded"),
        stretch=_stretch(document["range"]),
        policies=_policies(document["policies"]),
        policy=words["policy"],
    )
    if not {*asked.disclosed, *asked.shredded} <= {*asked.entries} or {*asked.disclosed} & {*asked.shredded}:
        raise QuestionInvalid("it discloses entries that are not among its own, or that were shredded")
    if (asked.stretch is None) != (asked.question.by == "entries"):
        raise QuestionInvalid("entries asked for by number have no range, and only they")
    return asked


def _word(document: Mapping[str, Any], name: str) -> str:
    if not isinstance(document[name], str):
        msg = f"{name} is no text"
        raise QuestionInvalid(msg)
    return cast("str", document[name])


def _by(value: object) -> By:
    if value not in get_args(By):
        raise QuestionInvalid("by is none of " + ", ".join(get_args(By)))
    return cast("By", value)


def _tokens(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(token, str) and _TOKEN.match(token) for token in value.values()):
        raise QuestionInvalid("tokens are no 32 hexadecimal digits by epoch")
    return value


def _time(value: str) -> str:
    if value and not is_stamp(value):
        msg = f"{value!r} is no time as entries state it"
        raise QuestionInvalid(msg)
    return value


def _numbers(document: Mapping[str, Any], name: str) -> tuple[int, ...]:
    value = document[name]
    if not isinstance(value, list) or len(value) > MAX_ENTRIES or not all(type(each) is int and each >= 0 for each in value):
        msg = f"{name} are no numbers of entries"
        raise QuestionInvalid(msg)
    if any(one >= other for one, other in itertools.pairwise(value)):
        msg = f"{name} are out of order"
        raise QuestionInvalid(msg)
    return tuple(value)


def _stretch(value: object) -> Stretch | None:
    match value:
        case None:
            return None
        case [int(first), int(end)] if 0 <= first <= end and not isinstance(first, bool) and not isinstance(end, bool):
            return Stretch(first=first, end=end)
        case _:
            raise QuestionInvalid("range is no stretch of the log")


def _policies(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise QuestionInvalid("policies are no names of files")
    return tuple(value)


@dataclass(slots=True)
class Chooser:
    """Runs the rule over a range: ``learn`` every leaf, then ask of each whether it ``answers``."""

    question: Question
    _abouts: set[str] = field(default_factory=set)

    def learn(self, entry: Entry) -> None:
        """Take note of the query that an entry belongs to, if it names whom was asked about."""
        if entry.about and self.question.within(entry.at) and self.question.names(entry):
            self._abouts.add(entry.about)

    def answers(self, entry: Entry) -> bool:
        """Tell whether an entry belongs to the answer."""
        return self.question.within(entry.at) and (entry.about in self._abouts or self.question.names(entry))


def edges_hold(question: Question, times: Sequence[str], stretch: Stretch, size: int) -> bool:
    """Tell whether a range reaches as far as the question: beyond its time, or to the log's own beginning and end.

    ``times`` are those of the first and the last entry of the range, or none when it is empty.
    """
    if not times:
        return size == 0
    begins = stretch.first == 0 or (bool(question.since) and times[0] < question.since)
    ends = stretch.end == size or (bool(question.until) and times[-1] >= question.until)
    return begins and ends
