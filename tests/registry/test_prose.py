"""Names and numbers inside free text."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.registry import prose
from proxy.registry.index import TooManyNames
from proxy.registry.protection import Relation
from tests.registry.conftest import MAYOR, person

if TYPE_CHECKING:
    from proxy.registry.protection import Protection
    from tests.registry.conftest import Office

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

    assert found.matched == ("text",)
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


async def test_a_colleague_in_a_report_is_no_relation(office: Office) -> None:
    """Reports name the officers who wrote them; that makes no officer's query one about a colleague."""
    staff = {"given_name": "Jane", "surname": "Kowalski", "dob": "1985-01-01", "agency": person().agency}
    await office.employ({**staff, "personnel": "badge-1"}, {**staff, "given_name": "Ann", "personnel": "badge-2"})
    recognizer = office.registry.recognizer

    named = recognizer.recognize({"text": ("Ofc. Ann Kowalski took the report.",)}, person())
    asked = recognizer.recognize({"name": ("Ann Kowalski",)}, person())

    assert named.relations <= {Relation.NONE}
    assert asked.relations == {Relation.COLLEAGUE}


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
