"""What rows oblige to is done: several agree, somebody reviews, somebody takes note, each within its time."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from proxy.demo.home import shipped_policies
from tests.spec.conftest import open_street

if TYPE_CHECKING:
    from pathlib import Path

    from tests.spec.conftest import Street

pytestmark = pytest.mark.asyncio(loop_scope="session")

E01 = "protected,            present,  none,      none,     exigent=allowed/4h;"
M06 = "mask,      M06,  officer,    query,      operational,    approvable,           present,  none,      granted,  mask=ssn,"


def obliging(path: Path) -> Path:
    """Copy the shipped policies, with obligations on two rows."""
    shutil.copytree(shipped_policies(), path)
    text = (path / "policy.csv").read_text()
    for row, cell in (
        (E01, "quorum=2; approvers=supervisor+records; exigent=allowed/4h;"),
        (M06, "mask=ssn; review=4h; notify=records/15m,"),
    ):
        assert row in text
        text = text.replace(row, row.rpartition(" ")[0] + f" {cell}")
    (path / "policy.csv").write_text(text)
    return path


async def waiting(street: Street, key: str, room: str, entry: str) -> dict[str, Any]:
    """Return somebody's notice or review of a query, as soon as it is there."""
    async with asyncio.timeout(30):
        while True:
            found = await street.ask(key, f"/{room}", purpose=None)
            for row in found.json[room]:
                if row["entry"] == entry:
                    return dict(row)
            await asyncio.sleep(0.05)


async def test_a_supervisor_and_the_records_desk_agree_and_another_supervisor_reviews(tmp_path: Path) -> None:
    """One approval leaves the query waiting; after the second it answers, the desk is told, and who agreed reviews nothing."""
    async with open_street(tmp_path, obliging(tmp_path / "policies")) as street:
        mayor = f"/records/persons/{street.town.cast['mayor'].person_id}"
        href = (await street.ask("officer", mayor)).json["escalation"]["href"]
        reason = {"reason": "threats were made, confirmed by dispatch"}

        assert (await street.post("supervisor", f"{href}/approve", reason)).json["state"] == "pending"
        assert (await street.ask("officer", mayor)).problem == "escalation-required"
        assert (await street.post("supervisor", f"{href}/approve", reason)).problem == "approver-ineligible"
        assert (await street.post("clerk", f"{href}/approve", reason)).json["state"] == "approved"
        answer = await street.ask("officer", mayor)
        assert answer.status == 200

        entry = answer.headers["Audit-Entry"]
        review = await waiting(street, "lieutenant", "reviews", entry)
        assert (review["approved_by"], review["outcome"]) == ([street.person("supervisor"), street.person("clerk")], "mask")
        assert (await street.ask("supervisor", "/reviews", purpose=None)).json["reviews"] == []
        notice = await waiting(street, "clerk", "notices", entry)
        assert (notice["role"], notice["rules"]) == ("records", ["M06"])
        said = {"outcome": "justified", "reason": "the threat was on file at the time"}
        assert (await street.post("lieutenant", f"/reviews/{review['id']}/close", said)).json["found"] == "justified"
