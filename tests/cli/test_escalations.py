from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest

from proxy.gateway.answer import Declined
from proxy.identity.principal import CredentialInvalid, CredentialMissing, Principal
from proxy.web.limits import Limits
from proxy.web.server import Door
from proxy.web.terminals import Terminals
from tests.escalation.conftest import Desk, asked, desk, person, registered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from proxy.escalation.lifecycle import Escalation
    from proxy.inquiry.inquiry import Inbound
    from proxy.refusal import Refusal
    from tests.cli.conftest import Office

__all__ = ["desk"]

KEYS = {
    "sergeant-key": person("sergeant-9", "supervisor"),
    "officer-key": person("officer-1"),
    "stranger-key": person("officer-2"),
}


class Keys:
    """An authenticator that knows three keys."""

    async def identify(self, authorization: str | None, peer: Mapping[str, Any], now: datetime) -> Principal:
        """Return whose key it is."""
        assert now.tzinfo is not None
        assert peer == {}
        if authorization is None:
            raise CredentialMissing("Send a key.")
        found = KEYS.get(authorization.removeprefix("Bearer "))
        if found is None:
            raise CredentialInvalid("This key is not known here.")
        return found


@dataclass
class Counter:
    """The real terminals' door over real HTTP, and the command line before it."""

    desk: Desk
    office: Office
    url: str
    group = "escalations"

    async def call(self, *arguments: str, key: str | None = "sergeant-key") -> tuple[int, str, str]:
        """Return exit code, standard output and standard error of ``escalations …``."""
        more = ["--url", self.url]
        if key is not None:
            file = self.office.folder / key
            file.write_text(f"{key}\n", "ascii")
            file.chmod(0o600)
            more += ["--key", str(file)]
        return await asyncio.to_thread(self.office.call, self.group, *arguments, *more)

    async def json(self, *arguments: str, key: str | None = "sergeant-key") -> tuple[int, dict[str, Any]]:
        """Return exit code and the object of ``escalations … --json``."""
        code, out, _ = await self.call(*arguments, "--json", key=key)
        return code, orjson.loads(out)

    async def open(self) -> Escalation:
        """Have officer-1 ask."""
        return await self.desk.escalations.open(asked(), "query-1")


class Remembering:
    """A gateway that keeps what a door refused."""

    def __init__(self) -> None:
        """Start with an empty journal."""
        self.journal: list[str] = []

    async def refused(self, _inbound: Inbound, _principal: Principal | None, refusal: Refusal) -> Declined:
        """Remember the refusal, and hand it back."""
        self.journal.append(refusal.slug())
        return Declined(refusal=refusal, entry=None)


@asynccontextmanager
async def opened(desk: Desk) -> AsyncIterator[str]:
    """Open the door."""
    errors: list[BaseException] = []
    terminals = Terminals(
        gateway=cast(Any, Remembering()),
        identities=cast(Any, Keys()),
        escalations=desk.escalations,
        oversight=cast(Any, None),
        locks=desk.locks,
        lock_desk=desk.locking,
        documents=cast(Any, None),
        clock=lambda: desk.now,
        limits=Limits(),
        wait_seconds_max=1,
    )
    door = Door("terminals", terminals.handle, host="127.0.0.1", port=0, tls=None, limits=Limits(), on_error=errors.append)
    await door.open()
    yield door.url
    await door.close()
    assert errors == []


@pytest.fixture
async def counter(desk: Desk, office: Office) -> AsyncIterator[Counter]:
    """The counter, open."""
    async with opened(desk) as url:
        yield Counter(desk, office, url)


async def test_a_supervisor_sees_what_waits_and_approves_it(counter: Counter) -> None:
    """List (exit 1 while something waits), show, approve; then nothing waits (exit 0)."""
    escalation = await counter.open()

    code, out, _ = await counter.call("list")
    assert code == 1
    assert escalation.id in out
    assert "officer-1" in out

    code, shown = await counter.json("show", escalation.id)
    assert (code, shown["state"], shown["case"]) == (0, "pending", "26-004217")

    code, decided = await counter.json("approve", escalation.id, "--reason", "threat confirmed by dispatch")
    assert (code, decided["state"]) == (0, "approved")

    code, listed = await counter.json("list", "--state", "pending")
    assert (code, listed["escalations"]) == (0, [])


async def test_a_refusal_carries_its_reason(counter: Counter) -> None:
    """The one who asked can read it."""
    escalation = await counter.open()

    code, out, _ = await counter.call("refuse", escalation.id, "--reason", "no threat is on record")
    assert code == 0
    assert "refused" in out

    _, shown = await counter.json("show", escalation.id, key="officer-key")
    assert shown["reason"] == "no threat is on record"


async def test_a_supervisor_asks_for_more_and_approves_what_was_added(counter: Counter) -> None:
    """Both sides see the exchange; an approval that does not say how much of it was seen is refused, with what to do."""
    id_ = (await counter.open()).id
    question, added = "which threat, and who reported it?", "the neighbor reported a man with a rifle at the gate"
    assert (await counter.call("amend", id_, "--words", added, key="officer-key"))[0] == 2

    code, asked = await counter.json("ask", id_, "--words", question)
    assert (code, asked["state"], asked["asked"]) == (0, "pending", question)
    code, out, _ = await counter.call("amend", id_, "--words", added, key="officer-key")
    assert (code, f"added: {added}" in out) == (0, True)

    code, _, err = await counter.call("approve", id_, "--reason", "threat confirmed by dispatch")
    assert (code, "Look at it again" in err) == (2, True)
    _, out, _ = await counter.call("show", id_)
    assert f"sergeant-9 asked: {question}" in out
    code, decided = await counter.json("approve", id_, "--reason", "threat confirmed by dispatch", "--amendments", "1")
    assert (code, decided["state"]) == (0, "approved")


async def test_an_officer_watches_and_takes_a_query_back(counter: Counter) -> None:
    """Exit 1 while it waits or when it ended otherwise, with the state in words; 0 once it is approved."""
    first, second = await counter.open(), await counter.desk.escalations.open(asked(case="26-2"), "query-2")
    assert (await counter.call("watch", first.id, "--seconds", "0", key="officer-key"))[:2] == (1, "pending\n")

    assert (await counter.call("cancel", first.id, key="officer-key"))[0] == 0
    assert (await counter.call("watch", first.id, key="officer-key"))[:2] == (1, "canceled\n")

    await counter.call("approve", second.id, "--reason", "threat confirmed by dispatch")
    code, out, _ = await counter.call("watch", second.id, key="officer-key")
    assert (code, out.startswith("approved")) == (0, True)


async def test_nobody_decides_in_their_own_cause_by_the_command_line(counter: Counter) -> None:
    """The door refuses, and its words are shown; exit 2."""
    escalation = await counter.open()

    code, out, err = await counter.call("approve", escalation.id, "--reason", "I need it at once", key="officer-key")

    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert counter.desk.journal.events[-1].kind == "escalated"


@pytest.mark.parametrize("random", [b"\xf8", b"\xfb\xef\xbe", b"\xff", b"\x00"])
async def test_whatever_chance_yields_an_id_is_a_word_of_the_command_line(counter: Counter, random: bytes) -> None:
    """No id begins with a hyphen, which would make it an option: these bytes in base64 do."""
    counter.desk.random = random
    escalation = await counter.open()

    code, shown = await counter.json("show", escalation.id)

    assert (code, shown["id"]) == (0, escalation.id)


@pytest.mark.parametrize(
    ("arguments", "key", "says"),
    [
        (("show", "nothing-of-that-name"), "sergeant-key", "no such escalation"),
        (("show", "../records/persons"), "sergeant-key", "an encoded dot, slash"),
        (("list", "--state", "pending&person=x"), "sergeant-key", "state"),
        (("list",), "wrong-key", "not known"),
        (("list",), None, "--key FILE"),
    ],
)
async def test_what_is_wrong_is_wrong_use_with_a_sentence(
    counter: Counter, arguments: tuple[str, ...], key: str | None, says: str
) -> None:
    """Exit 2; nothing on standard output."""
    code, out, err = await counter.call(*arguments, key=key)

    assert (code, out) == (2, "")
    assert says in err
    assert "Traceback" not in err


async def test_a_key_that_others_can_read_is_not_used(counter: Counter, office: Office) -> None:
    """It may be known to others, so it is not sent."""
    file = office.folder / "open"
    file.write_text("sergeant-key", "ascii")
    file.chmod(0o644)

    code, _, err = await asyncio.to_thread(office.call, "escalations", "list", "--url", counter.url, "--key", str(file))

    assert code == 2
    assert "chmod 600" in err


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"\xff", b"a\r\nX-Admin: 1"])
def test_a_key_file_that_holds_no_key_is_wrong_use(office: Office, content: bytes) -> None:
    """No header is smuggled through it."""
    file = office.folder / "key"
    file.write_bytes(content)
    file.chmod(0o600)

    code, _, err = office.call("escalations", "list", "--url", "http://127.0.0.1:1", "--key", str(file))

    assert code == 2
    assert "holds no key" in err


@pytest.mark.parametrize(
    ("url", "code", "says"),
    [
        ("http://127.0.0.1:1", 3, "is the server running"),
        ("http://records.example.gov:8440", 2, "in the clear"),
        ("records.example.gov", 2, "no URL"),
        ("ftp://127.0.0.1", 2, "no URL"),
    ],
)
def test_a_key_goes_to_a_door_and_never_in_the_clear(office: Office, url: str, code: int, says: str) -> None:
    """Off this machine it takes https."""
    file = office.folder / "key"
    file.write_text("sergeant-key", "ascii")
    file.chmod(0o600)

    found, _, err = office.call("escalations", "list", "--url", url, "--key", str(file))

    assert found == code
    assert says in err


def test_the_door_is_found_in_the_configuration(office: Office, tmp_path: Path) -> None:
    """Without --url it is the terminals' door; an open port has to be told."""
    key = tmp_path / "key"
    key.write_text("sergeant-key", "ascii")
    key.chmod(0o600)
    arguments = ("escalations", "list", "--config", str(office.config), "--key", str(key))

    assert "--url" in office.call(*arguments)[2]

    office.write("http://127.0.0.1:1", doors="{terminals: {port: 1}}")
    code, _, err = office.call(*arguments)
    assert code == 3
    assert "http://127.0.0.1:1 cannot be asked" in err


async def test_who_has_a_passkey_is_sent_to_the_console(counter: Counter) -> None:
    """A command line cannot ask a passkey: exit 2, with where to go; nothing is approved."""
    await registered(counter.desk, "sergeant-9")
    escalation = await counter.open()

    code, out, err = await counter.call("approve", escalation.id, "--reason", "threat confirmed by dispatch")

    assert (code, out) == (2, "")
    assert "confirmed with a passkey, on the console" in err
    assert f"/escalations/{escalation.id}" in err
    assert (await counter.json("show", escalation.id))[1]["state"] == "pending"


async def test_from_afar_the_door_itself_says_where_the_console_is(counter: Counter) -> None:
    """Without a configuration on this machine, too, the very address is printed: where the passkey belongs."""
    await registered(counter.desk, "sergeant-9")
    escalation = await counter.open()
    counter.office.config.unlink()

    code, _, err = await counter.call("approve", escalation.id, "--reason", "threat confirmed by dispatch")

    assert code == 2
    assert f"open http://localhost/escalations/{escalation.id}" in err


async def test_who_has_no_passkey_where_one_is_demanded_is_told_how_to_get_one(counter: Counter) -> None:
    """Exit 2, the command that makes the code, and the page that takes it."""
    counter.desk.step_up.mode = "webauthn"
    escalation = await counter.open()

    code, _, err = await counter.call("approve", escalation.id, "--reason", "threat confirmed by dispatch")

    assert code == 2
    assert "identity passkey invite" in err
    assert "/passkeys" in err
