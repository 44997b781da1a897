"""Whether a record of the records server is about an enrolled person: what agrees, what contradicts, and who lives there too.

Nothing here decides about a query. What is found is shown to a steward, who knows more; so a candidate is told with its
reasons, and one that contradicts is told too.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from proxy.registry import name_keys, normalize
from proxy.registry.households import MOST_RESIDENTS
from proxy.registry.person import NORMAL_FORMS, Home, Identifiers, street_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from proxy.inquiry.route import Route
    from proxy.registry.address import Street

NAME: Final = "name"
DOB: Final = "dob"
HOME: Final = "home"
PERSON_ID: Final = "person_id"
HOME_ADDRESS: Final = "home_address"
"""The class in fields.yaml of an address that is its subject's home; an incident's is a place."""
_PROOFS: Final = frozenset({"ssn", "license"})
_HINTS: Final = frozenset({"phone", "email", "plate", "vin", HOME})


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record as its route declares it: ``fields`` by kind. ``lives`` tells that its address is its subject's home."""

    route: str
    fields: Mapping[str, tuple[str, ...]]
    lives: bool = False

    @property
    def person_id(self) -> str:
        """Return the id of the one person it is about, or nothing."""
        ids = dict.fromkeys(filter(None, map(normalize.person_id, self.fields.get(PERSON_ID, ()))))
        return next(iter(ids)) if len(ids) == 1 else ""

    @property
    def home(self) -> Home | None:
        """Return where its subject lives, when it says so."""
        streets = self.fields.get("street", ())
        if not self.lives or len(streets) != 1:
            return None
        parts = {key: self.fields.get(key, ("",))[0] for key in ("unit", "city", "state", "postal_code")}
        return Home(street=streets[0], **parts)


class Likeness(StrEnum):
    """How likely a record is about the person."""

    LIKELY = "likely"
    POSSIBLE = "possible"
    UNLIKELY = "unlikely"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The kinds of identifier that agree, and those that contradict; a kind that either does not know is in neither."""

    agrees: tuple[str, ...]
    contradicts: tuple[str, ...]

    @property
    def likeness(self) -> Likeness:
        """Return what the kinds come to."""
        agrees, proved = frozenset(self.agrees), not _PROOFS.isdisjoint(self.agrees)
        if not {DOB, "ssn"}.isdisjoint(self.contradicts):
            # A slip in one of them is likelier than two people with one number and one name.
            return Likeness.POSSIBLE if proved and (NAME in agrees or DOB in agrees) else Likeness.UNLIKELY
        if proved or {NAME, DOB} <= agrees:
            return Likeness.POSSIBLE if NAME in self.contradicts else Likeness.LIKELY
        if NAME in agrees or (DOB in agrees and not _HINTS.isdisjoint(agrees)):
            return Likeness.POSSIBLE
        return Likeness.UNLIKELY


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Everything that the records say of one person: ``fields`` of all of them together, and the routes they came by."""

    person_id: str
    routes: tuple[str, ...]
    fields: Mapping[str, tuple[str, ...]]
    homes: tuple[Home, ...]
    comparison: Comparison


def gives_homes(route: Route) -> bool:
    """Tell whether the address in a route's records is where their subject lives."""
    return any(field.kind == "street" and field.field_class == HOME_ADDRESS for field in route.fields.values())


def same_home(one: Street, other: Street) -> bool:
    """Tell whether two addresses can be one home: no other unit, no other town."""
    if not one.number or one.building != other.building:
        return False
    pairs = [(one.unit, other.unit), (one.state, other.state)]
    if not (one.postal_code and one.postal_code == other.postal_code):
        pairs += [(one.city, other.city), (one.postal_code, other.postal_code)]
    return all(not mine or not theirs or mine == theirs for mine, theirs in pairs)


def candidates(who: Identifiers, records: Iterable[Record]) -> list[Candidate]:
    """Return everybody whom the records name by one id, those who are likeliest to be the person first."""
    by_id: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.person_id:
            by_id[record.person_id].append(record)
    found = [_candidate(who, person_id, group) for person_id, group in by_id.items()]
    order = list(Likeness)
    return sorted(found, key=lambda each: (order.index(each.comparison.likeness), -len(each.comparison.agrees), each.person_id))


def compare(who: Identifiers, fields: Mapping[str, Sequence[str]], homes: Sequence[Home]) -> Comparison:
    """Return what of a record's fields agrees with a person, and what contradicts."""
    agrees, contradicts = [], []
    mine, theirs = _names(who), names_of(fields)
    if not mine.isdisjoint(theirs):
        agrees.append(NAME)
    elif mine and theirs:
        contradicts.append(NAME)
    born, births = normalize.dob(who.dob), {normalize.dob(text) for text in fields.get(DOB, ())} - {""}
    if born in births:
        agrees.append(DOB)
    elif births and born and not births & normalize.UNKNOWN_BIRTHS and born not in normalize.UNKNOWN_BIRTHS:
        contradicts.append(DOB)
    for kind, (attribute, normal) in NORMAL_FORMS.items():
        known = {normal(text) for text in getattr(who, attribute)} - {""}
        said = {normal(text) for text in fields.get(kind, ())} - {""}
        if not known.isdisjoint(said):
            agrees.append(kind)
        elif kind == "ssn" and known and said and all(map(normalize.ssn_tells, (*who.ssns, *fields[kind]))):
            contradicts.append(kind)
    if any(lives_there(who.homes, home) for home in homes):
        agrees.append(HOME)
    return Comparison(agrees=tuple(agrees), contradicts=tuple(contradicts))


def residents(homes: Iterable[Home], found: Iterable[Candidate]) -> tuple[list[Candidate], bool]:
    """Return who lives in these homes, and whether one of them holds more than a household has: that one tells of nobody."""
    there: list[Candidate] = []
    everybody = list(found)
    institution = False
    for home in homes:
        group = [each for each in everybody if any(lives_there((home,), other) for other in each.homes)]
        if len(group) > MOST_RESIDENTS:
            institution = True
        else:
            there += [each for each in group if each not in there]
    return there, institution


def lives_there(homes: Iterable[Home], home: Home) -> bool:
    """Tell whether an address is one of these homes."""
    there = street_of(home)
    return any(same_home(street_of(each), there) for each in homes)


def identifiers_of(candidate: Candidate) -> Identifiers:
    """Return what the records say of a person, as it is enrolled."""
    fields = candidate.fields
    one: dict[str, Any] = {key: fields.get(key, ("",))[0] for key in ("given_name", "middle_name", "surname", "suffix", DOB)}
    written = () if one["given_name"] and one["surname"] else fields.get(NAME, ())[:1]
    many: dict[str, Any] = {attribute: fields.get(kind, ()) for kind, (attribute, _) in NORMAL_FORMS.items()}
    return Identifiers(**one, **many, aliases=(*written, *fields.get("alias", ())), homes=candidate.homes)


def names_of(fields: Mapping[str, Sequence[str]]) -> frozenset[Hashable]:
    """Return the forms of every name that a record gives its subject."""
    keys: set[Hashable] = set()
    for given in fields.get("given_name", ()):
        for surname in fields.get("surname", ()):
            keys.update(name_keys.parts_keys(given, surname))
    for text in (*fields.get(NAME, ()), *fields.get("alias", ())):
        keys.update(name_keys.text_keys(text))
    return frozenset(keys)


def _names(who: Identifiers) -> frozenset[Hashable]:
    keys: set[Hashable] = set(name_keys.enrolled_keys(who.given_name, who.middle_name, who.surname))
    for alias in who.aliases:
        keys.update(name_keys.text_keys(alias))
        keys.update(name_keys.parts_keys(alias, who.surname))
    return frozenset(keys)


def _candidate(who: Identifiers, person_id: str, records: Sequence[Record]) -> Candidate:
    fields: dict[str, tuple[str, ...]] = {}
    for record in records:
        for kind, values in record.fields.items():
            fields[kind] = tuple(dict.fromkeys((*fields.get(kind, ()), *values)))
    homes = tuple(dict.fromkeys(home for record in records if (home := record.home)))
    return Candidate(
        person_id=person_id,
        routes=tuple(dict.fromkeys(record.route for record in records)),
        fields=fields,
        homes=homes,
        comparison=compare(who, fields, homes),
    )
