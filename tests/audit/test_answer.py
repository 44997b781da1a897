"""Whether an answer is complete: what a checker finds of what was left out, added, or taken from another log."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from proxy.audit.answer import Answer, AnswerInvalid, Asked, answer_of, asked_for, check
from proxy.audit.entry import encode
from proxy.audit.event import Party
from proxy.audit.keyring import Key, KeyRing
from proxy.audit.sealing import Sealer
from proxy.clock import stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.audit.answer import Checked
    from proxy.audit.event import Json

SEALER = Sealer(index_key=b"i" * 32, body_key=b"b" * 32)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
END = NOON + 9 * HOUR
SUBJECT = [Party("subject", "entry-1")]


def leaf(number: int, subject: str, sealer: Sealer = SEALER, **facts: Json) -> tuple[int, bytes]:
    """Return an entry of an hour after noon."""
    at = stamp(NOON + number * HOUR)
    parties = [Party("subject", subject), Party("officer", f"badge-{number}")]
    return number, encode(sealer, kind="decided", at=at, about="", facts=facts, parties=parties, sealed={}).entry


LOG = [leaf(0, "entry-1"), leaf(1, "entry-2"), leaf(2, "entry-1"), leaf(3, "entry-3", unnamed=7), leaf(4, "entry-1")]
ASKED = asked_for(SUBJECT, SEALER.searches)


def answered(size: int = 5, hours: int = 100) -> Answer:
    """Return the answer about entry-1."""
    return answer_of(iter(LOG), origin="log.example", size=size, asked=ASKED, since=NOON, until=NOON + hours * HOUR)


def test_an_answer_names_every_entry_and_those_that_had_no_room() -> None:
    """Of its log's size and of its stretch of time, and it is the same after it was written and read."""
    answer = answered()

    assert (answer.entries, answer.unnamed) == ((0, 2, 4), (3,))
    assert Answer.parse(answer.document()) == answer
    assert check(answer, LOG).complete
    assert answered(size=4).entries == (0, 2)
    assert answered(hours=2).entries == (0,)


def test_an_entry_that_was_left_out_is_named() -> None:
    """So is one that was put in, and one that said of itself that it is not whole."""
    answer = answered()

    assert check(replace(answer, entries=(0, 4)), LOG).missing == [2]
    assert check(replace(answer, entries=(0, 1, 2, 4)), LOG).added == [1]
    assert check(replace(answer, unnamed=()), LOG).unnamed_missing == [3]
    assert not check(replace(answer, entries=(0, 4)), LOG).complete


def test_an_answer_of_another_log_is_none_of_this() -> None:
    """An altered, exchanged, missing or added entry gives another root; one that is cut short is too short."""
    answer = answered()
    altered = [*LOG[:1], leaf(1, "entry-9"), *LOG[2:]]

    assert check(answer, altered).other_root
    assert check(answer, [LOG[0], (1, LOG[2][1]), (2, LOG[1][1]), *LOG[3:]]).other_root
    assert check(answer, LOG[:4]).short
    assert not check(answer, LOG[1:]).complete
    assert check(answer, [*LOG, leaf(5, "entry-1")]).complete


def test_a_smaller_log_cannot_be_passed_off_as_the_whole() -> None:
    """Whoever cuts off the newest entries has a root that no checkpoint of the whole size has."""
    cut = answered(size=4)

    assert check(cut, LOG).complete
    assert cut.root != answered().root


def test_a_token_counts_in_its_epoch_and_as_its_kind() -> None:
    """An officer's token is not a subject's, nor one of another key's time."""
    (token,) = ASKED
    for asked in (token._replace(kind="officer"), token._replace(epoch="2025")):
        answer = answer_of(LOG, origin="log.example", size=5, asked=[asked], since=NOON, until=NOON + 9 * HOUR)
        assert answer.entries == ()


def test_a_token_in_another_spelling_is_found() -> None:
    """JSON has several for one text; an entry that holds it so is read as everybody reads it."""
    spelled = LOG[2][1].replace(ASKED[0].token.encode(), b"".join(b"\\u%04x" % ord(letter) for letter in ASKED[0].token))
    answer = answer_of([*LOG[:2], (2, spelled), *LOG[3:]], origin="log.example", size=5, asked=ASKED, since=NOON, until=END)

    assert answer.entries == (0, 2, 4)


def test_an_answer_that_does_not_ask_in_every_epoch_is_not_complete() -> None:
    """Whoever leaves out the token of one epoch leaves out its entries, and is found without any key."""
    ring = KeyRing([Key("2025", b"o" * 32), Key("2026", b"n" * 32)])
    both = Sealer(index_key=ring, body_key=b"b" * 32)
    log = [LOG[0], leaf(1, "entry-1", both), leaf(2, "entry-2", both)]
    whole = tuple(sorted({*ASKED, *asked_for(SUBJECT, both.searches)}))

    def checked(asked: Sequence[Asked], until: datetime = END) -> Checked:
        return check(answer_of(log, origin="log.example", size=3, asked=asked, since=NOON, until=until), log)

    assert (checked(ASKED).unasked, checked(ASKED).complete) == (["2026"], False)
    assert checked(whole).complete
    assert checked(ASKED, NOON + HOUR).complete
    assert checked([*whole, *(each._replace(kind="officer") for each in ASKED)]).unasked == ["2026"]


def test_an_entry_that_cannot_be_read_is_no_proof_of_absence() -> None:
    """Nobody can say whom it names."""
    broken = [*LOG[:4], (4, LOG[4][1].replace(b'"v":2', b'"v":3'))]

    assert check(answered(), broken).unreadable == [4]
    with pytest.raises(AnswerInvalid):
        answer_of(broken, origin="log.example", size=5, asked=ASKED, since=NOON, until=NOON + 9 * HOUR)


@pytest.mark.parametrize(
    "change",
    [
        {"form": "other"}, {"root": "00"}, {"size": -1}, {"entries": [4, 2, 0]}, {"entries": [0, 0]}, {"entries": [9]},
        {"asked": []}, {"asked": [{"kind": "subject", "epoch": "1", "token": ".*"}]}, {"since": "noon"}, {"origin": ["x"]},
        {"asked": [{"kind": ["subject"], "epoch": "index", "token": ASKED[0].token}]},
        {"since": "2026-11-23T12:00:00"}, {"entries": ["0"]}, {"unnamed": [True]}, {"more": 1}, {"asked": [{"kind": "x"}]},
    ],
)  # fmt: skip
def test_what_is_no_answer_is_not_read(change: dict[str, object]) -> None:
    """Nothing is guessed, and a token is no expression."""
    said = json.loads(answered().document()) | change

    with pytest.raises(AnswerInvalid):
        Answer.parse(json.dumps(said).encode())


def test_tokens_of_every_epoch_are_asked_for() -> None:
    """One for each key that is still there."""
    assert asked_for(SUBJECT, lambda _kind, value: {"b": f"2{value}", "a": f"1{value}"}) == (
        Asked("subject", "a", "1entry-1"),
        Asked("subject", "b", "2entry-1"),
    )
