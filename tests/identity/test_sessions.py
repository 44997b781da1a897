from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest
from sqlalchemy import text

from proxy.audit.errors import AuditUnavailable
from proxy.audit.outbox import Outbox
from proxy.audit.sealing import Sealer
from proxy.identity.session import ABSOLUTE, IDLE, SignInNeeded, form_token
from proxy.identity.sessions import Sessions
from tests.escalation.conftest import Journal
from tests.identity.conftest import STORE_KEY, holder

if TYPE_CHECKING:
    from datetime import timedelta

    from proxy.identity.principal import Principal
    from proxy.identity.session import Session
    from tests.identity.conftest import Office


class Provider:
    """An identity provider that has ended nothing."""

    def session_ended(self, _session: Session) -> bool:
        """Tell so."""
        return False


@dataclass
class Console:
    """Sessions on the identity desk's store."""

    office: Office
    journal: Journal
    sessions: Sessions

    async def sergeant(self, person: str = "sergeant-9") -> Principal:
        """Enroll a key, and come in with it."""
        key, _ = await self.office.desk.add_key(holder(person, role="supervisor"))
        return self.office.identities.authenticate(f"Bearer {key}", (), self.office.now)

    async def kinds(self) -> list[str]:
        """Return what was queued for the log of sessions."""
        return [kind for kind in await self.office.queued() if kind.startswith("session")]


@pytest.fixture
def console(office: Office) -> Console:
    """Sessions whose clock is the office's."""
    journal = Journal()
    sealer = Sealer(index_key=b"i" * 32, body_key=b"b" * 32)
    sessions = Sessions(
        database=office.database,
        key=STORE_KEY,
        audit=journal,
        outbox=Outbox(office.database, sealer, lambda: office.now, os.urandom),
        identities=office.identities,
        provider=cast("Any", Provider()),
        clock=lambda: office.now,
        randomness=os.urandom,
    )
    return Console(office, journal, sessions)


async def test_a_session_begins_in_the_log_and_its_cookie_brings_back_who_signed_in(console: Console) -> None:
    """The entry comes first; the principal is the same afterwards."""
    principal = await console.sergeant()

    cookie, session = await console.sessions.begin(principal)

    assert [event.kind for event in console.journal.events] == ["session-begun"]
    assert (await console.sessions.resume(cookie)).principal == principal == session.principal


async def test_nobody_signs_in_while_the_log_is_down(console: Console) -> None:
    """No entry, no session."""
    principal = await console.sergeant()
    console.journal.down = True

    with pytest.raises(AuditUnavailable):
        await console.sessions.begin(principal)

    assert await console.sessions.listed("sergeant-9") == []


async def test_somebody_signs_out_also_while_the_log_is_down(console: Console) -> None:
    """The end is queued in the same transaction, and recorded later."""
    cookie, session = await console.sessions.begin(await console.sergeant())
    console.journal.down = True

    assert await console.sessions.end_all(session.principal.person) == 1

    assert await console.kinds() == ["session-ended"]
    with pytest.raises(SignInNeeded):
        await console.sessions.resume(cookie)


async def test_the_store_holds_no_cookie_and_no_form_token(console: Console) -> None:
    """Who reads the store finds a digest, which opens nothing."""
    cookie, _ = await console.sessions.begin(await console.sergeant())

    async with console.office.database.begin() as connection:
        rows = str((await connection.execute(text("SELECT * FROM console_sessions"))).all())

    assert hashlib.sha256(cookie.encode()).hexdigest() in rows
    assert cookie not in rows
    assert form_token(cookie) not in rows


@pytest.mark.parametrize("cookie", ["", "x", "A" * 42, "A" * 43, "A" * 44, "é" * 43, "a" * 100_000])
async def test_a_cookie_that_was_made_up_is_none(console: Console, cookie: str) -> None:
    """Neither of another form nor of the right one."""
    with pytest.raises(SignInNeeded):
        await console.sessions.resume(cookie)


@pytest.mark.parametrize("step", [IDLE, ABSOLUTE, -IDLE])
async def test_a_session_is_over_after_its_time_and_the_end_is_recorded(console: Console, step: timedelta) -> None:
    """Whether nothing was done, or too much time has passed, or the clock was set back."""
    cookie, _ = await console.sessions.begin(await console.sergeant())
    console.office.now += step

    with pytest.raises(SignInNeeded, match="signed out"):
        await console.sessions.resume(cookie)

    assert await console.kinds() == ["session-ended"]


async def test_whoever_goes_on_stays_signed_in_up_to_twelve_hours(console: Console) -> None:
    """Each request counts, and the absolute limit holds all the same."""
    cookie, _ = await console.sessions.begin(await console.sergeant())

    for _ in range(71):
        console.office.pass_time(minutes=10)
        await console.sessions.resume(cookie)
    console.office.pass_time(minutes=10)

    with pytest.raises(SignInNeeded, match="12 hours"):
        await console.sessions.resume(cookie)


async def test_a_page_that_is_only_live_keeps_nobody_signed_in(console: Console) -> None:
    """A stream looks whether the session is good, and is no activity."""
    cookie, _ = await console.sessions.begin(await console.sergeant())

    console.office.pass_time(minutes=14)
    await console.sessions.resume(cookie, seen=False)
    console.office.pass_time(minutes=1)

    with pytest.raises(SignInNeeded, match="15 minutes"):
        await console.sessions.resume(cookie, seen=False)


async def test_a_revoked_key_ends_its_session_at_the_next_request(console: Console) -> None:
    """In another process, too, and also where nobody comes back."""
    principal = await console.sergeant()
    cookie, _ = await console.sessions.begin(principal)
    other, _ = await console.sessions.begin(principal)
    await console.office.desk.revoke(principal.credential, reason="lost in a car")

    with pytest.raises(SignInNeeded, match="no longer good"):
        await console.sessions.resume(cookie)
    await console.sessions.sweep()

    assert await console.kinds() == ["session-ended", "session-ended"]
    with pytest.raises(SignInNeeded, match="Sign in"):
        await console.sessions.resume(other)


async def test_a_sign_in_replaces_the_session_whose_cookie_came_along(console: Console) -> None:
    """The value is always new: whoever planted one knows nothing afterwards."""
    principal = await console.sergeant()
    planted, _ = await console.sessions.begin(principal)

    cookie, _ = await console.sessions.begin(principal, replaces=planted)

    assert cookie != planted
    with pytest.raises(SignInNeeded):
        await console.sessions.resume(planted)


async def test_signing_out_everywhere_ends_ones_own_sessions_only(console: Console) -> None:
    """Nobody else is signed out."""
    mine = [(await console.sessions.begin(await console.sergeant()))[0] for _ in range(2)]
    other, _ = await console.sessions.begin(await console.sergeant("sergeant-10"))

    assert await console.sessions.end_all("sergeant-9") == 2

    for cookie in mine:
        with pytest.raises(SignInNeeded):
            await console.sessions.resume(cookie)
    assert (await console.sessions.resume(other)).principal.person == "sergeant-10"


async def test_an_end_is_recorded_once_however_many_processes_notice_it(console: Console) -> None:
    """Whoever removes the row writes the entry."""
    _, session = await console.sessions.begin(await console.sergeant())

    ended = [await console.sessions.end_all(session.principal.person) for _ in range(2)]

    assert ended == [1, 0]
    assert await console.kinds() == ["session-ended"]
