"""The case directory: whoever can say what a reference is. The records management system's own is one; the store is another."""

from __future__ import annotations

from collections import OrderedDict
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from sqlalchemy.exc import SQLAlchemyError

from proxy.database import DatabaseUnusable
from proxy.purpose.header import normal_case
from proxy.purpose.purpose import Case, CaseDirectoryUnavailable
from proxy.purpose.store import SUBJECT, case_macs, read_case

if TYPE_CHECKING:
    from proxy.database import Database

KEPT: Final = 10_000


class CaseDirectory(Protocol):
    """Where a reference is looked up."""

    async def look_up(self, number: str, *, stale: timedelta = timedelta()) -> Case | None:
        """Return the case of a number, or None when there is none; ``stale`` is how old it may be where nobody answers.

        Raises:
            CaseDirectoryUnavailable: it cannot be told.
        """
        ...


class StoredCases:
    """The cases that ``showcause cases import`` put into the store. The last used are kept until any case changes."""

    def __init__(self, database: Database, key: bytes, *, most: int = KEPT) -> None:
        """Take the store with its key, and how many cases to keep in memory."""
        self._database = database
        self._macs = case_macs(key)
        self._most = most
        self._generation = -1
        self._kept: OrderedDict[str, Case] = OrderedDict()

    async def look_up(self, number: str, *, stale: timedelta = timedelta()) -> Case | None:  # noqa: ARG002 -- never stale
        """Return the case of a number; some microseconds when it is kept, about a millisecond when it is not.

        Raises:
            CaseDirectoryUnavailable: the store cannot be read, or what it says of this case was altered.
        """
        number = normal_case(number)
        try:
            generation = self._database.generation(SUBJECT)
            if generation != self._generation:
                self._kept.clear()
                self._generation = generation
            case = self._kept.get(number)
            if case is not None:
                self._kept.move_to_end(number)
                return case
            async with self._database.begin() as connection:
                case = await read_case(connection, self._macs, number)
        except (DatabaseUnusable, SQLAlchemyError, ValueError) as error:
            # Not ``down``: where the store cannot be read, nobody's revocation or lock can be either, and nothing goes on.
            detail = "The case directory does not answer. Nothing was released. Try again."
            raise CaseDirectoryUnavailable(detail, down=False) from error
        # Another task may have seen a newer generation while this one waited; what was read before must not outlive that.
        if case is not None and generation == self._generation:
            self._kept[number] = case
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return case
