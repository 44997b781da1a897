"""Roads with a number for a name, and boxes that stand for a home, in one spelling (USPS Publication 28, 24-28, appendix F).

What one clerk writes as State Route 30 is SR 30, Hwy 30 or VT-30 to the next, so a highway is its number, whoever keeps it up;
county roads, farm roads, township roads and interstates are told apart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.registry.usps import DIRECTIONS, STATE_CODES, STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST: Final = 9
"""So many words are looked at: the longest of these names."""

_SIGN: Final = "(?:# ?|NO |NR |NUMBER )*0*"
_NUMBER: Final = rf"{_SIGN}(?P<number>[0-9]+(?:-?[A-Z])?)\b"
_BOX: Final = rf"{_SIGN}(?P<box>[0-9][0-9A-Z-]*)\b"

_POST_OFFICE: Final = re.compile(
    r"(?:P ?O ?B(?:O?X)?|POST(?:AL)? (?:OFFICE )?BO?X|(?:FIRM )?CALLER|(?:P ?O )?(?:LOCK ?BOX|DRAWER|BIN)|BO?X) " + _BOX
)
_RURAL: Final = re.compile(
    r"(?:(?P<rural>R ?R|R ?F ?D|R ?D|RURAL|R)(?: (?:ROUTE|RTE?|R ?D))?|(?P<route>ROUTE|RTE?)"
    r"|(?P<contract>H ?C ?R?|HIGHWAY CONTRACT|HWY CONTRACT|STAR)(?: (?:ROUTE|RTE?))?) ?"
    rf"(?:{_NUMBER})? (?:BO?X |# ?){_BOX}"
)
_BOX_FIRST: Final = re.compile(r"(BO?X (?:# ?|NO )?[0-9][0-9A-Z-]*) ((?:R ?R|R ?F ?D|RURAL|ROUTE|RTE?|H ?C ?R?|STAR)\b.*)")

_STATES: Final = "|".join(sorted((*STATES, *(STATE_CODES - {"FL"})), key=len, reverse=True))
_ROUTE: Final = "(?:HIGHWAY|HIWAY|HWY|ROUTE|RTE?)"
_BEFORE: Final = f"(?P<before>(?:(?:OLD|(?!WEST VIRGINIA)(?:{'|'.join(DIRECTIONS)})) )*)"
_NUMBERED: Final = re.compile(
    _BEFORE + "(?:"
    rf"(?P<COUNTY_RD>(?:COUNTY|CNTY|CTY|CO|C) ?(?:ROAD|RD|TRUNK(?: {_ROUTE})?|{_ROUTE}|R|H)|C ?T ?H)"
    r"|(?P<FM_HWY>(?:FARM|RANCH)(?: TO)?(?: MARKET)?(?: ROAD| RD)?|[FR] ?M(?: ROAD| RD)?)"
    r"|(?P<TWP_RD>(?:TOWNSHIP|TWP) (?:ROAD|RD|HIGHWAY|HWY)|TSR)"
    rf"|(?P<INTERSTATE_HWY>INTERSTATE(?: {_ROUTE})?|IH?)"
    rf"|(?P<HWY>(?:(?:U ?S(?: A)?|UNITED STATES|STATE|ST|{_STATES}) )?(?:STATE )?{_ROUTE}|(?:STATE|ST) (?:ROAD|RD)"
    rf"|S ?R|S ?H|S ?T ?H|U ?S|{_STATES})"
    ") ?" + _NUMBER
)
_BOXED: Final = frozenset({"PO", "RR", "HC"})
_KINDS: Final = ("COUNTY_RD", "FM_HWY", "TWP_RD", "INTERSTATE_HWY", "HWY")
_DIGIT: Final = re.compile("[0-9]")
_JOINED: Final = re.compile(r"\b([A-Z]+)-?([0-9]+[A-Z]?)\b")
_MAY_BEGIN: Final = """
HIGHWAY HIWAY HWY ROUTE RTE RT ROAD RD TRUNK SR S SH STH US U CR C CO CH CTH COUNTY CNTY CTY
FM F RM R FARM RANCH TOWNSHIP TWP TSR INTERSTATE I IH STATE ST
"""
_MAY_NAME: Final = frozenset(_MAY_BEGIN.split()) | frozenset(word for name in (*STATES, *STATE_CODES) for word in name.split())


class Box(NamedTuple):
    """A box: its number, what has it (``PO BOX``, or a route), and the words behind it."""

    number: str
    core: list[str]
    rest: list[str]


def box(tokens: Sequence[str]) -> Box | None:
    """Return the box that an address begins with: of a post office, a rural route or a contract route."""
    said = " ".join(tokens[:_MOST])
    if turned := _BOX_FIRST.fullmatch(said):
        said = f"{turned[2]} {turned[1]}"
    if found := _RURAL.match(said):
        kind = "HC" if found["contract"] else "RR"
        if not (found["number"] or kind == "HC"):
            return None
        core, number = [kind, *filter(None, [_together(found["number"] or "")])], found["box"]
    elif found := _POST_OFFICE.match(said):
        core, number = ["PO", "BOX"], found["box"]
    else:
        return None
    return Box(number or "0", core, [*_behind(said, found), *tokens[_MOST:]])


def _together(number: str) -> str:
    return number.replace("-", "")


def _behind(said: str, found: re.Match[str]) -> list[str]:
    """Return the words behind what was found; a number may have ended within one (``12-15``)."""
    return list(filter(None, (word.strip("-/") for word in said[found.end() :].split())))


def boxed(tokens: Sequence[str]) -> int:
    """Return how many words say what has a box, in the one spelling of ``box``; none for a street."""
    if tokens[0] not in _BOXED:
        return 0
    if tokens[0] == "PO":
        return 2 * (tokens[1:2] == ["BOX"])
    return 2 if len(tokens) > 1 and tokens[1][0].isdigit() else 1


def is_route(tokens: Sequence[str]) -> bool:
    """Tell whether words are a rural route that lacks its box, which a comma has parted from it."""
    return _RURAL.fullmatch(" ".join([*tokens, "BOX 1"])) is not None


def numbered(tokens: list[str]) -> list[str]:
    """Return a street's words with a numbered road in its one spelling, where they begin with one."""
    said = " ".join(tokens)
    if not _DIGIT.search(said) or (_MAY_NAME.isdisjoint(tokens[:3]) and "".join(tokens[:3]).isalpha()):
        return tokens
    said = _JOINED.sub(r"\1 \2", said)
    found = _NUMBERED.match(said)
    if not found:
        return tokens
    kind = next(name for name in _KINDS if found[name] is not None)
    return [*found["before"].split(), *kind.split("_"), _together(found["number"]), *_behind(said, found)]
