"""Escalations in the store: who asked lies open, what was asked is sealed (AES-256-GCM, the id as associated data).

Each is under a MAC as a whole: its state, its times, who agreed and what was said. Who can write the store but has no key
could else approve a query by a word in a column, or take an addition back that voided an approval.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, delete, func, select, union_all, update

from proxy.clock import in_order
from proxy.database import METADATA
from proxy.escalation.lifecycle import Approval, Asked, Escalation, Move, Said, State
from proxy.escalation.pattern import returned
from proxy.policy.decision import Demand
from proxy.sealed_columns import RowMacs, SealedColumns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from sqlalchemy import Row, Select

    from proxy.database import Database

SUBJECT: Final = "escalations"

_escalations: Final = Table(
    "escalations",
    METADATA,
    Column("id", String, primary_key=True),
    Column("fingerprint", String, nullable=False),
    Column("person", String, nullable=False),
    Column("agency", String, nullable=False),
    Column("state", String, nullable=False),
    Column("created_at", String, nullable=False),
    Column("expires_at", String, nullable=False),
    Column("decided_at", String),
    Column("decided_by", String),
    Column("grant_expires_at", String),
    Column("sealed", LargeBinary, nullable=False),
    Column("sealed_reason", LargeBinary),
    Column("mac", LargeBinary, nullable=False),
    Index("escalations_by_fingerprint", "fingerprint", "created_at"),
    Index("escalations_by_state", "state", "agency", "created_at"),
)

_agreements: Final = Table(
    "agreements",
    METADATA,
    Column("escalation", String, primary_key=True),
    Column("person", String, primary_key=True),
    Column("on_behalf_of", String, nullable=False),
    Column("at", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("agreements_by_person", "person", "at"),
)
"""Who agreed to what. In what role, at what rank and why is sealed."""

_words: Final = Table(
    "escalation_words",
    METADATA,
    Column("escalation", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("move", String, nullable=False),
    Column("person", String, nullable=False),
    Column("at", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""What was asked and added, in turn. What was said, and in what role, is sealed."""


class Stale(Exception):  # noqa: N818 -- it names what the caller holds
    """The escalation has changed since it was read."""


class EscalationStore:
    """Reads and compare-and-swap writes; the service owns the rules."""

    def __init__(self, database: Database, key: bytes) -> None:
        """Take the store and a 32-byte key."""
        self._database = database
        self._sealed = SealedColumns(key, "escalation")
        self._macs = RowMacs(key, "escalation")

    def generation(self) -> int:
        """Return the number of commits that changed an escalation, of any process."""
        return self._database.generation(SUBJECT)

    async def insert(self, escalation: Escalation) -> None:
        """Add a new escalation."""
        values = {
            "id": escalation.id,
            "fingerprint": escalation.fingerprint,
            "person": escalation.asked.person,
            "agency": escalation.asked.agency,
            "state": str(escalation.state),
            "created_at": in_order(escalation.created_at),
            "expires_at": in_order(escalation.expires_at),
            "sealed": self._sealed.seal(orjson.dumps(asdict(escalation.asked), default=sorted), escalation.id, "asked"),
            "mac": self._macs.of(*self._facts(escalation)),
        }
        async with self._database.begin() as connection:
            await connection.execute(_escalations.insert().values(values))
            await self._database.bump(connection, SUBJECT)

    async def get(self, escalation_id: str) -> Escalation | None:
        """Return one escalation, or None."""
        found = await self._select(select(_escalations).where(_escalations.c.id == escalation_id))
        return found[0] if found else None

    async def latest(self, fingerprint: str) -> Escalation | None:
        """Return the newest escalation of the same query, or None."""
        statement = select(_escalations).where(_escalations.c.fingerprint == fingerprint)
        found = await self._select(statement.order_by(_escalations.c.created_at.desc()).limit(1))
        return found[0] if found else None

    async def listed(
        self, *, state: State | None = None, agency: str | None = None, person: str | None = None, most: int = 100
    ) -> Sequence[Escalation]:
        """Return the newest escalations, oldest first: what has long been decided must not bury what waits."""
        statement = select(_escalations)
        for column, wanted in ((_escalations.c.state, state), (_escalations.c.agency, agency), (_escalations.c.person, person)):
            if wanted is not None:
                statement = statement.where(column == str(wanted))
        found = await self._select(statement.order_by(_escalations.c.created_at.desc(), _escalations.c.id).limit(most))
        return found[::-1]

    async def count_pending(self, person: str, now: datetime) -> int:
        """Return how many escalations of a person wait."""
        statement = select(func.count()).where(
            _escalations.c.person == person,
            _escalations.c.state == str(State.PENDING),
            _escalations.c.expires_at > in_order(now),
        )
        async with self._database.begin() as connection:
            return int((await connection.execute(statement)).scalar_one())

    @asynccontextmanager
    async def moving(self, before: Escalation, after: Escalation, approval: Approval | None = None) -> AsyncIterator[None]:
        """Compare-and-swap from ``before`` to ``after``, committed at the end of the block unless that raises.

        An ``approval`` is kept with it; the state may then be the same, while more people have to agree. So is what was said;
        approvals given before something was added to the statement are gone then.

        Raises:
            Stale: it is not, or no longer, as ``before`` has it; nothing is written.
        """
        # The MAC is over all of it: of two who agree at once in two processes, or agree and add to the statement, one is stale.
        stood = self._macs.of(*self._facts(before))
        statement = update(_escalations).where(_escalations.c.id == before.id, _escalations.c.mac == stood)
        async with self._database.begin() as connection:
            if (await connection.execute(statement.values(self._changed(after)))).rowcount != 1:
                raise Stale
            if approval is not None:
                await connection.execute(_agreements.insert().values(self._written(before.id, approval)))
            for number, said in enumerate(after.words[len(before.words) :], len(before.words)):
                await connection.execute(_words.insert().values(self._spoken(before.id, number, said)))
                if said.move is Move.AMEND:
                    await connection.execute(delete(_agreements).where(_agreements.c.escalation == before.id))
            await self._database.bump(connection, SUBJECT)
            yield

    def _changed(self, after: Escalation) -> dict[str, Any]:
        return {
            "state": str(after.state),
            "decided_by": after.decided_by,
            "decided_at": in_order(after.decided_at) if after.decided_at else None,
            "sealed_reason": self._sealed.seal(after.reason.encode(), after.id, "reason") if after.reason is not None else None,
            "grant_expires_at": in_order(after.grant_expires_at) if after.grant_expires_at else None,
            "mac": self._macs.of(*self._facts(after)),
        }

    async def reciprocal(self, person: str, since: datetime, each: int, ring: int = 2) -> frozenset[str]:
        """Return who has approved so many of a person's queries since then, and had as many approved by that person.

        Or by somebody who had as many approved by that person, and so on round a ring of at most ``ring`` people. Who stood in
        counts as much as whom they stood in for.
        """
        asked, given, moment = _escalations.c.person, _agreements.c, in_order(since)
        whole = _agreements.join(_escalations, _escalations.c.id == given.escalation)
        said = [
            select(name.label("approver"), asked.label("asked")).select_from(whole).where(given.at >= moment, name != "")
            for name in (given.person, given.on_behalf_of)
        ]
        both = union_all(*said).subquery()
        often = select(both.c.approver, both.c.asked).group_by(both.c.approver, both.c.asked).having(func.count() >= each)
        async with self._database.begin() as connection:
            pairs = [(row.approver, row.asked) for row in (await connection.execute(often)).all()]
        return returned(person, pairs, ring)

    def _written(self, escalation_id: str, approval: Approval) -> dict[str, Any]:
        facts = {"role": approval.role, "agency": approval.agency, "rank": approval.rank, "reason": approval.reason}
        return {
            "escalation": escalation_id,
            "person": approval.person,
            "on_behalf_of": approval.on_behalf_of,
            "at": in_order(approval.at),
            "sealed": self._sealed.seal(
                orjson.dumps(facts), escalation_id, f"agreement/{approval.person}/{approval.on_behalf_of}"
            ),
        }

    def _agreement(self, row: Row[Any]) -> Approval:
        facts = orjson.loads(self._sealed.open(row.sealed, row.escalation, f"agreement/{row.person}/{row.on_behalf_of}"))
        return Approval(person=row.person, on_behalf_of=row.on_behalf_of, at=datetime.fromisoformat(row.at), **facts)

    def _spoken(self, escalation_id: str, number: int, said: Said) -> dict[str, Any]:
        facts = orjson.dumps({"role": said.role, "words": said.words})
        return {
            "escalation": escalation_id,
            "number": number,
            "move": str(said.move),
            "person": said.person,
            "at": in_order(said.at),
            "sealed": self._sealed.seal(facts, escalation_id, f"words/{number}/{said.move}/{said.person}"),
        }

    def _heard(self, row: Row[Any]) -> Said:
        facts = orjson.loads(self._sealed.open(row.sealed, row.escalation, f"words/{row.number}/{row.move}/{row.person}"))
        return Said(move=Move(row.move), person=row.person, at=datetime.fromisoformat(row.at), **facts)

    @staticmethod
    def _facts(escalation: Escalation) -> tuple[object, ...]:
        given = sorted([in_order(each.at), each.person, each.on_behalf_of] for each in escalation.approvals)
        said = [[in_order(each.at), each.move, each.person] for each in escalation.words]
        times = (escalation.created_at, escalation.expires_at, escalation.decided_at, escalation.grant_expires_at)
        return (
            escalation.id, escalation.fingerprint, escalation.state, escalation.decided_by, escalation.reason, given, said,
            [in_order(each) if each is not None else None for each in times],
        )  # fmt: skip

    async def _select(self, statement: Select[Any]) -> list[Escalation]:
        async with self._database.moment(SUBJECT) as (connection, _):
            rows = (await connection.execute(statement)).all()
            ids = [row.id for row in rows]
            wanted = select(_agreements).where(_agreements.c.escalation.in_(ids))
            given = (await connection.execute(wanted.order_by(_agreements.c.at, _agreements.c.person))).all() if rows else []
            heard = select(_words).where(_words.c.escalation.in_(ids)).order_by(_words.c.number)
            said = (await connection.execute(heard)).all() if rows else []
        approvals: dict[str, list[Approval]] = {}
        for row in given:
            approvals.setdefault(row.escalation, []).append(self._agreement(row))
        words: dict[str, list[Said]] = {}
        for row in said:
            words.setdefault(row.escalation, []).append(self._heard(row))
        return [self._read(row, approvals.get(row.id, ()), words.get(row.id, ())) for row in rows]

    def _read(self, row: Row[Any], approvals: Iterable[Approval], words: Iterable[Said]) -> Escalation:
        asked = orjson.loads(self._sealed.open(row.sealed, row.id, "asked"))
        for member in ("categories", "subjects", "relations", "fields"):
            asked[member] = tuple(asked.get(member, ()))
        asked["demands"] = tuple(
            Demand(**each | {"roles": frozenset(each["roles"]), "ranks": tuple(each.get("ranks", ()))})
            for each in asked.get("demands", ())
        )
        found = Escalation(
            id=row.id,
            asked=Asked(**asked),
            fingerprint=row.fingerprint,
            state=State(row.state),
            created_at=datetime.fromisoformat(row.created_at),
            expires_at=datetime.fromisoformat(row.expires_at),
            decided_at=datetime.fromisoformat(row.decided_at) if row.decided_at else None,
            decided_by=row.decided_by,
            reason=self._sealed.open(row.sealed_reason, row.id, "reason").decode() if row.sealed_reason else None,
            grant_expires_at=datetime.fromisoformat(row.grant_expires_at) if row.grant_expires_at else None,
            approvals=tuple(approvals),
            words=tuple(words),
        )
        theirs = (row.person, row.agency) == (found.asked.person, found.asked.agency)
        if not theirs or not self._macs.holds(row.mac, *self._facts(found)):
            # Not passed over: what an approval is worth has to be found out before anybody relies on the next one.
            msg = f"escalation {row.id} was altered in the store, or the key is another"
            raise ValueError(msg)
        return found
