"""A log goes on under another name: whoever asks it is told that there is an older one, which was not asked."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import aiohttp

from proxy import main
from proxy.__main__ import run
from proxy.demo.home import shipped_policies
from proxy.settings import load_settings
from tests.spec.conftest import open_street
from tests.web.console.conftest import Browser

if TYPE_CHECKING:
    from pathlib import Path

WHY = "complaint 26-118 about look-ups of the mayor's home"


async def test_every_answer_says_that_the_older_log_was_not_asked(tmp_path: Path) -> None:
    """At the door of programs and on the page, each query and their number; and the trace of a leak."""
    async with open_street(tmp_path, shipped_policies()) as street:
        assert (await street.ask("officer", f"/records/persons/{street.unasked().person_id}")).status == 200
        config, key, case = street.home.config, street.keys["auditor"], street.case("stop")
        old, officer = street.origin, street.person("officer")
    config.write_text(config.read_text().replace(f"origin: {old}", f"origin: {old}-2"))
    told = ("audit", "new-origin", "--reason", "restored from a snapshot", "--config", str(config))
    assert await asyncio.to_thread(run, told) == 0
    today = str(datetime.now(UTC).date())
    cause = {"case": case, "statement": WHY}
    asked = {**cause, "by": "officer", "value": officer, "first": today, "last": today}
    leaked = {**cause, "published": [{"kind": "phone", "value": "555-010-0199", "at": f"{today}T00:00:00Z"}]}

    async with main.running(load_settings(config, {})) as again, aiohttp.ClientSession() as client:

        async def post(path: str, body: dict[str, object]) -> str:
            headers = {"Authorization": f"Bearer {key}"}
            async with client.post(f"{again.console.url}{path}", headers=headers, json=body) as answer:
                return await answer.text()

        found = await post("/log/search", {**asked})
        counted = await post("/log/count", {**asked, "counts": "day"})
        leads = await post("/leaks", {**leaked})
        auditor = Browser(again.console.url, client)
        await auditor.sign_in(key)
        form = await auditor.get("/log")
        fields = {**cause, "by": "officer", "value": officer, "since": today, "until": today, "dob": ""}
        pages = [await auditor.submit(form, "/log", **fields, counts=counts) for counts in ("", "day")]

    assert f'"goes_on_from":"{old}"' in found
    assert f'"goes_on_from":"{old}"' in counted
    assert f"This log goes on from {old}; what was shown there was not looked at." in leads
    for page in pages:
        assert f"This log goes on from {old}; what is there was not asked" in page.words
