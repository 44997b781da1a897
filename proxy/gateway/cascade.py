"""Whom an answer named, and whom a query that it caused is about: the same forms, so that the one can be found in the other.

A plate check fires a query about the owner, which fires one about warrants. Each inherits the purpose of the first, but only
where it asks for one person or vehicle that the answer before it disclosed: by the record's number, the plate, the VIN, or
the whole name with the date of birth, and by nothing else beside it. A description, an address or a phone number beside the
name would look for somebody else, so such a query states a purpose of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.disclosure.disclosure import MOST_NAMED
from proxy.registry import normalize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from proxy.inquiry.inquiry import Inquiry

_NUMBERS: Final = ("person_id", "plate", "vin")
_NAMES: Final = ("name", "given_name", "middle_name", "surname", "suffix", "dob")
_KNOWN: Final = frozenset({*_NUMBERS, *_NAMES})


def named(inquiry: Inquiry, records: Sequence[Mapping[str, Sequence[str]]]) -> tuple[frozenset[str], ...]:
    """Return the subjects that an answer named, by the fields disclosed of each record; nobody in a broad search or a list."""
    if inquiry.broad or len(records) > MOST_NAMED:
        return ()
    return tuple(frozenset({*_numbers(fields), *_births(fields)}) for fields in records)


def sought(inquiry: Inquiry) -> frozenset[str]:
    """Return the forms of the one subject that a query is wholly about; none when it could be about another."""
    criteria = {kind: values for kind, values in inquiry.criteria.items() if values}
    if inquiry.broad or inquiry.partial or not criteria.keys() <= _KNOWN or any(len(each) != 1 for each in criteria.values()):
        return frozenset()
    forms = {*_numbers(criteria)}
    if len(forms) < len(criteria.keys() & set(_NUMBERS)):
        return frozenset()  # a number without a letter or digit has no form, and would go along unseen
    if not criteria.keys().isdisjoint(_NAMES):
        births = list(_births(criteria))
        if not births:
            return frozenset()
        forms.add(births[0])
    return frozenset(forms)


def _numbers(fields: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for kind in _NUMBERS:
        for value in fields.get(kind, ()):
            # As disclosed: the registry reads O as 0, since a protected person has to be found; here that is another car.
            number = value if kind == "person_id" else "".join(filter(str.isalnum, value)).upper()
            if number:
                yield f"{kind} {number}"


def _births(fields: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the whole name with the date of birth: as it is, and without middle name and suffix.

    Of a record with two names or two dates nobody can tell which belong together.
    """
    if any(len(fields.get(kind, ())) > 1 for kind in _NAMES):
        return
    one = {kind: fields[kind][0] for kind in _NAMES if fields.get(kind)}
    born = normalize.dob(one.get("dob", ""))
    if not born:
        return
    if "name" in one:
        if not one.keys() <= {"name", "dob"}:
            return
        yield from _form(born, one["name"])
    elif "given_name" in one and "surname" in one:
        yield from _form(born, *(one[kind] for kind in _NAMES[1:5] if kind in one))
        yield from _form(born, one["given_name"], one["surname"])


def _form(born: str, *names: str) -> Iterator[str]:
    words = [word for name in names for word in normalize.fold(name).split()]
    if len(words) > 1:
        yield f"born {born} {' '.join(sorted(words))}"
