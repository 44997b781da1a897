"""A row that obliges to a watermark: what leaves under it carries one, and nothing else does."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.spec.conftest import UNBOUNDED, open_street, policies_with

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.spec.conftest import Street

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDINARY = re.compile(r"none(,\s+ordinary work on one's own case)")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def marked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Street]:
    """Open a street whose ordinary answers carry a mark."""
    path = tmp_path_factory.mktemp("marked")
    policies = policies_with(path / "policies", UNBOUNDED)
    rows, count = ORDINARY.subn(r"watermark=entry\1", (policies / "policy.csv").read_text())
    assert count == 1
    (policies / "policy.csv").write_text(rows)
    async with open_street(path, policies) as street:
        yield street


async def test_the_mark_names_the_entry_who_was_answered_and_when(marked: Street) -> None:
    """What a photograph of the screen shows leads to the entry, the officer and the minute; the log knows of the mark."""
    ordinary = marked.town.cast["driver"]

    answer = await marked.ask("officer", marked.path(f"/records/persons/{ordinary.person_id}"))

    assert answer.status == 200
    entry, person, minute = answer.headers["Watermark"].strip('"').split(" ")
    assert entry == answer.headers["Audit-Entry"]
    assert abs(datetime.fromisoformat(minute) - datetime.fromisoformat((await marked.entry(answer)).at)) < timedelta(minutes=2)
    assert person == marked.person("officer")
    assert (await marked.terminal_entry(answer)).facts["watermark"] is True


@pytest.mark.parametrize("key", ["informant", None])
async def test_where_nothing_leaves_nothing_is_marked(marked: Street, key: str | None) -> None:
    """An answer without a record has no mark, whether nobody is there or somebody is concealed."""
    person_id = marked.town.cast[key].person_id if key else "999999"

    answer = await marked.ask("officer", marked.path(f"/records/persons/{person_id}"))

    assert answer.status == 404
    assert "Watermark" not in answer.headers
    assert "watermark" not in (await marked.terminal_entry(answer)).facts


async def test_other_rows_mark_nothing(marked: Street) -> None:
    """A row without the obligation answers as ever."""
    ordinary = marked.town.cast["driver"]

    answer = await marked.ask("dispatcher", marked.path(f"/records/persons/{ordinary.person_id}"))

    assert answer.status == 200
    assert "Watermark" not in answer.headers
