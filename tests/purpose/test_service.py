"""A stated purpose holds in all its parts, or is refused with the problem of the part that does not."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from proxy.purpose.catalogue import Reuse
from proxy.purpose.header import Stated
from proxy.purpose.memory import CASES_PER_STATEMENT, FOLLOWED, Roots, Words
from proxy.purpose.purpose import (
    CaseClosed,
    CaseDirectoryUnavailable,
    CaseKindMismatch,
    CaseMissing,
    CaseUnknown,
    Purpose,
    PurposeMalformed,
    PurposeMissing,
    PurposeUnknown,
    Standing,
    StandingMissing,
    StatementUninformative,
)
from tests.purpose.conftest import GOOD, NOW, Officer, cad, case, serialize

if TYPE_CHECKING:
    from proxy.purpose.purpose import Case
    from proxy.refusal import Refusal
    from tests.purpose.conftest import Room

HEADER = f'code=C, case="26-004217", statement="{GOOD}"'
OTHER = "MO0480000"
ROOT = "log.example/17"
KEY = b"k" * 32
DRIVER = frozenset({"person_id 100001"})
NAMED = (frozenset({"plate CML186", "vin 1HGCM82633A004352"}), DRIVER | {"born 1961-03-05 quimby wallace"})


def metric(room: Room, name: str, **labels: str) -> float:
    """Return the value of a metric, zero before it was ever moved."""
    return room.metrics.registry.get_sample_value(f"showcause_{name}", labels) or 0


async def test_a_purpose_that_holds_is_verified(room: Room) -> None:
    """Code, case, statement and standing come out, and whatever else was stated; nothing is derived."""
    await room.cases(case())

    verified = await room.verify(f'{HEADER}, requestor="badge-9", recipient="court", location="Main/5th"')

    assert verified.purpose == Purpose(
        code="C", case="26-004217", statement=GOOD, requestor="badge-9", recipient="court", location="Main/5th"
    )
    assert verified.case == case()
    assert (verified.standing, verified.reuse, verified.permissible_use) == (Standing.ASSIGNED, 0, None)
    assert metric(room, "case_directory_seconds_count", outcome="found") == 1


@pytest.mark.parametrize(
    ("header", "problem", "says"),
    [
        (None, PurposeMissing, "Say why"),
        ("", PurposeMissing, "empty"),
        ("code=C", CaseMissing, "names no case"),
        (f'code=C, statement="{GOOD}"', CaseMissing, "names no case"),
        ('code=C, case="26-004217"', PurposeMissing, "lacks statement"),
        ('case="26-004217"', PurposeMissing, "lacks code and statement"),
        (f'case="26-004217", statement="{GOOD}"', PurposeMissing, "lacks code"),
        ("code=C, case=26-004217", PurposeMalformed, "double quotes"),
        (f'code=c, case="26-004217", statement="{GOOD}"', PurposeUnknown, "Codes for this query: C, D"),
        (f'code=Q, case="26-004217", statement="{GOOD}"', PurposeUnknown, "not in the catalogue"),
        (f'code=R, case="26-004217", statement="{GOOD}"', PurposeUnknown, "FBI"),
        (f'code=X, case="26-004217", statement="{GOOD}"', PurposeMissing, 'requestor="'),
        ('code=C, case="26-004217", statement="investigation"', StatementUninformative, "what happened"),
        ('code=C, case="26-004217", statement="case 26-004217"', StatementUninformative, "what happened"),
        (HEADER.replace("4217", "9999"), CaseUnknown, "no such reference"),
        (HEADER.replace("26-004217", "P-1"), CaseKindMismatch, "kind permit"),
        (HEADER.replace("26-004217", "OLD"), CaseClosed, "closed"),
        (HEADER.replace("26-004217", "NEXT"), CaseClosed, "not open yet"),
        (HEADER.replace("26-004217", "THEIRS"), StandingMissing, "not yours"),
        (HEADER.replace("26-004217", "FOREIGN"), StandingMissing, "another agency"),
    ],
)
async def test_each_way_of_not_showing_cause_has_its_problem(
    room: Room, header: str | None, problem: type[Refusal], says: str
) -> None:
    """The refusal is of the part that does not hold, and says what to do."""
    await room.cases(
        case(),
        case("P-1", kind="permit"),
        case("OLD", closed_at=NOW - timedelta(days=15), opened_at=NOW - timedelta(days=40)),
        case("NEXT", opened_at=NOW + timedelta(hours=1)),
        case("THEIRS", assigned=frozenset({"badge-2"})),
        case("FOREIGN", agency=OTHER, assigned=frozenset({"badge-2"})),
    )

    with pytest.raises(problem, match=says):
        await room.verify(header)


async def test_a_permit_does_not_serve_an_ordinary_query_and_the_other_way_round(room: Room) -> None:
    """A code serves its actions only; the refusal names the codes that would."""
    await room.cases(case("P-1", kind="permit"))
    header = f'code=F, case="P-1", statement="{GOOD}", requestor="clerk"'

    assert (await room.verify(header)).purpose.code == "F"
    with pytest.raises(PurposeUnknown, match=r"does not serve address\.search\. Codes for this query: C, D, X"):
        await room.verify(header, action="address.search")


async def test_motor_vehicle_data_is_asked_for_under_its_permissible_use(room: Room) -> None:
    """A vehicle query bears the paragraph of 18 USC 2721(b); a code without one is refused for it."""
    await room.cases(case(), case("P-1", kind="permit"))

    assert (await room.verify(HEADER, action="vehicle.read")).permissible_use == 1
    with pytest.raises(PurposeUnknown, match="motor-vehicle data"):
        await room.verify(f'code=F, case="P-1", statement="{GOOD}", requestor="clerk"', action="vehicle.read")


@pytest.mark.parametrize(
    ("found", "officer", "standing"),
    [
        (case(), Officer(), Standing.ASSIGNED),
        (case(), Officer(person="badge-2"), None),
        (case(units=frozenset({"unit:3A12"})), Officer(person="badge-2"), Standing.UNIT),
        (case(units=frozenset({"3A12"})), Officer(person="badge-2", unit="3a12"), Standing.UNIT),
        (case(units=frozenset({"unit:3A12"})), Officer(person="badge-2", unit="3A14"), None),
        (case(units=frozenset({"unit:3A12"})), Officer(person="badge-2", unit=None), None),
        (cad("26-004217"), Officer(), Standing.DISPATCHED),
        (cad("26-004217", dispatched=frozenset({"badge-1"})), Officer(unit=None), Standing.DISPATCHED),
        (cad("26-004217", units=frozenset({"unit:3A12"})), Officer(), Standing.DISPATCHED),
        (case(dispatched=frozenset({"unit:3A12"}), units=frozenset({"unit:3A12"})), Officer(), Standing.ASSIGNED),
        # Another agency's unit of the same call sign, and ways across that are meant.
        (case(units=frozenset({"unit:3A12"})), Officer(person="badge-9", agency=OTHER), None),
        (cad("26-004217"), Officer(person="badge-9", agency=OTHER), None),
        (cad("26-004217", dispatched=frozenset({f"unit:{OTHER}/3A12"})), Officer(agency=OTHER), Standing.DISPATCHED),
        (cad("26-004217", dispatched=frozenset({f"unit:{OTHER}/3A12"})), Officer(), None),
        (case(), Officer(agency=OTHER), Standing.ASSIGNED),
        # A person whose id looks like a unit, and a unit that looks like a person.
        (cad("26-004217", dispatched=frozenset({"unit:12"})), Officer(person="12", unit=None), None),
        (cad("26-004217", dispatched=frozenset({"12"})), Officer(person="badge-9", unit="12"), None),
        (case(units=frozenset({"badge-9"})), Officer(person="badge-2", unit="badge-9"), None),
        (case(assigned=frozenset({"3A12"})), Officer(person="badge-9"), None),
    ],
)
async def test_standing_is_by_name_dispatch_or_unit(
    room: Room, found: Case, officer: Officer, standing: Standing | None
) -> None:
    """The closest relation counts; a call sign counts in its own agency; a person is no unit and a unit no person."""
    await room.cases(found)

    if standing is None:
        with pytest.raises(StandingMissing):
            await room.verify(HEADER, officer)
    else:
        assert (await room.verify(HEADER, officer)).standing is standing


async def test_where_any_case_of_the_agency_will_do_another_agency_s_does_not(room: Room) -> None:
    """The records desk works on permits that nobody is assigned to, within its own agency."""
    await room.cases(
        case("P-1", kind="permit", assigned=frozenset()), case("P-2", kind="permit", agency=OTHER, assigned=frozenset())
    )
    header = f'code=F, case="P-1", statement="{GOOD}", requestor="clerk"'

    assert (await room.verify(header)).standing is Standing.UNASSIGNED
    with pytest.raises(StandingMissing, match="another agency"):
        await room.verify(header.replace("P-1", "P-2"))


async def test_a_closed_case_counts_as_long_as_its_code_s_grace(room: Room) -> None:
    """Grace ends to the moment, and each code has its own."""
    closed_at = NOW - timedelta(days=14)
    await room.cases(case(opened_at=NOW - timedelta(days=40), closed_at=closed_at))

    assert (await room.verify(HEADER)).standing is Standing.ASSIGNED
    room.pass_time(microseconds=1)
    with pytest.raises(CaseClosed):
        await room.verify(HEADER)
    assert (await room.verify(HEADER.replace("code=C", "code=D"))).purpose.code == "D"


async def test_the_statement_is_judged_before_the_directory_is_asked(room: Room) -> None:
    """Empty words cost no look at the case directory, and do not tell which cases exist."""
    with pytest.raises(StatementUninformative):
        await room.verify('code=C, case="26-999999", statement="investigation"')

    assert metric(room, "case_directory_seconds_count", outcome="unknown") == 0


async def test_a_directory_that_does_not_answer_refuses(room: Room) -> None:
    """It is told apart from a case that is not there."""
    await room.database.close()

    with pytest.raises(CaseDirectoryUnavailable):
        await room.verify(HEADER)
    assert metric(room, "case_directory_seconds_count", outcome="failed") == 1


async def test_a_kept_case_costs_no_query_of_the_store(room: Room) -> None:
    """The second query of an officer is answered from memory in all its parts."""
    await room.cases(case())
    first = await room.verify(HEADER)
    with sqlite3.connect(room.database.path) as meddler:
        meddler.execute("DELETE FROM cases")
    meddler.close()

    assert await room.verify(HEADER) == first


# --- Dispatched events ---


async def test_a_dispatched_officer_sends_the_event_and_nothing_more(room: Room) -> None:
    """Code and statement come from the event, and it is said that they do."""
    await room.cases(cad())

    verified = await room.verify('case="cad-1"')

    assert verified.purpose == Purpose(code="C", case="CAD-1", statement="Sedan without plates on Hemlock Road", derived=True)
    assert verified.standing is Standing.DISPATCHED


async def test_an_event_can_bring_its_own_code(room: Room) -> None:
    """A domestic call derives the code of domestic violence; stating that code alone is the same."""
    await room.cases(cad(code="D"), cad("CAD-2", code="R"), cad("CAD-3", code="H"))

    assert (await room.verify('case="CAD-1"')).purpose.code == "D"
    assert (await room.verify('code=D, case="CAD-1"')).purpose.derived
    with pytest.raises(PurposeMissing, match="lacks statement"):
        await room.verify('code=C, case="CAD-1"')
    with pytest.raises(PurposeUnknown):
        await room.verify('case="CAD-2"')
    with pytest.raises(PurposeMissing, match="requestor"):
        await room.verify('case="CAD-3"')


@pytest.mark.parametrize(
    ("found", "officer", "says"),
    [
        (cad(), Officer(person="badge-2", unit="3A14"), "dispatched"),
        (cad(dispatched=frozenset(), assigned=frozenset({"badge-1"})), Officer(), "dispatched"),
        (cad(dispatched=frozenset(), units=frozenset({"unit:3A12"})), Officer(), "dispatched"),
        (cad(kind="incident"), Officer(), "only a dispatched event"),
        (cad(summary=""), Officer(), "what happened"),
        (cad(opened_at=NOW - timedelta(days=9), closed_at=NOW - timedelta(days=2)), Officer(), "too long ago"),
    ],
)
async def test_an_event_speaks_only_for_who_is_dispatched_to_it_and_for_a_while(
    room: Room, found: Case, officer: Officer, says: str
) -> None:
    """Everybody else, and everybody later, states a purpose in words."""
    await room.cases(found)

    with pytest.raises(PurposeMissing, match=says):
        await room.verify('case="CAD-1"', officer)


async def test_a_dispatched_officer_may_still_say_more(room: Room) -> None:
    """A purpose stated in full on a dispatched event is a stated one."""
    await room.cases(cad())

    verified = await room.verify(f'code=C, case="CAD-1", statement="{GOOD}"')

    assert (verified.purpose.statement, verified.purpose.derived) == (GOOD, False)


# --- Jurisdictions ---


async def test_a_jurisdiction_can_require_members_and_let_the_statement_off(room: Room) -> None:
    """What a state's law asks for is asked for; a statement that is not needed is still judged when it is given."""
    await room.cases(case())
    code = replace(room.catalogue.codes["C"], requires=("location", "requestor"), statement_required=False)
    room.catalogue = replace(room.catalogue, codes=MappingProxyType({**room.catalogue.codes, "C": code}))

    with pytest.raises(PurposeMissing, match=r'location="…", requestor="…"'):
        await room.verify('code=C, case="26-004217"')
    verified = await room.verify('code=C, case="26-004217", location="Main/5th", requestor="badge-9"')
    assert (verified.purpose.statement, verified.reuse) == ("", 0)
    with pytest.raises(StatementUninformative):
        await room.verify('code=C, case="26-004217", location="Main/5th", requestor="badge-9", statement="test"')


# --- Roots ---


async def test_a_query_that_names_its_root_inherits_the_purpose(room: Room) -> None:
    """A plate check that fires a driver check: the second has the first's purpose, and bears its root."""
    await room.cases(case())
    first = await room.verify(f'{HEADER}, location="Main/5th"', action="vehicle.read")
    room.purposes.remember(ROOT, Officer(), first.purpose, NAMED, room.now)
    room.pass_time(minutes=4)

    second = await room.verify(f'root="{ROOT}"', sought=DRIVER)
    third = await room.verify(f'{HEADER}, root="{ROOT}", location="Elm/2nd"', sought=DRIVER)

    assert second.purpose == replace(first.purpose, root=ROOT)
    assert third.purpose == replace(first.purpose, root=ROOT, location="Elm/2nd")
    assert (second.reuse, third.reuse) == (0, 0)


async def test_a_root_is_its_own_principal_s_and_for_a_short_time(room: Room) -> None:
    """Unknown, too old and somebody else's are refused in the same words, which tell nothing of others' queries."""
    await room.cases(case(assigned=frozenset({"badge-1", "badge-2"})))
    first = await room.verify(HEADER)
    room.purposes.remember(ROOT, Officer(), first.purpose, NAMED, room.now)

    said = set()
    for root, officer in (
        ("log.example/18", Officer()),
        (ROOT, Officer(person="badge-2")),
        (ROOT, Officer(agency=OTHER)),
        (ROOT, None),
    ):
        if officer is None:
            room.pass_time(minutes=5)
        with pytest.raises(PurposeMissing) as refused:
            await room.verify(f'root="{root}"', officer, sought=DRIVER)
        said.add(refused.value.detail)

    assert len(said) == 1
    assert "5 minutes" in said.pop()


@pytest.mark.parametrize("other", ["code=D", 'case="26-1"', 'statement="stolen car seen near the river"'])
async def test_a_root_and_another_purpose_are_refused(room: Room, other: str) -> None:
    """One query has one purpose; which of two it was is not left to whoever reads the log."""
    await room.cases(case())
    room.purposes.remember(ROOT, Officer(), (await room.verify(HEADER)).purpose, NAMED, room.now)

    with pytest.raises(PurposeMalformed, match="inherited"):
        await room.verify(f'root="{ROOT}", {other}', sought=DRIVER)


async def test_an_inherited_purpose_is_verified_anew(room: Room) -> None:
    """The code has to serve the new action, the case to be open, and the principal to stand in it, now."""
    await room.cases(case(), case("P-1", kind="permit"))
    permit = await room.verify(f'code=F, case="P-1", statement="{GOOD}", requestor="clerk"')
    room.purposes.remember("log.example/1", Officer(), permit.purpose, NAMED, room.now)
    room.purposes.remember(ROOT, Officer(), (await room.verify(HEADER)).purpose, NAMED, room.now)

    with pytest.raises(PurposeUnknown):
        await room.verify('root="log.example/1"', action="address.search", sought=DRIVER)
    await room.cases(case(assigned=frozenset({"badge-2"})))
    with pytest.raises(StandingMissing):
        await room.verify(f'root="{ROOT}"', sought=DRIVER)
    await room.cases(case(opened_at=NOW - timedelta(days=90), closed_at=NOW - timedelta(days=60)))
    with pytest.raises(CaseClosed):
        await room.verify(f'root="{ROOT}"', sought=DRIVER)


async def test_a_chain_of_roots_does_not_outlive_the_purpose_that_was_stated(room: Room) -> None:
    """Each query the root of the next would let one statement serve a whole shift; it ends with the first one's time."""
    await room.cases(case())
    room.purposes.remember("log.example/0", Officer(), (await room.verify(HEADER)).purpose, NAMED, room.now)
    for number in range(1, 4):
        room.pass_time(minutes=1.5)
        inherited = await room.verify(f'root="log.example/{number - 1}"', sought=DRIVER)
        room.purposes.remember(f"log.example/{number}", Officer(), inherited.purpose, NAMED, room.now)
    room.pass_time(minutes=0.5)

    with pytest.raises(PurposeMissing):
        await room.verify('root="log.example/3"', sought=DRIVER)


@pytest.mark.parametrize(
    "sought",
    [
        frozenset(),
        frozenset({"person_id 100002"}),
        frozenset({"born 1961-03-05 quimby wallace", "person_id 100002"}),
        frozenset({"person_id 100001", "plate CML186"}),
    ],
)
async def test_a_root_opens_nobody_whom_its_answer_did_not_name(room: Room, sought: frozenset[str]) -> None:
    """Nobody in particular, somebody else, and two at once are refused as an unknown root is."""
    await room.cases(case())
    room.purposes.remember(ROOT, Officer(), (await room.verify(HEADER)).purpose, NAMED, room.now)

    said = set()
    for root in (ROOT, "log.example/18"):
        with pytest.raises(PurposeMissing, match="State a purpose of its own") as refused:
            await room.verify(f'root="{root}"', sought=sought)
        said.add(refused.value.detail)

    assert len(said) == 1


async def test_a_purpose_is_followed_to_few_subjects(room: Room) -> None:
    """One stated purpose walks no street, not in a chain either; those it was followed to stay open."""
    await room.cases(case())
    street = [frozenset({f"person_id {number}"}) for number in range(FOLLOWED + 1)]
    room.purposes.remember("log.example/0", Officer(), (await room.verify(HEADER)).purpose, tuple(street), room.now)

    for number, neighbor in enumerate(street[:FOLLOWED], start=1):
        inherited = await room.verify(f'root="log.example/{number - 1}"', sought=neighbor)
        room.purposes.remember(f"log.example/{number}", Officer(), inherited.purpose, tuple(street), room.now)

    await room.verify('root="log.example/0"', sought=street[0])
    for root in ("log.example/0", f"log.example/{FOLLOWED}"):
        with pytest.raises(PurposeMissing):
            await room.verify(f'root="{root}"', sought=street[-1])


def test_whom_roots_named_is_kept_as_digests_and_bounded() -> None:
    """No number and no name stands in memory; too many push out the oldest, and one that is too long itself."""
    roots = Roots(timedelta(minutes=5), KEY, most_named=4)
    purpose = Purpose(code="C", case="26-1", statement=GOOD)
    for number in range(3):
        roots.remember(f"log/{number}", Officer(), purpose, (DRIVER, frozenset({"plate CML186"})), NOW)

    assert not {"100001", "CML186"} & set(re.findall(r"[A-Z]*[0-9]{3,}", repr(vars(roots))))
    assert roots.inherited("log/0", Officer(), DRIVER, NOW) is None
    assert roots.inherited("log/1", Officer(), DRIVER, NOW) == purpose
    roots.remember("log/3", Officer(), purpose, tuple(frozenset({f"plate {number}"}) for number in range(5)), NOW)
    assert roots.inherited("log/2", Officer(), DRIVER, NOW) is None


def test_roots_are_bounded() -> None:
    """The oldest is forgotten first; a root whose own root is forgotten is not kept."""
    roots = Roots(timedelta(minutes=5), KEY, most=2)
    purpose = Purpose(code="C", case="26-1", statement=GOOD)
    for number in range(3):
        roots.remember(f"log/{number}", Officer(), purpose, NAMED, NOW)
    roots.remember("log/9", Officer(), replace(purpose, root="log/0"), NAMED, NOW)

    assert roots.inherited("log/0", Officer(), DRIVER, NOW) is None
    assert roots.inherited("log/9", Officer(), DRIVER, NOW) is None
    assert roots.inherited("log/2", Officer(), DRIVER, NOW) == purpose


# --- The same words again ---


async def test_the_same_words_on_other_cases_are_counted_and_not_refused(room: Room) -> None:
    """Honest work repeats itself too: the count is on the purpose and in a metric, once for each case."""
    await room.cases(*(case(f"26-{number}") for number in range(4)))
    reuse = [(await room.verify(HEADER.replace("26-004217", f"26-{number}"))).reuse for number in (0, 0, 1, 2, 1, 3)]

    assert reuse == [0, 0, 1, 2, 2, 3]
    assert metric(room, "statement_reuse_total") == 3


async def test_words_are_counted_by_person_and_whatever_their_dress(room: Room) -> None:
    """Another officer's words are another's; capitals and commas make no other words."""
    everybody = frozenset({"badge-1", "badge-2"})
    await room.cases(*(case(f"26-{number}", assigned=everybody) for number in range(2)))
    first = HEADER.replace("26-004217", "26-0")
    second = HEADER.replace("26-004217", "26-1").replace(GOOD, GOOD.upper().replace(",", ""))

    assert (await room.verify(first)).reuse == 0
    assert (await room.verify(second, Officer(person="badge-2"))).reuse == 0
    assert (await room.verify(second)).reuse == 1


async def test_a_refused_query_counts_no_words(room: Room) -> None:
    """Only a purpose that held has been used."""
    await room.cases(case("26-0", assigned=frozenset({"badge-2"})), case("26-1"))
    with pytest.raises(StandingMissing):
        await room.verify(HEADER.replace("26-004217", "26-0"))

    assert (await room.verify(HEADER.replace("26-004217", "26-1"))).reuse == 0


async def test_derived_words_are_not_the_officer_s(room: Room) -> None:
    """Dispatch writes the same summary again and again."""
    await room.cases(cad("CAD-1"), cad("CAD-2"))

    assert [(await room.verify(f'case="CAD-{number}"')).reuse for number in (1, 2)] == [0, 0]


@pytest.mark.parametrize(
    "other",
    [
        "DRIVER HAS NO LICENCE; STOPPED FOR NO PLATES!!!",
        "stopped for no plates, driver has no license on 26-1 at 0312",
        "stopping because of no plate, the driver had no licence",
        "stopped for no plates, passenger has no licence",
        "stopped in the park for no plates, driver has no licence",
        "st\u043epped for no plates, driver has no licence",
    ],
)
async def test_nearly_the_same_words_are_the_same(room: Room, other: str) -> None:
    """Order, endings, numbers, grammar, lookalike letters, one word more or exchanged make no other statement."""
    await room.cases(case("26-0"), case("26-1"))
    await room.verify(HEADER.replace("26-004217", "26-0"))

    assert (await room.verify(serialize(Stated(code="C", case="26-1", statement=other)))).reuse == 1


@pytest.mark.parametrize(
    "other",
    ["stopped for no lights, passenger has no licence", "no licence plates found on boat trailer", "stolen plates found"],
)
async def test_other_words_are_other_words(room: Room, other: str) -> None:
    """Two words exchanged make another statement, and so do the same few nouns in another story."""
    await room.cases(case("26-0"), case("26-1"))
    await room.verify(HEADER.replace("26-004217", "26-0"))

    assert (await room.verify(f'code=C, case="26-1", statement="{other}"')).reuse == 0


async def test_policy_says_what_follows_from_the_same_words_on_many_cases(room: Room) -> None:
    """Where policy refuses them, so many other cases pass and no more; a case on which they passed is not shut again."""
    await room.cases(*(case(f"26-{number}") for number in range(3)))
    code = replace(room.catalogue.codes["C"], reuse=Reuse(cases=2, refuses=True))
    room.catalogue = replace(room.catalogue, codes=MappingProxyType({**room.catalogue.codes, "C": code}))
    headers = [HEADER.replace("26-004217", f"26-{number}") for number in range(3)]

    assert [(await room.verify(header)).reuse for header in headers[:2]] == [0, 1]
    with pytest.raises(StatementUninformative, match="You said this of 2 other cases"):
        await room.verify(headers[2])
    assert [(await room.verify(header)).reuse for header in headers[:2]] == [1, 1]
    assert (await room.verify(headers[2].replace(GOOD, "fled on foot from burning garage"))).reuse == 0


def test_remembered_words_are_bounded_and_unreadable() -> None:
    """Neither words nor cases grow without end, and what is kept is keyed digests."""
    words = Words(b"k" * 32, most=2)
    car = words.marks("badge-1", [b"stolen car"])
    for number in range(CASES_PER_STATEMENT + 10):
        words.say(car, f"26-{number}")
    assert words.others(car, "26-1") == (CASES_PER_STATEMENT - 1, False)
    for number in range(5):
        words.say(words.marks("badge-1", [f"words {number}".encode()]), "26-1")

    assert words.others(car, "26-1") == (0, True)
    assert len(words._cases) == 2
    assert all(len(mark) == 16 for mark in words._cases)
    assert Words(b"x" * 32)._digest(b"stolen car") != words._digest(b"stolen car")


class Elsewhere:
    """A case directory in another house: it answers, answers with what it knew, or fails."""

    def __init__(self, case: Case | None = None, failure: CaseDirectoryUnavailable | None = None) -> None:
        """Take the case, or how it fails."""
        self.case = case
        self.failure = failure
        self.tolerated: list[timedelta] = []

    async def look_up(self, number: str, *, stale: timedelta = timedelta()) -> Case | None:
        """Remember how old an answer might be."""
        del number
        self.tolerated.append(stale)
        if self.failure is not None:
            raise self.failure
        return self.case


def moved(room: Room, elsewhere: Elsewhere) -> Room:
    """Return the room with its directory in another house."""
    return replace(room, directory=elsewhere)


WANTED = "warrant.search"


async def test_officer_safety_goes_on_unverified_while_nobody_answers(room: Room) -> None:
    """Header, code and words are looked at as ever; nothing is said of the case."""
    room = moved(room, Elsewhere(failure=CaseDirectoryUnavailable("down", outcome="timeout")))

    verified = await room.verify(HEADER, action=WANTED)

    assert (verified.standing, verified.case) == (Standing.UNVERIFIED, None)
    assert verified.purpose == Purpose(code="C", case="26-004217", statement=GOOD)
    assert metric(room, "case_directory_seconds_count", outcome="timeout") == 1


@pytest.mark.parametrize(
    ("header", "action", "down", "problem"),
    [
        (HEADER, "person.read", True, CaseDirectoryUnavailable),
        (HEADER, WANTED, False, CaseDirectoryUnavailable),
        ('case="26-004217"', WANTED, True, CaseDirectoryUnavailable),
        ('code=C, case="26-004217"', WANTED, True, PurposeMissing),
        (HEADER.replace("code=C", "code=D"), WANTED, True, CaseDirectoryUnavailable),
        (HEADER.replace(GOOD, "investigation"), WANTED, True, StatementUninformative),
    ],
)
async def test_nothing_else_goes_on(room: Room, header: str, action: str, down: bool, problem: type[Refusal]) -> None:
    """Another action or code, a wrong answer about this case, or a purpose that is not whole, is refused as ever."""
    room = moved(room, Elsewhere(failure=CaseDirectoryUnavailable("no answer", down=down)))

    with pytest.raises(problem):
        await room.verify(header, action=action)


async def test_officer_safety_goes_by_the_catalogue_that_the_query_began_under(room: Room) -> None:
    """Another policy that comes to rule meanwhile says nothing of it, while the case directory is down either."""
    room = moved(room, Elsewhere(failure=CaseDirectoryUnavailable("down", outcome="timeout")))
    codes = dict(room.catalogue.codes) | {"C": replace(room.catalogue.codes["C"], permissible_use=1)}
    began = replace(room.catalogue, codes=MappingProxyType(codes), motor_vehicle_actions=frozenset({WANTED}))
    room.catalogue = replace(room.catalogue, motor_vehicle_actions=frozenset())

    verified = await room.purposes.verify(HEADER, Officer(), WANTED, room.now, catalogue=began)

    assert verified.permissible_use == 1


async def test_what_a_code_tolerates_is_what_the_directory_is_told(room: Room) -> None:
    """An event that is stale speaks only under a code that tolerates its age, whatever the derivation's code does."""
    codes = dict(room.catalogue.codes)
    codes["C"] = replace(codes["C"], stale_if_error=timedelta(minutes=10))
    room.catalogue = replace(room.catalogue, codes=MappingProxyType(codes))
    old = cad("CAD-1", age=300.0, stale=True)
    room = moved(room, elsewhere := Elsewhere(old))

    verified = await room.verify('case="CAD-1"')
    assert verified.case is not None
    assert (verified.case.stale, verified.purpose.derived, elsewhere.tolerated) == (True, True, [timedelta(minutes=10)])
    assert metric(room, "case_directory_seconds_count", outcome="stale") == 1
    elsewhere.case = replace(old, code="D")
    with pytest.raises(CaseDirectoryUnavailable, match="too old"):
        await room.verify('case="CAD-1"')


async def test_nothing_goes_on_when_it_is_the_store_that_cannot_be_read(room: Room) -> None:
    """Revocations and locks lie there too."""
    await room.database.close()

    with pytest.raises(CaseDirectoryUnavailable):
        await room.verify(HEADER, action=WANTED)
