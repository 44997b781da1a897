"""Who stands under a number: one person for most of them, who then costs no list, or several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from proxy.registry.profile import Profile

_PARTS: Final = 1024
"""A dictionary of millions that grows copies itself, and everybody waits for seconds; each of these does so in a moment."""


class Shared:
    """Numbers, spread evenly over all there are (hashes), and the persons under each."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        """Start with nobody."""
        self._parts: tuple[dict[int, Profile | list[Profile]], ...] = tuple({} for _ in range(_PARTS))

    def __bool__(self) -> bool:
        """Tell whether anybody is here."""
        return any(self._parts)

    def put(self, numbers: Iterable[int], profile: Profile) -> None:
        """Put a person under numbers, each of which comes once."""
        parts = self._parts
        for number in numbers:
            part = parts[number % _PARTS]
            others = part.setdefault(number, profile)
            if others is profile:
                continue
            if isinstance(others, list):
                others.append(profile)
            else:
                part[number] = [others, profile]

    def drop(self, numbers: Iterable[int], profile: Profile) -> None:
        """Undo ``put``."""
        for number in numbers:
            part = self._parts[number % _PARTS]
            others = part[number]
            if not isinstance(others, list):
                del part[number]
                continue
            others.remove(profile)
            if len(others) == 1:
                part[number] = others[0]

    def at(self, number: int) -> Sequence[Profile]:
        """Return who stands under a number."""
        found = self._parts[number % _PARTS].get(number, ())
        return found if isinstance(found, (list, tuple)) else (found,)

    def one_or_more(self, number: int) -> Profile | list[Profile] | None:
        """Return the same, as it is held: for the many look-ups of which most find nobody."""
        return self._parts[number % _PARTS].get(number)
