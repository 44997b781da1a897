"""One form for each identifier, whoever spelled it: what the log's tokens and marks are made of, and how it is searched.

Coarser than recognition on purpose: a name is its first given name and its last surname, an address is its building. Whoever
searches the log reads a few entries too many rather than miss one.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from proxy.registry import address, normalize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

BORN: Final = "born"
"""The kind of a name with a date of birth."""
NUMBERS: Final = ("person_id", "ssn", "license", "plate", "vin", "phone", "email")
"""Kinds of which one value alone says who or what, the surest first."""
_PARTS: Final = ("given_name", "surname")


def of_name(text: str) -> str:
    """Return the first given name and the last surname of a whole name, sorted."""
    before, comma, after = text[: normalize.MOST_CHARACTERS + 1].partition(",")
    if comma and (given := normalize.given_behind(before, after)):
        return _pair(given, normalize.surname_tokens(before))
    words = normalize.name_tokens(before if comma else text)
    return _pair(words[:1], words[1:])


def of_parts(given: str, surname: str) -> str:
    """Return the same form of a name that comes in parts."""
    return _pair(normalize.given_tokens(given), normalize.surname_tokens(surname))


def _pair(given: Sequence[str], surname: Sequence[str]) -> str:
    return " ".join(sorted((given[0], surname[-1]))) if given and surname else ""


def _building(text: str) -> str:
    read = address.address(text)
    return read.building if read.number else ""


_FORMS: Final[Mapping[str, Callable[[str], str]]] = {
    "person_id": normalize.person_id,
    "name": of_name,
    "dob": normalize.dob,
    "ssn": normalize.ssn,
    "phone": normalize.phone,
    "email": normalize.email,
    "plate": normalize.plate,
    "vin": normalize.vin,
    "license": normalize.license_number,
    "street": _building,
    "unit": address.unit,
    "city": normalize.city,
    "state": normalize.state,
    "postal_code": normalize.postal_code,
    "case_number": lambda text: " ".join(text.split()).upper(),
}
_KINDS: Final[Mapping[str, str]] = {"address": "street", "case": "case_number"}


def kind_of(kind: str) -> str:
    """Return the kind under which a kind's values are kept.

    A whole address and a street line are one; a case that is asked about is not the case that one asks under.
    """
    return _KINDS.get(kind, kind)


def form(kind: str, value: str) -> str:
    """Return a value's form; folded where its kind has none of its own, and empty only for no text.

    What is longer than any identifier (a report, a picture in Base64) is its SHA-256: nothing keeps the text.
    """
    if len(value) > normalize.MOST_CHARACTERS:
        return sha256(_folded(value).encode(errors="surrogatepass")).hexdigest()
    return _form(kind, value)


def reads(kind: str, value: str) -> bool:
    """Tell whether a value is one of its kind. What is not is kept as it is spelled, and only the same spelling finds it."""
    return len(value) > normalize.MOST_CHARACTERS or bool(_FORMS.get(kind_of(kind), normalize.fold)(value))


@lru_cache(maxsize=32_768)
def _form(kind: str, value: str) -> str:
    return _FORMS.get(kind_of(kind), normalize.fold)(value) or _folded(value)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def joined(fields: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Yield the forms that several fields make together: a name in parts, and a name with a date of birth.

    Of two names or two dates nobody can tell which belong together, so they make none.
    """
    name = _one_name(fields)
    if not name:
        return
    if "name" not in fields:
        yield "name", name
    births = fields.get("dob", ())
    if len(births) == 1 and (born := normalize.dob(births[0])):
        yield BORN, f"{born} {name}"


def _one_name(fields: Mapping[str, Sequence[str]]) -> str:
    whole = fields.get("name", ())
    if whole:
        return of_name(whole[0]) if len(whole) == 1 else ""
    given, surname = (fields.get(kind, ()) for kind in _PARTS)
    return of_parts(given[0], surname[0]) if len(given) == len(surname) == 1 else ""


def surest(fields: Mapping[str, Sequence[str]]) -> tuple[tuple[str, str], ...]:
    """Return what says best whom a record is about: every person id, else a name with a date of birth, else one number."""
    numbers = tuple(("person_id", form("person_id", value)) for value in fields.get("person_id", ()))
    if numbers:
        return numbers
    for kind, value in joined(fields):
        if kind == BORN:
            return ((kind, value),)
    return next((((kind, form(kind, fields[kind][0])),) for kind in NUMBERS if fields.get(kind)), ())


def all_of(fields: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Yield every identifier of a query or a person, by kind and form, and what they make together."""
    for kind, values in fields.items():
        for value in values:
            if value:
                yield kind_of(kind), form(kind, value)
    yield from joined(fields)
