"""Names and numbers inside free text."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.database import Database
from proxy.registry import prose
from proxy.registry.index import TooManyNames
from proxy.registry.lines import LineRefused
from proxy.registry.protection import Relation
from proxy.registry.service import Registry
from proxy.registry.thresholds import Thresholds
from tests.registry.conftest import KEY, MAYOR, Office, person

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.registry.protection import Protection

MARIA: dict[str, Any] = {
    "given_name": "María",
    "surname": "de la Cruz-Whitlock",
    "dob": "1970-12-01",
    "category": "victim",
    "basis": "law",
}
SAID = "On arrival the {} was seen leaving by the back door; a neighbor called. Unit 4 canvassed the block."
ORDINARY = (
    "On the above date at 2145 hours I was dispatched to 14 Elm Street for a noise complaint. The caller, Robert Miller, said"
    " that a white sedan, plate KLM7788, had been parked across the drive since 518 pm. I will may grant the mark."
    " Case 26-004217, call back on 212-555-0198. The town's mayor was not there; Eleanor, a child, and a Mr. Whitcomb were. "
)


def read(office: Office, *texts: str, **fields: tuple[str, ...]) -> tuple[Protection, ...]:
    """Recognize a record that has free text."""
    return office.registry.recognizer.recognize({"text": texts, **fields}, person()).protections


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Eleanor Whitcombe", "surname"),
        ("ELEANOR WHITCOMBE", "surname"),
        ("Whitcombe, Eleanor", "surname"),
        ("WHITCOMBE, ELEANOR RUTH", "surname"),
        ("Dr. Eleanor R. Whitcombe", "surname"),
        ("Eleanor Ruth Whitcombe", "surname"),
        ("Whitcombe Jr., Eleanor", "surname"),
        ("car of Eleanor Whitcombe's husband", "surname"),
        ("Eleanor\r\nWhitcombe", "surname"),
        ("El\u00e9anor\u00a0Whitcombe\u2019s dog", "surname"),
        ("\uff25leanor W\u200bhitcombe", "surname"),
        ("holder of 518-22-4471", "ssn"),
        ("holder of SSN:518224471.", "ssn"),
        ("caller on (212) 555-0101", "phone"),
        ("caller on +1 646.555.0102", "phone"),
        ("writer (Mayor@Town.example).", "email"),
        ("car EW-0001", "plate"),
        ("car ew 0001", "plate"),
        ("car EW0OO1", "plate"),
    ],
)
async def test_who_is_named_in_a_narrative_is_recognized(office: Office, said: str, kind: str) -> None:
    """A full name in any order, with a title or an initial, a phone, an SSN, an e-mail or a plate: the road is the text."""
    await office.enroll(MAYOR)

    (found,) = read(office, SAID.format(said))

    assert found.matched == (("text",) if kind == "surname" else ("text_number",))
    assert kind in {each.kind for each in found.features if each.bits > 0}


@pytest.mark.parametrize("said", ["María de la Cruz-Whitlock", "Maria de la Cruz", "CRUZ WHITLOCK, MARIA", "Maria Whitlock"])
async def test_particles_and_halves(office: Office, said: str) -> None:
    """Either half of a double surname is the person's, with or without what stands before it."""
    await office.enroll(MARIA)

    assert read(office, SAID.format(said))


async def test_an_ordinary_narrative_names_nobody(office: Office) -> None:
    """A given name alone, a surname alone, words that are names too, and other numbers: nobody protected is concerned."""
    await office.enroll(
        MAYOR, MARIA, {**MARIA, "given_name": "Mark", "surname": "Hours"}, {**MARIA, "given_name": "A", "surname": "White"}
    )

    assert read(office, ORDINARY) == ()
    assert read(office, "Whitcombe. The park. Eleanor") == ()
    assert read(office, "Cruz", "Maria") == ()
    assert read(office, "") == ()


async def test_the_party_s_date_of_birth_does_not_clear_who_is_named(office: Office) -> None:
    """A record's own name and date are another person's; the narrative still names the mayor."""
    await office.enroll(MAYOR)

    (found,) = read(office, SAID.format("Eleanor Whitcombe"), name=("Jo Doe",), dob=("1990-01-01",))

    assert found.matched == ("text",)


async def test_a_record_about_the_person_says_so_by_both_roads(office: Office) -> None:
    """What the fields say comes first; the text adds its road."""
    await office.enroll(MAYOR)

    (found,) = read(office, SAID.format("Eleanor Whitcombe"), person_id=("100123",))

    assert found.matched == ("person_id", "text")


async def test_a_namesake_s_report_names_the_namesake(office: Office) -> None:
    """Who is cleared by their own date of birth is not met again by the text of their record; another record's text is."""
    await office.enroll(MAYOR)
    said = SAID.format("Eleanor Whitcombe")

    assert read(office, said, name=("Eleanor Whitcombe",), dob=("1990-01-01",)) == ()
    assert read(office, said, name=("Elena Whitcombe",), dob=("1990-01-01",))
    assert read(office, SAID.format("Eleanor Whitcombe, 212-555-0101"), name=("Eleanor Whitcombe",), dob=("1990-01-01",))


@pytest.mark.parametrize(
    ("said", "fields", "met"),
    [
        ("James Smith", {}, False),
        ("Thaddeus Villanueva", {}, True),
        ("James Smith, born 03/09/1961", {}, True),
        ("James Smith, born 1961-03-09", {}, True),
        ("James Smith, seen on 03/09/2024", {}, False),
        ("James Smith of (212) 555-0133", {}, True),
        ("James Smith", {"name": ("James Smith",)}, True),
        ("James Smith", {"street": ("12 Elm St",), "unit": ("4",)}, True),
    ],
)
async def test_a_common_name_in_a_text_says_little_where_many_are_enrolled(
    tmp_path: Path, said: str, fields: dict[str, tuple[str, ...]], *, met: bool
) -> None:
    """With 16 times as many as the numbers are made for, a common name alone is nobody's; a rare one, or one with more, is."""
    common = {"given_name": "James", "surname": "Smith", "dob": "1961-03-09", "phone": "212-555-0133", "category": "official"}
    rare = {"given_name": "Thaddeus", "surname": "Villanueva", "category": "official", "basis": "law"}
    database = Database(tmp_path / "store.sqlite3")
    await database.open()
    office = Office(database)
    office.registry = Registry(database, KEY, lambda: office.now, thresholds=Thresholds(size=1))
    filler = [{**rare, "given_name": f"P{place}", "surname": f"Q{place}"} for place in range(14)]
    await office.enroll({**common, "street": "12 Elm Street", "unit": "4", "basis": "law"}, rare, *filler)

    assert bool(read(office, SAID.format(said), **fields)) == met
    await database.close()


async def test_any_name_in_a_text_is_enough_where_few_are_enrolled(office: Office) -> None:
    """However common it is."""
    await office.enroll({"given_name": "James", "surname": "Smith", "category": "official", "basis": "law"})

    assert read(office, SAID.format("James Smith"))


async def test_a_colleague_in_a_report_is_no_relation(office: Office) -> None:
    """Reports name the officers who wrote them; that makes no officer's query one about a colleague."""
    staff = {"given_name": "Jane", "surname": "Kowalski", "dob": "1985-01-01", "agency": person().agency}
    await office.employ({**staff, "personnel": "badge-1"}, {**staff, "given_name": "Ann", "personnel": "badge-2"})
    recognizer = office.registry.recognizer

    named = recognizer.recognize({"text": ("Ofc. Ann Kowalski took the report.",)}, person())
    asked = recognizer.recognize({"name": ("Ann Kowalski",)}, person())

    assert named.relations <= {Relation.NONE}
    assert asked.relations == {Relation.COLLEAGUE}


async def test_a_text_can_be_asked_about_from_a_file(office: Office) -> None:
    """`registry recognize` takes it as a record of a reply holds it, and none that is longer."""
    await office.enroll(MAYOR)

    assert office.roads(text=SAID.format("Eleanor Whitcombe")) == {"text"}
    assert office.roads(text=["nobody", SAID.format("car EW-0001")]) == {"text_number"}
    assert office.roads(text="x " * 2000 + "Eleanor Whitcombe") == {"text"}
    with pytest.raises(LineRefused, match="text is longer than 4096 characters"):
        office.roads(text="x " * 2048 + "Eleanor Whitcombe")


@given(text=st.text(max_size=400) | st.text("aé1 -.@'(\u0301\u200b", max_size=400))
@settings(max_examples=200)
def test_any_text_is_read(text: str) -> None:
    """No text breaks the reading; words are folded, and no more than there are letters; a surname is one or two of them."""
    shown = prose.plain(text)
    words = prose.words(shown)

    assert all(word and " " not in word for word in words)
    assert len(list(prose.numbers(shown, words))) <= 6 * len(shown)
    known = {*words, *map("".join, pairwise(words))}
    assert all(surname in known for place in range(len(words)) for surname in prose.surnames(words, place))


@pytest.mark.parametrize(
    "piece", ["a", "a ", "1", "1-", "a1 ", "a@", "a.", "(1", "\u0301", "жа ", "de la ", "EW 0001 ", "1a-1a "]
)
async def test_a_hostile_narrative_costs_little(office: Office, piece: str) -> None:
    """The longest text that is read takes less than a twentieth of a second of CPU, whatever it is made of."""
    await office.enroll(MAYOR, {**MARIA, "given_name": "de", "surname": "la"})
    text = (piece * 4096)[:4096]

    started = time.process_time()
    read(office, text)

    assert time.process_time() - started < 0.05


async def test_a_text_that_grows_is_not_read(office: Office) -> None:
    """One letter may stand for eighteen: what is longer than any narrative once it is spelled out is refused, not skipped."""
    await office.enroll(MAYOR)

    with pytest.raises(TooManyNames):
        read(office, "\ufdfa" * 4096)
