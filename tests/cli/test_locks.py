from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from proxy.escalation.acquaintance import Acquaintance
from proxy.escalation.lifecycle import Move
from tests.cli.test_escalations import KEYS, Counter, opened
from tests.escalation.conftest import Desk, asked, desk, person, registered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.cli.conftest import Office

__all__ = ["desk"]

KEYS["lieutenant-key"] = person("lieutenant-2", "supervisor")
WHY = ("--reason", "the key was found in a bar")
OVER = ("--reason", "the key was never out of the office")


class Locking(Counter):
    """The counter, for ``locks …``."""

    group = "locks"


@pytest.fixture
async def counter(desk: Desk, office: Office) -> AsyncIterator[Locking]:
    """The counter, open."""
    async with opened(desk) as url:
        yield Locking(desk, office, url)


async def test_a_supervisor_locks_and_another_lifts(counter: Locking) -> None:
    """List (0: none), add, list (1: one holds), show; who locked is refused to lift it, another lifts; then none holds."""
    assert await counter.json("list") == (0, {"locks": []})
    code, lock = await counter.json("add", "principal", "officer-1", *WHY)
    assert (code, lock["state"], lock["target"], lock["locked_by"]) == (0, "active", "officer-1", "sergeant-9")

    code, listed = await counter.json("list", "--state", "active")
    assert (code, [each["id"] for each in listed["locks"]]) == (1, [lock["id"]])
    assert (await counter.json("show", lock["id"]))[1]["reason"] == WHY[1]

    code, refused = await counter.json("lift", lock["id"], *OVER)
    assert (code, refused["error"].startswith("Not yours to lock or lift: You locked it")) == (2, True)
    code, lifted = await counter.json("lift", lock["id"], *OVER, key="lieutenant-key")
    assert (code, lifted["state"], lifted["ended_by"], lifted["ended_for"]) == (0, "ended", "lieutenant-2", OVER[1])
    assert (await counter.json("list", "--state", "active"))[0] == 0


async def test_a_locked_officer_is_told_so_and_no_more(counter: Locking) -> None:
    """Neither why, nor by whom; and can neither look at the lock nor at anything else."""
    await counter.json("add", "principal", "officer-1", *WHY)

    code, told = await counter.json("list", key="officer-key")

    assert (code, told["error"].startswith("Locked: You are locked")) == (2, True)
    assert "bar" not in str(told)
    assert "sergeant" not in str(told)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "principal", "Reyes, Marcus", *WHY), "Nothing that can be locked: Name the person by"),
        (("add", "person", "officer-1", *WHY), "Body not readable"),
        (("add", "case", "26-1", "--reason", "short"), "A decision needs its reason"),
        (("add", "case", "26-1", *WHY, "--until", "tomorrow"), "Body not readable: `until` is a time"),
        (("add", "case", "26-1", *WHY, "--until", "2001-01-01T00:00:00Z"), "Nothing that can be locked: The lock would"),
        (("list", "--state", "open"), "Unknown parameter"),
        (("show", "0" * 32), "No such lock"),
        (("lift", "not one", *OVER), "No such lock"),
        (("lift", "../x", *OVER), "The request can be read in two ways"),
    ],
)
async def test_each_mistake_is_told_in_words(counter: Locking, arguments: tuple[str, ...], says: str) -> None:
    """Exit 2, the problem's title and its detail."""
    code, told = await counter.json(*arguments)

    assert (code, told["error"].startswith(says)) == (2, True), told


async def test_a_lock_by_somebody_with_no_right_to_it_locks_nothing(counter: Locking) -> None:
    """An officer locks nobody, not even themselves."""
    code, told = await counter.json("add", "principal", "officer-2", *WHY, key="officer-key")

    assert (code, "Only oversight, supervisor" in told["error"]) == (2, True)
    assert counter.desk.locks.active() == []


async def test_a_lock_on_a_grant_keeps_it_from_answering(counter: Locking) -> None:
    """By the escalation's id, as `escalations list` shows it."""
    waiting = await counter.desk.escalations.open(asked(), "query-1")
    await counter.desk.escalations.decide(waiting.id, person("sergeant-9", "supervisor"), Move.APPROVE, "the threat is real")

    assert (await counter.json("add", "grant", waiting.id, *WHY))[0] == 0
    assert counter.desk.locks.active()[0].target == waiting.id


async def test_with_the_server_down_the_command_says_what_to_do(office: Office) -> None:
    """Nobody is answered anything anyway; and what keeps somebody out of the next start."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        key = office.folder / "key"
        key.write_text("sergeant-key\n", "ascii")
        key.chmod(0o600)
        words = ("locks", "add", "principal", "officer-1", *WHY, "--url", url, "--key", str(key))

        code, _, err = await asyncio.to_thread(office.call, *words)

    assert code == 3
    assert "identity revoke --person" in err


async def test_who_has_a_passkey_lifts_on_the_console_at_the_lock_s_own_address(counter: Locking) -> None:
    """A command line cannot ask a passkey: exit 2, with where to go; the lock holds on."""
    await registered(counter.desk, "lieutenant-2")
    _, lock = await counter.json("add", "principal", "officer-1", *WHY)

    code, _, err = await counter.call("lift", lock["id"], *OVER, key="lieutenant-key")

    assert code == 2
    assert f"open http://localhost/locks/{lock['id']}" in err
    assert counter.desk.locks.active() != []


class Staff:
    """One officer, and the terminals that nobody lists."""

    def persons(self) -> frozenset[str]:
        """Return whom the identity room knows."""
        return frozenset()

    def terminals(self) -> None:
        """Return no list, as where tokens name terminals."""

    def employed(self, person: str) -> bool:
        """Tell whom the directory has."""
        return person == "officer-1"


async def test_a_mistyped_name_stops_nobody_and_the_command_says_so(counter: Locking) -> None:
    """Exit 2 with what to do; with ``--anyway`` it is locked all the same."""
    counter.desk.locking.knows = Acquaintance(Staff(), Staff(), None).knows

    code, told = await counter.json("add", "principal", "oficer-1", *WHY)
    assert (code, told["error"][:36]) == (2, "No principal of this name is known: ")
    assert "--anyway" in told["help"]
    assert counter.desk.locks.active() == []
    assert (await counter.json("add", "principal", "officer-1", *WHY))[0] == 0
    assert (await counter.json("add", "principal", "oficer-1", *WHY, "--anyway"))[0] == 0
    assert (await counter.json("add", "case", "26-99", *WHY))[0] == 0
