"""Lines of an import: one person each, with every reason why a line is not taken. ``tabular.py`` reads them from a file.

Keys are the field kinds of the route map, so that a line of the registry and a record of the upstream speak alike. ``street``,
``unit``, ``city``, ``state`` and ``postal_code`` belong together by position; one city for two streets is the city of both.
``work`` and ``school`` are a place's name, its address behind a comma, or either alone. No message quotes a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from proxy.document import suggest
from proxy.identity.principal import ORI_PATTERN, PERSON_PATTERN
from proxy.inquiry.inquiry import TEXT
from proxy.registry import name_keys, normalize
from proxy.registry.meant import meant
from proxy.registry.person import MOST_VALUES, NORMAL_FORMS, Declared, Home, Identifiers, street_of
from proxy.registry.sites import SITES, site_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SINGLE: Final = ("given_name", "middle_name", "surname", "suffix", "dob")
HOME: Final = ("street", "unit", "city", "state", "postal_code")
LISTS: Final = ("alias", *NORMAL_FORMS, *HOME, *SITES)
IDENTIFIERS: Final = (*SINGLE, *LISTS)
FIELDS: Final = "fields"
ENTRY_KEYS: Final = (*IDENTIFIERS, "category", "household", "basis", "expires", "review", FIELDS)
STAFF_KEYS: Final = (*IDENTIFIERS, "personnel", "relation", "agency", "squad", "supervisor", "household", "rank")
RANK: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")

_SEVERAL: Final = frozenset({"name", "address", "given_name", "surname", "dob", FIELDS, TEXT})
MOST_TEXT: Final = normalize.MOST_CHARACTERS
MOST_NARRATIVE: Final = 4096
"""Of free text, as much as a record of a reply may hold of it."""
_EXACT: Final = 1 << 53
"""Up to here a floating-point number is the whole number that was meant."""
UNRECOGNIZABLE: Final = "nothing to recognize the person by: give a full name, an identifier or a home address"


class LineRefused(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """A line is not taken; the message holds every reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLine:
    """A line of the registry, checked. ``notes`` tell what of it was not understood."""

    number: int
    identifiers: Identifiers
    category: str
    household: str
    basis: str
    expires: datetime | None
    review: datetime | None = None
    fields: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffLine:
    """A line of the personnel directory, checked."""

    number: int
    identifiers: Identifiers
    personnel: str
    declared: Declared
    agency: str
    squad: str
    supervisor: str
    household: str
    rank: str = ""
    notes: tuple[str, ...] = ()


def entry_line(
    number: int, raw: Mapping[str, Any], *, categories: Iterable[str], now: datetime, classes: Iterable[str] = ()
) -> EntryLine:
    """Return a line of the registry; ``categories`` are those of vocabulary.yaml, ``classes`` those of fields.yaml.

    Raises:
        LineRefused: with every reason.
    """
    values, reasons = _values(raw, ENTRY_KEYS)
    category, household = _one(values, "category"), _one(values, "household")
    if category:
        reasons += _not_among("category", [category], categories)
    if not category and not household:
        reasons.append("category is missing (only a member of an enrolled person's household may have none)")
    expires = _until(values, "expires", now, reasons)
    review = _until(values, "review", now, reasons)
    masked = [text for text in values.get(FIELDS, ()) if text]
    reasons += _not_among(FIELDS, masked, classes)
    identifiers, notes = _identify(values, reasons)
    if not recognizable(identifiers):
        reasons.append(UNRECOGNIZABLE)
    basis = _one(values, "basis")
    if not basis:
        notes.append("no legal basis is stated")
    if reasons:
        raise LineRefused("; ".join(reasons))
    return EntryLine(
        number=number, identifiers=identifiers, category=category, household=household, basis=basis, expires=expires,
        review=review, fields=frozenset(masked), notes=tuple(notes),
    )  # fmt: skip


def some_identifiers(raw: Mapping[str, Any]) -> tuple[Identifiers, Sequence[str]]:
    """Return identifiers, of which there may be too few to recognize anybody by, and what of them was not understood.

    Raises:
        LineRefused: with every reason.
    """
    values, reasons = _values(raw, IDENTIFIERS)
    identifiers, notes = _identify(values, reasons)
    if reasons:
        raise LineRefused("; ".join(reasons))
    return identifiers, notes


def staff_line(number: int, raw: Mapping[str, Any]) -> StaffLine:
    """Return a line of the personnel directory.

    Raises:
        LineRefused: with every reason.
    """
    values, reasons = _values(raw, STAFF_KEYS)
    personnel, relation = _one(values, "personnel"), _one(values, "relation") or "self"
    if not PERSON_PATTERN.match(personnel):
        reasons.append("personnel is not a personnel id (lower-case letters, digits, . _ -)")
    if relation not in set(Declared):
        reasons.append(f"relation is none of {', '.join(Declared)}")
    agency, supervisor = _one(values, "agency"), _one(values, "supervisor")
    if relation == Declared.OWN and not ORI_PATTERN.match(agency):
        reasons.append("agency is not a nine-character ORI")
    if supervisor and not PERSON_PATTERN.match(supervisor):
        reasons.append("supervisor is not a personnel id")
    if relation != Declared.OWN and any(values.get(key) for key in ("agency", "squad", "supervisor", "household", "rank")):
        reasons.append("agency, squad, supervisor, household and rank belong to the line of the personnel themselves")
    rank = _one(values, "rank").lower().replace(" ", "_")
    if rank and not RANK.match(rank):
        reasons.append("rank is no word (letters, digits, _), as approvals.yaml has them")
    identifiers, notes = _identify(values, reasons)
    if not recognizable(identifiers):
        reasons.append(UNRECOGNIZABLE)
    if reasons:
        raise LineRefused("; ".join(reasons))
    return StaffLine(
        number=number, identifiers=identifiers, personnel=personnel, declared=Declared(relation), agency=agency,
        squad=_one(values, "squad"), supervisor=supervisor, household=_one(values, "household"), rank=rank,
        notes=tuple(notes),
    )  # fmt: skip


def criteria(raw: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return a JSON object of criteria or of a record's fields as recognition takes them.

    Raises:
        LineRefused: a key is unknown, or a value is neither text nor a number nor a list of these.
    """
    values, reasons = _values(raw, (*IDENTIFIERS, "name", "address", "case", TEXT))
    if reasons:
        raise LineRefused("; ".join(reasons))
    return {kind: given for kind, texts in values.items() if (given := tuple(text for text in texts if text))}


def _values(raw: Mapping[str, Any], keys: Iterable[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Return every value as a list of texts (empty ones keep their place), and what is wrong with them."""
    values: dict[str, list[str]] = {}
    reasons: list[str] = []
    known = frozenset(keys)
    for position, (key, value) in enumerate(raw.items(), start=1):
        if key not in known:
            hint = suggest(key, known)
            reasons.append(f"key {position} is unknown" + (f" ({hint})" if hint else ""))
            continue
        given = value if isinstance(value, list) else [value]
        texts = [_text(each) for each in given]
        if None in texts or len(texts) > MOST_VALUES:
            reasons.append(f"{key} is not text, or a list of at most {MOST_VALUES} texts")
        elif len(texts) > 1 and key not in LISTS and key not in _SEVERAL:
            reasons.append(f"{key} has more than one value")
        else:
            values[key] = [text for text in texts if text is not None]
            most = MOST_NARRATIVE if key == TEXT else MOST_TEXT
            if any(len(text) > most for text in values[key]):
                reasons.append(f"{key} is longer than {most} characters")
    return values, reasons


def _text(value: object) -> str | None:
    if value is None:
        return ""
    if isinstance(value, str):
        # What cannot be written cannot be sealed, and matches nothing (RFC 8259 §8.2).
        return meant(value).strip() if value.isascii() or value.encode("utf-8", "ignore").decode() == value else None
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        value = int(value)  # a spreadsheet's 42903.0
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _one(values: Mapping[str, list[str]], key: str) -> str:
    given = values.get(key)
    return given[0] if given else ""


def until(key: str, text: str, now: datetime) -> datetime:
    """Return when something ends: a day counts to its end, in UTC.

    Raises:
        LineRefused: it is neither a day nor a time, or lies in the past.
    """
    try:
        if len(text) == 10:
            day = date.fromisoformat(text)
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        else:
            moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise LineRefused(f"{key} is not a date (YYYY-MM-DD) or a time (RFC 3339)") from error
    if moment.tzinfo is None:
        raise LineRefused(f"{key} has no offset from UTC")
    if moment <= now:
        raise LineRefused(f"{key} lies in the past")
    return moment.astimezone(UTC)


def known_words(key: str, given: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    """Return words of a closed list.

    Raises:
        LineRefused: one is not in it.
    """
    words = [word for word in given if word]
    reasons = _not_among(key, words, known)
    if reasons:
        raise LineRefused("; ".join(reasons))
    return frozenset(words)


def recognizable(identifiers: Identifiers) -> bool:
    """Tell whether there is any road to a person: a full name, an identifier, a home with its number."""
    who = identifiers
    return bool(
        name_keys.parts_keys(who.given_name, who.surname)
        or (who.surname and normalize.dob(who.dob))
        or any(name_keys.text_keys(text) or normalize.moniker(text) for text in who.aliases)
        or any(normal(value) for attribute, normal in NORMAL_FORMS.values() for value in getattr(who, attribute))
        or any(street_of(home).number for home in who.homes)
    )


def _until(values: Mapping[str, list[str]], key: str, now: datetime, reasons: list[str]) -> datetime | None:
    text = _one(values, key)
    try:
        return until(key, text, now) if text else None
    except LineRefused as refused:
        reasons.append(str(refused))
        return None


def _not_among(key: str, given: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return why words are not of a closed list, never quoting one: in a shifted column it may be a name."""
    words = sorted(known)
    wrong = [word for word in given if word not in words]
    if not wrong:
        return []
    hint = next((hint for word in wrong if (hint := suggest(word, words))), None)
    return [f"{key} is none of {', '.join(words)}" + (f" ({hint})" if hint else "")]


def _identify(values: Mapping[str, list[str]], reasons: list[str]) -> tuple[Identifiers, list[str]]:
    """Return the identifiers, and notes on those that have no normal form and so recognize nobody."""
    notes: list[str] = []
    several = [key for key in SINGLE if len(values.get(key, ())) > 1]
    if several:
        reasons.append(f"{', '.join(several)}: one value only; other names go into alias")
    found: dict[str, Any] = {key: _one(values, key) for key in SINGLE}
    found["aliases"] = tuple(text for text in values.get("alias", ()) if text)
    if found["dob"] and not normalize.dob(found["dob"]):
        notes.append("dob is not a whole date (YYYY-MM-DD), so that a namesake is not told apart by it")
    for kind, (attribute, normal) in NORMAL_FORMS.items():
        texts = tuple(text for text in values.get(kind, ()) if text)
        readable = sum(1 for text in texts if normal(text))
        if readable < len(texts):
            notes.append(f"{len(texts) - readable} of {kind} not understood")
        if kind == "ssn" and any(map(normalize.ssn_slipped, texts)):
            notes.append("an SSN has a digit too many or too few, so that its own is met as one that looks alike")
        found[attribute] = texts
    for kind in SITES:
        texts = tuple(text for text in values.get(kind, ()) if text)
        unread = sum(1 for text in texts if site_of(kind, text) is None)
        if unread:
            notes.append(f"{unread} of {kind} neither names a place nor is an address with its number")
        found[f"{kind}s"] = texts
    found["homes"] = _homes(values, reasons)
    numbered = sum(1 for home in found["homes"] if street_of(home).number)
    if numbered < len(found["homes"]):
        notes.append(f"{len(found['homes']) - numbered} of street without a house number")
    return Identifiers(**found), notes


def _homes(values: Mapping[str, list[str]], reasons: list[str]) -> tuple[Home, ...]:
    streets = values.get("street", [])
    columns: dict[str, list[str]] = {}
    for key in HOME:
        given = values.get(key, [])
        if len(given) == 1 and key != "unit":
            given = given * len(streets)
        if len(given) > max(1, len(streets)):
            reasons.append(f"{key} has more values than street")
            return ()
        columns[key] = given + [""] * (len(streets) - len(given))
    homes = (Home(**{key: columns[key][position] for key in HOME}) for position in range(len(streets)))
    return tuple(home for home in homes if home.street)
