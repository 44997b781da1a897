"""How much an agreement says: the rarer the value, the more. All in bits, the negative binary logarithm of a frequency.

Names have the frequency that the census found in the country, or the one they have in the registry where that is higher: a
department protects the people of its own town, with that town's names. Streets, towns, postal codes and named places have the
frequency of the registry alone, so that in a registry of one town the town says nothing.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from math import log2
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from proxy.registry.tokens import Tokens
    from proxy.registry.traits import Traits

_LEAST: Final[Mapping[str, float]] = {"given": 40e-6, "surname": 20e-6}
"""The frequency of a name that the census table leaves out."""

_USUAL: Final[Mapping[str, float]] = {
    "street": 1 / 500, "place": 1 / 200, "city": 0.3, "postal_code": 0.1, "work": 1 / 50, "school": 1 / 30,
}  # fmt: skip
"""The frequency of one value before anything is known of the town, and how many persons that guess weighs as much as."""
_WEIGHT: Final = 10

_FAMILY: Final = 4
"""So many of those seen may be the person's own household, which says nothing of how frequent a value is."""

_ENOUGH: Final = 100
"""From so many persons on, what is frequent among them counts as frequent."""

MOST_KNOWN: Final = 8192
"""The bits of so many values are remembered, by their tokens, until somebody comes or goes."""


@cache
def _census() -> Mapping[str, Mapping[str, float]]:
    tables: dict[str, dict[str, float]] = {}
    text = resources.files("proxy.registry").joinpath("census.txt").read_text("ascii")
    for line in text.splitlines():
        if line.startswith("["):
            table = tables.setdefault(line[1:-1], {})
        elif not line.startswith("#"):
            name, parts = line.split()
            table[name] = int(parts) * 1e-6
    return tables


def values_of(traits: Traits, tokens: Tokens) -> tuple[int, ...]:
    """Return the values whose frequency among the enrolled matters, as tokens."""
    found: set[tuple[str, str]] = set()
    for name in traits.names:
        found.update(("given", word) for word in name.given[:1])
        found.update(("surname", word) for word in name.surname[-1:])
    for spot in traits.spots:
        here = (("street", spot.street), ("place", spot.place), ("city", spot.city), ("postal_code", spot.postal_code))
        found.update(pair for pair in here if pair[1])
    found.update((site.kind, site.text) for site in traits.sites)
    return tuple({tokens.token(kind, value) for kind, value in found})


def _of_nobody(_kind: str, _value: str) -> int:
    return 0


class Rarity:
    """Bits of agreement, among everybody counted so far."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        """Start with nobody; values must be of the same ``tokens``, without which nobody is ever counted."""
        self._token: Callable[[str, str], int] = tokens.token if tokens else _of_nobody
        self._counts: dict[int, int] = {}
        self._persons = 0
        self._census = _census()
        self._known: dict[int, float] = {}

    def add(self, values: Iterable[int]) -> None:
        """Count one person's values (``values_of``)."""
        self._persons += 1
        self._known.clear()
        counts = self._counts
        for value in values:
            counts[value] = counts.get(value, 0) + 1

    def begin(self, counts: dict[int, int], persons: int) -> None:
        """Take what was counted of many, where nobody is counted yet."""
        self._counts, self._persons = counts, persons
        self._known.clear()

    def remove(self, values: Iterable[int]) -> None:
        """Count a person's values no longer."""
        self._persons -= 1
        self._known.clear()
        for value in values:
            self._counts[value] -= 1
            if not self._counts[value]:
                del self._counts[value]

    def givens(self, words: Sequence[str]) -> list[int]:
        """Return the places of the words that are given names of somebody counted; an initial is none."""
        counts = self._counts
        return [place for place, word in enumerate(words) if len(word) > 1 and counts.get(self._token("given", word))]

    def borne(self, kind: str, word: str, *, own: int = 0) -> bool:
        """Tell whether somebody bears a name, as far as is known: by the census, or more than ``own`` of those counted."""
        return word in self._census[kind] or self._counts.get(self._token(kind, word), 0) > own

    def of(self, kind: str, value: str) -> float:
        """Return the bits that agreeing on ``value`` is worth."""
        token = self._token(kind, value)
        if not token:
            return self._of(kind, value, 0)
        known = self._known
        bits = known.get(token)
        if bits is None:
            if len(known) >= MOST_KNOWN:
                known.clear()
            known[token] = bits = self._of(kind, value, self._counts.get(token, 0))
        return bits

    def _of(self, kind: str, value: str, seen: int) -> float:
        usual = _USUAL.get(kind)
        if usual is not None:
            frequency = (max(0, seen - _FAMILY) + _WEIGHT * usual) / (self._persons + _WEIGHT)
            return -log2(min(1.0, frequency))
        frequency = self._census[kind].get(value, _LEAST[kind])
        own = 1 if kind == "given" else _FAMILY
        if self._persons >= _ENOUGH and seen > own:
            frequency = max(frequency, (seen - own) / self._persons)
        return -log2(frequency)
