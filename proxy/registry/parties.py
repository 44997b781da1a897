"""Whether the person asked about is a party to the case: the comparison that recognizes people, turned to the other side.

Recognition, where it is in doubt, takes somebody for protected. Here a doubt means that nobody can tell, and that refuses. The
registry itself is never looked at: what comes out depends on the query and on the case alone, so it tells nothing of others.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from proxy.registry import address, normalize
from proxy.registry.evidence import weigh
from proxy.registry.likeness import NICKNAME, OTHER, PART, PHONETIC, SAME, SLIP, UNHEARD
from proxy.registry.person import NORMAL_FORMS
from proxy.registry.rarity import Rarity
from proxy.registry.traits import NUMBERS, of_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from proxy.purpose.purpose import Party
    from proxy.registry.address import Street
    from proxy.registry.protection import Feature
    from proxy.registry.traits import Traits

_FORMS: Final[Mapping[str, Callable[[str], str]]] = {
    **{kind: NORMAL_FORMS[kind][1] for kind in NUMBERS},
    "city": normalize.city,
    "state": normalize.state,
    "postal_code": normalize.postal_code,
}
_NAMED: Final = frozenset({SAME, NICKNAME, PHONETIC, SLIP, UNHEARD, PART})
_STREETS: Final = frozenset({SAME, PART})


class OnCase(StrEnum):
    """Whether somebody is a party, as far as can be told."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class _Reader:
    """Reads each text anew: a case's parties are few, and nothing of them has to be remembered."""

    @property
    def forms(self) -> Mapping[str, Callable[[str], str]]:
        return _FORMS

    @property
    def numbers(self) -> Sequence[tuple[str, Callable[[str], str]]]:
        return [(kind, _FORMS[kind]) for kind in NUMBERS]

    @property
    def read_street(self) -> Callable[[str], Street]:
        return address.address


_READER: Final = _Reader()


def on_case(criteria: Mapping[str, Sequence[str]], parties: Iterable[Party] | None) -> OnCase:
    """Tell whether criteria mean a party of a case; ``parties`` is None when the case directory does not say who they are."""
    if parties is None:
        return OnCase.UNKNOWN
    told = [_one(criteria, party) for party in parties]
    for answer in (OnCase.YES, OnCase.UNKNOWN):
        if answer in told:
            return answer
    return OnCase.NO


def _one(criteria: Mapping[str, Sequence[str]], party: Party) -> OnCase:
    known: dict[str, list[str]] = {}
    for kind, value in party:
        known.setdefault(kind, []).append(value)
    same_record = _same_record(criteria.get("person_id", ()), known.get("person_id", ()))
    if same_record is not None:
        return OnCase.YES if same_record else OnCase.NO
    mine, theirs = of_fields(criteria, _READER), of_fields(known, _READER)
    evidence = weigh(mine, theirs, Rarity(), persons=1)
    levels = {feature.kind: feature for feature in evidence.features}
    if not levels:
        return OnCase.UNKNOWN
    if evidence.contradicted or evidence.other_birth or _other_name(levels):
        return OnCase.NO
    if any(levels[kind].level is SAME for kind in NUMBERS if kind in levels):
        return OnCase.YES
    return _by_name_or_home(mine, theirs, levels, elsewhere=evidence.elsewhere)


def _same_record(mine: Sequence[str], theirs: Sequence[str]) -> bool | None:
    """Compare numbers of records; None when either side has none, and then it says nothing."""
    ours, others = ({form for text in texts if (form := normalize.person_id(text))} for texts in (mine, theirs))
    return None if not ours or not others else ours <= others


def _other_name(levels: Mapping[str, Feature]) -> bool:
    return any(levels[kind].level is OTHER for kind in ("given_name", "surname") if kind in levels)


def _by_name_or_home(mine: Traits, theirs: Traits, levels: Mapping[str, Feature], *, elsewhere: bool) -> OnCase:
    named = all(kind in levels and levels[kind].level in _NAMED for kind in ("given_name", "surname"))
    home = not elsewhere and "number" in levels and "street" in levels and levels["street"].level in _STREETS
    born = "dob" in levels and levels["dob"].level is SAME
    if mine.names:
        # A name that many bear takes something beside it, unless the case knows no more of the person than the name.
        told = born or home or not (theirs.births or theirs.spots)
        return OnCase.YES if named and told else OnCase.UNKNOWN
    if mine.births:
        return OnCase.UNKNOWN
    return OnCase.YES if home else OnCase.NO if elsewhere else OnCase.UNKNOWN
