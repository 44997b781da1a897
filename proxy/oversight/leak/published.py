"""What a trace is asked with: the things that were published, and the sights of them that the log holds.

Nothing here knows a value or a name. A value is its marks (``disclosure.marks``: the same for any spelling, one for each epoch
of the index key), an officer a token, so the ranking can be read, tested and shown without telling whom it is about.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MOST_ITEMS: Final = 60
USUAL: Final = 0.05
"""How likely it is that a thing came from elsewhere than its fellows, where nothing is said of it."""


class PublishedInvalid(ValueError):  # noqa: N818 -- reads as a sentence where it is raised
    """What is said of a published thing cannot be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One thing that was published, ``number`` counted from 1.

    ``at`` is when it was first seen in public, and ``within`` how much earlier it may have been out. ``about`` are the marks of
    the person whom it is about, where that is known. ``elsewhere`` says how likely it is that whoever published it had it from
    another source, such as public records.
    """

    number: int
    kind: str
    marks: frozenset[str]
    at: datetime
    within: timedelta = timedelta()
    about: frozenset[str] = frozenset()
    elsewhere: float = USUAL

    def __post_init__(self) -> None:
        """Refuse what no publication is.

        Raises:
            PublishedInvalid: no mark, no time zone, a window that is negative, a chance that is none.
        """
        if not self.marks:
            raise PublishedInvalid(f"item {self.number} has no value that could be looked for")
        if self.at.tzinfo is None:
            raise PublishedInvalid(f"item {self.number}: the time has no zone")
        if self.within < timedelta():
            raise PublishedInvalid(f"item {self.number}: a thing is not published after it was seen in public")
        if not 0 < self.elsewhere < 1:
            raise PublishedInvalid(f"item {self.number}: how likely another source is lies between 0 and 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One record that an officer was shown: entry ``entry`` released it.

    ``seen`` are the marks of what was left to read, by field; ``masked`` the fields that were hidden; ``persons`` the marks of
    whom the record is about. Officer, case and terminal are tokens.
    """

    entry: int
    at: datetime
    officer: str
    case: str
    terminal: str
    seen: Mapping[str, str]
    masked: frozenset[str] = frozenset()
    persons: frozenset[str] = field(default=frozenset())

    def field_of(self, item: Published) -> str | None:
        """Return the field in which it shows an item, or None."""
        for name, mark in self.seen.items():
            if mark in item.marks:
                return name
        return None
