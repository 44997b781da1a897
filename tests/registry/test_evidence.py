"""What speaks for and against a person being meant, in bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.registry import traits
from proxy.registry.evidence import weigh, weigh_in_hope
from proxy.registry.lines import criteria
from proxy.registry.person import NO_VALUES, Home, Identifiers, identifiers_of
from proxy.registry.protection import Feature
from proxy.registry.rarity import Rarity, values_of
from proxy.registry.recognition import enough
from proxy.registry.thresholds import LEAST_BITS
from proxy.registry.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.registry.evidence import Evidence

TOKENS = Tokens(b"k" * 32)
MAYOR = Identifiers(
    given_name="Eleanor",
    middle_name="Ruth",
    surname="Whitcombe",
    dob="1961-03-09",
    ssns=("518-22-4471",),
    phones=("212-555-0101",),
    emails=("mayor@town.example",),
    plates=("EWT 0001",),
    licenses=("D1234-5678",),
    homes=(Home(street="12 Elm Street", unit="3B", city="Springfield", state="NY", postal_code="12345"),),
)
SAID: dict[str, str] = {
    "given_name": "Eleanor",
    "surname": "Whitcombe",
    "dob": "1961-03-09",
    "ssn": "518224471",
    "phone": "2125550101",
    "email": "mayor@town.example",
    "plate": "EWT0001",
    "license": "D12345678",
    "street": "12 Elm St",
    "unit": "3B",
    "city": "Springfield",
    "postal_code": "12345",
}
OTHERS: dict[str, str] = {
    "given_name": "Ruben",
    "surname": "Marsh",
    "dob": "1984-01-31",
    "ssn": "331407702",
    "phone": "6465559988",
    "email": "other@else.example",
    "plate": "KLM777",
    "license": "Z99988877",
    "street": "7 Oak Avenue",
    "unit": "9",
    "city": "Utica",
    "postal_code": "99999",
}


def town(*more: Identifiers) -> Rarity:
    """Return what is rare in a town of 200, where half are of Elm Street and every one of Springfield."""
    rarity = Rarity(TOKENS)
    for number in range(200):
        street = f"{number} Elm Street" if number % 2 else f"{number} Oak Avenue"
        home = Home(street=street, city="Springfield", state="NY", postal_code="12345")
        rarity.add(values_of(traits.of_person(Identifiers(surname=f"Q{number}", homes=(home,))), TOKENS))
    for each in more:
        rarity.add(values_of(traits.of_person(each), TOKENS))
    return rarity


TOWN = town(MAYOR)


def compared(fields: Mapping[str, object], *, who: Identifiers = MAYOR, persons: int = 1, rarity: Rarity = TOWN) -> Evidence:
    """Weigh criteria or a record against an enrolled person."""
    return weigh(traits.of_fields(criteria(fields), TOKENS), traits.of_person(who), rarity, persons=persons)


def weighed(**fields: object) -> Evidence:
    """Weigh criteria or a record against the mayor, in the town."""
    return compared(fields)


def bits_of(evidence: Evidence, kind: str) -> float:
    """Return what a field's agreement is worth, or nothing."""
    return next((each.bits for each in evidence.features if each.kind == kind), 0.0)


@pytest.mark.parametrize(
    ("kind", "rare", "common"),
    [("surname", "Whitcombe", "Smith"), ("given_name", "Thaddeus", "James"), ("street", "12 Willow Lane", "12 Elm Street")],
)
def test_the_rarer_a_value_the_more_it_says(kind: str, rare: str, common: str) -> None:
    """Agreeing on a rare name or street is worth bits more than agreeing on a common one."""

    def worth(value: str) -> float:
        known = {
            "given_name": Identifiers(given_name=value),
            "surname": Identifiers(surname=value),
            "street": Identifiers(homes=(Home(street=value),)),
        }
        return bits_of(compared({kind: value}, who=known[kind]), kind)

    assert worth(rare) > worth(common) + 2


def test_what_is_frequent_among_the_enrolled_says_less() -> None:
    """A name that is rare in the country and common in the registry is as common as the registry has it."""
    many = town(*[Identifiers(given_name=f"P{number}", surname="Whitcombe") for number in range(50)])

    assert bits_of(compared({"surname": "Whitcombe"}, rarity=many), "surname") < 3
    assert bits_of(weighed(surname="Whitcombe"), "surname") > 12


def test_a_family_of_the_same_name_does_not_make_it_common() -> None:
    """The person's own household is not counted against the person."""
    family = town(MAYOR, *[Identifiers(given_name=name, surname="Whitcombe") for name in ("Ann", "Ben", "Cyd")])

    assert bits_of(compared({"surname": "Whitcombe"}, rarity=family), "surname") == bits_of(
        weighed(surname="Whitcombe"), "surname"
    )


def test_a_town_that_everybody_lives_in_says_nothing() -> None:
    """City and postal code of a registry of one town are worth next to nothing."""
    assert 0 <= bits_of(weighed(city="Springfield"), "city") < 0.2
    assert 0 <= bits_of(weighed(postal_code="12345"), "postal_code") < 0.2


@given(kinds=st.sets(st.sampled_from(sorted(SAID))), more=st.sampled_from(sorted(SAID)))
@settings(max_examples=300)
def test_agreement_never_takes_off(kinds: set[str], more: str) -> None:
    """One more field that agrees never lowers the sum."""
    without = {kind: SAID[kind] for kind in kinds - {more}}

    assert weighed(**without, **{more: SAID[more]}).bits >= weighed(**without).bits


@given(kinds=st.sets(st.sampled_from(sorted(SAID))), others=st.sets(st.sampled_from(sorted(OTHERS))))
@settings(max_examples=300)
def test_the_features_are_the_score(kinds: set[str], others: set[str]) -> None:
    """The sum of what is explained is the score; nothing is explained that was not said, and no value is."""
    said = {kind: SAID[kind] for kind in kinds} | {kind: OTHERS[kind] for kind in others}
    evidence = weighed(**said)

    assert evidence.bits == pytest.approx(sum(each.bits for each in evidence.features))
    assert {each.kind for each in evidence.features} <= {*said, "number", "address"}
    words = {word for each in evidence.features for word in each[:2]}
    assert not words & {*SAID.values(), *OTHERS.values()}


@given(kinds=st.sets(st.sampled_from(sorted(SAID))), more=st.sampled_from(sorted({*SAID} - {"unit", "plate", "city"})))
@settings(max_examples=200)
def test_what_disagrees_never_adds(kinds: set[str], more: str) -> None:
    """Another value, in the place of none, never raises the sum."""
    without = {kind: SAID[kind] for kind in kinds - {more}}

    assert weighed(**without, **{more: OTHERS[more]}).bits <= weighed(**without).bits


@pytest.mark.parametrize("dob", ["1984-01-31", "01/31/1984"])
def test_another_whole_date_contradicts(dob: str) -> None:
    """Only a date of which every part is known, and another, makes a namesake for certain."""
    evidence = weighed(given_name="Eleanor", surname="Whitcombe", dob=dob)

    assert evidence.contradicted
    assert Feature("dob", "other", -8.0) in evidence.features


@pytest.mark.parametrize("dob", ["1984", "1984-01", "1900-01-01", "unknown", ["1984-01-31", "1984"], "1961-03-08"])
def test_a_date_that_is_not_known_for_certain_contradicts_nobody(dob: object) -> None:
    """A part of a date, a placeholder, a slip, or one of two that is none: nothing is certain."""
    evidence = weighed(given_name="Eleanor", surname="Whitcombe", dob=dob)

    assert not evidence.contradicted
    assert bits_of(evidence, "dob") >= 0


def test_the_victims_date_does_not_clear_the_witness() -> None:
    """With more persons named than dates or SSNs given, none of them contradicts."""
    named = {"name": ["Jo Doe", "Eleanor Whitcombe"], "dob": "1984-01-31", "ssn": "331407702"}

    assert compared(named, persons=1).contradicted
    assert not compared(named, persons=2).contradicted


def test_another_ssn_contradicts() -> None:
    """A whole SSN that is another contradicts; half of one is none."""
    assert weighed(surname="Whitcombe", ssn="331-40-7702").contradicted
    assert not weighed(surname="Whitcombe", ssn="4471").contradicted
    assert not weighed(surname="Whitcombe", ssn=["331-40-7702", "4471"]).contradicted


def test_a_record_of_several_dates_agrees_by_the_nearest() -> None:
    """Of many values the one that agrees counts, whatever their order."""
    for values in (["1984-01-31", "1961-03-09"], ["1961-03-09", "1984-01-31"]):
        assert bits_of(weighed(dob=values), "dob") == 14
    for plates in (["EWT0", "EWT0002"], ["EWT0002", "EWT0"]):
        assert bits_of(weighed(plate=plates), "plate") == pytest.approx(3.6 * 4 - 1)


@pytest.mark.parametrize(
    "home",
    [
        {"street": "12 Elm Street", "unit": "3C", "city": "Springfield", "postal_code": "12345"},
        {"street": "14 Elm Street", "city": "Springfield", "postal_code": "12345"},
        {"street": "12 Oak Avenue", "city": "Springfield", "postal_code": "12345"},
        {"street": "12 Elm Street", "city": "Utica", "postal_code": "99999"},
        {"street": "12 Elm Street", "city": "Utica"},
        {"street": "12 Elm Street", "state": "MO"},
    ],
)
def test_a_neighbors_home_is_elsewhere(home: dict[str, str]) -> None:
    """Another unit, house, street or town is another home, however much of the rest agrees."""
    evidence = weighed(surname="Whitcombe", **home)

    assert evidence.elsewhere
    assert evidence.aside == pytest.approx(bits_of(evidence, "surname"))


@pytest.mark.parametrize(
    "home",
    [
        {"street": "12 Elm Street", "unit": "3B"},
        {"street": "12 Elm Street"},
        {"street": "12 Elm", "city": "Springfield"},
        {"street": "12 Elm Street", "city": "Springfeild"},
        {"street": "12 Elm Street", "city": "Utica", "postal_code": "12345"},
        {"street": "Elm Street", "city": "Springfield"},
    ],
)
def test_a_home_told_in_part_or_misspelt_is_not_elsewhere(home: dict[str, str]) -> None:
    """What is left out contradicts nothing; of town and postal code one is enough."""
    assert not weighed(**home).elsewhere


def test_people_move() -> None:
    """However different another address is, it takes off six bits and no more."""
    moved = weighed(
        given_name="Eleanor", surname="Whitcombe", street="7 Oak Avenue", unit="9", city="Utica", postal_code="99999"
    )
    stayed = weighed(given_name="Eleanor", surname="Whitcombe")

    assert moved.features[-1] == Feature("address", "other", -6.0)
    assert moved.bits == pytest.approx(stayed.bits - 6)


def test_few_move_to_another_state() -> None:
    """A home in another state, of which nothing else agrees either, takes off eight."""
    moved = weighed(
        given_name="Eleanor", surname="Whitcombe", street="7 Oak Avenue", city="Boise", state="ID", postal_code="83701"
    )

    assert moved.features[-1] == Feature("address", "other", -8.0)


@pytest.mark.parametrize(
    ("kind", "enrolled", "slipped", "another"),
    [
        ("given_name", "Oliver", "Oliveer", "Olivia"),
        ("surname", "Carter", "Cartter", "Carver"),
        ("surname", "Madsen", "Madzen", "Madden"),
    ],
)
def test_a_slip_of_the_pen_seldom_makes_another_name(kind: str, enrolled: str, slipped: str, another: str) -> None:
    """A form that nobody bears is a slip of the name, and costs little; one that others bear is more likely theirs."""
    who = identifiers_of({"given_name": "Zebulon", "surname": "Quackenbush", kind: enrolled, **NO_VALUES})

    same, nobody, others = (bits_of(compared({kind: name}, who=who), kind) for name in (enrolled, slipped, another))

    assert same >= nobody > others
    assert same - nobody <= 5
    assert same - others >= 5


@pytest.mark.parametrize(
    ("enrolled", "told", "level", "bits"),
    [
        ({"suffix": "Jr."}, {"suffix": "JR"}, "same", 3),
        ({"suffix": "III"}, {"surname": "Whitcombe 3rd"}, "same", 3),
        ({"surname": "Whitcombe Sr"}, {"name": "WHITCOMBE JR, ELEANOR"}, "other", -5),
        ({"suffix": "Senior"}, {"name": "Eleanor Whitcombe Junior"}, "other", -5),
        ({"suffix": "Jr"}, {"suffix": "II"}, "", 0),
        ({"suffix": ""}, {"suffix": "II"}, "", 0),
        ({"suffix": "Jr"}, {"suffix": ""}, "", 0),
    ],
)
def test_a_junior_is_not_the_senior(enrolled: dict[str, str], told: dict[str, str], level: str, bits: float) -> None:
    """Jr., Sr. and the like speak for and against, wherever they stand; what is not told says nothing."""
    who = identifiers_of({"given_name": "Eleanor", "surname": "Whitcombe", **enrolled, **NO_VALUES})
    found = compared({"given_name": "Eleanor", "surname": "Whitcombe", **told}, who=who)

    said = [(feature.level, feature.bits) for feature in found.features if feature.kind == "suffix"]
    assert said == ([(level, bits)] if level else [])
    assert found.generation is (level == "other")
    assert enough(["name"], found._replace(bits=5.0), 12.0) is (level != "other")


@pytest.mark.parametrize("fields", [{"given_name": "Eleanor"}, {"surname": "Whitcombe"}, {"dob": "1961-03-09"}])
def test_one_personal_fact_is_single(fields: dict[str, str]) -> None:
    """A given name, a surname or a date of birth that many share never suffices by itself."""
    assert weighed(**fields).single
    assert weighed(**fields, street="7 Oak Avenue").single


@pytest.mark.parametrize(
    "fields",
    [
        {"given_name": "Elaenor", "surname": "Whitcombe"},
        {"surname": "Whitcombe", "dob": "1961-03-09"},
        {"ssn": "518224477"},
        {"surname": "Whitcombe", "street": "12 Elm St"},
    ],
)
def test_two_facts_are_not_single(fields: dict[str, str]) -> None:
    """A second fact, or a number, is what tells one from all who share a name."""
    assert not weighed(**fields).single


def test_names_the_wrong_way_round_are_crossed() -> None:
    """A given name in the surname's column agrees, for a little less."""
    straight, crossed = weighed(given_name="Eleanor", surname="Whitcombe"), weighed(given_name="Whitcombe", surname="Eleanor")

    assert straight.alike
    assert crossed.alike
    assert 0 < straight.bits - crossed.bits < 4


@given(st.dictionaries(st.sampled_from([*sorted(SAID), "name", "alias", "address", "vin", "state"]), st.text(max_size=60)))
@settings(max_examples=200)
def test_whatever_a_record_holds_it_is_weighed(fields: dict[str, str]) -> None:
    """No text in any field breaks the weighing."""
    evidence = weighed(**fields)

    assert evidence.bits == pytest.approx(sum(each.bits for each in evidence.features))


def test_traits_are_sealed_and_opened_whole() -> None:
    """What is compared after it was sealed is what was enrolled, and the sealed form shows nothing of it."""
    known = traits.of_person(MAYOR)
    sealed = TOKENS.seal(traits.pack(known))
    opened = traits.unpack(TOKENS.open(sealed))

    assert traits.pack(opened) == traits.pack(known)
    assert (opened.names, opened.births, opened.spots) == (known.names, known.births, known.spots)
    assert b"whitcombe" not in sealed.lower()


@given(told=st.fixed_dictionaries({}, optional={kind: st.sampled_from([SAID[kind], OTHERS[kind]]) for kind in SAID}))
@settings(max_examples=300, deadline=None)
def test_who_is_given_up_on_is_meant_by_no_threshold(told: dict[str, str]) -> None:
    """Weighing stops early only for whom nothing else could have helped, and changes nothing for anybody else."""
    mine, theirs = traits.of_fields(criteria(told), TOKENS), traits.of_person(MAYOR)
    whole = weigh(mine, theirs, TOWN, persons=1)

    found = weigh_in_hope(mine, theirs, TOWN, persons=1)

    if found is None:
        assert not enough((), whole, LEAST_BITS)
    else:
        assert found == whole


def test_what_a_name_is_worth_follows_who_comes_and_goes() -> None:
    """Bits that were told before are those of everybody counted now."""
    rarity = town()
    before = rarity.of("surname", "whitcombe")
    more = [values_of(traits.of_person(Identifiers(given_name="Ida", surname="Whitcombe")), TOKENS)] * 50

    for values in more:
        rarity.add(values)
    among = rarity.of("surname", "whitcombe")
    for values in more:
        rarity.remove(values)

    assert among < before
    assert rarity.of("surname", "whitcombe") == before
