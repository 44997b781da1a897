"""Cases in the store. What is read often is kept in memory by ``directory.py``.

Each is under a MAC, its parties included: who can write the store but has no key puts nobody on a case.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import Column, Index, LargeBinary, String, Table, Text, delete, select
from sqlalchemy.dialects.sqlite import insert

from proxy.clock import in_order
from proxy.database import METADATA
from proxy.purpose.purpose import Case, Party
from proxy.sealed_columns import RowMacs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

SUBJECT: Final = "cases"

_cases: Final = Table(
    "cases",
    METADATA,
    Column("number", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("agency", String, nullable=False),
    Column("opened_at", String, nullable=False),
    Column("closed_at", String),
    Column("code", String),
    Column("summary", Text, nullable=False),
    Column("assigned", Text, nullable=False),
    Column("units", Text, nullable=False),
    Column("dispatched", Text, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    Index("cases_by_opened", "opened_at"),
)

# A table of its own: a store that was made before cases had parties gets it at the next start.
_parties: Final = Table(
    "case_parties",
    METADATA,
    Column("number", String, primary_key=True),
    Column("parties", Text, nullable=False),
)

_known: Final = select(_cases, _parties.c.parties).join_from(
    _cases, _parties, _cases.c.number == _parties.c.number, isouter=True
)


def case_macs(key: bytes) -> RowMacs:
    """Return what the rows are under, given the store's key."""
    return RowMacs(key, "case")


async def read_case(connection: AsyncConnection, macs: RowMacs, number: str) -> Case | None:
    """Return one case by its normalized number, or None.

    Raises:
        ValueError: it was altered.
    """
    row = (await connection.execute(_known.where(_cases.c.number == number))).mappings().one_or_none()
    if row is None:
        return None
    case = _read(row)
    if not macs.holds(row["mac"], *_facts(case)):
        raise ValueError("this case was altered in the store, or the key is another")
    return case


async def read_cases(connection: AsyncConnection, macs: RowMacs, numbers: Iterable[str]) -> Mapping[str, Case]:
    """Return those of the numbers that there are, at most a batch of them; one that was altered is as if it were not there."""
    rows = (await connection.execute(_known.where(_cases.c.number.in_(list(numbers))))).mappings()
    found = {}
    for row in rows:
        with suppress(ValueError):
            case = _read(row)
            if macs.holds(row["mac"], *_facts(case)):
                found[case.number] = case
    return found


async def newest_cases(
    connection: AsyncConnection, *, most: int, agency: str | None = None, kind: str | None = None
) -> Sequence[Case]:
    """Return cases, the newest first."""
    statement = _known.order_by(_cases.c.opened_at.desc(), _cases.c.number).limit(most)
    for column, wanted in ((_cases.c.agency, agency), (_cases.c.kind, kind)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    return [_read(row) for row in (await connection.execute(statement)).mappings()]


async def write_cases(connection: AsyncConnection, macs: RowMacs, cases: Sequence[Case]) -> None:
    """Add cases, or replace what is stored under their numbers."""
    statement = insert(_cases)
    replaced = {column.name: statement.excluded[column.name] for column in _cases.c if column.name != "number"}
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["number"], set_=replaced), [_row(case, macs) for case in cases]
    )
    await connection.execute(delete(_parties).where(_parties.c.number.in_([case.number for case in cases])))
    told = [
        {"number": case.number, "parties": orjson.dumps(case.parties).decode()} for case in cases if case.parties is not None
    ]
    if told:
        await connection.execute(_parties.insert(), told)


def _row(case: Case, macs: RowMacs) -> dict[str, Any]:
    return {
        "number": case.number,
        "kind": case.kind,
        "agency": case.agency,
        "opened_at": in_order(case.opened_at),
        "closed_at": in_order(case.closed_at) if case.closed_at else None,
        "code": case.code,
        "summary": case.summary,
        "assigned": orjson.dumps(sorted(case.assigned)).decode(),
        "units": orjson.dumps(sorted(case.units)).decode(),
        "dispatched": orjson.dumps(sorted(case.dispatched)).decode(),
        "mac": macs.of(*_facts(case)),
    }


def _facts(case: Case) -> tuple[object, ...]:
    people = (case.assigned, case.units, case.dispatched)
    times = (case.opened_at, case.closed_at)
    return (
        case.number, case.kind, case.agency, case.code, case.summary, [sorted(each) for each in people], case.parties,
        [in_order(each) if each is not None else None for each in times],
    )  # fmt: skip


def _read(row: RowMapping) -> Case:
    return Case(
        number=row["number"],
        kind=row["kind"],
        agency=row["agency"],
        opened_at=datetime.fromisoformat(row["opened_at"]),
        closed_at=datetime.fromisoformat(row["closed_at"]) if row["closed_at"] else None,
        code=row["code"],
        summary=row["summary"],
        assigned=frozenset(orjson.loads(row["assigned"])),
        units=frozenset(orjson.loads(row["units"])),
        dispatched=frozenset(orjson.loads(row["dispatched"])),
        parties=_parties_of(row["parties"]),
    )


def _parties_of(text: str | None) -> tuple[Party, ...] | None:
    if text is None:
        return None
    return tuple(tuple((kind, value) for kind, value in party) for party in orjson.loads(text))
