"""Signing in at the console: a code of ours for a token of ours, in the browser that asked, and nothing else."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization

from proxy.audit.outbox import Outbox
from proxy.audit.sealing import Sealer
from proxy.database import Database
from proxy.identity.claims import Reason
from proxy.identity.jwks import IdentityProviderUnavailable
from proxy.identity.logout import LogoutRefused
from proxy.identity.oidc import SignInRefused, Transaction
from proxy.identity.sign_in import SignIn
from proxy.tlog.errors import KeyUnusable
from tests.identity.idp import EC, ED, OTHER, RSA, SECRET, Idp, options, seconds, serving, signed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from proxy.identity.logout import LoggedOut
    from proxy.identity.oidc import Login
    from tests.identity.conftest import Office


@dataclass
class House:
    """A server that people sign in to, its provider, and what the operator was told."""

    idp: Idp
    sign_in: SignIn
    told: list[tuple[Reason, str]] = field(default_factory=list)

    async def enter(self, code: str = "code-1", *, again: bool = False) -> Login:
        """Sign in as a browser does."""
        url, transaction = await self.sign_in.login.begin("/queue", again=again)
        return await self.sign_in.login.finish(transaction, self.idp.sign_in(url, code))

    async def refused(self, transaction: Transaction, query: Mapping[str, str]) -> str:
        """Return what somebody is told whose sign-in is refused."""
        with pytest.raises(SignInRefused) as refusal:
            await self.sign_in.login.finish(transaction, query)
        return refusal.value.detail


@asynccontextmanager
async def housing(office: Office, idp: Idp, folder: Path, **changes: object) -> AsyncIterator[House]:
    """Yield a server over the store of ``office``, as another process has it."""
    database = Database(office.database.path)
    await database.open()
    outbox = Outbox(database, Sealer(index_key=b"i" * 32, body_key=b"b" * 32), lambda: idp.now, os.urandom)
    told: list[tuple[Reason, str]] = []
    sign_in = SignIn(
        options(idp.issuer, folder, **changes),
        database=database,
        outbox=outbox,
        clock=lambda: idp.now,
        monotonic=lambda: idp.now.timestamp() * 1000,
        randomness=os.urandom,
        tell=lambda *each: told.append(each),
    )
    try:
        await sign_in.open()
        yield House(idp, sign_in, told)
    finally:
        await sign_in.close()
        await database.close()


@pytest.fixture
async def idp() -> AsyncIterator[Idp]:
    """A provider that listens."""
    async with serving() as opened:
        yield opened


@pytest.fixture
async def house(office: Office, idp: Idp, tmp_path: Path) -> AsyncIterator[House]:
    """A server that people sign in to."""
    async with housing(office, idp, tmp_path) as opened:
        yield opened


async def test_a_sign_in_becomes_the_person_that_the_claims_map_to(house: House) -> None:
    """Who signed in, when, how, and in which session of the provider: from the ID token, at the terminal ``console``."""
    login = await house.enter()

    assert (login.principal.person, login.principal.agency, login.principal.role) == ("badge-1", "MO0950000", "patrol")
    assert (login.principal.terminal, login.principal.methods) == ("console", ("oidc", "pwd", "mfa"))
    assert login.auth_time == login.principal.authenticated_at == house.idp.now - timedelta(seconds=60)
    assert (login.amr, login.sid, login.sub) == (("pwd", "mfa"), "session-1", "account-1")
    assert not house.sign_in.login.ended(login)


async def test_the_browser_is_sent_with_what_protects_the_answer(house: House) -> None:
    """Code, S256 challenge, state, nonce and the oldest sign-in that would do; the verifier stays here."""
    url, transaction = await house.sign_in.login.begin("/queue")
    asked = parse_qs(urlsplit(url).query)

    assert url.startswith(f"{house.idp.issuer}/auth?")
    assert (asked["response_type"], asked["code_challenge_method"], asked["max_age"]) == (["code"], ["S256"], ["43200"])
    assert (asked["state"], asked["nonce"]) == ([transaction.state], [transaction.nonce])
    assert transaction.verifier not in url
    assert len({transaction.state, transaction.nonce, transaction.verifier}) == 3
    assert min(map(len, (transaction.state, transaction.nonce, transaction.verifier))) == 43


async def test_the_client_proves_itself_by_its_secret(house: House) -> None:
    """The secret goes as Basic credentials, form-encoded, and not in the form; the verifier goes along."""
    await house.enter()

    [form] = house.idp.forms
    assert form["authorization"].startswith("Basic ")
    assert "client_secret" not in form
    assert len(form["code_verifier"]) == 43


async def test_a_provider_without_basic_gets_the_secret_in_the_form(house: House) -> None:
    """Where the discovery document lists client_secret_post alone."""
    house.idp.discovery = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    await house.enter()

    [form] = house.idp.forms
    assert (form["client_id"], form["client_secret"], form["authorization"]) == ("console", SECRET, "")


@pytest.mark.parametrize(("key", "alg"), [(RSA, "PS256"), (EC, "ES256"), (ED, "EdDSA")])
async def test_the_client_proves_itself_by_a_key(office: Office, idp: Idp, tmp_path: Path, key: Any, alg: str) -> None:
    """An assertion for this provider, good for a minute, with an id of its own."""
    idp.discovery = {"token_endpoint_auth_methods_supported": ["private_key_jwt"]}
    pem = tmp_path / "client.pem"
    kind, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem.write_bytes(key.private_bytes(serialization.Encoding.PEM, kind, none))
    pem.chmod(0o600)
    async with housing(office, idp, tmp_path, client_secret=None, client_key=pem) as house:
        await house.enter()

    [form] = idp.forms
    claims = jwt.decode(
        form["client_assertion"],
        key.public_key(),
        [alg],
        audience=idp.issuer,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert (claims["iss"], claims["sub"], claims["exp"] - claims["iat"]) == ("console", "console", 60)
    assert len(claims["jti"]) == 32


@pytest.mark.parametrize(
    "return_to", ["//evil.example", "/\\evil.example", "https://evil.example", "", "javascript:x", "/a\r\nb"]
)
async def test_nobody_is_sent_on_to_another_site(house: House, return_to: str) -> None:
    """What is no path of ours becomes the first page."""
    assert (await house.sign_in.login.begin(return_to))[1].return_to == "/"
    assert (await house.sign_in.login.begin("/queue?state=pending"))[1].return_to == "/queue?state=pending"


async def test_a_transaction_is_kept_as_text(house: House) -> None:
    """What is written is read back as it was."""
    _, transaction = await house.sign_in.login.begin("/queue", again=True)

    assert Transaction.load(transaction.dump()) == transaction


async def test_an_answer_of_another_browser_is_refused(house: House) -> None:
    """State ties the answer to the browser that asked: a victim cannot be signed in as somebody else."""
    _, mine = await house.sign_in.login.begin("/")
    url, _ = await house.sign_in.login.begin("/")
    theirs = house.idp.sign_in(url)

    assert "another sign-in" in await house.refused(mine, theirs)
    assert "another sign-in" in await house.refused(mine, {name: value for name, value in theirs.items() if name != "state"})
    assert house.idp.forms == []


async def test_an_injected_code_is_of_no_use(house: House) -> None:
    """Somebody else's code, put into an answer with the right state, fails at the provider for want of its verifier."""
    url, _ = await house.sign_in.login.begin("/")
    stolen = house.idp.sign_in(url, "stolen")
    url, mine = await house.sign_in.login.begin("/")
    answer = house.idp.sign_in(url, "mine") | {"code": stolen["code"]}

    assert "did not confirm" in await house.refused(mine, answer)


async def test_a_token_of_another_sign_in_is_refused(house: House) -> None:
    """Should a provider not check the verifier, the nonce tells (OIDC Core section 3.1.3.7)."""
    house.idp.said = {"nonce": "another"}
    url, transaction = await house.sign_in.login.begin("/")

    await house.refused(transaction, house.idp.sign_in(url))

    assert house.told == [(Reason.CLAIMS, "nonce is not that of this sign-in")]


@pytest.mark.parametrize("issuer", ["https://evil.example", "", None])
async def test_an_answer_that_names_another_provider_is_refused_first(house: House, issuer: str | None) -> None:
    """Mix-up: the code goes to nobody (RFC 9207); nor does one without an issuer, where the provider always names it."""
    url, transaction = await house.sign_in.login.begin("/")
    answer = {name: value for name, value in (house.idp.sign_in(url) | {"iss": issuer}).items() if value is not None}

    assert "another identity provider" in await house.refused(transaction, answer)
    assert house.idp.forms == []


async def test_a_provider_that_never_names_itself_need_not(house: House) -> None:
    """Without support for RFC 9207 an answer may lack the issuer; one that names another is refused all the same."""
    house.idp.discovery = {"authorization_response_iss_parameter_supported": False}
    url, transaction = await house.sign_in.login.begin("/")
    answer = house.idp.sign_in(url)
    assert "another" in await house.refused(transaction, answer | {"iss": "https://evil.example"})
    del answer["iss"]

    assert (await house.sign_in.login.finish(transaction, answer)).principal.person == "badge-1"


async def test_a_sign_in_is_completed_once(house: House) -> None:
    """The same answer a second time, as from the browser's history, is refused without asking the provider."""
    url, transaction = await house.sign_in.login.begin("/")
    answer = house.idp.sign_in(url)
    await house.sign_in.login.finish(transaction, answer)

    assert "completed before" in await house.refused(transaction, answer)
    assert len(house.idp.forms) == 1


async def test_a_sign_in_may_take_ten_minutes(house: House) -> None:
    """After that, and with a clock set back, it begins anew."""
    url, transaction = await house.sign_in.login.begin("/")
    answer = house.idp.sign_in(url)
    house.idp.pass_time(minutes=10)
    assert "too long" in await house.refused(transaction, answer)
    house.idp.pass_time(minutes=-11)
    assert "too long" in await house.refused(transaction, answer)


async def test_who_is_turned_away_by_the_provider_is_told_so(house: House) -> None:
    """The provider's own words are not repeated: anybody can put some into a link."""
    url, transaction = await house.sign_in.login.begin("/")
    answer = house.idp.sign_in(url) | {"error": "access_denied", "error_description": "<script>"}

    assert "script" not in await house.refused(transaction, answer)
    assert "did not sign you in" in await house.refused(transaction, {"state": transaction.state, "iss": house.idp.issuer})


WRONG: Sequence[tuple[dict[str, object], Reason]] = (
    ({"aud": "another"}, Reason.AUDIENCE),
    ({"aud": ["console", "another"]}, Reason.AUDIENCE),
    ({"azp": "another"}, Reason.AUDIENCE),
    ({"iss": "https://evil.example"}, Reason.ISSUER),
    ({"at_hash": "AAAA"}, Reason.CLAIMS),
    ({"nonce": None}, Reason.CLAIMS),
    ({"exp": 0}, Reason.EXPIRED),
    ({"auth_time": None}, Reason.CLAIMS),
    ({"sub": None}, Reason.CLAIMS),
    ({"amr": ["pwd"]}, Reason.INSUFFICIENT),
    ({"auth_time": 1}, Reason.INSUFFICIENT),
    ({"ori": "XX0000000"}, Reason.AGENCY),
    ({"groups": []}, Reason.ROLE),
    ({"badge": "dana.hale@example.gov"}, Reason.PERSON),
)


async def test_an_id_token_that_does_not_hold_signs_nobody_in(house: House) -> None:
    """Each has its reason for the operator, which holds nothing of the token."""
    for number, (said, reason) in enumerate(WRONG):
        house.idp.said = said
        url, transaction = await house.sign_in.login.begin("/")

        await house.refused(transaction, house.idp.sign_in(url, f"code-{number}"))

        told, words = house.told.pop()
        assert (said, told) == (said, reason)
        assert "account-1" not in words
        assert "dana" not in words


@pytest.mark.parametrize("forged", ["signature", "access token", "nothing", "type"])
async def test_what_is_no_id_token_of_the_provider_signs_nobody_in(house: House, forged: str) -> None:
    """A token by another key, an access token in its place, none at all, or one of another type."""
    url, transaction = await house.sign_in.login.begin("/")
    claims = house.idp.id_claims(transaction.nonce)
    made: dict[str, dict[str, object]] = {
        "signature": {"id_token": signed(claims, key=OTHER, kid="one", typ="JWT"), "token_type": "Bearer"},
        "access token": {"id_token": house.idp.access(aud="console", nonce=transaction.nonce), "token_type": "Bearer"},
        "nothing": {"token_type": "Bearer"},
        "type": {"id_token": signed(claims, kid="one", typ="JWT"), "token_type": "DPoP"},
    }
    house.idp.answers["/token"] = lambda: web.json_response(made[forged])

    await house.refused(transaction, house.idp.sign_in(url))


async def test_a_new_sign_in_is_one(house: House) -> None:
    """Where the person has to prove themselves anew, a session of the provider that goes on does not do."""
    url, transaction = await house.sign_in.login.begin("/", again=True)
    asked = parse_qs(urlsplit(url).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["0"])

    await house.refused(transaction, house.idp.sign_in(url))
    assert [reason for reason, _ in house.told] == [Reason.INSUFFICIENT]

    house.idp.said = {"auth_time": seconds(house.idp.now)}
    assert (await house.enter(again=True)).auth_time == house.idp.now


async def test_while_the_provider_is_down_nobody_signs_in(house: House) -> None:
    """That is said as what it is, and changes nothing for those who are signed in."""
    login = await house.enter()
    house.idp.down = True
    url, transaction = await house.sign_in.login.begin("/")  # what it says of itself is kept
    assert "did not confirm" in await house.refused(transaction, house.idp.sign_in(url, "code-2"))
    assert not house.sign_in.login.ended(login)


async def test_a_provider_that_never_answered_begins_no_sign_in(house: House) -> None:
    """There is nowhere to send the browser."""
    house.idp.down = True
    with pytest.raises(IdentityProviderUnavailable):
        await house.sign_in.login.begin("/")


@pytest.mark.parametrize("content", [b"", b"two\nlines", b"\xff"])
async def test_a_secret_that_is_none_stops_the_start(office: Office, idp: Idp, tmp_path: Path, content: bytes) -> None:
    """The file is named, its content is not."""
    secret = tmp_path / "other.secret"
    secret.write_bytes(content)
    secret.chmod(0o600)
    with pytest.raises(KeyUnusable, match="other"):
        async with housing(office, idp, tmp_path, client_secret=secret):
            pass


async def test_a_logout_ends_the_session_and_every_token_until_then(house: House, office: Office) -> None:
    """The console's login is ended, an access token issued until then is refused, one issued later is good; it is an entry."""
    login = await house.enter()
    heard: list[LoggedOut] = []

    async def hear(logged_out: LoggedOut) -> None:
        assert house.sign_in.login.ended(login)  # the store has it before anybody is told
        heard.append(logged_out)

    house.sign_in.back_channel.subscribe(hear)
    await house.sign_in.back_channel.take(house.idp.logout())

    assert [(each.sub, each.sid) for each in heard] == [("account-1", "session-1")]
    assert house.sign_in.login.ended(login)
    assert await office.queued() == ["identity-signed-out"]
    assert house.sign_in.denylist.refuses(
        account="account-1", person="badge-1", issued_at=house.idp.now, signed_in_at=house.idp.now
    )
    house.idp.pass_time(seconds=61)
    assert not house.sign_in.login.ended(await house.enter("code-2"))


async def test_a_logout_holds_in_every_process(house: House, office: Office, tmp_path: Path) -> None:
    """Another server over the same store knows at its next question."""
    async with housing(office, house.idp, tmp_path) as other:
        login = await other.enter()
        assert not other.sign_in.login.ended(login)

        await house.sign_in.back_channel.take(house.idp.logout(sub=None))

        assert other.sign_in.login.ended(login)


async def test_a_logout_token_is_used_once_in_whatever_process(house: House, office: Office, tmp_path: Path) -> None:
    """A recorded token does not sign people out again after they came back."""
    token = house.idp.logout()
    await house.sign_in.back_channel.take(token)
    async with housing(office, house.idp, tmp_path) as other:
        with pytest.raises(LogoutRefused):
            await other.sign_in.back_channel.take(token)

        assert other.told == [(Reason.REPLAYED, "logout token: it was used before")]
    assert await office.queued() == ["identity-signed-out"]


FORGED: Sequence[tuple[dict[str, Any], Reason]] = (
    ({"iss": "https://evil.example"}, Reason.ISSUER),
    ({"aud": "another"}, Reason.AUDIENCE),
    ({"nonce": "n"}, Reason.TYPE),
    ({"events": None}, Reason.TYPE),
    ({"events": {"http://schemas.openid.net/event/other": {}}}, Reason.TYPE),
    ({"events": {"http://schemas.openid.net/event/backchannel-logout": True}}, Reason.TYPE),
    ({"typ": "at+jwt"}, Reason.TYPE),
    ({"kid": "two"}, Reason.KEY),
    ({"sub": None, "sid": None}, Reason.CLAIMS),
    ({"sid": ""}, Reason.CLAIMS),
    ({"jti": None}, Reason.CLAIMS),
    ({"iat": None}, Reason.CLAIMS),
    ({"iat": 1 << 33}, Reason.EARLY),
    ({"iat": 1}, Reason.EXPIRED),
    ({"exp": 1}, Reason.EXPIRED),
)


async def test_a_logout_token_that_does_not_hold_ends_nothing(house: House) -> None:
    """Whoever could forge one could throw every officer out in the middle of a stop."""
    login = await house.enter()

    for changes, reason in FORGED:
        with pytest.raises(LogoutRefused):
            await house.sign_in.back_channel.take(house.idp.logout(**changes))

        assert (changes, house.told.pop()[0]) == (changes, reason)
    assert not house.sign_in.login.ended(login)


async def test_an_id_token_signs_nobody_out(house: House) -> None:
    """Anybody who signs in has one."""
    with pytest.raises(LogoutRefused):
        await house.sign_in.back_channel.take(signed(house.idp.id_claims("n"), kid="one", typ="JWT"))


async def test_what_is_over_is_forgotten(house: House) -> None:
    """The list does not grow for ever: a later logout drops rows of which nothing could be presented any more."""
    login = await house.enter()
    await house.sign_in.back_channel.take(house.idp.logout())
    house.idp.pass_time(days=2)
    await house.sign_in.back_channel.take(house.idp.logout(jti="logout-2", sub="account-2", sid=None))

    assert set(house.sign_in.denylist._load()) == {
        (mark, at) for mark, at in house.sign_in.denylist._load() if at == house.idp.now
    }
    assert not house.sign_in.login.ended(login)  # its session has been over for long, by the console's own limit


async def test_an_older_logout_takes_nothing_back(house: House) -> None:
    """Logout tokens that arrive in another order leave the latest time."""
    earlier = house.idp.logout()
    house.idp.pass_time(seconds=20)
    await house.sign_in.back_channel.take(house.idp.logout(jti="logout-2"))
    await house.sign_in.back_channel.take(earlier)

    assert house.sign_in.denylist.refuses(
        account="account-1", person="badge-1", issued_at=house.idp.now, signed_in_at=house.idp.now
    )
