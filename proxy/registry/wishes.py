"""What a steward wants of an entry, as it was said: words and values are checked before anything is done or proposed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from proxy.registry.lines import LineRefused, known_words, some_identifiers, until
from proxy.registry.person import NORMAL_FORMS, Home, Identifiers, street_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Mapping
    from datetime import datetime

    from proxy.registry.person import Entry

NEVER: Final = "never"
NO: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is empty stays as it is. ``expires`` and ``review`` are days or ``never``; category and household may be ``none``.

    ``add`` and ``drop`` are identifiers, with the keys of an import; a value is dropped in whichever form it is given.
    """

    expires: str = ""
    review: str = ""
    category: str = ""
    household: str = ""
    basis: str = ""
    mask: tuple[str, ...] = ()
    unmask: tuple[str, ...] = ()
    add: Mapping[str, Any] = field(default_factory=dict)
    drop: Mapping[str, Any] = field(default_factory=dict)

    def of(self, entry: Entry, *, categories: Collection[str], classes: Collection[str], now: datetime) -> Entry:
        """Return the entry as it should be.

        Raises:
            LineRefused: a word or a value is none, or the entry would protect nobody.
        """
        if self.category not in {"", NO}:
            known_words("category", [self.category], categories)
        unmasked = known_words("fields", self.unmask, {*classes, *entry.fields})
        added, _ = some_identifiers(self.add)
        category, household = _word(self.category, entry.category), _word(self.household, entry.household)
        if not category and not household:
            raise LineRefused("an entry has a category or a household; to end the protection, remove the entry")
        return replace(
            entry,
            category=category,
            household=household,
            basis=self.basis or entry.basis,
            expires=_when("expires", self.expires, entry.expires, now),
            review=_when("review", self.review, entry.review, now),
            fields=(entry.fields | known_words("fields", self.mask, classes)) - unmasked,
            identifiers=_dropped(entry.identifiers, self.drop).merged(added),
        )


def _word(given: str, there: str) -> str:
    return "" if given == NO else given or there


def _when(key: str, given: str, there: datetime | None, now: datetime) -> datetime | None:
    if given == NEVER:
        return None
    return until(key, given, now) if given else there


def _dropped(mine: Identifiers, raw: Mapping[str, Any]) -> Identifiers:
    """Return what is left without the given values.

    Raises:
        LineRefused: one of them is not there; nothing is quoted.
    """
    given, _ = some_identifiers(raw)
    left: dict[str, Any] = {}
    missing: list[str] = []
    for kind in given.kinds():
        unwanted, known = getattr(given, kind), getattr(mine, kind)
        normal = _NORMAL.get(kind, _plain)
        there = known if isinstance(known, tuple) else (known,)
        marks = {normal(value) for value in (unwanted if isinstance(unwanted, tuple) else (unwanted,))}
        rest = tuple(value for value in there if normal(value) not in marks)
        if marks - {normal(value) for value in there}:
            missing.append(kind)
        left[kind] = rest if isinstance(known, tuple) else "".join(rest)
    if missing:
        raise LineRefused(f"drop: not every value given is among the entry's {', '.join(missing)}")
    return replace(mine, **left)


def _plain(value: str) -> Hashable:
    return value.casefold()


def _place(home: Home) -> Hashable:
    return street_of(home) if street_of(home).number else home


def _number(normal: Callable[[str], str]) -> Callable[[str], Hashable]:
    return lambda value: normal(value) or value


_NORMAL: Final[Mapping[str, Callable[[Any], Hashable]]] = {
    "homes": _place,
    **{attribute: _number(normal) for attribute, normal in NORMAL_FORMS.values()},
}
