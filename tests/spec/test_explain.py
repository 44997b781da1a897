"""``explain`` of a whole query, beside the running server."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.cli.rehearsal import rehearse
from proxy.demo.home import shipped_policies
from proxy.policy.service import load_policies
from proxy.purpose.purpose import SubjectNotOnCase
from proxy.settings import load_settings

if TYPE_CHECKING:
    from tests.spec.conftest import Street

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def explain(street: Street, person: str, purpose: str, target: str) -> tuple[int, str]:
    """Run the command as an operator would."""
    arguments = ["--config", str(street.home.config), "--person", person, "--purpose", purpose, "--target", target, "--json"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "proxy", "explain", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_a_whole_query_is_explained_recorded_and_not_forwarded(street: Street) -> None:
    """It says which facts, outcome and row the query would meet; the log remembers that it was asked."""
    mayor = street.town.cast["mayor"]
    purpose = f'code=C, case="{street.case("stop")}", statement="stopped for no plates, driver has no licence on him"'

    code, out = await explain(street, street.person("officer"), purpose, f"/records/persons/{mayor.person_id}")

    told = json.loads(out)
    assert code == 0
    assert (told["outcome"], told["rule"]) == ("escalate", "E01")
    assert told["facts"]["category"] == "official"
    async with asyncio.timeout(30):
        while not (found := [entry for entry in await street.entries() if entry.kind == "explained"]):
            await street.ops("/livez")
    assert found[-1].facts["outcome"] == "escalate"
    assert not [entry for entry in await street.entries() if entry.about == "rehearsal"]


async def test_a_query_that_would_not_come_to_a_decision_says_why(street: Street) -> None:
    """The refusal is the one that the terminal would be told."""
    purpose = 'code=C, case="26-999999", statement="stopped for no plates, driver has no licence on him"'
    code, out = await explain(street, street.person("officer"), purpose, "/records/persons/100001")

    assert code == 1
    assert json.loads(out)["refused"] == "case-unknown"


async def test_who_is_not_on_the_case_is_refused_as_at_the_terminal(street: Street, tmp_path: Path) -> None:
    """Under a code that demands a party to the case, a query about anybody else does not come to a decision."""
    policies = Path(shutil.copytree(shipped_policies(), tmp_path / "policies"))
    purposes = policies / "purposes.yaml"
    demanding = "    closed_grace_days: 14\n    subject_on_case: [person.search]\n"
    purposes.write_text(purposes.read_text().replace("    closed_grace_days: 14\n", demanding, 1))
    driver = street.town.cast["driver"]

    with pytest.raises(SubjectNotOnCase):
        await rehearse(
            load_settings(street.home.config, {}),
            load_policies(policies),
            person=street.person("officer"),
            purpose=f'code=C, case="{street.case("stop")}", statement="stopped for no plates, driver has no licence on him"',
            target=street.path("/records/persons", surname=driver.surname, dob=driver.dob.isoformat()),
        )


async def test_nobody_is_explained_who_is_not_enrolled(street: Street) -> None:
    """A person without a credential has no queries."""
    code, out = await explain(street, "badge-9999", 'case="26-1"', "/records/persons/100001")

    assert code == 2
    assert "identity list" in out
