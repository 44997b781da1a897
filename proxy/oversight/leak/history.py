"""What became of a published value: when it was shown, whether it changed, and for whom it was hidden.

A value that was no longer shown after a day, while another stood in its place, dates a leak: whoever was first shown that
record later cannot have it from there. Only a field of the same person counts, and only if no record showed the old value
again: a person with two addresses has not moved.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from proxy.oversight.leak.published import Published, Sight


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One item as the log knows it before it was published.

    ``changed`` is when another value was first shown in its place, or None; ``updated`` says of each officer who was shown that
    other value when first, and in which entry; ``hidden`` of each for whom the field was masked, in which entry first.
    """

    first: datetime | None
    last: datetime | None
    officers: frozenset[str]
    changed: datetime | None
    updated: Mapping[str, Sight]
    hidden: Mapping[str, Sight]


class Histories:
    """The history of every item, by its number."""

    def __init__(self, items: Sequence[Published], sights: Sequence[Sight]) -> None:
        """Read sights, in the order of time: of the items, and of other values about the same persons."""
        about: dict[str, list[Sight]] = defaultdict(list)
        for sight in sights:
            for person in sight.persons:
                about[person].append(sight)
        self.of: Mapping[int, History] = {item.number: _history(item, sights, about) for item in items}

    def outdated(self, item: Published, sight: Sight) -> bool:
        """Tell whether the officer of a sight knew, before the item was published, that it had changed since."""
        newer = self.of[item.number].updated.get(sight.officer)
        return newer is not None and sight.at < newer.at < item.at - item.within


def _history(item: Published, sights: Iterable[Sight], about: Mapping[str, Sequence[Sight]]) -> History:
    shown = [(sight, name) for sight in sights if sight.at < item.at and (name := sight.field_of(item))]
    places = {(person, name) for sight, name in shown for person in sight.persons if not item.about or person in item.about}
    updated: dict[str, Sight] = {}
    hidden: dict[str, Sight] = {}
    last = max((sight.at for sight, _ in shown), default=None)
    for person, name in places:
        for sight in about[person]:
            if name in sight.masked:
                _keep_first(hidden, sight)
            elif sight.seen.get(name) and last is not None and sight.at > last and sight.seen[name] not in item.marks:
                _keep_first(updated, sight)
    return History(
        first=min((sight.at for sight, _ in shown), default=None),
        last=last,
        officers=frozenset(sight.officer for sight, _ in shown),
        changed=min((sight.at for sight in updated.values()), default=None),
        updated=updated,
        hidden=hidden,
    )


def _keep_first(kept: dict[str, Sight], sight: Sight) -> None:
    known = kept.get(sight.officer)
    if known is None or sight.at < known.at:
        kept[sight.officer] = sight
