"""Where proposals wait for a steward: one sealed row for each entry that was asked about, and one for the sweep's own state."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import orjson

from proxy.registry.proposals import Ledger, pack_ledger, unpack_ledger
from proxy.registry.store import SealedTable
from proxy.registry.tables import LEDGERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from proxy.audit.event import Event
    from proxy.audit.outbox import Outbox
    from proxy.database import Database
    from proxy.registry.keyring import Keyring

SWEEP: Final = "sweep"
_SALT_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepState:
    """The newest sweep: its id, when it began, and whether it came to its end. Times are RFC 3339, in UTC."""

    run: str
    began_at: str
    ended: bool


class Ledgers:
    """The table, and what of each change goes into the log."""

    def __init__(
        self,
        database: Database,
        key: bytes | Keyring,
        outbox: Outbox,
        *,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Use an open store and the 32-byte key of the registry's key file, or its keyring."""
        self._table = SealedTable(database, LEDGERS, key, randomness)
        self._database = database
        self._outbox = outbox
        self._randomness = randomness

    async def all(self) -> dict[str, Ledger]:
        """Return every ledger by its entry's id.

        Raises:
            RegistryUnreadable: the table was altered, or was sealed with another key.
        """
        rows = sorted(row for row in await self._table.tags() if row != SWEEP)
        return {row: unpack_ledger(content) async for row, _, content in self._table.read(rows)}

    async def of(self, entry: str) -> Ledger:
        """Return an entry's ledger, an empty one when nobody has asked about it. Raises as ``all``."""
        async for _, _, content in self._table.read([entry]):
            return unpack_ledger(content)
        return Ledger(salt=self._randomness(_SALT_BYTES).hex())

    async def update(self, entry: str, change: Callable[[Ledger], Ledger], *events: Event) -> Ledger:
        """Write an entry's ledger anew, with the events that belong to it. Raises as ``all``."""
        async with self._table.alone(), self._table.changing() as writing:
            ledger = change(await self.of(entry))
            await writing.put({entry: pack_ledger(ledger)})
            for event in events:
                await self._outbox.put(writing.connection, event)
        return ledger

    async def tell(self, event: Event) -> None:
        """Have an event in the log, soon."""
        async with self._database.begin() as connection:
            await self._outbox.put(connection, event)

    async def forget(self, rows: Iterable[str]) -> None:
        """Remove the ledgers of entries that are gone. Raises as ``all``."""
        gone = list(rows)
        if gone:
            async with self._table.alone(), self._table.changing() as writing:
                for row in gone:
                    await writing.remove(row)

    async def state(self) -> SweepState | None:
        """Return the newest sweep, if there was one. Raises as ``all``."""
        async for _, _, content in self._table.read([SWEEP]):
            values: Mapping[str, object] = orjson.loads(content)
            return SweepState(run=str(values["run"]), began_at=str(values["began_at"]), ended=bool(values["ended"]))
        return None

    async def remember(self, state: SweepState, event: Event) -> None:
        """Write down how far the newest sweep is, with its event. Raises as ``all``."""
        async with self._table.alone(), self._table.changing() as writing:
            await writing.put({SWEEP: orjson.dumps(asdict(state))})
            await self._outbox.put(writing.connection, event)
