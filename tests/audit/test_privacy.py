"""What a thief learns, tried out; and ``audit rotate-key`` and ``audit shred`` as an operator calls them.

The claims are those of ``deploy/log-privacy.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from proxy.audit.event import Party
from proxy.audit.keyring import load_ring
from proxy.audit.keys import create_key
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import SealBroken, Sealer
from proxy.audit.service import AuditTrail
from proxy.audit.shredding import Order, ShredProposed
from proxy.cli.recording import sealer_of
from proxy.settings import load_settings
from tests.audit.conftest import Asked, import_cases, noon
from tests.audit.test_command import Office, office

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.audit.entry import Entry
    from tests.audit.conftest import World

__all__ = ["office"]

ORDER = "In re A.B., 26-CV-0431, order of Nov 27"
PLATES = [f"{letter}{number:03}XZ" for letter in "ABCDEFGH" for number in range(250)]


class Plate(Asked):
    """A query about a plate."""

    def parties(self) -> Iterable[Party]:
        """Return who asked, and about which plate."""
        yield Party("officer", self.person)
        yield Party("plate", self.words)


async def asked(world: World, sealer: Sealer, plates: Iterable[str]) -> list[Entry]:
    """Return the entries of queries about plates."""
    async with world.log() as log:
        trail = AuditTrail(log, sealer, noon)
        for plate in plates:
            await trail.record(Plate(words=plate))
    return list(AuditReader(world.directory).entries())


def enumerated(key: bytes, entries: Iterable[Entry]) -> set[str]:
    """Return the plates that somebody finds who tries all of them with a key."""
    thief = Sealer(index_key=key, body_key=bytes(32))
    tokens = {token for entry in entries for token in entry.parties["plate"]}
    return {plate for plate in PLATES if thief.token("plate", plate) in tokens}


async def test_a_leaked_index_key_names_every_plate_of_its_epoch_and_no_other(world: World) -> None:
    """Plates can be enumerated: 2,000 guesses find all that were asked about. Without that epoch's key, none."""
    first, second = b"1" * 32, b"2" * 32
    await asked(world, Sealer(index_key=first, body_key=b"b" * 32), PLATES[3:1000:333])
    entries = await asked(world, Sealer(index_key=second, body_key=b"b" * 32), PLATES[1500:1502])
    assert enumerated(first, entries) == set(PLATES[3:1000:333])
    assert enumerated(second, entries) == set(PLATES[1500:1502])
    assert enumerated(b"b" * 32, entries) == set()


async def test_without_a_key_frequency_shows_within_an_epoch_and_not_across(world: World) -> None:
    """Equal plates have equal tokens, so that somebody is asked about often can be seen; a new epoch breaks the thread."""
    plates = [PLATES[0], PLATES[0], PLATES[1]]
    await asked(world, Sealer(index_key=b"1" * 32, body_key=b"b" * 32), plates)
    tokens = [entry.parties["plate"] for entry in await asked(world, Sealer(index_key=b"2" * 32, body_key=b"b" * 32), plates)]
    assert tokens[0] == tokens[1] != tokens[2]
    assert tokens[3] == tokens[4] != tokens[5]
    assert not set(tokens[:3]) & set(tokens[3:])


async def test_a_leaked_index_key_opens_no_body_and_a_leaked_body_key_makes_no_token(world: World, sealer: Sealer) -> None:
    """Each key gives its own half away, and only that."""
    [entry] = await asked(world, sealer, [PLATES[0]])
    assert entry.body is not None
    with pytest.raises(SealBroken):
        entry.unseal(Sealer(index_key=b"i" * 32, body_key=b"x" * 32))
    with_body_key = Sealer(index_key=b"x" * 32, body_key=b"b" * 32)
    assert entry.unseal(with_body_key)["words"] == PLATES[0]
    assert with_body_key.token("plate", PLATES[0]) not in entry.parties["plate"]


async def test_neither_segments_nor_tiles_hold_a_word_of_a_query(world: World, sealer: Sealer) -> None:
    """Whoever has the log and no key greps in vain, in any letter case; the tiles do not even hold the ciphertext."""
    entries = await asked(world, sealer, PLATES[:300])
    files = [path for path in world.directory.rglob("*") if path.is_file()]
    assert any("tile" in path.parts for path in files)
    for path in files:
        content = path.read_bytes()
        for word in (*PLATES[:300], "badge-1234"):
            assert word.encode().lower() not in content.lower(), path
        if "tile" in path.parts:
            assert not any(entry.body and entry.body[20:] in content for entry in entries[::50])


def rings(office: Office) -> Office:
    """Return the office with folders of keys, and a key of its own for the store."""
    keys = office.config.parent / "keys"
    for name in ("index", "body"):
        create_key(keys / name / f"{name}.key")
    create_key(keys / "store.key")
    text = office.config.read_text().replace(
        "index: index.key, body: body.key", "index: keys/index, body: keys/body, store: keys/store.key"
    )
    office.config.write_text(text)
    return Office(office.config, load_settings(office.config, {}), office.capsys)


def test_rotating_a_key_is_told_in_the_log_and_takes_effect(office: Office) -> None:
    """The new id and its commitment are an entry; what comes after is made with the new keys, what was before still opens."""
    place = rings(office)
    place.record(Asked(about="before"))
    for ring in ("index", "body"):
        code, [told] = place.json("rotate-key", ring)
        assert code == 0
        assert (told["ring"], told["before"]) == (ring, ring)
        assert load_ring(getattr(place.settings.keys, ring)).active.id == told["after"]
    place.record(Asked(about="after"))
    entries = list(AuditReader(place.settings.log).entries())
    assert [entry.kind for entry in entries] == ["asked", "key-rotated", "key-rotated", "asked"]
    assert entries[0].epoch == "index"
    assert entries[3].epoch == entries[1].facts["after"]
    sealer = sealer_of(place.settings)
    assert [entry.unseal(sealer)["words"] for entry in (entries[0], entries[3])] == ["JORDAN PEMBERTON"] * 2
    assert place.call("verify")[0] == 0


def test_one_key_file_is_not_rotated_and_the_way_is_told(office: Office) -> None:
    """A key is never overwritten."""
    assert office.call("rotate-key", "index")[0] == 3
    assert office.call("rotate-key", "upstream")[0] == 2


def test_a_shredded_body_is_gone_for_the_operator_and_the_log_verifies(office: Office) -> None:
    """Proposed by one, agreed to by another; `show --decrypt` says what happened, `verify` finds nothing."""
    office.record(Asked(about="q0"), Asked(about="q1"))
    code, [proposed] = office.json("shred", "1", "--order", ORDER, "--case", "26-CV-0431")
    assert code == 1
    assert office.call("shred", "--approve", proposed["proposal"])[0] == 2  # nobody is their own second person
    assert office.json("shred")[1][0]["proposal"] == proposed["proposal"]
    assert office.call("shred", "--refuse", proposed["proposal"])[0] == 0
    wanted = Order(entries=(1,), order=ORDER, case="26-CV-0431", by="login:somebody-else")
    office.record(ShredProposed(proposal="s-other", wanted=wanted))
    code, [done] = office.json("shred", "--approve", "s-other")
    assert code == 0
    assert done["shredded"] == [1]
    assert "backup" in done["copies"]
    assert office.call("verify")[0] == 0
    import_cases(office.config, "26-1")
    office.capsys.readouterr()
    reading = ("--decrypt", "--case", "26-1", "--statement", "complaint of the mayor about look-ups of her home")
    assert office.call("show", "1", *reading)[0] == 1
    assert office.json("show", "0", *reading)[1][0]["sealed"]["words"] == "JORDAN PEMBERTON"
    tombstone: Any = next(line for line in office.json("tail")[1] if line["kind"] == "shredded")
    assert (tombstone["facts"]["entries"], tombstone["about"]) == ([1], "q1")


def test_shredding_without_an_order_or_of_nothing_is_wrong_use(office: Office) -> None:
    """Nothing is recorded then."""
    office.record(Asked())
    for arguments in (("0",), ("0", "--order", ORDER), ("0", "--approve", "s1"), ("--approve", "s1")):
        assert office.call("shred", *arguments)[0] == 2
    assert office.call("shred", "7", "--order", ORDER, "--case", "26-1")[0] == 1
    assert office.json("verify")[1][0]["size"] == 1


def test_a_body_that_is_gone_without_an_order_is_found(office: Office) -> None:
    """`verify` names the entry; `shred --finish` takes nothing that no entry orders."""
    office.record(Asked(), Asked())
    segment = office.settings.log / "segments" / "000000000000.seg"
    body = next(iter(AuditReader(office.settings.log).entries())).body or b""
    segment.write_bytes(segment.read_bytes().replace(body, bytes(len(body))))
    code, [report] = office.json("verify")
    assert code == 1
    assert [(found["kind"], found["entry"]) for found in report["findings"]] == [("body", 0)]
    assert office.json("shred", "--finish")[1] == [{"shredded": 0}]
