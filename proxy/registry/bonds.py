"""What the members of one household have in common, as numbers: its reference, and each home with the town it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.registry.person import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from proxy.registry.person import Staff
    from proxy.registry.tokens import Place, Tokens


def bonds(owner: Entry | Staff, homes: Sequence[Place], tokens: Tokens) -> Iterator[int]:
    """Yield the numbers that the members of a household have in common; the personnel are bound by other rules."""
    if not isinstance(owner, Entry):
        return
    if owner.household:
        yield tokens.token("household", owner.household)
    for place in homes:
        home = (place.building, place.unit or 0)
        if place.postal_code is not None:
            yield hash((*home, 0, place.postal_code))
        if place.city is not None:
            yield hash((*home, 1, place.city))
        if place.postal_code is None and place.city is None:
            yield hash((*home, 2))
