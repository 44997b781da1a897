"""The whole of it against a provider that others wrote: oidc-provider from npm, as a process of its own, over TLS."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from proxy.audit.outbox import Outbox
from proxy.audit.sealing import Sealer
from proxy.clock import utc_now
from proxy.database import Database
from proxy.identity.oidc import SignInRefused
from proxy.identity.people import People
from proxy.identity.principal import AuthenticationInsufficient, CredentialInvalid
from proxy.identity.service import Identities
from proxy.identity.sign_in import SignIn
from proxy.identity.tls import THUMBPRINT
from tests.identity.conftest import STORE_KEY, Authority
from tests.identity.idp import AUDIENCE, SECRET, options, public

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from proxy.identity.oidc import Login
    from tests.identity.conftest import Office

HERE = Path(__file__).parent / "provider"
REDIRECT = "http://127.0.0.1:8441/sign-in/callback"
CALLBACK = "http://127.0.0.1:8442/callback"
PEOPLE = {
    "account-1": {"badge": "badge-1", "ori": "MO0950000", "groups": ["pd-patrol"], "unit": "3A12", "terminal": "car-12"},
    "account-2": {"badge": "badge-2", "ori": "MO0950000", "groups": ["pd-janitors"], "terminal": "car-13"},
    "account-3": {"badge": "badge-3", "ori": "MO0950000", "groups": ["pd-sergeants"]},
}
ALL = "badge-1 patrol car-12 token+pwd+mfa"
CLIENT = ed25519.Ed25519PrivateKey.generate()


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The provider's packages, as the lock file has them."""
    folder = tmp_path_factory.mktemp("provider")
    for name in ("package.json", "package-lock.json", "server.mjs"):
        shutil.copy(HERE / name, folder)
    why = "needs node 20 or newer, npm, and a registry that answers: apt-get install nodejs npm"
    try:
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=240)
    except (OSError, subprocess.SubprocessError):
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(why)
    return folder


@dataclass
class Browser:
    """Cookies and redirects, as a browser has them; it stops at the first address of ours."""

    client: aiohttp.ClientSession

    async def walk(self, url: str, *, account: str, methods: str) -> dict[str, str]:
        """Sign in at the provider's form, and return the query of the redirect back to us."""
        form: dict[str, str] | None = None
        for _ in range(12):
            async with self.client.request("POST" if form else "GET", url, data=form, allow_redirects=False) as response:
                body = await response.text()
                form = None
                if response.status in {302, 303}:
                    url = urljoin(url, response.headers["Location"])
                    if url.startswith((REDIRECT, CALLBACK)):
                        return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
                    continue
                assert response.status == 200, body
                assert 'name="login"' in body
                form = {"login": account, "methods": methods}
        raise AssertionError("the provider leads round in circles")

    async def sign_out(self, url: str) -> None:
        """End the session at the provider, by the button that it shows."""
        async with self.client.get(url) as response:
            body = await response.text()
        action = re.search(r'action="([^"]+)"', body)
        secret = re.search(r'name="xsrf" value="([^"]+)"', body)
        assert action is not None
        assert secret is not None
        form = {"xsrf": secret[1], "logout": "yes"}
        async with self.client.post(urljoin(url, unescape(action[1])), data=form) as response:
            assert response.status == 200


@dataclass
class World:
    """A server of ours, and a browser."""

    sign_in: SignIn
    identities: Identities
    browser: Browser
    told: list[str]

    async def enter(self, account: str = "account-1", methods: str = "pwd mfa", *, again: bool = False) -> Login:
        """Sign in at the console."""
        url, transaction = await self.sign_in.login.begin("/", again=again)
        return await self.sign_in.login.finish(transaction, await self.browser.walk(url, account=account, methods=methods))

    async def token(self, client: str = "terminal", account: str = "account-1", methods: str = "pwd mfa") -> str:
        """Get an access token as a terminal does: a public client, PKCE, and the audience as resource (RFC 8707)."""
        metadata = await self.sign_in.provider.metadata()
        verifier = base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code", "client_id": client, "redirect_uri": CALLBACK, "scope": "openid query",
            "resource": AUDIENCE, "code_challenge": challenge, "code_challenge_method": "S256", "state": "s",
        }  # fmt: skip
        answer = await self.browser.walk(f"{metadata.authorization}?{urlencode(asked)}", account=account, methods=methods)
        form = {
            "grant_type": "authorization_code", "client_id": client, "code": answer["code"], "redirect_uri": CALLBACK,
            "code_verifier": verifier, "resource": AUDIENCE,
        }  # fmt: skip
        async with self.browser.client.post(metadata.token, data=form) as response:
            given = await response.json()
            assert response.status == 200, given
            return str(given["access_token"])

    async def ask(self, token: str, peer: Mapping[str, object] | None = None) -> str:
        """Ask with a token; return who that is."""
        principal = await self.identities.identify(f"Bearer {token}", peer or {}, utc_now())
        return f"{principal.person} {principal.role} {principal.terminal} {'+'.join(principal.methods)}"


@dataclass
class Process:
    """The provider's process, and the address at which it says that somebody was signed out."""

    issuer: str
    authority: Authority
    pair: Path
    listening: socket.socket


@pytest.fixture(scope="module")
def process(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Run the provider, over TLS, for all of these tests."""
    authority = Authority(tmp_path_factory.mktemp("tls"), "ours")
    pair, _ = authority.client("spiffe://pd.example/car/12")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        told = {
            "people": PEOPLE,
            "pair": str(authority.server()),
            "redirects": [REDIRECT, CALLBACK],
            "key": public(CLIENT, "EdDSA", "client"),
            "logout": f"http://127.0.0.1:{listening.getsockname()[1]}/oidc/logout",
        }
        command = ["node", "server.mjs", json.dumps(told)]
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, cwd=installed, text=True, **pipes) as running:
            assert running.stdout is not None
            issuer = running.stdout.readline().strip()
            assert issuer.startswith("https://127.0.0.1:")
            yield Process(issuer, authority, pair, listening)
            running.kill()


def thumbprint(process: Process) -> str:
    """Return that of the browser's certificate."""
    der = ssl.PEM_cert_to_DER_cert(process.pair.read_text().partition("-----BEGIN PRIVATE")[0])
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


@asynccontextmanager
async def world(process: Process, folder: Path, office: Office, **changes: object) -> AsyncIterator[World]:
    """Yield a server and a browser, which has a certificate too."""
    tls = ssl.create_default_context(cafile=process.authority.path)
    tls.load_cert_chain(process.pair)
    lines: list[str] = []
    async with AsyncExitStack() as stack:
        database = Database(office.database.path)
        await database.open()
        stack.push_async_callback(database.close)
        sign_in = SignIn(
            options(process.issuer, folder, ca=process.authority.path, redirect=REDIRECT, **changes),
            database=database,
            outbox=Outbox(database, Sealer(index_key=b"i" * 32, body_key=b"b" * 32), utc_now, os.urandom),
            clock=utc_now,
            monotonic=asyncio.get_running_loop().time,
            randomness=os.urandom,
            tell=lambda reason, said: lines.append(f"{reason}: {said}"),
        )
        stack.push_async_callback(sign_in.close)
        await sign_in.open()

        async def logout(request: web.BaseRequest) -> web.Response:
            await sign_in.back_channel.take(str((await request.post())["logout_token"]))
            return web.Response(status=200)

        runner = web.ServerRunner(web.Server(logout))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, process.listening.dup()).start()
        client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls), cookie_jar=aiohttp.CookieJar(unsafe=True))
        await stack.enter_async_context(client)
        identities = Identities(database=database, key=STORE_KEY, tokens=sign_in.tokens, people=sign_in.people, keys=False)
        yield World(sign_in, identities, Browser(client), lines)


async def test_people_sign_in_ask_and_are_signed_out(process: Process, tmp_path: Path, office: Office) -> None:
    """The console by code and PKCE, a terminal by its access token, and a logout at the provider that ends both."""
    async with world(process, tmp_path, office) as running:
        login = await running.enter()
        assert (login.principal.person, login.principal.role, login.principal.unit) == ("badge-1", "patrol", "3A12")
        assert (login.amr, login.sub, login.principal.terminal) == (("pwd", "mfa"), "account-1", "console")
        assert utc_now() - login.auth_time < timedelta(minutes=2)
        assert login.sid

        token = await running.token()
        assert await running.ask(token) == ALL
        assert await running.ask(token) == ALL

        leave = await running.sign_in.login.sign_out_url()
        assert leave is not None
        await running.browser.sign_out(leave)

        assert running.sign_in.login.ended(login)
        with pytest.raises(CredentialInvalid, match="signed out"):
            await running.ask(token)
        assert await office.queued() == ["identity-signed-out"]


async def test_the_provider_s_people_are_known_in_every_role_once_they_have_come(
    process: Process, tmp_path: Path, office: Office
) -> None:
    """By a sign-in at the console and by an access token; who was refused is nobody. Another process knows them too."""
    async with world(process, tmp_path, office) as running:
        await running.enter("account-3")
        running.browser.client.cookie_jar.clear()
        await running.ask(await running.token(account="account-1"))
        running.browser.client.cookie_jar.clear()
        with pytest.raises(SignInRefused):
            await running.enter("account-2")
        await running.sign_in.people.write()

        there = Identities(database=office.database, key=STORE_KEY, people=People(office.database, clock=utc_now), keys=False)
        for identities in (running.identities, there):
            found = {(each.person, each.role, each.agency) for each in identities.holders(utc_now())}
            assert found == {("badge-1", "patrol", "MO0950000"), ("badge-3", "supervisor", "MO0950000")}


async def test_a_new_sign_in_is_asked_for_and_given(process: Process, tmp_path: Path, office: Office) -> None:
    """With a session at the provider nobody types anything again, until a new sign-in is demanded."""
    async with world(process, tmp_path, office) as running:
        first = await running.enter()
        assert (await running.enter()).auth_time == first.auth_time
        assert (await running.enter(again=True)).auth_time >= first.auth_time


async def test_a_token_is_bound_to_the_certificate_it_came_by(process: Process, tmp_path: Path, office: Office) -> None:
    """The provider itself writes the thumbprint of the client's certificate; without that certificate the token is nobody's."""
    async with world(process, tmp_path, office) as running:
        token = await running.token("terminal-bound")
        mine = thumbprint(process)

        assert (await running.ask(token, {THUMBPRINT: mine})).startswith("badge-1 ")
        for peer in ({}, {THUMBPRINT: mine[::-1]}):
            with pytest.raises(CredentialInvalid, match="do not belong together"):
                await running.ask(token, peer)


async def test_who_comes_without_second_factor_or_group_is_refused(process: Process, tmp_path: Path, office: Office) -> None:
    """By the console and by token; the operator reads why, and no claim's value."""
    async with world(process, tmp_path, office) as running:
        with pytest.raises(SignInRefused, match="second factor"):
            await running.enter(methods="pwd")
        with pytest.raises(AuthenticationInsufficient):
            await running.ask(await running.token(methods="pwd"))
        running.browser.client.cookie_jar.clear()
        with pytest.raises(SignInRefused, match="identity desk"):
            await running.enter("account-2")
        assert running.told[-1] == "role: none of the 1 groups in claim groups is among oidc.roles"


async def test_a_client_with_a_key_and_ed25519_signatures(process: Process, tmp_path: Path, office: Office) -> None:
    """private_key_jwt at the token endpoint, ID tokens by EdDSA, access tokens by ES256."""
    pem = tmp_path / "client.pem"
    kind, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem.write_bytes(CLIENT.private_bytes(serialization.Encoding.PEM, kind, none))
    pem.chmod(0o600)
    changes: dict[str, object] = {"client_id": "console-key", "client_secret": None, "client_key": pem}
    async with world(process, tmp_path, office, **changes) as running:
        assert (await running.enter()).principal.person == "badge-1"
        assert await running.ask(await running.token("terminal-bound"), {THUMBPRINT: thumbprint(process)}) == ALL


async def test_an_id_token_of_the_provider_is_no_access_token(process: Process, tmp_path: Path, office: Office) -> None:
    """What a browser was given to sign in with opens no door of the terminals."""
    async with world(process, tmp_path, office) as running:
        url, transaction = await running.sign_in.login.begin("/")
        answer = await running.browser.walk(url, account="account-1", methods="pwd mfa")
        metadata = await running.sign_in.provider.metadata()
        form = {
            "grant_type": "authorization_code", "code": answer["code"], "redirect_uri": REDIRECT,
            "code_verifier": transaction.verifier,
        }  # fmt: skip
        basic = {"Authorization": aiohttp.encode_basic_auth("console", SECRET.replace(" ", "%20"))}
        async with running.browser.client.post(metadata.token, data=form, headers=basic) as response:
            given = await response.json()

        for token in (given["id_token"], given["access_token"]):
            with pytest.raises(CredentialInvalid):
                await running.ask(token)
