"""What leaves us of a reply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proxy.disclosure.judgement import Judgement
    from proxy.disclosure.left import Left

MOST_NAMED: Final = 25
"""Records whose subjects an answer names; a longer one is a list, and names nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """The bytes that may leave, and what the log has to say of them.

    ``records`` counts those that left, ``withheld`` those that did not, ``unjudged`` the withheld ones that were not as their
    route declares. ``masked`` and ``disclosed`` are field classes (fields.yaml); ``marked`` tells whether any record that left
    has to carry a mark. ``judgements`` are those of records that were masked or withheld, concern somebody protected or
    related, or oblige somebody; ``subjects`` are the person ids that the disclosed records hold, for the log's keyed tokens.
    ``others`` identify, by kind and form, whom the withheld records concern and those without a person id; ``left`` says of
    each record that was judged what of it was seen, and ``left_out`` counts those of which it does not.
    ``named`` are the identifiers that are left to read in each disclosed record, by kind, of no more records than MOST_NAMED
    and one.
    """

    status: int
    media_type: str
    body: bytes
    records: int = 0
    withheld: int = 0
    unjudged: int = 0
    masked: frozenset[str] = frozenset()
    marked: bool = False
    disclosed: frozenset[str] = frozenset()
    judgements: tuple[Judgement, ...] = ()
    subjects: tuple[str, ...] = ()
    others: tuple[tuple[str, str], ...] = ()
    left: tuple[Left, ...] = ()
    left_out: int = 0
    named: tuple[Mapping[str, Sequence[str]], ...] = ()
