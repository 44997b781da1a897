"""Who stands under a number: one person for most of them, who then costs no list, or several."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from proxy.registry.profile import Profile

Shared = dict[int, "Profile | list[Profile]"]


def put(shared: Shared, numbers: Iterable[int], profile: Profile) -> None:
    """Put a person under numbers, each of which comes once."""
    for number in numbers:
        others = shared.setdefault(number, profile)
        if isinstance(others, list):
            others.append(profile)
        elif others is not profile:
            shared[number] = [others, profile]


def drop(shared: Shared, numbers: Iterable[int], profile: Profile) -> None:
    """Undo ``put``."""
    for number in numbers:
        others = shared[number]
        if not isinstance(others, list):
            del shared[number]
            continue
        others.remove(profile)
        if len(others) == 1:
            shared[number] = others[0]


def at(shared: Shared, number: int) -> Sequence[Profile]:
    """Return who stands under a number."""
    found = shared.get(number, ())
    return found if isinstance(found, (list, tuple)) else (found,)
