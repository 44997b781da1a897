"""Every road to a person by a form that only looks alike, each with its nearest innocent, through the real registry."""

from __future__ import annotations

import gc
import random
import types
from importlib import resources
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import pytest

from proxy.registry import likeness, normalize
from proxy.registry.lines import criteria
from proxy.registry.usps import DIRECTIONS, SUFFIXES, UNITS
from tests.registry.conftest import MAYOR, person

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from proxy.registry.protection import Protection
    from tests.registry.conftest import Office

ELEANOR: Final = {**MAYOR, "plate": "EBI-8O01", "alias": ["Eleanor Marsh"]} | {"household": ""}
ALEKSEI: Final = {
    "given_name": "Алексей",
    "surname": "Иванов",
    "dob": "1970-05-05",
    "category": "victim",
    "basis": "law",
}
LUCIA: Final = {
    "given_name": "Lucía",
    "surname": "García-Whitlock",
    "dob": "1970-12-01",
    "category": "victim",
    "basis": "law",
    "street": "401 N Martin Luther King Blvd",
    "city": "St. Louis",
    "state": "MO",
    "postal_code": "63101",
}
WILLIAM: Final = {
    "given_name": "William",
    "middle_name": "Bartholomew",
    "surname": "O'Shaughnessy",
    "dob": "1958-11-30",
    "category": "judicial",
    "basis": "law",
    "license": "Q9988-7766",
    "vin": "JH4KA7561PC008269",
}
COMMON: Final = {"given_name": "James", "surname": "Smith", "street": "12 Elm Street", "city": "Springfield", "state": "NY"}
ENROLLED: Final = (ELEANOR, ALEKSEI, LUCIA, WILLIAM)
BORN: Final = {"dob": "1961-03-09"}


@pytest.fixture
async def town(office: Office) -> Office:
    """Return an office that protects four persons."""
    await office.enroll(*ENROLLED)
    return office


def kinds(found: Sequence[Protection]) -> set[str]:
    """Return what speaks for those found."""
    return {each.kind for protection in found for each in protection.features if each.bits > 0}


@pytest.mark.parametrize(
    ("road", "fields"),
    [
        ("given_name surname dob", {"given_name": "Elaenor", "surname": "Whitcombe", **BORN}),
        ("given_name surname dob", {"given_name": "Eleanor", "surname": "Witcomb", **BORN}),
        ("given_name surname dob", {"given_name": "Whitcomb", "surname": "Eleanor", **BORN}),
        ("given_name surname dob", {"name": "WHITCOMB, ELEANOR R", **BORN}),
        ("given_name surname dob", {"name": "Dr. Elanor R. Whitcombe", **BORN}),
        ("given_name surname dob", {"given_name": "Ellie", "surname": "Whitcombe", **BORN}),
        ("given_name surname dob", {"given_name": "Ruth", "surname": "Whitcombe", **BORN}),
        ("given_name surname dob", {"given_name": "E", "surname": "Whitcomb", **BORN}),
        ("given_name surname dob", {"given_name": "Eleanor", "surname": "Whitcombe-Price", **BORN}),
        ("given_name surname dob", {"name": "Elanor Marsh", **BORN}),
        ("given_name surname dob", {"given_name": "Eleanor", "surname": "Whitcombe", "dob": "1961-09-03"}),
        ("given_name surname dob", {"given_name": "Elanor", "surname": "Whitcombe", "dob": "1961-03-08"}),
        ("given_name surname dob", {"given_name": "Elanor", "surname": "Whitcombe", "dob": "1961"}),
        ("given_name surname dob", {"given_name": "Elanor", "surname": "Whitcombe", "dob": "1961-13-09"}),
        ("given_name surname dob", {"given_name": "Elanor", "surname": "Whitcombe", "dob": "1961-3-9"}),
        ("given_name surname dob", {"given_name": "Elanor", "surname": "Whitcombe", "dob": "09.03.1961"}),
        ("given_name surname", {"given_name": "Eleanor", "surname": "Whitcombe", "dob": "1961-09-04"}),
        ("given_name surname", {"given_name": "Eleanor", "surname": "Whitcombe", "dob": "1984-03-09"}),
        ("surname dob", {"surname": "Whitcombe", "dob": "1961-03-08"}),
        ("surname dob", {"surname": "Whitcombe", "dob": "1971-03-09"}),
        ("surname dob", {"surname": "Whitcombe", "dob": "1961-03"}),
        ("given_name surname", {"given_name": "Whitcombq", "surname": "Eleanor"}),
        ("given_name surname", {"given_name": "Eleanor", "surname": "Wxitcombe"}),
        ("given_name surname", {"given_name": "Eleanor", "surname": "Wihtcombe"}),
        ("vin", {"vin": "JH4KA7561P0C08269"}),
        ("vin", {"vin": "JH4KA7561PC08269"}),
        ("license surname", {"license": "Q9987-8766", "surname": "OShaughnessy"}),
        ("license surname", {"license": "Q998-7766", "surname": "OShaughnessy"}),
        ("license surname", {"license": "Q9988-77667", "surname": "OShaughnessy"}),
        ("number street unit", {"street": "12 Elm Street Apratment 3B", "city": "Springfield"}),
        ("given_name surname", {"given_name": "Whitcombe", "surname": "Elqeanor"}),
        ("given_name surname", {"given_name": "Elanor", "surname": "Witcombe"}),
        ("given_name surname", {"given_name": "Bill", "surname": "OShaughnessy"}),
        ("given_name surname", {"name": "Oshaughnesy, Will"}),
        ("surname dob", {"given_name": "Bart", "surname": "O Shaughnessy", "dob": "1958-11-30"}),
        ("given_name surname dob", {"given_name": "Aleksey", "surname": "Ivanov", "dob": "1970-05-05"}),
        ("given_name surname", {"given_name": "Aleksej", "surname": "Ivanof"}),
        ("given_name surname dob", {"given_name": "Lucia", "surname": "Garcia", "dob": "1970-12-01"}),
        ("given_name surname dob", {"given_name": "Lucia", "surname": "Whitlok", "dob": "1970-12-01"}),
        ("ssn", {"ssn": "518-22-4417"}),
        ("ssn", {"ssn": "518224472"}),
        ("plate", {"plate": "E8I-B0O1"}),
        ("plate", {"plate": "E81 80"}),
        ("plate", {"plate": "I8001"}),
        ("plate", {"plate": "EBI 8?01"}),
        ("vin", {"vin": "JH4KA7561PC008296"}),
        ("vin", {"vin": "PC008269"}),
        ("license surname", {"license": "Q9988-7765", "surname": "OShaughnessy"}),
        ("phone given_name surname", {"phone": "212 555 0110", "given_name": "Elanor", "surname": "Witcombe"}),
        ("number street", {"street": "12 Elm", "city": "Springfield"}),
        ("number street unit", {"street": "12 Ellm Street", "unit": "3B", "city": "Springfield"}),
        ("number street city", {"street": "401 North MartinLuther King Boulevard", "city": "Saint Louis"}),
        ("number street city", {"address": "401 N Martin Luthr King, St Louis MO 63101"}),
    ],
)
async def test_a_form_that_looks_alike_is_recognized(town: Office, road: str, fields: dict[str, Any]) -> None:
    """Misspelt, reordered, abbreviated or transliterated: the person is met, and what speaks for it is told."""
    (found,) = town.protections(**fields)

    assert set(road.split()) <= kinds([found])
    assert found.score == pytest.approx(max(found.score, sum(each.bits for each in found.features)))


@pytest.mark.parametrize(
    "fields",
    [
        {"street": "12 Elm Street", "unit": "3C", "city": "Springfield"},
        {"street": "12 Elm Street", "unit": "38", "city": "Springfield", "state": "NY", "postal_code": "12345"},
        {"street": "14 Elm Street", "unit": "3B", "city": "Springfield", "state": "NY", "postal_code": "12345"},
        {"street": "12 Elm Street", "city": "Shelbyville", "state": "NY"},
        {"street": "12 Elm Street", "unit": "3B", "city": "Springfield", "state": "MA"},
        {"street": "12 Oak Street", "unit": "3B", "city": "Springfield", "state": "NY", "postal_code": "12345"},
        {"street": "403 N Martin Luther King Blvd", "city": "St Louis", "state": "MO"},
        {"given_name": "Eleanor", "surname": "Whitcombe", "dob": "1984-01-31"},
        {"given_name": "Elanor", "surname": "Whitcomb", "dob": "1984-01-31"},
        {"street": "12 Elm Street Apratment 3C", "city": "Springfield"},
        {"given_name": "Eleanor", "surname": "Whitcombe", "dob": "1984-13-41"},
        {"given_name": "Eleanor", "surname": "Whitcombe", "dob": "31.12.1984"},
        {"given_name": "Eleanor", "surname": "Whitcombe", "ssn": "331-40-7702"},
        {"given_name": "Edith", "surname": "Whitcombe", "dob": "1984-01-31"},
        {"given_name": "Edith", "surname": "Whitcombe", "street": "99 Far Road", "city": "Utica"},
        {"given_name": "Eleanor", "surname": "Marston", "dob": "1984-01-31"},
        {"given_name": "William", "surname": "Garcia", "dob": "1990-01-01"},
        {"given_name": "Aleksei", "surname": "Petrov", "dob": "1970-05-06"},
        {"surname": "Whitcomb"},
        {"given_name": "Elanor"},
        {"dob": "1961-03-09"},
        {"plate": "EBI-7O11"},
        {"plate": "FBI-8O02"},
        {"plate": "EBI"},
        {"ssn": "518-22-7744"},
        {"ssn": "518-23-4472"},
        {"phone": "212-555-0199"},
        {"vin": "JH4KA7561PC111777"},
        {"license": "Q9977-6655"},
        {"email": "clerk@town.example"},
        {"city": "Springfield", "state": "NY", "postal_code": "12345"},
    ],
)
async def test_the_nearest_innocent_passes(town: Office, fields: dict[str, Any]) -> None:
    """The neighbor, the next house, another town, the namesake, the sibling, another plate: nobody protected is concerned."""
    assert town.protections(**fields) == ()


# -- a town of people made by chance ---------------------------------------------------------------------------------


STREETS: Final = (
    "Elm St",
    "Oak Ave",
    "Maple Dr",
    "2nd St",
    "3rd St",
    "N Main St",
    "S Main St",
    "Cedar Ln",
    "Hill Rd",
    "Park Pl",
)


class Chance:
    """People with the country's names, independent of one another, the same in every run."""

    def __init__(self, seed: int) -> None:
        """Read the census's tables."""
        self.random = random.Random(seed)
        self._names: dict[str, tuple[list[str], list[int]]] = {}
        for line in resources.files("proxy.registry").joinpath("census.txt").read_text("ascii").splitlines():
            if line.startswith("["):
                table = self._names.setdefault(line[1:-1], ([], []))
            elif not line.startswith("#"):
                name, weight = line.split()
                table[0].append(name)
                table[1].append(int(weight))

    def name(self, kind: str) -> str:
        """Draw a name as often as the country has it."""
        return self.random.choices(*self._names[kind])[0]

    def person(self) -> dict[str, str]:
        """Draw a person."""
        draw = self.random.randrange
        return {
            "given_name": self.name("given"),
            "surname": self.name("surname"),
            "dob": f"{draw(1940, 2006)}-{draw(1, 13):02}-{draw(1, 29):02}",
            "ssn": f"{draw(100, 900)}{draw(10, 100)}{draw(1000, 10_000)}",
            "phone": f"212{draw(200, 999)}{draw(1000, 10_000)}",
            "plate": "".join(self.random.choices("ACEFHJKLMNPRTUVWXY", k=3)) + f"{draw(1000, 10_000)}",
            "street": f"{draw(1, 1000)} {self.random.choice(STREETS)}",
            "city": "Springfield",
            "state": "NY",
            "postal_code": "12345",
        }


PROTECTED: Final = 300


async def test_where_it_happened_does_not_clear_whom_it_happened_to(office: Office) -> None:
    """A record of a case names a person at another address: that is the event's. Any other record's is somebody's home."""
    await office.enroll({**COMMON, "category": "victim", "basis": "order"})
    elsewhere = {"name": "James Smith", "street": "77 Harbor Way", "city": "Springfield", "state": "NY"}

    assert office.roads(**elsewhere, case="26-004217") == {"name"}
    assert office.protections(**elsewhere) == ()


@pytest.fixture
async def crowd(office: Office) -> tuple[Office, list[dict[str, str]]]:
    """Return an office that protects 300 persons made by chance, and them."""
    chance = Chance(1)
    people = [chance.person() for _ in range(PROTECTED)]
    await office.enroll(*[each | {"category": "official", "basis": "law"} for each in people])
    return office, people


def slips(text: str) -> Iterator[str]:
    """Yield every text with one letter left out, doubled, mistyped, or exchanged with the next."""
    for place, letter in enumerate(text):
        before, after = text[:place], text[place + 1 :]
        yield before + after
        yield before + letter + letter + after
        yield before + ("x" if letter != "x" else "q") + after
        if after and after[0] != letter:
            yield before + after[0] + letter + after[1:]


@pytest.mark.parametrize("part", ["given_name", "surname"])
async def test_any_slip_in_a_name_beside_the_right_date_is_recognized(
    crowd: tuple[Office, list[dict[str, str]]], part: str
) -> None:
    """Whichever letter is left out, doubled, mistyped or exchanged, the person is among those met."""
    office, people = crowd
    missed = [
        (each[part], slip)
        for each in people[:60]
        for slip in slips(each[part])
        if slip and not office.protections(**{word: each[word] for word in ("given_name", "surname", "dob")} | {part: slip})
    ]

    assert missed == []


async def test_any_slip_in_an_ssn_is_recognized(crowd: tuple[Office, list[dict[str, str]]]) -> None:
    """A digit wrong, lost, or one too many, or two neighbors exchanged, in an SSN alone: met, and by no exact road."""
    office, people = crowd
    slipped = [slip for each in people[:60] for slip in ssn_slips(each["ssn"]) if slip != each["ssn"]]

    assert [slip for slip in slipped if "likeness" not in office.roads(ssn=slip)] == []


def ssn_slips(number: str) -> Iterator[str]:
    """Yield every SSN that one slip makes of it."""
    for place, digit in enumerate(number):
        before, after = number[:place], number[place + 1 :]
        yield before + str((int(digit) + 3) % 10) + after
        yield before + number[place : place + 2][::-1] + number[place + 2 :]
        yield before + after
        yield before + digit + digit + after
        yield before + str((int(digit) + 5) % 10) + digit + after


@pytest.mark.parametrize("ssn", ["518-22-447", "51822447", "5182244711", "518-22-44711", "518-22-447I", "331-40-770"])
async def test_an_ssn_that_is_not_whole_contradicts_nobody(town: Office, ssn: str) -> None:
    """Beside the name it may be the mayor's with a slip, or nobody's: the mayor is met by the name as if it were not there."""
    (found,) = town.protections(given_name="Eleanor", surname="Whitcombe", ssn=ssn)

    assert "name" in found.matched


async def test_an_enrolled_ssn_that_is_not_whole_is_met_as_it_should_be(office: Office) -> None:
    """A steward lost a digit: the right number looks alike, the lost one's own too, and another number clears nobody."""
    report = await office.enroll({**COMMON, "ssn": "518-22-447", "category": "victim", "basis": "order"})

    assert any("digit too many or too few" in note for _, note in report.notes)
    assert office.roads(ssn="518-22-4471") == {"likeness"}
    assert office.roads(ssn="518-22-447") == {"likeness"}
    assert office.roads(given_name="James", surname="Smith", ssn="331-40-7702") == {"name"}


@pytest.mark.parametrize("name", ["Dafid Smith", "Davvid Smith", "Smyth, David"])
async def test_names_that_sound_right_are_enough_however_common(office: Office, name: str) -> None:
    """A slip that is not heard is said the same; beside another date of birth it is a namesake's all the same."""
    await office.enroll(
        {"given_name": "David", "surname": "Smith", "dob": "1961-03-09", "category": "victim", "basis": "order"}
    )

    assert bool(office.protections(name=name)) == (name != "David Smit")
    assert office.protections(name=name, dob="1984-01-31") == ()


@pytest.mark.parametrize(
    ("passport", "newspaper"), [("Iakov Beliaev", "Yakov Belyaev"), ("Iuliia Riabova", "Yulia Ryabova"), ("Bryan", "Brian")]
)
def test_one_letter_is_said_the_same_in_two_romanizations(passport: str, newspaper: str) -> None:
    """ICAO's passports and newspapers differ in it."""
    assert [*map(likeness.sound, passport.lower().split())] == [*map(likeness.sound, newspaper.lower().split())]


async def test_who_has_no_date_of_birth_is_met_beside_one_as_without(office: Office) -> None:
    """That a query tells more of somebody than is known of the person hides nobody whose name slipped."""
    await office.enroll({"given_name": "Thaddeus", "surname": "Villanueva", "category": "victim", "basis": "order"})

    for name in ({"given_name": "Thaddeus", "surname": "Villqnueva"}, {"given_name": "Thaddqeus", "surname": "Villanueva"}):
        assert office.protections(**name)
        assert office.protections(**name, dob="1961-03-09")


async def test_leading_zeros_that_were_lost_are_exact(office: Office) -> None:
    """Eight bare digits may be a number that lost its zero, which is met exactly, or one that lost another digit."""
    await office.enroll({**COMMON, "ssn": "018-22-4471", "category": "victim", "basis": "order"})

    assert office.roads(ssn="18224471") == {"ssn"}
    assert office.roads(ssn="18-22-4471") == {"likeness"}
    assert office.roads(ssn="01824471") == {"likeness"}


def spelled() -> Iterator[tuple[str, str]]:
    """Yield pairs of spellings of one home, by the post office's tables of suffixes, directionals and units."""
    for word, short in SUFFIXES.items():
        yield f"12 Whitby {short}", f"12 WHITBY {word.lower()}."
    for word, short in DIRECTIONS.items():
        yield f"12 {short} Whitby St", f"12 {word.title()} Whitby Street"
    for word in UNITS:
        yield f"12 Whitby St {word} 4", f"12 whitby street, {word.lower()}. 4"


async def test_any_spelling_of_an_address_is_recognized(office: Office) -> None:
    """Each word of USPS Publication 28's tables, in full or short, names the same home."""
    homes = sorted(set(spelled()))
    entry = {"category": "victim", "basis": "law", "city": "Springfield"}
    people = [
        {**entry, "given_name": f"P{place}", "surname": f"Q{place}", "street": home} for place, (home, _) in enumerate(homes)
    ]
    await office.enroll(*people)

    missed = [asked for _, asked in homes if not office.protections(street=asked, city="SPRINGFIELD")]

    assert missed == []


@pytest.mark.parametrize(
    ("kinds_asked", "at_most"),
    [
        (("given_name", "surname", "dob"), 3),
        (("given_name", "surname", "dob", "street", "city", "state", "postal_code"), 3),
        (("given_name", "surname", "dob", "ssn", "phone", "plate"), 3),
        (("ssn",), 1),
        (("phone",), 0),
        (("plate",), 1),
    ],
)
async def test_the_innocent_pass(
    crowd: tuple[Office, list[dict[str, str]]], kinds_asked: tuple[str, ...], at_most: int
) -> None:
    """Of nearly 1,000 people made by chance, who live elsewhere, at most so many are taken for one of 300 protected ones."""
    office, people = crowd
    chance, homes = Chance(2), {each["street"] for each in people}
    strangers = [each for _ in range(1000) if (each := chance.person())["street"] not in homes]

    met = [each for each in strangers if office.protections(**{kind: each[kind] for kind in kinds_asked})]

    assert len(met) <= at_most, met


async def test_neighbors_pass(crowd: tuple[Office, list[dict[str, str]]]) -> None:
    """Every house of the town that nobody protected lives in is nobody's who is protected."""
    office, people = crowd
    homes = {each["street"] for each in people}
    others = [home for number in range(1, 1000, 7) for street in STREETS if (home := f"{number} {street}") not in homes]

    assert [home for home in others if office.protections(street=home, city="Springfield", state="NY")] == []


async def test_the_order_of_fields_does_not_matter(crowd: tuple[Office, list[dict[str, str]]]) -> None:
    """Who is met, by which features and with which score, is the same whatever the order of a record's fields."""
    office, people = crowd
    shuffle = random.Random(3)
    for each in people[:40]:
        record = each | {"surname": each["surname"] + "x", "ssn": each["ssn"][::-1]}
        expected = office.protections(**record)
        for _ in range(4):
            order = shuffle.sample(sorted(record), len(record))
            assert office.protections(**{kind: record[kind] for kind in order}) == expected
        assert expected


# -- what memory shows ------------------------------------------------------------------------------------------------


def reachable(*roots: object) -> Iterator[object]:
    """Yield everything that can be reached from objects, but through code and the modules it stands in."""
    seen: set[int] = set()
    waiting = list(roots)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, types.ModuleType | type | types.CodeType | types.FrameType):
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, types.FunctionType):
            waiting += one.__closure__ or ()
            waiting += one.__defaults__ or ()
        else:
            waiting += gc.get_referents(one)


async def test_memory_names_nobody(office: Office) -> None:
    """No object behind the registry, nor what remembers normal forms, holds a name or an SSN of somebody enrolled in clear."""
    await office.enroll({**ELEANOR, "given_name": "Xanthippe", "surname": "Quackenbush", "alias": ["Zephyrine Oglethorpe"]})
    office.registry.recognizer.recognize(criteria({"surname": "Jones", "dob": "1961-03-09"}), person())
    words = ("xanthippe", "quackenbush", "zephyrine", "oglethorpe", "518-22-4471", "518224471")

    kept = chain(reachable(office.registry), reachable(normalize.fold, likeness.sound))
    told = [
        (type(one).__name__, text[:60])
        for one in kept
        if isinstance(one, str | bytes)
        for text in (one if isinstance(one, str) else one.decode("latin-1"),)
        if any(word in text.lower() for word in words)
    ]

    assert told == []


async def test_nothing_prints_who_is_enrolled(office: Office) -> None:
    """The ``repr`` of a profile, of a finding and of what is behind them is without names."""
    await office.enroll({**ELEANOR, "given_name": "Xanthippe", "surname": "Quackenbush"})
    found = office.protections(given_name="Xantippe", surname="Quakenbush")

    printed = [repr(each) for each in reachable(office.registry, found) if type(each).__module__.startswith("proxy.registry")]

    assert found
    assert not [each for each in printed if "quackenbush" in each.lower() or "518-22" in each]


def test_people_made_by_chance_are_people() -> None:
    """The crowd is as independent as it says: no two of the 1,300 share an SSN."""
    one, other = Chance(1), Chance(2)
    people = [one.person() for _ in range(300)] + [other.person() for _ in range(1000)]

    assert len({each["ssn"] for each in people}) == len(people)
