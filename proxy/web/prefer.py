"""What a client would like, and need not get: ``Prefer`` (RFC 7240), of which two preferences mean something here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_VALUE: Final = rf'(?:{_WORD}|"(?:[^"\\]|\\.)*+")'
# Possessive throughout: a field of semicolons and spaces costs no more than its length.
_PREFERENCE: Final = re.compile(
    rf"[ \t]*+(?P<name>{_WORD})(?:[ \t]*+=[ \t]*+(?P<value>{_VALUE}))?+"
    rf"(?:[ \t]*+;[ \t]*+(?:{_WORD}(?:[ \t]*+=[ \t]*+{_VALUE})?+)?+)*+[ \t]*+(?:,|\Z)"
)
_NAME_LENGTH: Final = len("prefer")
_SECONDS: Final = re.compile(r"[0-9]+")
_DIGITS: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """How long an answer may be held, in seconds, and whether 202 is wanted where a supervisor has to agree."""

    wait: int = 0
    respond_async: bool = False

    def applied(self, *, accepted: bool) -> str:
        """Return the field value of ``Preference-Applied``: whatever the answer is, so that it tells nothing of the subject."""
        said = ["respond-async"] if accepted else []
        said += [f"wait={self.wait}"] if self.wait else []
        return ", ".join(said)


def read_preferences(headers: Iterable[tuple[str, str]], most: float) -> Preferences:
    """Return what is preferred; what cannot be read is no preference, since a preference may be ignored (section 2).

    ``most`` seconds are waited at most. The fields of several lines are one list, and of two of a name the first counts.
    """
    # Nearly no query has one, and this is looked at for each of them.
    fields = [value for name, value in headers if len(name) == _NAME_LENGTH and name.lower() == "prefer"]
    if not fields:
        return Preferences()
    found: dict[str, str] = {}
    for name, value in _read(", ".join(fields)):
        found.setdefault(name, value)
    return Preferences(wait=_seconds(found.get("wait", ""), most), respond_async=found.get("respond-async") == "")


def _read(field: str) -> Iterator[tuple[str, str]]:
    place = 0
    # After the first thing that cannot be read, where the next would begin is a guess.
    while place < len(field) and (preference := _PREFERENCE.match(field, place)) is not None:
        place = preference.end()
        yield preference["name"].lower(), (preference["value"] or "").strip('"')


def _seconds(value: str, most: float) -> int:
    if not _SECONDS.fullmatch(value):
        return 0
    return int(most if len(value) > _DIGITS else min(int(value), most))
