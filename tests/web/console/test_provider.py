"""People of an identity provider, at the running product: at the console, at the terminals' door, and signed out of both."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import pytest_asyncio
from yarl import URL

from proxy.clock import utc_now
from proxy.database import Database
from proxy.demo import docket
from proxy.escalation.roster import Shift
from proxy.escalation.roster_store import RosterStore
from proxy.identity.people import People
from tests.identity.idp import AUDIENCE, SECRET, Idp, serving
from tests.web.conftest import PERSON, PURPOSE, until
from tests.web.console.conftest import Sight

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import aiohttp

    from tests.web.console.conftest import Desk

pytestmark = pytest.mark.asyncio(loop_scope="session")

T = TypeVar("T")

HELD = "__Host-showcause-sign-in"
SESSION = "__Host-showcause"
OFFICER: Mapping[str, Any] = {
    "sub": "account-2",
    "badge": "badge-1001",
    "ori": "lakeview",
    "groups": ["pd-patrol"],
    "terminal": "car-12",
}
SERGEANT: Mapping[str, Any] = {
    "sub": "account-3",
    "sid": "session-3",
    "badge": "sergeant-77",
    "ori": "lakeview",
    "groups": ["pd-sergeants"],
}


@dataclass
class Jar:
    """A browser with its cookies, which follows nothing by itself."""

    base: str
    client: aiohttp.ClientSession
    cookies: dict[str, str]

    async def get(self, path: str, **more: str) -> tuple[int, str, str]:
        """Open a page; return status, where it leads, and its text."""
        headers = {
            "Accept": "text/html",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            **more,
        }
        url = URL(self.base + path, encoded=True)
        async with self.client.get(url, headers=headers, allow_redirects=False) as answer:
            for given in answer.headers.getall("Set-Cookie", []):
                name, _, value = given.partition(";")[0].partition("=")
                self.cookies[name] = value
                assert "; Path=/; Secure; HttpOnly; SameSite=Lax" in given
            return answer.status, answer.headers.get("Location", ""), await answer.text()


@dataclass
class Town:
    """The product, its provider, and a client."""

    desk: Desk
    idp: Idp

    def browser(self) -> Jar:
        """Return one in which nobody has signed in."""
        return Jar(self.desk.house.servers.console.url, self.desk.client, {})

    async def back(self, browser: Jar, **said: object) -> tuple[int, str, str]:
        """Go to the provider, sign in there, and come back."""
        self.idp.now, self.idp.said = utc_now(), dict(SERGEANT) | said
        _, there, _ = await browser.get("/sign-in/provider?next=/queue")
        return await browser.get("/sign-in/callback?" + urlencode(self.idp.sign_in(there, f"code-{len(self.idp.forms)}")))

    async def query(self, token: str) -> tuple[int, Mapping[str, str], bytes]:
        """Ask for a record with a token."""
        headers = {"Authorization": f"Bearer {token}", "Query-Purpose": PURPOSE}
        async with self.desk.client.get(f"{self.desk.house.door.url}/records/persons/{PERSON}", headers=headers) as answer:
            return answer.status, dict(answer.headers), await answer.read()

    async def escalate(self) -> dict[str, Any]:
        """Have an officer ask for the mayor by token."""
        headers = {
            "Authorization": f"Bearer {self.token()}",
            "Query-Purpose": f'code=C, case="{docket.PORCH}", statement="paint thrown at front porch, calling on residents"',
        }
        url = f"{self.desk.house.door.url}/records/persons?given_name=Eleanor&surname=Whitcombe&dob=1971-03-08"
        async with self.desk.client.get(url, headers=headers) as answer:
            told: dict[str, Any] = await answer.json()
        return told

    async def hand_on(self, browser: Jar, delegate: str) -> int:
        """Have whoever is signed in hand on their decisions for a day."""
        page = (await browser.get("/delegations"))[2]
        form = Sight(200, {}, page).hidden | {"delegate": delegate, "through": utc_now().date().isoformat()}
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        headers = {"Cookie": cookies, "Origin": "null", "Sec-Fetch-Site": "same-origin"}
        url = f"{browser.base}/delegations"
        async with browser.client.post(url, data=form, headers=headers, allow_redirects=False) as answer:
            return answer.status

    async def beside(self, work: Callable[[Database], Awaitable[T]]) -> T:
        """Do something with the store as another process does."""
        database = Database(self.desk.house.store)
        await database.open()
        try:
            return await work(database)
        finally:
            await database.close()

    async def until_deciders(self, *expected: str) -> None:
        """Wait until these supervisors are known, and no other, to every process on the store."""

        async def known(database: Database) -> None:
            people = People(database, clock=utc_now)
            await until(
                lambda: {each.person for each in people.holders(utc_now()) if each.role == "supervisor"} == set(expected)
            )

        await self.beside(known)

    async def put_on_duty(self, person: str) -> None:
        """Import a roster with one person."""
        shift = Shift(person=person, starts_at=utc_now(), ends_at=utc_now() + timedelta(hours=8))

        async def imported(database: Database) -> None:
            async with database.begin() as connection:
                await RosterStore(database).replace(connection, [shift])

        await self.beside(imported)

    async def logout(self, token: str, **more: str) -> int:
        """Send a logout token as a provider does."""
        url = f"{self.desk.house.servers.console.url}/oidc/logout"
        async with self.desk.client.post(url, data={"logout_token": token, **more}) as answer:
            return answer.status

    def token(self, **changes: object) -> str:
        """Return an officer's access token of this moment."""
        self.idp.now = utc_now()
        claims: dict[str, Any] = {**OFFICER, **changes}
        return self.idp.access(**claims)


@asynccontextmanager
async def town(
    desk_opened: Callable[..., AbstractAsyncContextManager[Desk]], folder: Path, **more: object
) -> AsyncIterator[Town]:
    """Run all of it."""
    secret = folder / "oidc.secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    async with serving() as idp:
        idp.discovery["end_session_endpoint"] = f"{idp.issuer}/session/end"
        section = {
            "issuer": idp.issuer,
            "client_id": "console",
            "client_secret": str(secret),
            "audience": AUDIENCE,
            "redirect": "http://127.0.0.1:8441/sign-in/callback",
            "claims": {"person": "badge", "agency": "ori", "groups": "groups", "terminal": "terminal"},
            "agencies": {"lakeview": "KY0429900"},
            "roles": {"pd-patrol": "patrol", "pd-sergeants": "supervisor"},
            **more,
        }
        async with desk_opened(more=f"\noidc: {json.dumps(section)}\n") as desk:
            idp.now = utc_now()
            yield Town(desk, idp)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(
    desk_opened: Callable[..., AbstractAsyncContextManager[Desk]], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    """One product; who is signed out in one specification is nobody in the others."""
    async with town(desk_opened, tmp_path_factory.mktemp("provider")) as opened:
        yield opened


async def test_people_come_from_the_provider_and_are_ended_by_it(running: Town) -> None:
    """There and back, a page, a query by token with its entry; then one logout token, and neither goes on."""
    browser = running.browser()
    _, _, page = await browser.get("/sign-in?next=/queue")
    assert "/sign-in/provider?next=/queue" in page
    assert 'name="key"' in page

    status, back, _ = await running.back(browser, sub="account-1", sid="session-1")
    assert (status, back) == (303, "/queue")
    assert (await browser.get("/queue"))[0] == 200
    assert browser.cookies[HELD] == ""

    token = running.token(sub="account-1")
    status, headers, body = await running.query(token)
    assert status == 200, body
    entry = running.desk.house.entries()[int(headers["Audit-Entry"].rpartition("/")[2])]
    assert entry.facts["methods"] == ["token", "pwd", "mfa"]

    assert await running.logout(running.idp.logout()) == 200
    assert (await running.query(token))[0] == 401
    assert (await browser.get("/queue"))[:2] == (303, "/sign-in?next=/queue")
    assert await running.logout(running.idp.logout()) == 400
    assert b"account-1" not in b"".join(path.read_bytes() for path in running.desk.house.store.parent.rglob("*.tile"))


async def test_no_way_round_the_provider(desk_opened: Callable[..., AbstractAsyncContextManager[Desk]], tmp_path: Path) -> None:
    """A callback without, with another's, or with an altered cookie; one twice; a weak sign-in: nobody gets a session."""
    async with town(desk_opened, tmp_path) as running:
        mine, theirs = running.browser(), running.browser()
        running.idp.said = dict(SERGEANT)
        _, there, _ = await theirs.get("/sign-in/provider")
        answer = "/sign-in/callback?" + urlencode(running.idp.sign_in(there))

        for held in ("", "x", "AAAA" * 40, theirs.cookies[HELD][:-4] + "AAAA"):
            mine.cookies[HELD] = held
            assert (await mine.get(answer))[0] == 401
        await mine.get("/sign-in/provider")
        assert (await mine.get(answer))[0] == 401
        assert (await mine.get(answer + "&state=x"))[0] == 401
        assert SESSION not in mine.cookies
        assert running.idp.forms == []

        kept = theirs.cookies[HELD]
        assert (await theirs.get(answer))[0] == 303
        theirs.cookies[HELD] = kept
        assert (await theirs.get(answer))[0] == 401

        status, _, page = await running.back(mine, amr=["pwd"])
        assert status == 401
        assert "second factor" in page
        assert (await running.back(mine, groups=["pd-janitors"]))[0] == 401
        assert SESSION not in mine.cookies


async def test_a_browser_is_sent_only_to_the_provider_and_back_to_us(running: Town) -> None:
    """Whatever a link says, the way leads to the provider's own address and then to a path of ours."""
    browser = running.browser()
    for aim in ("//evil.example", "https://evil.example", "/%5Cevil.example", "/queue%0d%0aX:%201"):
        _, there, _ = await browser.get(f"/sign-in/provider?next={aim}")
        assert urlsplit(there).netloc == urlsplit(running.idp.issuer).netloc
        running.idp.now, running.idp.said = utc_now(), dict(SERGEANT)
        status, back, _ = await browser.get("/sign-in/callback?" + urlencode(running.idp.sign_in(there, aim)))
        assert (status, back) == (303, "/")


async def test_with_keys_switched_off_the_provider_is_the_only_way(
    desk_opened: Callable[..., AbstractAsyncContextManager[Desk]], tmp_path: Path
) -> None:
    """No form for a key, and a good key is refused at both doors; a token and a sign-in are taken."""
    async with town(desk_opened, tmp_path, embedded_keys=False) as strict:
        browser = strict.browser()
        assert 'name="key"' not in (await browser.get("/sign-in"))[2]
        signing = strict.desk.stranger()
        assert (await signing.sign_in(strict.desk.keys["supervisor"])).status == 401
        assert (await strict.query(strict.desk.keys["officer"]))[0] == 401
        assert (await strict.query(strict.token()))[0] == 200
        assert (await strict.back(browser))[0] == 303


async def test_who_signs_out_is_shown_the_way_on_to_the_provider_and_no_link_signs_anybody_out(
    desk_opened: Callable[..., AbstractAsyncContextManager[Desk]], tmp_path: Path
) -> None:
    """The sign-out there is the provider's own, which asks; what leads to it ends nothing here and takes nothing along."""
    back = "http://127.0.0.1:8441/sign-in"
    async with town(desk_opened, tmp_path, after_logout=back) as running:
        browser = running.browser()
        assert (await running.back(browser))[0] == 303

        status, there, _ = await browser.get("/sign-in/leave?id_token_hint=x&post_logout_redirect_uri=https://evil.example")
        asked = parse_qs(urlsplit(there).query)
        assert (status, urlsplit(there).path) == (303, "/session/end")
        assert asked == {"client_id": ["console"], "post_logout_redirect_uri": [back]}
        assert (await browser.get("/queue"))[0] == 200

        left = (await running.browser().get("/sign-in?said=signed-out"))[2]
        assert 'href="/sign-in/leave"' in left
        assert 'href="/sign-in/leave"' not in (await running.browser().get("/sign-in"))[2]


async def test_who_may_decide_and_stand_in_is_known_by_the_provider_alone(
    desk_opened: Callable[..., AbstractAsyncContextManager[Desk]], tmp_path: Path
) -> None:
    """Without one key: who has signed in is told to the officer, pages nobody while on duty, and can be named a delegate."""
    async with town(desk_opened, tmp_path, embedded_keys=False) as strict:
        browser = strict.browser()
        await strict.back(browser, sub="account-4", badge="lieutenant-4", sid="session-4")
        assert (await strict.back(browser))[0] == 303
        await strict.until_deciders("sergeant-77", "lieutenant-4")
        await strict.put_on_duty("sergeant-77")

        told = await strict.escalate()
        assert told["escalation"]["deciders"] == {"roles": ["supervisor"], "persons": 2, "on_duty": 1}
        assert "on duty" not in told["detail"]

        status, _, page = await browser.get("/people")
        assert status == 200
        assert "lieutenant-4" in page
        assert await strict.hand_on(browser, "nobody-9") == 422
        assert await strict.hand_on(browser, "lieutenant-4") == 303

        await strict.back(browser, groups=["pd-patrol"])
        await strict.until_deciders("lieutenant-4")


async def test_a_token_that_is_too_old_is_told_what_would_do(running: Town) -> None:
    """401 with the challenge of RFC 9470, and an entry; a forged token is told that it is invalid, and no more."""
    yesterday = int((utc_now() - timedelta(days=1)).timestamp())
    status, headers, body = await running.query(running.token(auth_time=yesterday))
    assert (status, json.loads(body)["type"]) == (401, "/problems/authentication-insufficient")
    assert 'error="insufficient_user_authentication"' in headers["WWW-Authenticate"]
    assert 'max_age="43200"' in headers["WWW-Authenticate"]
    assert "Audit-Entry" in headers

    status, headers, body = await running.query(running.token(aud="console"))
    assert (status, json.loads(body)["type"]) == (401, "/problems/credential-invalid")
    assert 'error="invalid_token"' in headers["WWW-Authenticate"]


async def test_a_form_that_is_no_logout_signs_nobody_out(running: Town) -> None:
    """Two tokens, none, or one that anybody could write: 400, and everybody stays."""
    token = running.idp.logout(sub="account-2", sid=None, jti="logout-2")
    url = f"{running.desk.house.servers.console.url}/oidc/logout"
    for sent in ([("logout_token", token)] * 2, [("token", token)], [("logout_token", token + "x")]):
        async with running.desk.client.post(url, data=sent) as answer:
            assert answer.status == 400
    async with running.desk.client.get(url) as answer:
        assert answer.status == 405
    assert (await running.query(running.token()))[0] == 200
