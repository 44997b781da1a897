"""What is wrong with the registry as a whole: entries that are there twice, are over, or would match too little or too much.

A finding names entries by their ids and says what is the matter without a value, so that it can be read by anybody who may
run the check. Every look is one pass and a dictionary; only near namesakes born on one day are held against one another.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from difflib import SequenceMatcher
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Final

from proxy.registry import name_keys, normalize
from proxy.registry.frequent import GIVEN_NAMES, SURNAMES
from proxy.registry.person import NORMAL_FORMS, Entry, street_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
    from datetime import datetime

    from proxy.registry.address import Street

SOON: Final = timedelta(days=30)
MANY: Final = 4
"""Of households that share one telephone or home: fewer may be relatives."""
MOST_COMPARED: Final = 64
NEAR: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to look at. ``kind`` is a closed word; ``detail`` says what it means, ``next`` what to do, without a value."""

    kind: str
    entries: tuple[str, ...]
    detail: str
    next: str


@dataclass(frozen=True, slots=True)
class _Person:
    """An entry, with what several looks need of it in normal form."""

    entry: Entry
    born: str
    name: tuple[str, str]
    marks: frozenset[str]
    streets: tuple[Street, ...]

    @staticmethod
    def of(entry: Entry) -> _Person:
        who = entry.identifiers
        streets = tuple(street for home in who.homes if (street := street_of(home)).number)
        name = (_letters(who.given_name), _letters(who.surname))
        return _Person(entry, normalize.dob(who.dob), name, who.same_person(), streets)


def findings(
    entries: Sequence[Entry],
    *,
    now: datetime,
    categories: Collection[str],
    classes: Collection[str],
    concealed: Collection[str],
) -> list[Finding]:
    """Return everything to look at; ``concealed`` are the categories whose persons policy conceals from somebody."""
    current = [entry for entry in entries if not entry.expired(now)]
    return [*_lapsing(entries, now), *_broken(current, categories, classes), *risks(current, concealed)]


def risks(entries: Iterable[Entry], concealed: Collection[str]) -> list[Finding]:
    """Return which entries are there twice, or would match too little or too much."""
    people = [_Person.of(entry) for entry in entries]
    return [
        *_twice(people),
        *_nearly_twice(people),
        *_thin(people),
        *_common(people),
        *_shared(people),
        *_without_unit(people, concealed),
    ]


def _lapsing(entries: Iterable[Entry], now: datetime) -> Iterator[Finding]:
    for entry in entries:
        if entry.expired(now):
            yield _one(entry, "expired", "its protection is over", "prolong it with `registry change`, or remove it")
        elif entry.expires is not None and entry.expires <= now + SOON:
            yield _one(
                entry, "expiring", "its protection ends within 30 days", "prolong it with `registry change`, if it goes on"
            )
        if entry.review is not None and entry.review <= now:
            yield _one(
                entry, "review-overdue", "its review is overdue", "look at it, and set the next day with `registry change`"
            )


def _broken(entries: Sequence[Entry], categories: Collection[str], classes: Collection[str]) -> Iterator[Finding]:
    protecting = {entry.household for entry in entries if entry.category and entry.household}
    for entry in entries:
        if entry.category and entry.category not in categories:
            detail = "its category is not in vocabulary.yaml, so that every record of this person is denied"
            yield _one(entry, "category-unknown", detail, "put the category back, or give another with `registry change`")
        if not entry.fields <= set(classes):
            detail = "a field class of it is not in fields.yaml, so that no record of this person leaves"
            yield _one(entry, "class-unknown", detail, "put the class back into fields.yaml, or `registry change --unmask` it")
        if not entry.category and entry.household not in protecting:
            detail = "nobody of its household is protected any more, so that it protects nobody"
            yield _one(entry, "household-gone", detail, "give it a category with `registry change`, or remove it")


def _twice(people: Iterable[_Person]) -> Iterator[Finding]:
    by_mark: dict[str, list[str]] = defaultdict(list)
    for person in people:
        for mark in person.marks:
            by_mark[mark].append(person.entry.id)
    for ids in sorted({tuple(sorted(ids)) for ids in by_mark.values() if len(ids) > 1}):
        yield Finding(
            kind="duplicate",
            entries=ids,
            detail="enrolled more than once: a record's id, an SSN, or name and date of birth are the same",
            next="keep one and add to it; two categories for one person may be meant",
        )


def _nearly_twice(people: Iterable[_Person]) -> Iterator[Finding]:
    by_birth: dict[str, list[_Person]] = defaultdict(list)
    by_name: dict[tuple[str, str], list[_Person]] = defaultdict(list)
    for person in people:
        if person.born and person.born not in normalize.UNKNOWN_BIRTHS and any(person.name):
            by_birth[person.born].append(person)
            by_name[person.name].append(person)
    pairs = {pair for group in by_birth.values() for pair in _pairs(group, _near_names)}
    pairs |= {pair for group in by_name.values() for pair in _pairs(group, _near_births)}
    for pair in sorted(pairs):
        detail = "nearly the same name and date of birth as another: one person, or twins and namesakes"
        yield Finding(kind="near-duplicate", entries=pair, detail=detail, next="compare the two with `registry list --reveal`")


def _thin(people: Iterable[_Person]) -> Iterator[Finding]:
    for person in people:
        roads = _roads(person)
        if len(roads) == 1 and not (roads == ["name"] and person.born):
            detail = f"recognized by {roads[0].replace('_', ' ')} alone: every other search and record misses it"
            yield _one(person.entry, "thin", detail, "add what else is known with `registry change --identifiers`")


def _common(people: Iterable[_Person]) -> Iterator[Finding]:
    for person in people:
        if person.name[0] in GIVEN_NAMES and person.name[1] in SURNAMES and not person.born:
            detail = "a frequent name without a date of birth: it is met by every namesake"
            hint = "propose the date of birth with `registry change --identifiers`"
            yield _one(person.entry, "common-name", detail, hint)
        if any(len(alias.split()) == 1 for alias in person.entry.identifiers.aliases):
            detail = "an alias of one word is met by everybody who is called so"
            yield _one(person.entry, "short-alias", detail, "give the alias with the surname, if it is not rare")


def _shared(people: Iterable[_Person]) -> Iterator[Finding]:
    numbers: dict[Hashable, list[Entry]] = defaultdict(list)
    homes: dict[Hashable, list[Entry]] = defaultdict(list)
    for person in people:
        entry = person.entry
        for number in {normal for value in entry.identifiers.phones if (normal := normalize.phone(value))}:
            numbers[number].append(entry)
        for home in {(street.building, street.unit, _town(street)) for street in person.streets}:
            homes[home].append(entry)
    for kind, groups in (("telephone", numbers), ("home", homes)):
        for group in groups.values():
            if len({entry.household or entry.id for entry in group}) >= MANY:
                yield Finding(
                    kind=f"shared-{kind}",
                    entries=tuple(sorted(entry.id for entry in group)),
                    detail=f"a {kind} that many entries share concerns all of them, whoever is meant",
                    next="a shelter's or a switchboard's is better left out: `registry change --identifiers`",
                )


def _without_unit(people: Sequence[_Person], concealed: Collection[str]) -> Iterator[Finding]:
    divided: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for person in people:
        for street in person.streets:
            if street.unit:
                divided[street.building].add(_town(street))
    for person in people:
        whole = [street for street in person.streets if not street.unit]
        if any(_one_town(_town(street), divided.get(street.building, ())) for street in whole):
            detail = "a home without a unit, where others are enrolled with theirs: it is met by the whole building"
            hint = "add the home with its unit, and propose to drop the one without"
            yield _one(person.entry, "building", detail, hint)
        elif whole and person.entry.category in concealed:
            detail = "a concealed person's home without a unit: if there are several homes, all of them vanish, and that tells"
            yield _one(person.entry, "concealed-building", detail, "add the home with its unit, unless it is a house for one")


def _one(entry: Entry, kind: str, detail: str, hint: str) -> Finding:
    return Finding(kind=kind, entries=(entry.id,), detail=detail, next=hint)


def _roads(person: _Person) -> list[str]:
    who = person.entry.identifiers
    named = name_keys.parts_keys(who.given_name, who.surname) or who.aliases or (who.surname and who.dob)
    roads = ["name"] if named else []
    roads += [
        kind for kind, (attribute, normal) in NORMAL_FORMS.items() if any(normal(value) for value in getattr(who, attribute))
    ]
    return roads + (["address"] if person.streets else [])


def _pairs(group: Sequence[_Person], near: Callable[[_Person, _Person], bool]) -> Iterator[tuple[str, str]]:
    """Yield near pairs; of a group that is too large, those that stand beside one another."""
    if len(group) <= MOST_COMPARED:
        compared: Iterable[tuple[_Person, _Person]] = combinations(group, 2)
    else:
        compared = pairwise(sorted(group, key=lambda person: (*reversed(person.name), person.born)))
    for one, other in compared:
        if near(one, other) and not one.marks & other.marks:
            yield (min(one.entry.id, other.entry.id), max(one.entry.id, other.entry.id))


def _near_names(one: _Person, other: _Person) -> bool:
    (a, b), (c, d) = one.name, other.name
    return (_alike(b, d) and _alike(a, c)) or (_alike(a, d) and _alike(b, c))


def _near_births(one: _Person, other: _Person) -> bool:
    """Tell whether two dates differ by one digit, or by day and month exchanged."""
    a, b = one.born, other.born
    if a == b:
        return False
    swapped = len(a) == 10 and f"{a[:5]}{a[8:]}-{a[5:7]}" == b
    return swapped or (len(a) == len(b) and sum(x != y for x, y in zip(a, b, strict=True)) == 1)


def _alike(one: str, other: str) -> bool:
    """Tell whether two names are one but for a slip of the pen, or one is the other's initial."""
    if not one or not other or (one[0] != other[0] and one[-1] != other[-1]):
        return False
    short, long = sorted((one, other), key=len)
    return one == other or short == long[0] or SequenceMatcher(None, one, other).ratio() >= NEAR


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalpha())


def _town(street: Street) -> tuple[str, str]:
    return street.city, street.postal_code


def _one_town(town: tuple[str, str], towns: Iterable[tuple[str, str]]) -> bool:
    """Tell whether one of them could be the same town, as far as either is told."""
    return any(all(not a or not b or a == b for a, b in zip(town, other, strict=True)) for other in towns)
