"""Reading the log for what it obliges to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.audit.reader import AuditReader
from proxy.oversight.duty import Task
from proxy.oversight.reading import Reading
from proxy.tlog.store import Cursor
from tests.oversight.conftest import End, Query

if TYPE_CHECKING:
    from tests.oversight.conftest import Room


async def test_a_decision_is_known_when_its_end_is_read(room: Room) -> None:
    """It is a few entries back, and is not looked for in the log again: each answer would cost more as the log grows."""
    first = await room.trail.record(Query(about="q1", owed=()))
    second = await room.trail.record(Query(about="q2", owed=(), person="officer-2"))
    await room.trail.record(End(about="q2", decided=second.index))
    await room.trail.record(End(about="q1", decided=first.index))
    nowhere = AuditReader(room.office.folder / "no log", room.office.sealer)

    found = Reading(nowhere, "log.example").look(Cursor(room.office.folder / "log"))

    tasks = [each for each in found.moves if isinstance(each, Task)]
    assert [task.reference for task in tasks] == [f"log.example/{each.index}" for each in (second, first)]
    assert [task.matter.person for task in tasks] == ["officer-2", "officer-1"]
