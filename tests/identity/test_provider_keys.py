"""The provider's keys: found by name, followed when they change, and never a lever for whoever sends invented names."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from proxy.identity.claims import Reason, Unfit
from proxy.identity.discovery import ProviderTrouble
from proxy.identity.jwks import MAX_WAITING, IdentityProviderUnavailable, Keys
from proxy.identity.keyset import read_keys
from proxy.identity.options import ProviderOptions
from proxy.identity.provider import MAX_BYTES, Provider
from proxy.identity.token import Head
from proxy.settings.oidc import ALGORITHMS
from tests.identity.idp import EC, OTHER, RSA, Idp, public, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ONE = Head(kid="one", alg="RS256", typ="at+jwt")


def named(kid: str) -> Head:
    """Return the header of a token that names a key."""
    return Head(kid=kid, alg="RS256", typ="at+jwt")


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        """Begin long after zero, as a real one does."""
        self.now = 1000.0

    def __call__(self) -> float:
        """Return them."""
        return self.now


@asynccontextmanager
async def keys_of(idp: Idp, clock: Callable[[], float], *, between: float = 0.0, total: float = 5.0) -> AsyncIterator[Keys]:
    """Yield the keys of a provider that is asked over HTTP."""
    options = ProviderOptions(issuer=idp.issuer, ca=None, private_key=False, total_seconds=total)
    provider = Provider(options, monotonic=clock)
    await provider.open()
    keys = Keys(
        provider.keys,
        algorithms=frozenset(ALGORITHMS),
        fresh_seconds=300,
        stale_seconds=600,
        monotonic=clock,
        between_seconds=between,
    )
    try:
        yield keys
    finally:
        await keys.close()
        await provider.close()


@pytest.fixture
async def idp() -> AsyncIterator[Idp]:
    """A provider that listens."""
    async with serving() as opened:
        yield opened


async def test_many_tokens_wait_for_one_fetch(idp: Idp) -> None:
    """A hundred tokens with a key that is not known yet make one fetch, and all get their key."""
    async with keys_of(idp, Clock()) as keys:
        found = await asyncio.gather(*(keys.key(ONE) for _ in range(100)))

    assert len({key.mark for key in found}) == 1
    assert idp.journal.count("/jwks") == 1


async def test_one_of_those_who_wait_may_give_up(idp: Idp) -> None:
    """A client that goes away takes the fetch from nobody."""
    idp.gate.clear()
    async with keys_of(idp, Clock()) as keys:
        leaving, staying = (asyncio.create_task(keys.key(ONE)) for _ in range(2))
        await idp.asked.wait()
        leaving.cancel()
        idp.gate.set()
        assert (await staying).key.algorithm_name == "RS256"


async def test_a_flood_of_invented_names_is_a_fetch_now_and_then(idp: Idp) -> None:
    """Hundreds of names one after the other cost fetches by the clock, not by the name; known keys are answered meanwhile."""
    between, begun = 0.1, time.monotonic()
    async with keys_of(idp, time.monotonic, between=between) as keys:
        await keys.key(ONE)
        for wave in range(4):
            names = [named(f"invented-{wave}-{number}") for number in range(100)]
            refused = asyncio.gather(*(keys.key(name) for name in names), return_exceptions=True)
            fetched = idp.journal.count("/jwks")
            await keys.key(ONE)  # waits for nothing
            assert idp.journal.count("/jwks") == fetched
            assert {type(each) for each in await refused} == {Unfit}
        took = time.monotonic() - begun

    assert idp.journal.count("/jwks") <= 1 + took / between + 1


async def test_more_unknown_names_at_once_than_may_wait_are_refused(idp: Idp) -> None:
    """Memory is bounded: beyond the room they are turned away at once, and the fetch goes on for the others."""
    idp.gate.clear()
    async with keys_of(idp, Clock()) as keys:
        waiting = [asyncio.create_task(keys.key(ONE)) for _ in range(MAX_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(IdentityProviderUnavailable):
            await keys.key(ONE)
        idp.gate.set()
        await asyncio.gather(*waiting)


async def test_a_rotation_fails_nobody(idp: Idp) -> None:
    """A token signed by a key that the provider began to use a moment ago is good, also while names are being invented."""
    async with keys_of(idp, time.monotonic, between=0.05) as keys:
        await keys.key(ONE)
        flood = [asyncio.create_task(keys.key(named(f"invented-{number}"))) for number in range(50)]
        idp.published["new"] = public(OTHER, "RS256", "new")
        assert (await keys.key(named("new"))).key.algorithm_name == "RS256"
        assert (await keys.key(ONE)).key.algorithm_name == "RS256"
        await asyncio.gather(*flood, return_exceptions=True)


async def test_a_fetch_that_began_before_the_rotation_is_not_the_last_word(idp: Idp) -> None:
    """Who comes while an older answer is under way, and is not in it, has the provider asked once more."""
    asked = 0

    def older() -> web.StreamResponse:
        nonlocal asked
        asked += 1
        keys = [public(RSA, "RS256", "one")] + ([public(OTHER, "RS256", "new")] if asked > 1 else [])
        return web.json_response({"keys": keys})

    idp.answers["/jwks"] = older
    idp.gate.clear()
    clock = Clock()
    async with keys_of(idp, clock) as keys:
        first = asyncio.create_task(keys.key(ONE))
        await idp.asked.wait()
        clock.now += 1
        late = asyncio.create_task(keys.key(named("new")))
        await asyncio.sleep(0)
        idp.gate.set()
        assert (await first).key.algorithm_name == "RS256"
        assert (await late).key.algorithm_name == "RS256"
    assert asked == 2


async def test_a_key_that_is_taken_back_is_gone_once_the_keys_are_no_longer_fresh(idp: Idp) -> None:
    """The housekeeping fetches by the clock, so a revoked key proves nothing after five minutes."""
    clock = Clock()
    async with keys_of(idp, clock) as keys:
        mark = (await keys.key(ONE)).mark
        del idp.published["one"]
        clock.now += 299
        await keys.tend()
        assert keys.holds(("one", "RS256"), mark)
        clock.now += 1
        await keys.tend()

        assert not keys.holds(("one", "RS256"), mark)
        with pytest.raises(Unfit) as refused:
            await keys.key(ONE)
    assert refused.value.reason is Reason.KEY


async def test_while_the_provider_is_silent_its_last_keys_count_for_a_stated_time(idp: Idp) -> None:
    """Known keys prove tokens until fresh and stale time are over; a name that is not known cannot be told meanwhile."""
    clock = Clock()
    async with keys_of(idp, clock) as keys:
        mark = (await keys.key(ONE)).mark
        idp.down = True
        clock.now += 899
        await keys.tend()
        assert keys.trouble == "its JWKS answers with status 503"
        assert (await keys.key(ONE)).mark == mark
        with pytest.raises(IdentityProviderUnavailable):
            await keys.key(named("new"))

        clock.now += 1
        with pytest.raises(IdentityProviderUnavailable):
            await keys.key(ONE)
        assert not keys.holds(("one", "RS256"), mark)

        idp.down = False
        assert (await keys.key(ONE)).mark == mark
        assert keys.trouble == ""


async def test_a_slow_provider_holds_nobody_up_for_long(idp: Idp) -> None:
    """After the time that was set there is an answer: nobody can tell."""
    idp.gate.clear()
    begun = time.monotonic()
    async with keys_of(idp, time.monotonic, total=0.2) as keys:
        with pytest.raises(IdentityProviderUnavailable):
            await keys.key(ONE)
        assert keys.trouble == "its discovery document does not arrive within 0.2 s"
    assert time.monotonic() - begun < 2


def redirect() -> web.StreamResponse:
    """Lead elsewhere."""
    return web.Response(status=302, headers={"Location": "/jwks"})


def endless() -> web.StreamResponse:
    """Give ten megabytes of JSON."""
    return web.Response(body=b'{"keys": [' + b" " * (10 << 20) + b"]}", content_type="application/json")


def typed(body: bytes, content_type: str = "application/json") -> Callable[[], web.StreamResponse]:
    """Give some bytes."""
    return lambda: web.Response(body=body, content_type=content_type)


@pytest.mark.parametrize(
    ("path", "answer", "says"),
    [
        ("/jwks", redirect, "its JWKS answers with status 302"),
        ("/jwks", endless, f"its JWKS is larger than {MAX_BYTES} bytes"),
        ("/jwks", typed(b"{}", "text/html"), "its JWKS is not JSON by its Content-Type"),
        ("/jwks", typed(b"{"), "its JWKS is no JSON object with each key once"),
        ("/jwks", typed(b'{"keys": [], "keys": []}'), "its JWKS is no JSON object with each key once"),
        ("/jwks", typed(b'{"keys": {}}'), "its JWKS is no list of up to 64 keys"),
        ("/jwks", typed(b'{"keys": []}'), "its JWKS holds no key for a signature by one of oidc.algorithms"),
        ("/.well-known/openid-configuration", redirect, "its discovery document answers with status 302"),
        ("/.well-known/openid-configuration", endless, f"its discovery document is larger than {MAX_BYTES} bytes"),
        ("/.well-known/openid-configuration", typed(b"[]"), "its discovery document is no JSON object with each key once"),
    ],
)
async def test_what_is_no_answer_of_a_provider_gives_no_key(
    idp: Idp, path: str, answer: Callable[[], web.StreamResponse], says: str
) -> None:
    """No redirect is followed, nothing is read beyond the bound, and the operator is told what it was."""
    idp.answers[path] = answer
    async with keys_of(idp, Clock()) as keys:
        with pytest.raises(IdentityProviderUnavailable):
            await keys.key(ONE)

        assert keys.trouble == says
    assert idp.journal.count(path) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"issuer": "http://127.0.0.1:9"}, "another issuer"),
        ({"issuer": None}, "another issuer"),
        ({"jwks_uri": "http://keys.example.gov/jwks"}, "jwks_uri"),
        ({"jwks_uri": "https://user@keys.example.gov/jwks"}, "jwks_uri"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({"jwks_uri": None}, "jwks_uri"),
        ({"token_endpoint": "http://login.example.gov/token"}, "token_endpoint"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint"),
        ({"authorization_endpoint": "https://login.example.gov/auth#there"}, "authorization_endpoint"),
        ({"end_session_endpoint": "http://login.example.gov/end"}, "end_session_endpoint"),
        ({"response_types_supported": ["id_token"]}, "response_types_supported"),
        ({"code_challenge_methods_supported": ["plain"]}, "code_challenge_methods_supported"),
    ],
)
async def test_a_discovery_document_that_does_not_fit_is_not_believed(idp: Idp, changes: dict[str, object], says: str) -> None:
    """Another issuer, an endpoint that is not https, or no PKCE: the provider is not used, and the operator told why."""
    idp.discovery = changes
    provider = Provider(ProviderOptions(issuer=idp.issuer, ca=None, private_key=False), monotonic=Clock())
    await provider.open()
    with pytest.raises(ProviderTrouble, match=says):
        await provider.metadata()
    await provider.close()


async def test_a_client_with_a_key_of_its_own_needs_a_provider_that_takes_it(idp: Idp) -> None:
    """A provider that does not list private_key_jwt is told of before anybody has to sign in."""
    provider = Provider(ProviderOptions(issuer=idp.issuer, ca=None, private_key=True), monotonic=Clock())
    await provider.open()
    with pytest.raises(ProviderTrouble, match="private_key_jwt"):
        await provider.metadata()
    await provider.close()


async def test_what_the_provider_says_of_itself_is_kept_while_it_is_down(idp: Idp) -> None:
    """After an hour it is asked again; silence leaves what is known."""
    clock = Clock()
    provider = Provider(ProviderOptions(issuer=idp.issuer, ca=None, private_key=False), monotonic=clock)
    await provider.open()
    first = await provider.metadata()
    clock.now += 3601
    idp.down = True

    assert await provider.metadata() == first
    assert len(idp.journal) == 2
    await provider.close()


def small() -> dict[str, object]:
    """Return an RSA key that is too short to be believed."""
    return public(rsa.generate_private_key(65537, 1024), "RS256", "small")


def test_only_keys_that_sign_and_are_strong_are_read() -> None:
    """Keys for encryption, symmetric, private, short, nameless, or of another algorithm are passed over."""
    good = public(EC, "ES256", "good")
    one = public(RSA, "RS256", "x")
    others: list[object] = [
        {**one, "use": "enc"},
        {**one, "key_ops": ["encrypt"]},
        {**one, "key_ops": "verify"},
        {**one, "kid": None},
        {**one, "alg": "RSA-OAEP"},
        {**one, "n": "!"},
        {**one, "n": ""},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "x", "alg": "HS256"},
        {**one, "d": "c2VjcmV0"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "x"},
        {"kty": "EC", "crv": "P-521", "kid": "x"},
        {"kty": "nonsense", "kid": "x"},
        small(),
        "no key",
    ]
    read = read_keys(json.dumps({"keys": [good, *others]}).encode(), ALGORITHMS)

    assert set(read) == {("good", "ES256")}


def test_two_keys_of_one_name_are_none() -> None:
    """Which of them a token means cannot be told, so it means neither; the others are good."""
    keys = [public(RSA, "RS256", "one"), public(OTHER, "RS256", "one"), public(EC, "ES256", "one")]

    assert set(read_keys(json.dumps({"keys": keys}).encode(), ALGORITHMS)) == {("one", "ES256")}


def test_a_key_without_an_algorithm_is_for_those_of_its_kind_that_are_allowed() -> None:
    """An RSA key without alg proves RS256 and PS256, each as itself, when both are allowed."""
    one = {name: value for name, value in public(RSA, "RS256", "one").items() if name != "alg"}
    document = json.dumps({"keys": [one]}).encode()

    assert set(read_keys(document, ALGORITHMS)) == {("one", "RS256"), ("one", "PS256")}
    assert set(read_keys(document, ["PS256"])) == {("one", "PS256")}
