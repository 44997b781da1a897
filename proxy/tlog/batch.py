"""Entries on their way to the disk, and what their callers are told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from proxy.tlog.errors import LogPoisoned

if TYPE_CHECKING:
    import asyncio


class Waiting(NamedTuple):
    """An entry with its body, and whom to tell of its index."""

    entry: bytes
    body: bytes
    future: asyncio.Future[int]


class Written(NamedTuple):
    """A batch that is durable from index ``first`` on, or, after a failure, not confirmed."""

    entries: list[Waiting]
    first: int
    failure: BaseException | None

    def tell(self) -> None:
        """Tell each caller its index, or why there is none."""
        for number, waiting in enumerate(self.entries, self.first):
            if waiting.future.done():  # its caller was cancelled; the entry is in the log all the same
                continue
            if self.failure is None:
                waiting.future.set_result(number)
            else:
                waiting.future.set_exception(poisoned(self.failure))


def poisoned(failure: BaseException) -> LogPoisoned:
    """Return what every caller is told from the first failure on."""
    return LogPoisoned(f"a write to the log has failed ({failure}): restart this node; recovery decides what is durable")
