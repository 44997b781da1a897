"""Rings of keys: which is used, what the others still do, and what becomes of entries whose key is gone."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from proxy.audit.bodies import Bodies
from proxy.audit.entry import decode, encode
from proxy.audit.event import Party
from proxy.audit.keyring import KeyRing, load_ring
from proxy.audit.keys import create_key, load_key
from proxy.audit.reader import AuditReader
from proxy.audit.rotation import commitment, new_key
from proxy.audit.sealing import KeyGone, SealBroken, Sealer
from proxy.audit.service import AuditTrail
from proxy.tlog.errors import KeyUnusable
from tests.audit.conftest import Asked, noon

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.audit.entry import Entry
    from tests.audit.conftest import World

FIRST = datetime(2026, 11, 28, 12, tzinfo=UTC)
SECOND = datetime(2026, 12, 28, 12, tzinfo=UTC)


class Clock:
    """A monotonic clock that a test winds."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def rings(tmp_path: Path) -> Path:
    """Return a folder with a ring each for index and body, of one key."""
    for name in ("index", "body"):
        create_key(tmp_path / "keys" / name / f"{name}.key")
    return tmp_path / "keys"


def sealer_of(rings: Path) -> Sealer:
    """Return the sealer of these rings, with a key of its own for the store."""
    return Sealer(index_key=load_ring(rings / "index"), body_key=load_ring(rings / "body"), store_key=b"s" * 32)


def sealed(sealer: Sealer, index: int = 0) -> Entry:
    """Return an entry that somebody asked in."""
    parts = encode(
        sealer,
        kind="asked",
        at="2026-11-28T12:00:00.00Z",
        about="q",
        facts={},
        parties=[Party("officer", "badge-1")],
        sealed={"words": "secret"},
    )
    return decode(index, *parts)


def test_a_new_key_is_used_and_the_old_one_still_finds_and_opens(rings: Path) -> None:
    """After a rotation new entries name the new keys; a search covers both epochs; both bodies open."""
    old = sealed(sealer_of(rings))
    for ring in ("index", "body"):
        new_key(rings / ring, FIRST).put_in()
    sealer = sealer_of(rings)
    new = sealed(sealer)
    assert (old.epoch, new.epoch) == ("index", "20261128T120000Z")
    searches = sealer.searches("officer", "badge-1")
    assert {old.epoch: old.parties["officer"][0], new.epoch: new.parties["officer"][0]} == searches
    assert old.parties != new.parties
    assert old.unseal(sealer) == new.unseal(sealer) == {"words": "secret"}
    assert b"20261128T120000Z" in (new.body or b"")


def test_a_destroyed_epoch_is_dead(rings: Path) -> None:
    """Without its index key nobody makes its tokens, and without its body key nobody opens its bodies: by name."""
    old = sealed(sealer_of(rings))
    for ring in ("index", "body"):
        new_key(rings / ring, FIRST).put_in()
        (rings / ring / f"{ring}.key").unlink()
    sealer = sealer_of(rings)
    assert old.epoch not in sealer.searches("officer", "badge-1")
    assert old.parties["officer"][0] not in sealer.searches("officer", "badge-1").values()
    with pytest.raises(KeyError):
        sealer.token("officer", "badge-1", old.epoch)
    with pytest.raises(KeyGone, match="body key body"):
        old.unseal(sealer)


def test_an_unknown_key_id_opens_nothing(rings: Path) -> None:
    """A body that names a key which never was is refused, not tried with another."""
    entry = sealed(sealer_of(rings))
    body = (entry.body or b"").replace(b"\x04body", b"\x04bodx", 1)
    moved = decode(0, _with_hash(entry, body), body)
    with pytest.raises(KeyGone, match="bodx"):
        moved.unseal(sealer_of(rings))


def test_a_wrapped_key_or_a_body_of_another_entry_opens_nothing(rings: Path) -> None:
    """Both are bound to their entry, so neither can be exchanged even by who can write the entry too."""
    sealer = sealer_of(rings)
    one, other = sealed(sealer), sealed(sealer)
    assert one.body is not None
    assert other.body is not None
    head = len(b"\x01\x04body")
    exchanged = one.body[: head + 60] + other.body[head + 60 :]
    with pytest.raises(SealBroken):
        decode(0, _with_hash(one, exchanged), exchanged).unseal(sealer)
    with pytest.raises(SealBroken, match="not the one whose hash"):
        decode(0, _with_hash(one, one.body), other.body).unseal(sealer)
    later = _with_hash(one, one.body).replace(b"12:00:00.00", b"13:00:00.00")
    with pytest.raises(SealBroken):
        decode(0, later, one.body).unseal(sealer)


def _with_hash(entry: Entry, body: bytes) -> bytes:
    return b'{"v":2,"kind":"%s","at":"%s","about":"%s","epoch":"%s","facts":{},"parties":{},"body":"%s"}' % tuple(
        word.encode() for word in (entry.kind, entry.at, entry.about, entry.epoch, sha256(body).hexdigest())
    )


def test_a_running_ring_takes_a_new_key_without_a_restart(rings: Path) -> None:
    """It looks at its folder four times a second; an unknown id makes it look at once."""
    clock = Clock()
    ring = KeyRing([*load_ring(rings / "index").keys.values()], rings / "index", monotonic=clock)
    new_key(rings / "index", FIRST).put_in()
    assert ring.active.id == "index"
    clock.now = 1.0
    assert ring.active.id == "20261128T120000Z"
    new_key(rings / "index", SECOND).put_in()
    assert ring.get("20261228T120000Z") is not None


def test_a_running_ring_never_goes_back(rings: Path) -> None:
    """Whoever takes the newest key away does not get a server that uses the one before."""
    clock = Clock()
    new_key(rings / "index", FIRST).put_in()
    ring = KeyRing([*load_ring(rings / "index").keys.values()], rings / "index", monotonic=clock)
    (rings / "index" / "20261128T120000Z.key").unlink()
    clock.now = 1.0
    assert ring.active.id == "20261128T120000Z"


async def test_a_ring_that_was_rolled_back_does_not_write_the_log(rings: Path, world: World) -> None:
    """The log's last entry names a newer key than the folder holds: refused, for each ring."""
    for ring in ("index", "body"):
        new_key(rings / ring, FIRST).put_in()
    async with world.log() as log:
        await AuditTrail(log, sealer_of(rings), noon).record(Asked())
        for ring in ("index", "body"):
            file = rings / ring / "20261128T120000Z.key"
            file.rename(file.with_suffix(".away"))
            with pytest.raises(KeyUnusable, match=f"{ring} key 20261128T120000Z"):
                AuditTrail(log, sealer_of(rings), noon).require_newest_keys()
            file.with_suffix(".away").rename(file)
        AuditTrail(log, sealer_of(rings), noon).require_newest_keys()


async def test_an_epoch_that_comes_back_is_a_finding(rings: Path, world: World) -> None:
    """Index keys follow one another; one that was replaced and is used again was put back by somebody."""
    first = Sealer(index_key=b"1" * 32, body_key=b"b" * 32)
    new_key(rings / "index", FIRST).put_in()
    async with world.log() as log:
        for sealer in (first, sealer_of(rings), first):
            await AuditTrail(log, sealer, noon).record(Asked())
    bodies = Bodies()
    for entry in AuditReader(world.directory).entries():
        bodies.see(entry)
    assert [fault.index for fault in bodies.faults()] == [2]
    assert "again" in bodies.faults()[0].message


def test_an_interrupted_rotation_is_gone_on_with(rings: Path) -> None:
    """A key that was made and not yet put in is announced again, the same; nothing reads it before."""
    made = new_key(rings / "index", FIRST)
    assert sealer_of(rings).epoch == "index"
    again = new_key(rings / "index", SECOND)
    assert again == made
    again.put_in()
    assert sealer_of(rings).epoch == made.key.id


def test_the_entry_commits_to_the_key_and_does_not_hold_it(rings: Path) -> None:
    """Who is shown the key later can tell that it is the one; from the entry nobody has it."""
    made = new_key(rings / "index", FIRST)
    event = made.event("index", by="login:clerk")
    assert event.facts()["commitment"] == commitment("index", made.key)
    assert made.key.secret.hex() not in repr((event.facts(), event.sealed(), list(event.parties())))
    assert commitment("index", made.key) != commitment("body", made.key)


def test_keys_are_not_made_out_of_order_nor_over_a_file(rings: Path, tmp_path: Path) -> None:
    """A clock behind the newest key, and a ring that is one file, are refused with what to do."""
    new_key(rings / "index", SECOND).put_in()
    with pytest.raises(KeyUnusable, match="set the clock"):
        new_key(rings / "index", FIRST)
    create_key(tmp_path / "one.key")
    kept = load_key(tmp_path / "one.key")
    with pytest.raises(KeyUnusable, match="Make a folder"):
        new_key(tmp_path / "one.key", FIRST)
    assert load_key(tmp_path / "one.key") == kept


def test_a_ring_needs_a_key_and_keys_that_nobody_else_reads(rings: Path, tmp_path: Path) -> None:
    """An empty folder, an open key and a strange name are refused."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(KeyUnusable, match="holds no key"):
        load_ring(tmp_path / "empty")
    (rings / "index" / "index.key").chmod(0o644)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        load_ring(rings / "index")
    (rings / "body" / "body.key").rename(rings / "body" / "-x.key")
    with pytest.raises(KeyUnusable, match="named by"):
        load_ring(rings / "body")


def test_what_the_store_holds_outlives_the_body_keys(rings: Path) -> None:
    """The store's key is another where it is configured, and the oldest body key where it is not."""
    closed = sealer_of(rings).seal({"a": 1}, use="x", bound=())
    new_key(rings / "body", FIRST).put_in()
    (rings / "body" / "body.key").unlink()
    assert sealer_of(rings).unseal(closed, use="x", bound=()) == {"a": 1}
    assert Sealer(index_key=b"i" * 32, body_key=b"b" * 32).store_key == b"b" * 32
