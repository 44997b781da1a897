"""Whom the registry and the personnel directory hold: identifiers as they were given, and the facts beside them.

Values are kept as they came, sealed, and are brought into normal form by each version anew: better normal forms then need no
new enrollment. Every value is checked at birth for being of use; what a person is recognized by is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from dataclasses import fields as fields_of
from datetime import UTC, datetime
from enum import StrEnum
from sys import intern
from typing import TYPE_CHECKING, Any, Final

import orjson

from proxy.registry import address, name_keys, normalize
from proxy.registry.meant import meant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAMES: Final = ("given_name", "middle_name", "surname")
MOST_VALUES: Final = 64
"""Of each kind for one person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """One address, in the parts it was given in; ``street`` may hold a whole address."""

    street: str
    unit: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifiers:
    """Everything by which one person can be recognized; ``works`` and ``schools`` are names of places, addresses, or both."""

    given_name: str = ""
    middle_name: str = ""
    surname: str = ""
    suffix: str = ""
    dob: str = ""
    aliases: tuple[str, ...] = ()
    person_ids: tuple[str, ...] = ()
    ssns: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    plates: tuple[str, ...] = ()
    vins: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    homes: tuple[Home, ...] = ()
    works: tuple[str, ...] = ()
    schools: tuple[str, ...] = ()

    def same_person(self) -> frozenset[str]:
        """Return what two lines about one person have in common: a record's id, an SSN, or full name and date of birth."""
        found = {f"person_id {normalize.person_id(value)}" for value in self.person_ids}
        found |= {f"ssn {number}" for value in self.ssns if (number := normalize.ssn(value))}
        born = normalize.dob(self.dob)
        if born:
            found |= {f"name {key} {born}" for key in name_keys.parts_keys(self.given_name, self.surname)}
        return frozenset(found)

    @property
    def name(self) -> str:
        """Return the whole name, without suffix."""
        return " ".join(part for part in (self.given_name, self.middle_name, self.surname) if part)

    def merged(self, other: Identifiers) -> Identifiers:
        """Return everything that either knows; where there can be one value only, ``other`` is the newer."""
        values: dict[str, Any] = {}
        for each in fields_of(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            values[each.name] = tuple(dict.fromkeys((*mine, *theirs))) if isinstance(mine, tuple) else theirs or mine
        merged = Identifiers(**values)
        if all(getattr(self, part) in {"", getattr(merged, part)} for part in NAMES):
            return merged
        former = (name for name in (f"{self.given_name} {self.surname}".strip(), self.name) if name)
        return replace(merged, aliases=tuple(dict.fromkeys((*merged.aliases, *former))))

    def without(self, other: Identifiers) -> Identifiers:
        """Return what is left when every value that ``other`` has too is taken out."""
        values: dict[str, Any] = {}
        for each in fields_of(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            if isinstance(mine, tuple):
                values[each.name] = tuple(value for value in mine if value not in theirs)
            else:
                values[each.name] = "" if mine == theirs else mine
        return Identifiers(**values)

    def kinds(self) -> tuple[str, ...]:
        """Return which of them there are: words for the log, that hold no value."""
        return tuple(each.name for each in fields_of(self) if getattr(self, each.name))


NOBODY: Final = Identifiers()
NO_VALUES: Final[Mapping[str, Any]] = {"homes": []}
"""The least object that these are made of."""


class EntryUnknown(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """There is no such entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One protected person. ``category`` is empty for a member of an enrolled person's household. Times are in UTC.

    ``fields`` are the classes of fields.yaml that are masked in every record that concerns this person, whatever policy permits
    (as Daniel's Law protects a home address and an unpublished telephone number). ``review`` is when somebody has to look
    whether all this still holds; when it has passed, the protection goes on.
    """

    id: str
    category: str
    basis: str
    household: str
    enrolled_by: str
    enrolled_at: datetime
    expires: datetime | None
    identifiers: Identifiers
    review: datetime | None = None
    fields: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse an entry that would protect nobody."""
        if not self.category and not self.household:
            msg = "an entry has a category, or is of an enrolled person's household"
            raise ValueError(msg)

    def expired(self, now: datetime) -> bool:
        """Tell whether the protection is over."""
        return self.expires is not None and self.expires <= now

    def merged(self, other: Entry) -> Entry:
        """Return this entry as a later line would have it; ``changes.py`` says what of that one steward may do alone."""
        expires = None if self.expires is None or other.expires is None else max(self.expires, other.expires)
        return replace(
            self,
            basis=other.basis or self.basis,
            household=other.household or self.household,
            expires=expires,
            review=other.review or self.review,
            fields=self.fields | other.fields,
            identifiers=self.identifiers.merged(other.identifiers),
        )


class Declared(StrEnum):
    """What a line of the personnel directory says of its person towards the one whose line it belongs to."""

    OWN = "self"
    HOUSEHOLD = "household"
    FAMILY = "family"
    FORMER_PARTNER = "former_partner"
    DISPUTE = "dispute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """A line of the personnel directory: one of the personnel, or (``declared``) somebody close to or against one of them.

    ``personnel`` is the personnel id, as in ``Principal.person``. ``squad``, ``supervisor`` (a personnel id), ``household`` and
    ``rank`` (a word of approvals.yaml) belong to the personnel themselves.
    """

    id: str
    personnel: str
    declared: Declared
    agency: str = ""
    squad: str = ""
    supervisor: str = ""
    household: str = ""
    rank: str = ""
    identifiers: Identifiers


def pack(facts: Entry | Staff) -> bytes:
    """Return the bytes that are sealed."""
    return orjson.dumps(asdict(facts), default=sorted)


def unpack_entry(content: bytes) -> Entry:
    """Return the entry that ``pack`` made bytes of."""
    values = orjson.loads(content)
    return Entry(
        **values
        | {
            # The same few words for everybody, once in memory.
            "category": intern(values["category"]),
            "basis": intern(values["basis"]),
            "enrolled_by": intern(values["enrolled_by"]),
            "enrolled_at": _moment(values["enrolled_at"]),
            "expires": _moment(values["expires"]) if values["expires"] else None,
            "review": _moment(values["review"]) if values.get("review") else None,
            "fields": frozenset(values.get("fields", ())),
            "identifiers": identifiers_of(values["identifiers"]),
        }
    )


def unpack_staff(content: bytes) -> Staff:
    """Return the line that ``pack`` made bytes of."""
    values = orjson.loads(content)
    return Staff(**values | {"declared": Declared(values["declared"]), "identifiers": identifiers_of(values["identifiers"])})


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def identifiers_of(values: Mapping[str, Any]) -> Identifiers:
    """Return the identifiers that ``pack`` made an object of."""
    if values == NO_VALUES:
        return NOBODY
    # As a record's text is read: what was enrolled from an old system's export is spelled as its records are.
    plain: dict[str, Any] = {
        name: tuple(map(meant, value)) if isinstance(value, list) else meant(value)
        for name, value in values.items()
        if name != "homes"
    }
    homes = tuple(Home(**{part: meant(text) for part, text in home.items()}) for home in values["homes"])
    return Identifiers(**plain, homes=homes)


NORMAL_FORMS: Final[Mapping[str, tuple[str, Callable[[str], str]]]] = {
    "person_id": ("person_ids", normalize.person_id),
    "ssn": ("ssns", normalize.ssn),
    "phone": ("phones", normalize.phone),
    "email": ("emails", normalize.email),
    "plate": ("plates", normalize.plate),
    "vin": ("vins", normalize.vin),
    "license": ("licenses", normalize.license_number),
}
"""Of each kind that identifies a person by itself: where it is kept, and its normal form."""


def street_of(home: Home, read: Callable[[str], address.Street] = address.address) -> address.Street:
    """Return the normal form of an address, its parts taken from the street line where they have no field of their own.

    ``read`` may remember addresses.
    """
    parsed = read(home.street)
    return address.Street(
        parsed.number,
        parsed.core,
        address.unit(home.unit) or parsed.unit,
        normalize.city(home.city) or parsed.city,
        normalize.state(home.state) or parsed.state,
        normalize.postal_code(home.postal_code) or parsed.postal_code,
    )
