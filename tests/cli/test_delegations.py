from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from proxy.audit.reader import AuditReader
from proxy.database import Database
from proxy.escalation.roster_store import RosterStore
from proxy.identity.credential import Holder
from tests.cli.test_escalations import KEYS, desk, opened
from tests.escalation.test_panel import Directory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.cli.conftest import Office
    from tests.escalation.conftest import Desk

__all__ = ["desk"]

TIMES = "personnel,start,end\n"


class Line:
    """The command line before a door with a directory behind it."""

    def __init__(self, url: str, office: Office, desk: Desk) -> None:
        """Take where to ask."""
        self.url = url
        self.office = office
        self.desk = desk

    async def json(self, *arguments: str, key: str = "sergeant-key") -> tuple[int, Any]:
        """Return exit code and the object of ``delegations …``, or its complaint."""
        file = self.office.folder / key
        file.write_text(f"{key}\n", "ascii")
        file.chmod(0o600)
        more = ("--json", "--url", self.url, "--key", str(file))
        code, out, err = await asyncio.to_thread(self.office.call, "delegations", *arguments, *more)
        return code, orjson.loads(out) if out else err


@pytest.fixture
async def line(desk: Desk, office: Office) -> AsyncIterator[Line]:
    """Open the door; the sergeant and the officer have credentials."""
    directory = Directory()
    escalations = desk.again(holders=directory, colleagues=directory)
    for principal in KEYS.values():
        directory.held.append(_holder(principal.person, principal.role))
    async with opened(replace(desk, escalations=escalations)) as url:
        yield Line(url, office, desk)


def _holder(name: str, role: str) -> Holder:
    return Holder(person=name, agency="MO0950000", role=role, unit=None, terminal="desk-1")


async def test_a_supervisor_hands_on_and_takes_back(line: Line) -> None:
    """Add, list by either of the two, end by the delegate; then there is none."""
    until = (line.desk.now + timedelta(days=3)).isoformat()

    code, made = await line.json("add", "officer-1", "--until", until)
    assert (code, made["delegator"], made["delegate"], made["role"]) == (0, "sergeant-9", "officer-1", "supervisor")
    for key in ("sergeant-key", "officer-key"):
        code, listed = await line.json("list", key=key)
        assert (code, [each["id"] for each in listed["delegations"]]) == (0, [made["id"]])

    assert (await line.json("end", made["id"], key="stranger-key"))[0] == 2
    code, ended = await line.json("end", made["id"], key="officer-key")
    assert (code, ended["state"], ended["ended_by"]) == (0, "over", "officer-1")
    assert (await line.json("list"))[1] == {"delegations": []}


@pytest.mark.parametrize(
    ("arguments", "key", "says"),
    [
        (("add", "officer-1", "--until", "tomorrow"), "sergeant-key", "offset from UTC"),
        (("add", "officer-1", "--until", "2026-11-30T06:00"), "sergeant-key", "offset from UTC"),
        (("add", "sergeant-9", "--until", "2036-11-30T06:00Z"), "sergeant-key", "for themselves"),
        (("add", "officer-1", "--until", "2036-11-30T06:00Z"), "sergeant-key", "31 days"),
        (("add", "sergeant-9", "--until", "2036-11-30T06:00Z"), "officer-key", "nothing to hand on"),
        (("end", "nothing"), "sergeant-key", "no such delegation"),
    ],
)
async def test_what_is_wrong_is_told(line: Line, arguments: tuple[str, ...], key: str, says: str) -> None:
    """Exit 2 with the door's own words."""
    code, err = await line.json(*arguments, key=key)

    assert code == 2
    assert says in err["error"]


def test_a_roster_is_imported_whole_and_the_log_has_it(office: Office) -> None:
    """Who is on duty now is; the roster before is gone; the entry names who did it, and nobody of the roster."""
    now = datetime.now(UTC)
    file = office.folder / "roster.csv"
    for name in ("badge-1", "badge-2"):
        start, end = (f"{now + timedelta(hours=hours):%Y-%m-%dT%H:%M}Z" for hours in (-1, 7))
        file.write_text(f"{TIMES}{name},{start},{end}\n")
        code, out, err = office.call("duty", "import", str(file), "--config", str(office.config))
        assert (code, err) == (0, "")
        assert out.startswith("1 turns of duty of 1 people")

    assert asyncio.run(_on_duty(office, now)) == frozenset({"badge-2"})
    assert asyncio.run(_on_duty(office, now + timedelta(hours=8))) == frozenset()
    entries = [entry for entry in AuditReader(office.folder / "data" / "log").entries() if entry.kind == "roster-imported"]
    assert [entry.facts["shifts"] for entry in entries] == [1, 1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{TIMES}badge-1,2026-11-23T06:00,2026-11-23T14:00Z\n", "start is not a time with its offset"),
        (f"{TIMES}badge-1,2026-11-23T14:00Z,2026-11-23T06:00Z\n", "ends after it begins"),
        (f"{TIMES}badge-1,2026-11-23T14:00Z,2026-11-29T06:00Z\n", "within two days"),
        (f"{TIMES}Ann Lee,2026-11-23T06:00Z,2026-11-23T14:00Z\n", "not a personnel id"),
        ("personel,start,end\nbadge-1,2026-11-23T06:00Z,2026-11-23T14:00Z\n", "did you mean 'personnel'?"),
    ],
)
def test_a_roster_with_a_mistake_replaces_nothing(office: Office, text: str, says: str) -> None:
    """The line is told, without its words, and whoever was on duty still is."""
    file = office.folder / "roster.csv"
    file.write_text(text)

    code, _, err = office.call("duty", "import", str(file), "--config", str(office.config))

    assert code in {1, 2, 3}
    assert says in err
    assert "Ann" not in err
    assert asyncio.run(_on_duty(office, datetime.now(UTC))) is None


async def _on_duty(office: Office, now: datetime) -> frozenset[str] | None:
    database = Database(office.folder / "data" / "store.sqlite3")
    await database.open()
    try:
        return await RosterStore(database).on_duty(now)
    finally:
        await database.close()
