from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol, cast

import orjson
import pytest

from proxy.escalation.lock_store import LockStore
from proxy.escalation.locks import Locks
from proxy.web.limits import Limits
from proxy.web.server import Door
from proxy.web.terminals import Terminals
from tests.cli.test_escalations import Keys, Remembering
from tests.oversight.conftest import NOTICE, REVIEW, Query
from tests.oversight.conftest import Office as Overseen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.cli.conftest import Office


class Call(Protocol):
    """The command line, with ``--json``: exit code and what it printed."""

    async def __call__(self, *arguments: str, key: str = "sergeant-key") -> tuple[int, Any]:
        """Run one."""
        ...


@pytest.fixture
async def call(tmp_path: Path, office: Office) -> AsyncIterator[Call]:
    """Open the real door over a queue with one query in it, and return the command line before it."""
    (tmp_path / "overseen").mkdir()
    overseen = Overseen(tmp_path / "overseen")
    async with overseen.open() as room:
        await room.record(Query(owed=(NOTICE, REVIEW)))
        terminals = Terminals(
            gateway=cast(Any, Remembering()),
            identities=cast(Any, Keys()),
            escalations=cast(Any, SimpleNamespace(delegations=None)),
            oversight=room.oversight,
            locks=Locks(LockStore(room.database, b"l" * 32)),
            lock_desk=cast(Any, None),
            documents=cast(Any, None),
            clock=lambda: overseen.now,
            limits=Limits(),
            wait_seconds_max=1,
        )
        errors: list[BaseException] = []
        door = Door("terminals", terminals.handle, host="127.0.0.1", port=0, tls=None, limits=Limits(), on_error=errors.append)
        await door.open()

        async def call(*arguments: str, key: str = "sergeant-key") -> tuple[int, Any]:
            file = office.folder / key
            file.write_text(f"{key}\n", "ascii")
            file.chmod(0o600)
            more = ("--json", "--url", door.url, "--key", str(file))
            code, out, _ = await asyncio.to_thread(office.call, *arguments, *more)
            return code, orjson.loads(out)

        yield call
        await door.close()
        assert errors == []


async def test_a_supervisor_reviews_by_the_command_line(call: Call) -> None:
    """List (exit 1 while something waits), show, close with an outcome; then nothing waits (exit 0)."""
    code, listed = await call("reviews", "list")
    (review,) = listed["reviews"]
    assert (code, review["state"], review["requested_by"]) == (1, "due", "officer-1")

    code, shown = await call("reviews", "show", review["id"])
    assert (code, shown["case"], shown["why"]) == (0, "26-004217", "policy")

    closing = ("reviews", "close", review["id"], "--reason", "the mayor had called for help")
    code, refused = await call(*closing, "--outcome", "fine")
    assert (code, refused["error"].startswith("No such outcome")) == (2, True)
    code, done = await call(*closing, "--outcome", "justified")
    assert (code, done["state"], done["found"]) == (0, "done", "justified")

    assert (await call("reviews", "list", "--state", "due")) == (0, {"reviews": []})


async def test_a_supervisor_takes_note_by_the_command_line(call: Call) -> None:
    """A notice needs no words."""
    _, listed = await call("notices", "list")
    (notice,) = listed["notices"]

    code, done = await call("notices", "acknowledge", notice["id"])

    assert (code, done["found"], done["done_by"]) == (0, "acknowledged", "sergeant-9")
    assert (await call("notices", "list", "--state", "due")) == (0, {"notices": []})


async def test_whoever_asked_has_nothing_to_review(call: Call) -> None:
    """Their own query is not theirs to judge, nor to know of."""
    _, listed = await call("reviews", "list")

    assert await call("reviews", "list", key="officer-key") == (0, {"reviews": []})
    code, told = await call("reviews", "show", listed["reviews"][0]["id"], key="officer-key")
    assert (code, told["error"].startswith("No such notice or review")) == (2, True)
