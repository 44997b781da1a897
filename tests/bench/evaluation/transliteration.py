"""Cyrillic in Latin letters, as passports have it (ICAO Doc 9303) and as newspapers do (BGN/PCGN)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# ruff: noqa: RUF001 -- Cyrillic letters look like Latin ones; that is why this table is needed
_COMMON: Final[Mapping[str, str]] = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "i", "к": "k", "л": "l", "м": "m",
    "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh",
    "щ": "shch", "ы": "y", "э": "e", "ё": "e",
}  # fmt: skip
PASSPORT: Final[Mapping[str, str]] = {**_COMMON, "й": "i", "ъ": "ie", "ь": "", "ю": "iu", "я": "ia"}
NEWSPAPER: Final[Mapping[str, str]] = {**_COMMON, "й": "y", "ъ": "", "ь": "", "ю": "yu", "я": "ya"}


def romanized(name: str, table: Mapping[str, str]) -> str:
    """Return a name in Latin letters."""
    return "".join(table.get(letter, letter) for letter in name.lower()).title()
