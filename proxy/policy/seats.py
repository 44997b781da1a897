"""Filling seats with people: each seat by another person, whoever could fill several.

A greedy count credits one reviewer to every group they are in, or seats somebody where another could not have sat. So this is a
matching (Kuhn's augmenting paths); seats and people are few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Person = TypeVar("Person")
Seat = TypeVar("Seat")


def filled(seats: Sequence[Seat], people: Sequence[Person], fits: Callable[[Person, Seat], bool]) -> int:
    """Return how many seats can be filled at one time, nobody sitting on two."""
    could = [[number for number, person in enumerate(people) if fits(person, seat)] for seat in seats]
    sits: dict[int, int] = {}

    def seat(place: int, tried: set[int]) -> bool:
        for person in could[place]:
            if person in tried:
                continue
            tried.add(person)
            if person not in sits or seat(sits[person], tried):
                sits[person] = place
                return True
        return False

    return sum(seat(place, set()) for place in range(len(seats)))
