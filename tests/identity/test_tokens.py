"""Access tokens at the doors: what one has to be, and everything that is not one."""

from __future__ import annotations

import base64
import hmac
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from proxy.database import Database
from proxy.identity.claims import Reason, Unfit
from proxy.identity.denylist import Denylist, Of
from proxy.identity.jwks import Keys
from proxy.identity.people import People
from proxy.identity.principal import AuthenticationInsufficient, CredentialInvalid
from proxy.identity.service import Identities
from proxy.identity.tls import THUMBPRINT
from proxy.identity.token import head_of, token_of
from proxy.identity.tokens import Tokens
from proxy.settings.oidc import ALGORITHMS
from proxy.web.problems import render
from tests.identity import idp as provider
from tests.identity.conftest import STORE_KEY, holder
from tests.identity.idp import EC, ED, OTHER, RSA, Idp, options, public, sealed, signed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from proxy.identity.principal import Principal
    from tests.identity.conftest import Office


@dataclass
class Door:
    """The identities of a server that takes tokens, over the store that the desk of ``office`` writes."""

    idp: Idp
    identities: Identities
    denylist: Denylist
    fetches: list[int] = field(default_factory=list)
    told: list[tuple[Reason, str]] = field(default_factory=list)

    async def ask(self, token: str, peer: Mapping[str, Any] | None = None) -> Principal:
        """Return whose token it is."""
        return await self.identities.identify(f"Bearer {token}", peer or {}, self.idp.now)

    async def refusal(self, token: str, peer: Mapping[str, Any] | None = None) -> Reason:
        """Return why a token is not taken; neither the terminal nor the operator is told anything that it holds."""
        with pytest.raises((CredentialInvalid, AuthenticationInsufficient)) as refused:
            await self.ask(token, peer)
        reason, said = self.told.pop()
        for secret in ("account-1", "badge-1", "token-1", "pd-", token):
            assert secret not in said
            assert secret not in refused.value.detail
        return reason


@asynccontextmanager
async def door(office: Office, folder: Path, *, keys: bool = True, **changes: object) -> AsyncIterator[Door]:
    """Yield a door that knows the provider's keys."""
    idp = Idp(port=8)
    rules = options(idp.issuer, folder, **changes).rules
    made: list[Door] = []

    async def fetch() -> bytes:
        made[0].fetches.append(1)
        return json.dumps({"keys": list(idp.published.values())}).encode()

    source = Keys(
        fetch,
        algorithms=rules.algorithms,
        fresh_seconds=300,
        stale_seconds=60,
        monotonic=lambda: idp.now.timestamp(),  # noqa: PLW0108 -- its clock is moved
        between_seconds=0,
    )
    database = Database(office.database.path)
    await database.open()
    denylist = Denylist(database)
    told: list[tuple[Reason, str]] = []
    tokens = Tokens(
        keys=source,
        rules=rules,
        denylist=denylist,
        people=People(database, clock=lambda: idp.now),
        tell=lambda *each: told.append(each),
    )
    identities = Identities(database=database, key=STORE_KEY, tokens=tokens, keys=keys)
    made.append(Door(idp=idp, identities=identities, denylist=denylist, told=told))
    yield made[0]
    await source.close()
    await database.close()


@pytest.fixture
async def taking(office: Office, tmp_path: Path) -> AsyncIterator[Door]:
    """A door that takes keys and tokens."""
    async with door(office, tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(("kid", "key", "alg"), [("one", RSA, "RS256"), ("ec", EC, "ES256"), ("ed", ED, "EdDSA")])
async def test_a_token_becomes_the_person_that_its_claims_map_to(taking: Door, kid: str, key: Any, alg: str) -> None:
    """Person, agency, role, unit and terminal come from the mapped claims; how and when they signed in comes along."""
    principal = await taking.ask(taking.idp.access(kid=kid, key=key, alg=alg))

    assert (principal.person, principal.agency, principal.role) == ("badge-1", "MO0950000", "patrol")
    assert (principal.unit, principal.terminal) == ("3A12", "car-12")
    assert principal.methods == ("token", "pwd", "mfa")
    assert principal.authenticated_at == taking.idp.now - timedelta(seconds=60)
    assert principal.credential.startswith("at-")


async def test_the_same_token_has_the_same_credential_and_another_has_not(taking: Door) -> None:
    """What the log calls the credential tells one token from another without holding any of it."""
    first = await taking.ask(taking.idp.access())
    again = await taking.ask(taking.idp.access())
    other = await taking.ask(taking.idp.access(jti="token-2"))

    assert first.credential == again.credential != other.credential
    assert "token-1" not in first.credential


def at(idp: Idp, **kwargs: float) -> int:
    """Return a moment from now, as claims have it."""
    return provider.seconds(idp.now + timedelta(**kwargs))


def confused(idp: Idp) -> str:
    """Return a token signed symmetrically, with the public key as the secret (CVE-2015-9235)."""
    secret = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    signing = sealed({"alg": "HS256", "typ": "at+jwt", "kid": "one"}, idp.claims()).rpartition(".")[0]
    return f"{signing}.{sealed({}, b'', hmac.digest(secret, signing.encode(), 'sha256')).rpartition('.')[2]}"


def exchanged(one: str, other: str) -> str:
    """Return one token with the other's claims."""
    head, _, signature = one.split(".")
    return ".".join((head, other.split(".")[1], signature))


def twice(idp: Idp) -> str:
    """Return a token that names the person twice."""
    return signed(json.dumps(idp.claims()).encode()[:-1] + b', "badge": "badge-2"}', kid="one", typ="at+jwt")


HOSTILE: Mapping[str, tuple[Reason, Callable[[Idp], str]]] = {
    "alg none": (Reason.ALGORITHM, lambda idp: sealed({"alg": "none", "typ": "at+jwt", "kid": "one"}, idp.claims())),
    "alg None": (Reason.ALGORITHM, lambda idp: sealed({"alg": "nOnE", "typ": "at+jwt", "kid": "one"}, idp.claims())),
    "no alg": (Reason.ALGORITHM, lambda idp: sealed({"typ": "at+jwt", "kid": "one"}, idp.claims(), b"x")),
    "alg in a list": (Reason.ALGORITHM, lambda idp: sealed({"alg": ["RS256"], "kid": "one"}, idp.claims(), b"x")),
    "HS256 with the public key": (Reason.ALGORITHM, confused),
    "RS512, not allowed": (Reason.ALGORITHM, lambda idp: idp.access(alg="RS512")),
    "PS256 by a key for RS256": (Reason.KEY, lambda idp: idp.access(alg="PS256")),
    "ES256 named, signed by RSA": (
        Reason.SIGNATURE,
        lambda idp: sealed({"alg": "ES256", "typ": "at+jwt", "kid": "ec"}, idp.claims(), b"x" * 256),
    ),
    "no signature": (Reason.SIGNATURE, lambda idp: idp.access().rpartition(".")[0] + "."),
    "another key's signature": (Reason.SIGNATURE, lambda idp: idp.access(key=OTHER)),
    "claims exchanged": (Reason.SIGNATURE, lambda idp: exchanged(idp.access(), idp.access(sub="account-2"))),
    "wrong kid": (Reason.KEY, lambda idp: idp.access(kid="two")),
    "no kid": (Reason.KEY, lambda idp: signed(idp.claims(), typ="at+jwt")),
    "kid with a path": (Reason.KEY, lambda idp: idp.access(kid="../../etc/ passwd")),
    "kid of another algorithm": (Reason.KEY, lambda idp: idp.access(kid="ec")),
    "brings its key": (
        Reason.KEY,
        lambda idp: signed(idp.claims(), key=OTHER, kid="one", typ="at+jwt", jwk=public(OTHER, "RS256", "one")),
    ),
    "says where its keys are": (
        Reason.KEY,
        lambda idp: signed(idp.claims(), key=OTHER, kid="one", typ="at+jwt", jku="http://127.0.0.1:9/jwks"),
    ),
    "says where its certificate is": (
        Reason.KEY,
        lambda idp: signed(idp.claims(), key=OTHER, kid="one", typ="at+jwt", x5u="http://127.0.0.1:9/pem"),
    ),
    "brings its certificate": (
        Reason.KEY, lambda idp: signed(idp.claims(), key=OTHER, kid="one", typ="at+jwt", x5c=["MII="]),
    ),
    "critical header": (Reason.KEY, lambda idp: sealed({"alg": "RS256", "kid": "one", "crit": ["b64"]}, idp.claims())),
    "header twice": (
        Reason.MALFORMED, lambda idp: "eyJhbGciOiJSUzI1NiIsImFsZyI6Im5vbmUifQ." + idp.access().partition(".")[2],
    ),
    "claim twice": (Reason.MALFORMED, twice),
    "claims are a list": (Reason.MALFORMED, lambda _idp: signed(b"[]", kid="one", typ="at+jwt")),
    "claims hold NaN": (Reason.MALFORMED, lambda _idp: signed(b'{"exp": NaN}', kid="one", typ="at+jwt")),
    "an ID token": (Reason.TYPE, lambda idp: signed(idp.id_claims("nonce"), kid="one", typ="JWT")),
    "an ID token called access token": (Reason.TYPE, lambda idp: idp.access(nonce="nonce")),
    "a logout token": (Reason.TYPE, lambda idp: idp.logout()),
    "no typ": (Reason.TYPE, lambda idp: signed(idp.claims(), kid="one")),
    "another issuer": (Reason.ISSUER, lambda idp: idp.access(iss="http://127.0.0.1:9")),
    "issuer with a slash": (Reason.ISSUER, lambda idp: idp.access(iss=f"{idp.issuer}/")),
    "issuers in a list": (Reason.ISSUER, lambda idp: idp.access(iss=[idp.issuer])),
    "another audience": (Reason.AUDIENCE, lambda idp: idp.access(aud="https://mail.example")),
    "no audience": (Reason.AUDIENCE, lambda idp: idp.access(aud=None)),
    "audience that begins alike": (Reason.AUDIENCE, lambda idp: idp.access(aud=f"{provider.AUDIENCE}.evil.example")),
    "made out to the client": (Reason.AUDIENCE, lambda idp: idp.access(aud="console")),
    "expired": (Reason.EXPIRED, lambda idp: idp.access(iat=at(idp, hours=-1), exp=at(idp, seconds=-31))),
    "not yet valid": (Reason.EARLY, lambda idp: idp.access(nbf=at(idp, seconds=31))),
    "issued in the future": (Reason.EARLY, lambda idp: idp.access(iat=at(idp, seconds=31), exp=at(idp, seconds=600))),
    "signed in in the future": (Reason.EARLY, lambda idp: idp.access(auth_time=at(idp, seconds=31))),
    "good for a year": (Reason.LIFETIME, lambda idp: idp.access(exp=at(idp, days=365))),
    "no expiry": (Reason.CLAIMS, lambda idp: idp.access(exp=None)),
    "expiry is true": (Reason.CLAIMS, lambda idp: idp.access(exp=True)),
    "expiry is text": (Reason.CLAIMS, lambda idp: idp.access(exp="4102444800")),
    "expiry beyond all calendars": (Reason.CLAIMS, lambda idp: idp.access(exp=10**15)),
    "no iat": (Reason.CLAIMS, lambda idp: idp.access(iat=None)),
    "no jti": (Reason.CLAIMS, lambda idp: idp.access(jti=None)),
    "no sub": (Reason.CLAIMS, lambda idp: idp.access(sub=None)),
    "no auth_time": (Reason.CLAIMS, lambda idp: idp.access(auth_time=None)),
    "amr is text": (Reason.CLAIMS, lambda idp: idp.access(amr="mfa")),
    "amr holds a sentence": (Reason.CLAIMS, lambda idp: idp.access(amr=["mfa", "a b"])),
    "no second factor": (Reason.INSUFFICIENT, lambda idp: idp.access(amr=["pwd"])),
    "no amr": (Reason.INSUFFICIENT, lambda idp: idp.access(amr=None)),
    "twelve hours ago": (Reason.INSUFFICIENT, lambda idp: idp.access(auth_time=at(idp, hours=-12))),
    "no person": (Reason.PERSON, lambda idp: idp.access(badge=None)),
    "a person's name": (Reason.PERSON, lambda idp: idp.access(badge="Dana Hale")),
    "a person in capitals": (Reason.PERSON, lambda idp: idp.access(badge="Badge-1")),
    "persons in a list": (Reason.CLAIMS, lambda idp: idp.access(badge=["badge-1"])),
    "no agency": (Reason.AGENCY, lambda idp: idp.access(ori=None)),
    "an agency that is not mapped": (Reason.AGENCY, lambda idp: idp.access(ori="MO0950001")),
    "no groups": (Reason.ROLE, lambda idp: idp.access(groups=None)),
    "groups that are not mapped": (Reason.ROLE, lambda idp: idp.access(groups=["pd-janitors"])),
    "a role's own name as group": (Reason.ROLE, lambda idp: idp.access(groups=["patrol"])),
    "groups of numbers": (Reason.ROLE, lambda idp: idp.access(groups=[1])),
    "two roles": (Reason.ROLE, lambda idp: idp.access(groups=["pd-patrol", "pd-sergeants"])),
    "a role beyond the groups": (Reason.ROLE, lambda idp: idp.access(role="supervisor")),
    "a unit in lower case": (Reason.UNIT, lambda idp: idp.access(unit="3a12")),
    "a terminal with blanks": (Reason.TERMINAL, lambda idp: idp.access(terminal="car 12")),
    "no terminal": (Reason.TERMINAL, lambda idp: idp.access(terminal=None)),
    "bound to a certificate": (Reason.BINDING, lambda idp: idp.access(cnf={THUMBPRINT: "abc"})),
    "bound to a key we cannot check": (Reason.BINDING, lambda idp: idp.access(cnf={"jkt": "abc"})),
    "bound twice": (Reason.BINDING, lambda idp: idp.access(cnf={THUMBPRINT: "abc", "jkt": "abc"})),
    "bound to nothing": (Reason.BINDING, lambda idp: idp.access(cnf={})),
}  # fmt: skip


async def test_what_is_not_our_access_token_is_nobody_s(taking: Door) -> None:
    """Each has its own reason for the operator, and no word of the token in it."""
    found = {name: await taking.refusal(made(taking.idp)) for name, (_, made) in HOSTILE.items()}

    assert found == {name: reason for name, (reason, _) in HOSTILE.items()}


async def test_what_is_refused_is_refused_again(taking: Door) -> None:
    """Nothing that was refused is kept as proven: the second time is as the first."""
    await taking.ask(taking.idp.access())
    for name in ("expired", "another issuer", "another key's signature", "two roles"):
        reason, made = HOSTILE[name]
        token = made(taking.idp)
        assert [await taking.refusal(token) for _ in range(2)] == [reason, reason]


async def test_who_has_several_roles_says_which(taking: Door) -> None:
    """The claim that says which counts when the groups give that role, by the role's name or by the group's."""
    both = ["pd-patrol", "pd-sergeants"]

    assert (await taking.ask(taking.idp.access(groups=both, role="supervisor"))).role == "supervisor"
    assert (await taking.ask(taking.idp.access(groups=both, role="pd-patrol"))).role == "patrol"
    assert (await taking.ask(taking.idp.access(groups=["pd-patrol", "pd-officers"]))).role == "patrol"


async def test_an_agency_is_what_its_name_maps_to(taking: Door) -> None:
    """The provider's word for an agency becomes the ORI that the settings say."""
    assert (await taking.ask(taking.idp.access(ori="lakeview"))).agency == "KY0429900"


async def test_a_token_expires_to_the_skew(taking: Door) -> None:
    """A token that was proven is refused once its time and the skew are over."""
    token = taking.idp.access()
    await taking.ask(token)

    taking.idp.pass_time(seconds=629)
    await taking.ask(token)
    taking.idp.pass_time(seconds=1)

    assert await taking.refusal(token) is Reason.EXPIRED


async def test_a_sign_in_becomes_too_old_while_its_token_is_good(taking: Door) -> None:
    """Twelve hours after the sign-in a token that was proven before is no longer enough, and the door says what would be."""
    token = taking.idp.access(auth_time=at(taking.idp, hours=-11, minutes=-59))
    await taking.ask(token)
    taking.idp.pass_time(minutes=1)

    with pytest.raises(AuthenticationInsufficient) as refused:
        await taking.ask(token)

    status, headers, _ = render(refused.value, instance=None)
    assert status == 401
    challenge = headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="showcause", error="insufficient_user_authentication"')
    assert 'max_age="43200"' in challenge


async def test_the_challenge_names_what_class_of_sign_in_is_needed(office: Office, tmp_path: Path) -> None:
    """Where the settings demand an acr, a token without it is refused with the acr_values to ask for (RFC 9470)."""
    async with door(office, tmp_path, acr=["urn:example:strong"], amr=[]) as strong:
        assert (await strong.ask(strong.idp.access(acr="urn:example:strong"))).person == "badge-1"
        with pytest.raises(AuthenticationInsufficient) as refused:
            await strong.ask(strong.idp.access(acr="urn:example:weak", jti="2"))

    assert 'acr_values="urn:example:strong"' in render(refused.value, instance=None)[1]["WWW-Authenticate"]


async def test_an_invalid_token_is_called_one(taking: Door) -> None:
    """The header says so as RFC 6750 has it, and the body has no member for it."""
    with pytest.raises(CredentialInvalid) as refused:
        await taking.ask(taking.idp.access(aud="console"))

    _, headers, body = render(refused.value, instance=None)
    assert 'error="invalid_token"' in headers["WWW-Authenticate"]
    assert set(json.loads(body)) == {"type", "title", "status", "detail"}


async def test_a_proof_is_kept_and_everything_that_changes_is_asked_again(taking: Door) -> None:
    """A second query with a token costs no signature; once the key is gone, the proof is gone with it."""
    token = taking.idp.access()
    await taking.ask(token)
    assert await taking.ask(token) == await taking.ask(token)
    assert len(taking.fetches) == 1

    del taking.idp.published["one"]
    taking.idp.pass_time(seconds=100)
    await taking.ask(taking.idp.access(kid="ec", key=EC, alg="ES256"))
    assert (await taking.ask(token)).person == "badge-1"  # the provider has not been asked since
    assert await taking.refusal(taking.idp.access(kid="unknown")) is Reason.KEY  # now it has

    assert await taking.refusal(token) is Reason.KEY


async def test_an_exchanged_key_under_the_same_name_proves_nothing_old(taking: Door) -> None:
    """A key that comes back as another under the same kid does not vouch for what the former one signed."""
    token = taking.idp.access()
    await taking.ask(token)

    taking.idp.published["one"] = public(OTHER, "RS256", "one")
    assert await taking.refusal(taking.idp.access(kid="unknown")) is Reason.KEY

    assert await taking.refusal(token) is Reason.SIGNATURE


async def test_proofs_are_bounded(office: Office, tmp_path: Path) -> None:
    """However many tokens come, no more proofs are kept than there is room for, and all of them are answered."""
    async with door(office, tmp_path) as opened:
        tokens = opened.identities._tokens
        assert tokens is not None
        tokens._room = 3
        for number in range(10):
            await opened.ask(opened.idp.access(jti=f"token-{number}"))

        assert len(tokens._proven) == 3


def certificate(thumbprint: str, *uris: str) -> Mapping[str, Any]:
    """Return what the handshake says of a client certificate."""
    return {"subjectAltName": tuple(("URI", uri) for uri in uris), THUMBPRINT: thumbprint}


URI = "spiffe://pd.example/car/12"


async def test_token_and_certificate_belong_to_one_person(taking: Door, office: Office) -> None:
    """With an enrolled certificate of the same person both count; with another's, or nobody's, none does."""
    await office.desk.add_certificate(URI, holder("badge-1", terminal="car-12"))
    await office.desk.add_certificate(f"{URI}3", holder("badge-2"))
    await office.desk.add_certificate(f"{URI}4", holder("badge-1", terminal="car-14"))
    await office.desk.add_certificate(f"{URI}5", holder("badge-1", terminal="car-12", agency="KY0429900"))
    token = taking.idp.access()

    assert (await taking.ask(token, certificate("t", URI))).terminal == "car-12"
    assert await taking.refusal(token, certificate("t", f"{URI}3")) is Reason.BINDING
    assert await taking.refusal(token, certificate("t", f"{URI}4")) is Reason.TERMINAL
    assert await taking.refusal(token, certificate("t", f"{URI}5")) is Reason.BINDING
    assert await taking.refusal(token, certificate("t", "spiffe://pd.example/nobody")) is Reason.BINDING
    assert await taking.refusal(token, certificate("t")) is Reason.BINDING
    assert await taking.refusal(token, certificate("t", URI, f"{URI}3")) is Reason.BINDING


async def test_the_certificate_says_the_terminal_where_the_token_does_not(taking: Door, office: Office) -> None:
    """A token without a terminal is good beside the certificate of one."""
    await office.desk.add_certificate(URI, holder("badge-1", terminal="car-77"))

    assert (await taking.ask(taking.idp.access(terminal=None), certificate("t", URI))).terminal == "car-77"


async def test_a_revoked_certificate_beside_a_good_token_is_refused(taking: Door, office: Office) -> None:
    """A bad credential is never passed over because another is fine."""
    credential = await office.desk.add_certificate(URI, holder("badge-1", terminal="car-12"))
    await office.desk.revoke(credential.id, reason="laptop lost")

    with pytest.raises(CredentialInvalid, match="revoked"):
        await taking.ask(taking.idp.access(), certificate("t", URI))


async def test_a_bound_token_is_good_with_its_certificate_alone(taking: Door) -> None:
    """A stolen token that is bound to a certificate is of no use without it, nor with another (RFC 8705)."""
    token = taking.idp.access(cnf={THUMBPRINT: "mine"})

    assert (await taking.ask(token, certificate("mine"))).person == "badge-1"
    assert await taking.refusal(token) is Reason.BINDING
    assert await taking.refusal(token, certificate("yours")) is Reason.BINDING


@pytest.mark.parametrize(
    ("of", "value"), [(Of.ACCOUNT, "account-1"), (Of.SESSION, "session-1"), (Of.TOKEN, "token-1"), (Of.PERSON, "badge-1")]
)
async def test_who_was_signed_out_is_refused_from_the_next_query_on(taking: Door, office: Office, of: Of, value: str) -> None:
    """What another process writes to the list ends a token that was proven before; one issued later is good."""
    token = taking.idp.access(sid="session-1")
    await taking.ask(token)
    await taking.ask(taking.idp.access(sub="account-2", badge="badge-2", jti="token-2"))

    async with office.database.begin() as connection:
        await Denylist(office.database).add(
            connection, of, value, before=taking.idp.now, until=taking.idp.now + timedelta(days=1)
        )

    assert await taking.refusal(token) is Reason.REVOKED
    taking.idp.pass_time(seconds=61)
    await taking.ask(taking.idp.access(sub="account-2", badge="badge-2", jti="token-2"))
    assert (await taking.ask(taking.idp.access(sid="session-1"))).person == "badge-1"


async def test_a_person_who_was_signed_out_here_cannot_refresh_their_way_back(taking: Door, office: Office) -> None:
    """A token that is issued later, for the sign-in of before, is refused: the person has to prove themselves anew."""
    async with office.database.begin() as connection:
        await Denylist(office.database).add(
            connection, Of.PERSON, "badge-1", before=taking.idp.now, until=taking.idp.now + timedelta(days=1)
        )
    signed_in = at(taking.idp, seconds=-60)
    taking.idp.pass_time(minutes=5)

    assert await taking.refusal(taking.idp.access(auth_time=signed_in)) is Reason.REVOKED


async def test_keys_go_on_working_beside_tokens_unless_they_are_switched_off(office: Office, tmp_path: Path) -> None:
    """The embedded keys' road is the same as ever; ``embedded_keys: false`` closes it, also to a certificate alone."""
    key, _ = await office.desk.add_key(holder())
    await office.desk.add_certificate(URI, holder())
    async with door(office, tmp_path) as both:
        assert (await both.identities.identify(f"Bearer {key}", {}, office.now)).methods == ("key",)
        assert (await both.identities.identify(None, certificate("t", URI), office.now)).methods == ("certificate",)
    async with door(office, tmp_path, keys=False) as tokens:
        with pytest.raises(CredentialInvalid, match="access tokens"):
            await tokens.identities.identify(f"Bearer {key}", {}, office.now)
        with pytest.raises(CredentialInvalid, match="access tokens"):
            await tokens.identities.identify(None, certificate("t", URI), office.now)
        assert (await tokens.ask(tokens.idp.access())).person == "badge-1"


async def test_the_same_person_by_token_and_by_key_at_two_terminals_is_noticed(taking: Door, office: Office) -> None:
    """Presence is one for all roads."""
    key, _ = await office.desk.add_key(holder("badge-1", terminal="desk-1"))
    await taking.identities.identify(f"Bearer {key}", {}, taking.idp.now)
    await taking.ask(taking.idp.access())

    [notice] = taking.identities.take_notices()
    assert notice.terminals == ("car-12", "desk-1")


async def test_untyped_access_tokens_are_taken_only_where_it_is_said(office: Office, tmp_path: Path) -> None:
    """For a provider that has no at+jwt: its access tokens pass, its ID tokens still do not."""
    async with door(office, tmp_path, unsafe_untyped_tokens=True) as lax:
        assert (await lax.ask(lax.idp.access(typ="JWT"))).person == "badge-1"
        assert await lax.refusal(lax.idp.access(typ="JWT", nonce="n")) is Reason.TYPE
        assert await lax.refusal(signed(lax.idp.id_claims("n"), kid="one", typ="JWT")) is Reason.TYPE
        assert await lax.refusal(lax.idp.logout()) is Reason.TYPE


@given(st.text(max_size=300))
def test_any_text_is_a_token_or_none(text: str) -> None:
    """No header, however odd, does anything but look like a token or not; what does not is left to the keys' road."""
    found = token_of(f"Bearer {text}")

    assert found is None or (found.count(".") == 2 and found == text.strip(" "))


RULES = provider.settings("http://127.0.0.1:8", Path("/oidc.secret")).options().rules


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_as_header_are_a_header_or_unfit(header: bytes, payload: bytes) -> None:
    """Whatever is decoded, nothing but ``Unfit`` comes of it."""
    token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (header, payload, b"x"))
    try:
        found = head_of(token, RULES).alg
    except Unfit as unfit:
        found = unfit.reason

    assert found in {*ALGORITHMS, *Reason}
