"""Who may decide, as the two sides of an escalation see it, from the policy's stages to the page that nobody was there for."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from proxy.clock import utc_now
from proxy.database import Database
from proxy.demo.home import shipped_policies
from proxy.escalation.roster import Shift
from proxy.escalation.roster_store import RosterStore
from tests.spec.conftest import open_street
from tests.spec.test_obligations import E01, waiting

if TYPE_CHECKING:
    from pathlib import Path

    from tests.spec.conftest import Street

pytestmark = pytest.mark.asyncio(loop_scope="session")

STAGES = "  desk: {of: 1, roles: [records], agency: own}\n"
REASON = {"reason": "threats were made, confirmed by dispatch"}


def staged(path: Path) -> Path:
    """Copy the shipped policies; a protected person takes a supervisor and the records desk."""
    shutil.copytree(shipped_policies(), path)
    sheet, approvals = path / "policy.csv", path / "approvals.yaml"
    cell = E01.replace("exigent=", "stages=anybody+desk; exigent=")
    sheet.write_text(sheet.read_text().replace(E01, cell))
    text = approvals.read_text().replace("stages:\n", f"stages:\n  anybody: {{of: 1, roles: [supervisor]}}\n{STAGES}", 1)
    approvals.write_text(text)
    return path


async def put_on_duty(street: Street, *keys: str) -> None:
    """Import a roster with these alone, as a command beside the server does."""
    now = utc_now()
    shifts = [Shift(person=street.person(key), starts_at=now, ends_at=now + timedelta(hours=8)) for key in keys]
    database = Database(street.home.data / "store.sqlite3")
    await database.open()
    async with database.begin() as connection:
        await RosterStore(database).replace(connection, shifts)
    await database.close()


async def test_the_officer_learns_at_once_who_may_decide_and_that_nobody_is_there(tmp_path: Path) -> None:
    """The answer says how many, of which roles, on duty or not; without anybody a page is owed; every stage is filled."""
    async with open_street(tmp_path, staged(tmp_path / "policies")) as street:
        mayor = f"/records/persons/{street.town.cast['mayor'].person_id}"
        await put_on_duty(street, "supervisor")

        asked = await street.ask("officer", mayor)
        told = asked.json["escalation"]["deciders"]
        assert told["roles"] == ["records", "supervisor"]
        assert (told["persons"] >= 2, told["on_duty"]) == (True, 1)
        href = asked.json["escalation"]["href"]
        [opened] = [entry for entry in await street.entries() if entry.kind == "escalated"]
        notice = await waiting(street, "lieutenant", "notices", f"{street.origin}/{opened.index}")
        assert (notice["why"], notice["requested_by"]) == ("nobody-on-duty", street.person("officer"))

        shown = (await street.ask("clerk", href, purpose=None)).json
        assert {"given_name", "street"} <= set(shown["fields"])
        assert "ssn" not in shown["fields"]
        assert {each["person"]: each["on_duty"] for each in shown["deciders"]}[street.person("supervisor")] is True

        assert (await street.post("supervisor", f"{href}/approve", REASON)).json["state"] == "pending"
        assert (await street.post("lieutenant", f"{href}/approve", REASON)).json["state"] == "pending"
        assert (await street.post("clerk", f"{href}/approve", REASON)).json["state"] == "approved"
        assert (await street.ask("officer", mayor)).status == 200

        await put_on_duty(street, "dispatcher")
        again = await street.ask("officer", street.path("/records/persons", ssn=street.town.cast["mayor"].ssn))
        assert "Nobody who may decide is on duty now." in again.json["detail"]


async def test_what_leaves_is_among_the_fields_that_the_supervisor_was_shown(tmp_path: Path) -> None:
    """The grant is bound to them by name; what is not among them arrives masked."""
    async with open_street(tmp_path, shutil.copytree(shipped_policies(), tmp_path / "policies")) as street:
        mayor = f"/records/persons/{street.town.cast['mayor'].person_id}"
        href = (await street.ask("officer", mayor)).json["escalation"]["href"]
        agreed = (await street.ask("supervisor", href, purpose=None)).json["fields"]
        await street.post("supervisor", f"{href}/approve", REASON)

        answer = await street.ask("officer", mayor)

        masked = street.servers.policy.policies.fields["ssn"].mask
        [record] = answer.json
        assert "ssn" not in agreed
        assert {name for name, value in record.items() if value is not None and value != masked} <= set(agreed)
