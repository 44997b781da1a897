"""Tokens, seals and entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.audit.entry import Encoded, EntryUnreadable, decode, encode
from proxy.audit.event import Party
from proxy.audit.keys import create_key, load_key
from proxy.audit.sealing import SealBroken, Sealer
from proxy.tlog.errors import KeyUnusable

if TYPE_CHECKING:
    from pathlib import Path

SEALER = Sealer(index_key=b"i" * 32, body_key=b"b" * 32)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OBJECT: Any = st.dictionaries(st.text(), JSON, max_size=5)


def entry(**parts: Any) -> Encoded:
    """Return an entry's bytes and its body."""
    defaults: dict[str, Any] = {
        "kind": "asked",
        "at": "2026-11-23T12:00:00.12Z",
        "about": "q1",
        "facts": {},
        "parties": (),
        "sealed": {},
    }
    return encode(SEALER, **(defaults | parts))


@settings(max_examples=150, deadline=None)
@given(OBJECT, OBJECT)
def test_an_entry_gives_back_what_was_put_in(facts: Any, sealed: Any) -> None:
    """Facts lie open, the sealed part opens with the key."""
    decoded = decode(7, *entry(facts=facts, sealed=sealed))
    assert decoded.facts == facts
    assert decoded.unseal(SEALER) == sealed
    assert decoded.index == 7


@settings(max_examples=100, deadline=None)
@given(OBJECT.filter(bool), st.data())
def test_no_flipped_bit_of_a_sealed_part_opens(sealed: Any, data: st.DataObject) -> None:
    """Authenticated encryption refuses altered nonces, ciphertexts and tags."""
    closed = bytearray(SEALER.seal(sealed, use="entry", bound=("a",)))
    closed[data.draw(st.integers(0, len(closed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealBroken):
        SEALER.unseal(bytes(closed), use="entry", bound=("a",))


@pytest.mark.parametrize(
    "other", [{"kind": "decided"}, {"at": "2026-11-23T12:00:00.13Z"}, {"about": "q2"}, {"epoch": "20261123T120000Z"}]
)
def test_a_sealed_part_cannot_be_moved_to_another_entry(other: dict[str, str]) -> None:
    """Kind, about, time and epoch are bound to it."""
    encoded = entry(sealed={"words": "secret"})
    moved = decode(0, orjson.dumps(orjson.loads(encoded.entry) | other), encoded.body)
    with pytest.raises(SealBroken):
        moved.unseal(SEALER)


def test_another_key_opens_nothing() -> None:
    """Neither another body key nor the index key reads a sealed part."""
    decoded = decode(0, *entry(sealed={"words": "secret"}))
    for key in (b"x" * 32, b"i" * 32):
        with pytest.raises(SealBroken):
            decoded.unseal(Sealer(index_key=b"i" * 32, body_key=key))


def test_equal_contents_are_sealed_differently() -> None:
    """Nobody can tell from the log that the same words were written twice."""
    first, second = (entry(sealed={"words": "same"}).body for _ in range(2))
    assert first != second


def test_bytes_that_are_no_text_do_not_escape_the_record() -> None:
    """A lone surrogate, as a hostile request may hold, is sealed and comes back."""
    hostile = {"target": "/records/\udcff\ud800"}
    decoded = decode(0, *entry(sealed=hostile, parties=[Party("name", "\udcff")]))
    assert decoded.unseal(SEALER) == hostile


@settings(max_examples=100, deadline=None)
@given(st.text(), st.text(), st.text(), st.text())
def test_tokens_tell_kinds_and_values_apart(kind: str, value: str, other_kind: str, other_value: str) -> None:
    """Two tokens are equal exactly when kind and value are, however they are split."""
    equal = SEALER.token(kind, value) == SEALER.token(other_kind, other_value)
    assert equal == ((kind, value) == (other_kind, other_value))
    assert len(SEALER.token(kind, value)) == 32


def test_tokens_depend_on_the_index_key_alone() -> None:
    """Another index key gives other tokens; another body key the same."""
    assert Sealer(index_key=b"j" * 32, body_key=b"b" * 32).token("name", "A") != SEALER.token("name", "A")
    assert Sealer(index_key=b"i" * 32, body_key=b"c" * 32).token("name", "A") == SEALER.token("name", "A")


def test_the_keys_of_an_entry_stand_in_their_order() -> None:
    """What is hashed is one form: v, kind, at, about, epoch, facts, parties, body; a party twice is one token."""
    content, _ = entry(facts={"b": 1, "a": 2}, parties=[Party("officer", "x"), Party("officer", "x"), Party("case", "y")])
    assert list(orjson.loads(content)) == ["v", "kind", "at", "about", "epoch", "facts", "parties", "body"]
    assert content.startswith(
        b'{"v":2,"kind":"asked","at":"2026-11-23T12:00:00.12Z","about":"q1","epoch":"index","facts":{"b":1,"a":2},'
        b'"parties":{"officer":["'
    )
    assert [len(tokens) for tokens in orjson.loads(content)["parties"].values()] == [1, 1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        entry().entry[:-1],
        entry().entry.replace(b'"v":2', b'"v":1'),
        entry().entry.replace(b'"facts":{}', b'"facts":[]'),
        entry().entry.replace(b'"body":""', b'"body":"!"'),
        entry().entry.replace(b'"2026-11-23T12:00:00.12Z"', b'"at noon"'),
        entry().entry.replace(b'"2026-11-23T12:00:00.12Z"', b'"2026-11-23T12:00:00"'),
        entry().entry.replace(b'"2026-11-23T12:00:00.12Z"', b'"2026-02-30T12:00:00.12Z"'),
    ],
)
def test_what_is_no_entry_is_named_so(content: bytes) -> None:
    """An entry of another form is refused with its index."""
    with pytest.raises(EntryUnreadable, match="entry 12"):
        decode(12, content)


def test_keys_are_made_once_and_kept_from_others(tmp_path: Path) -> None:
    """A key file holds 256 bits, has mode 0600, and is refused when others may read it or it is cut."""
    path = tmp_path / "body.key"
    create_key(path)
    assert len(load_key(path)) == 32
    with pytest.raises(KeyUnusable):
        create_key(path)
    path.chmod(0o644)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        load_key(path)
    path.chmod(0o600)
    path.write_text(path.read_text()[:-3])
    with pytest.raises(KeyUnusable, match="64 hexadecimal"):
        load_key(path)
