"""The cases of the demo, and who of the cast signs in with which credential."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from proxy.demo.cast import FEUD_CASE, STOP_CASE
from proxy.demo.town import AGENCY
from proxy.purpose.purpose import Case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

STOP: Final = STOP_CASE
PORCH: Final = "26-004251"
CALL: Final = "CAD-26-118842"
DISPATCH: Final = "CAD-26-118850"
THEIRS: Final = "26-003977"
SOURCES: Final = "26-000031"
PERMIT: Final = "P-26-0877"
CLOSED: Final = "25-001187"
NOBODYS: Final = "26-999999"
"""No such case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A credential of the demo. ``key`` is of the cast; ``person`` the personnel id."""

    key: str
    person: str
    role: str
    terminal: str
    unit: str | None = None


SIGN_INS: Final = (
    SignIn(key="officer", person="badge-1001", role="patrol", unit="3A12", terminal="car-12"),
    SignIn(key="colleague", person="badge-1002", role="patrol", unit="3A14", terminal="car-14"),
    SignIn(key="dispatcher", person="badge-1003", role="dispatcher", unit="COMM", terminal="desk-2"),
    SignIn(key="supervisor", person="badge-1004", role="supervisor", unit="3S1", terminal="sergeants-1"),
    SignIn(key="lieutenant", person="badge-1005", role="supervisor", unit="3S2", terminal="sergeants-2"),
    SignIn(key="detective", person="badge-1006", role="detective", unit="CID", terminal="cid-4"),
    SignIn(key="handler", person="badge-1007", role="handler", unit="INTEL", terminal="intel-1"),
    SignIn(key="clerk", person="badge-1008", role="records", unit=None, terminal="records-1"),
    SignIn(key="auditor", person="badge-1009", role="auditor", unit=None, terminal="audit-1"),
    SignIn(key="steward", person="badge-1010", role="steward", unit=None, terminal="registry-1"),
    SignIn(key="oversight", person="badge-1011", role="oversight", unit=None, terminal="oversight-1"),
)
FIRST_BADGE: Final = 1001
"""The head of the first household of officers; the others follow in their order."""

_PERSON: Final = {sign_in.key: sign_in.person for sign_in in SIGN_INS}


def cases(now: datetime) -> Iterator[Case]:
    """Yield the case directory as of ``now``: what is open was opened in the last days."""

    def case(number: str, kind: str, days: float, summary: str, *assigned: str, closed: float | None = None) -> Case:
        return Case(
            number=number,
            kind=kind,
            agency=AGENCY,
            opened_at=now - timedelta(days=days),
            closed_at=None if closed is None else now - timedelta(days=closed),
            summary=summary,
            assigned=frozenset(_PERSON[key] for key in assigned),
        )

    def call(number: str, summary: str, *dispatched: str) -> Case:
        return Case(
            number=number,
            kind="cad",
            agency=AGENCY,
            opened_at=now - timedelta(hours=1),
            summary=summary,
            dispatched=frozenset(dispatched),
        )

    yield case(STOP, "incident", 0.1, "Traffic stop on Hemlock Road, no plates", "officer")
    yield case(PORCH, "incident", 1, "Paint thrown at a front porch on Magnolia Court", "officer", "colleague")
    yield case(THEIRS, "case", 12, "Burglaries on Catalpa Drive", "detective")
    yield case(SOURCES, "case", 90, "Narcotics, source handling", "handler")
    yield case(FEUD_CASE, "incident", 20, "Leaf blower at dawn on Juniper Lane", "colleague")
    yield case(PERMIT, "permit", 3, "Firearms permit application", "clerk")
    yield case(CLOSED, "incident", 400, "Stolen bicycle, returned", "officer", closed=390)
    yield call(CALL, "Traffic stop: sedan without plates, Hemlock Road and River Street", "unit:3A12")
    yield call(DISPATCH, "Noise complaint, Hemlock Road, caller on the line", _PERSON["dispatcher"], "unit:3A14")
