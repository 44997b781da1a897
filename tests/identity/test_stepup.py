from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from proxy.audit.event import Event, Receipt
from proxy.audit.outbox import Outbox
from proxy.audit.sealing import Sealer
from proxy.database import Database
from proxy.identity.assertion import RelyingParty
from proxy.identity.evidence import EvidenceBroken, prove
from proxy.identity.passkey_desk import PasskeyDesk
from proxy.identity.passkey_events import PasskeyCloned, PasskeyRegistered, PasskeyRevoked
from proxy.identity.passkeys import (
    PasskeyMissing,
    PasskeyRefused,
    StepUpFailed,
    StepUpRequired,
    StepUpTooMany,
    Thing,
    Who,
)
from proxy.identity.principal import Principal
from proxy.identity.registration import Registration
from proxy.identity.stepup import MOST_OPEN, Assurance, Method, StepUp
from tests.identity.authenticator import AT, BE, ED, UP, UV, Authenticator, b64, opened, packed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
KEY = b"p" * 32
PARTY = RelyingParty(id="localhost", origins=("http://localhost",))
APPROVAL = Thing.of("approve", "e1", {"statement": "threats against the mayor's family", "fields": {"name", "dob"}})


@dataclass
class Process:
    """One process with its own connections to the store that all share, and what it recorded."""

    database: Database
    clock: Callable[[], datetime]
    mode: Method = "webauthn"
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.step_up = StepUp(
            database=self.database, key=KEY, audit=self, clock=self.clock, randomness=os.urandom, mode=self.mode, party=PARTY,
        )  # fmt: skip
        self.registration = Registration(
            database=self.database, key=KEY, step_up=self.step_up, audit=self, clock=self.clock, randomness=os.urandom,
            party=PARTY,
        )  # fmt: skip

    async def record(self, event: Event) -> Receipt:
        """Keep an event."""
        self.events.append(event)
        return Receipt(origin="log.test", index=len(self.events) - 1, kind=event.kind, about=event.about)


@dataclass
class Station:
    """Two processes and the identity desk over one store, and a clock that is moved by hand."""

    here: Process
    there: Process
    desk: PasskeyDesk
    now: datetime = NOW

    def pass_time(self, **kwargs: float) -> None:
        """Move the clock."""
        self.now += timedelta(**kwargs)

    def person(self, name: str = "sergeant") -> Principal:
        """Return a supervisor who has just signed in."""
        return Principal(
            person=name, agency="MO0950000", role="supervisor", unit=None, terminal="desk-1", credential=f"key-{name}",
            methods=("key",), authenticated_at=self.now,
        )  # fmt: skip

    async def registered(self, name: str = "sergeant", **kwargs: Any) -> Authenticator:
        """Return an authenticator whose key is a person's first passkey."""
        made = Authenticator(**kwargs)
        code, _ = await self.desk.invite(name, within=timedelta(hours=1))
        options = await self.here.registration.begin(self.person(name), code=code, assertion=None)
        await self.here.registration.finish(self.person(name), made.create(options))
        return made

    async def asked(self, name: str = "sergeant", thing: Thing = APPROVAL) -> dict[str, Any]:
        """Return the options with which a confirmation is asked for."""
        with pytest.raises(StepUpRequired) as required:
            await self.here.step_up.demand(self.person(name), thing, None)
        options: Any = required.value.extras["challenge"]
        return dict(options)

    async def confirm(self, assertion: str, name: str = "sergeant", thing: Thing = APPROVAL) -> Assurance:
        """Confirm here."""
        return await self.here.step_up.demand(self.person(name), thing, assertion)

    async def write(self, statement: str) -> None:
        """Write to the store as who has no key."""
        async with self.here.database.begin() as connection:
            await connection.execute(text(statement))


@pytest.fixture
async def station(tmp_path: Path) -> AsyncIterator[Station]:
    """Yield an open store with two processes on it."""
    databases = [Database(tmp_path / "store.sqlite3") for _ in range(2)]
    for database in databases:
        await database.open()
    made: list[Station] = []

    def clock() -> datetime:
        return made[0].now

    outbox = Outbox(databases[0], Sealer(index_key=b"i" * 32, body_key=b"b" * 32), clock, os.urandom)
    desk = PasskeyDesk(database=databases[0], key=KEY, outbox=outbox, clock=clock, randomness=os.urandom, actor="login:clerk")
    made.append(Station(Process(databases[0], clock), Process(databases[1], clock), desk))
    yield made[0]
    for database in databases:
        await database.close()


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
async def test_a_passkey_confirms_the_thing_it_was_asked_for(station: Station, algorithm: int) -> None:
    """Registered with a code, asked with a challenge, verified: the assurance names the passkey."""
    authenticator = await station.registered(algorithm=algorithm)

    assurance = await station.confirm(authenticator.get(await station.asked()))

    (passkey,) = await station.here.registration.mine(station.person())
    assert (assurance.method, assurance.credential) == ("webauthn", passkey.id)
    assert assurance.facts() == {"method": "webauthn", "credential": passkey.id, "user_verified": True}
    assert passkey.last_used_at == station.now
    assert passkey.sign_count == authenticator.count


async def test_the_options_name_the_passkeys_and_demand_verification(station: Station) -> None:
    """What a browser is handed: our domain, this person's credentials, the holder verified."""
    authenticator = await station.registered()
    await station.registered("lieutenant")

    options = await station.asked()

    assert options["allowCredentials"] == [{"type": "public-key", "id": b64(authenticator.credential)}]
    assert (options["rpId"], options["userVerification"], len(options["challenge"])) == ("localhost", "required", 43)


async def test_no_two_challenges_are_the_same(station: Station) -> None:
    """The same thing asked twice is asked with two nonces."""
    await station.registered()

    assert (await station.asked())["challenge"] != (await station.asked())["challenge"]


async def test_another_process_verifies_what_this_one_asked(station: Station) -> None:
    """The nonce is in the store, so a load balancer may send the answer anywhere."""
    authenticator = await station.registered()
    assertion = authenticator.get(await station.asked())

    assert (await station.there.step_up.demand(station.person(), APPROVAL, assertion)).method == "webauthn"


async def test_of_two_parallel_uses_on_two_processes_one_wins(station: Station) -> None:
    """One assertion, sent to both at once, twenty times over: one is confirmed."""
    authenticator = await station.registered()
    assertion = authenticator.get(await station.asked())

    demands = [each.step_up.demand(station.person(), APPROVAL, assertion) for each in [station.here, station.there] * 10]
    answers = await asyncio.gather(*demands, return_exceptions=True)

    assert [type(each) for each in answers if not isinstance(each, StepUpFailed)] == [Assurance]


def _doctored(assertion: str, **response: str) -> str:
    document = opened(assertion)
    return packed(document | {"response": document["response"] | response})


HOSTILE: dict[str, Callable[[Authenticator, dict[str, Any]], str]] = {
    "wrong origin": lambda key, options: key.get(options, origin="http://localhost.evil.example"),
    "origin's other port": lambda key, options: key.get(options, origin="http://localhost:8441"),
    "wrong relying party": lambda key, options: key.get(options, rp_id="evil.example"),
    "holder not verified": lambda key, options: key.get(options, flags=UP),
    "holder not present": lambda key, options: key.get(options, flags=UV),
    "backed up of a sudden": lambda key, options: key.get(options, flags=UP | UV | BE),
    "a registration's answer": lambda key, options: key.get(options, type="webauthn.create"),
    "from a frame": lambda key, options: key.get(options, crossOrigin=True),
    "frame said in another type": lambda key, options: key.get(options, crossOrigin="false"),
    "within another page": lambda key, options: key.get(options, topOrigin="https://evil.example"),
    "another challenge": lambda key, options: key.get(options, challenge=b64(b"0" * 32)),
    "no challenge": lambda key, options: key.get(options, challenge=None),
    "attested data that is garbage": lambda key, options: key.get(options, flags=UP | UV | AT),
    "extensions that are garbage": lambda key, options: key.get(options, flags=UP | UV | ED),
    "signature of something else": lambda key, options: _doctored(
        key.get(options), signature=opened(key.get(options))["response"]["signature"]
    ),
    "no signature": lambda key, options: _doctored(key.get(options), signature=""),
    "authenticator data cut": lambda key, options: _doctored(key.get(options), authenticatorData=b64(b"\0" * 36)),
    "another's key under this name": lambda key, options: Authenticator(credential=key.credential, handle=key.handle).get(
        options
    ),
    "a credential that nobody has": lambda key, options: Authenticator(handle=key.handle).get(options),
    "another's user handle": lambda key, options: _doctored(key.get(options), userHandle=b64(b"h" * 32)),
    "empty": lambda _, __: "",
    "no base64": lambda _, __: "§§§",
    "padded": lambda key, options: key.get(options) + "=",
    "no JSON": lambda _, __: b64(b"\xff\xfe"),
    "a list": lambda _, __: packed([1, 2]),
    "no response": lambda _, __: packed({"rawId": "aa", "id": "aa", "type": "public-key"}),
    "response of another type": lambda _, __: packed({"rawId": "aa", "response": "webauthn"}),
    "client data of another type": lambda key, options: _doctored(key.get(options), clientDataJSON=packed([])),
    "deeply nested": lambda _, __: b64(b'{"a":' * 1000 + b"1" + b"}" * 1000),
    "a megabyte": lambda key, options: packed({**opened(key.get(options)), "more": "x" * 1_000_000}),
    "type of another kind": lambda key, options: packed({**opened(key.get(options)), "type": "password"}),
    "id and raw id apart": lambda key, options: packed({**opened(key.get(options)), "id": "AAAA"}),
}


@pytest.mark.parametrize("twist", HOSTILE.values(), ids=HOSTILE.keys())
async def test_what_does_not_hold_confirms_nothing(
    station: Station, twist: Callable[[Authenticator, dict[str, Any]], str]
) -> None:
    """Each is refused in our words; the passkey is as it was, and the challenge still good for a true answer."""
    authenticator = await station.registered()
    options = await station.asked()

    with pytest.raises(StepUpFailed):
        await station.confirm(twist(authenticator, options))

    assert (await station.confirm(authenticator.get(options))).method == "webauthn"


@pytest.mark.parametrize(
    "other",
    [
        replace(APPROVAL, digest=b"0" * 32),
        replace(APPROVAL, about="e2"),
        replace(APPROVAL, move="unlock"),
        Thing.of("approve", "e1", {"statement": "threats against the mayor's family, amended", "fields": {"name", "dob"}}),
        Thing.of("approve", "e1", {"statement": "threats against the mayor's family", "fields": {"name", "dob", "address"}}),
    ],
)
async def test_a_signature_is_void_for_another_thing(station: Station, other: Thing) -> None:
    """Another digest, escalation, move, an amended statement, one more field: not what was confirmed."""
    authenticator = await station.registered()
    assertion = authenticator.get(await station.asked())

    with pytest.raises(StepUpFailed, match="not what this would do"):
        await station.confirm(assertion, thing=other)


async def test_a_signature_is_void_for_another_principal(station: Station) -> None:
    """Neither somebody else, nor the same person in another role or agency, can use it."""
    authenticator = await station.registered()
    await station.registered("lieutenant")
    assertion = authenticator.get(await station.asked())

    with pytest.raises(StepUpFailed):
        await station.confirm(assertion, "lieutenant")
    for changed in (
        replace(station.person(), role="records"), replace(station.person(), agency="KY0429900"),
    ):  # fmt: skip
        with pytest.raises(StepUpFailed, match="not what this would do"):
            await station.here.step_up.demand(changed, APPROVAL, assertion)


async def test_somebody_elses_passkey_confirms_nothing(station: Station) -> None:
    """A colleague's touch is not mine, even over my challenge."""
    await station.registered()
    colleague = await station.registered("lieutenant")

    with pytest.raises(StepUpFailed, match="not one of yours"):
        await station.confirm(colleague.get(await station.asked()))


async def test_an_assertion_is_used_once(station: Station) -> None:
    """The same answer again, here or on another process, confirms nothing."""
    authenticator = await station.registered()
    assertion = authenticator.get(await station.asked())
    await station.confirm(assertion)

    for process in (station.here, station.there):
        with pytest.raises(StepUpFailed, match="was used"):
            await process.step_up.demand(station.person(), APPROVAL, assertion)


async def test_a_challenge_expires_on_every_process(station: Station) -> None:
    """After two minutes nobody takes it, whoever asked."""
    authenticator = await station.registered()
    options = await station.asked()
    station.pass_time(minutes=2)

    for process in (station.there, station.here):
        with pytest.raises(StepUpFailed, match="expired"):
            await process.step_up.demand(station.person(), APPROVAL, authenticator.get(options))


async def test_what_is_open_is_bounded_for_each_person(station: Station) -> None:
    """Who asks without end is told to wait; others are not, and time opens it again."""
    await station.registered()
    await station.registered("lieutenant")
    for _ in range(MOST_OPEN):
        await station.asked()

    with pytest.raises(StepUpTooMany):
        await station.here.step_up.demand(station.person(), APPROVAL, None)
    await station.asked("lieutenant")
    station.pass_time(minutes=2)
    await station.asked()


@pytest.mark.parametrize("step", [0, -1])
async def test_a_count_that_goes_back_is_refused_and_told(station: Station, step: int) -> None:
    """A copy of a passkey betrays itself: refused, an entry with a notice, and the answer is used up."""
    authenticator = await station.registered()
    await station.confirm(authenticator.get(await station.asked()))
    authenticator.step = step
    assertion = authenticator.get(await station.asked())

    with pytest.raises(StepUpFailed, match="count went back"):
        await station.confirm(assertion)
    with pytest.raises(StepUpFailed, match="was used"):
        await station.confirm(assertion)

    (cloned,) = [event for event in station.here.events if isinstance(event, PasskeyCloned)]
    assert cloned.facts()["owed"]
    assert (cloned.facts()["known"], cloned.facts()["count"]) == (1, 1 + step)


async def test_a_passkey_that_never_counts_is_taken(station: Station) -> None:
    """Synced passkeys say zero always (WebAuthn Level 3 section 6.1.1); that is no regression."""
    authenticator = await station.registered(step=0, flags=UP | UV | BE)

    for _ in range(2):
        assert (await station.confirm(authenticator.get(await station.asked()))).method == "webauthn"


async def test_a_revoked_passkey_confirms_nothing(station: Station) -> None:
    """Revoked by the desk: also what was asked for before is void."""
    authenticator = await station.registered()
    options = await station.asked()
    (passkey,) = await station.desk.listed("sergeant")
    await station.desk.revoke(passkey.id, reason="the key was lost")

    with pytest.raises(PasskeyMissing):
        await station.confirm(authenticator.get(options))
    with pytest.raises(PasskeyRefused, match="before"):
        await station.desk.revoke(passkey.id, reason="the key was lost")


async def test_who_has_no_passkey_is_told_how_to_get_one(station: Station) -> None:
    """In mode webauthn nothing else will do."""
    with pytest.raises(PasskeyMissing, match="identity passkey invite"):
        await station.here.step_up.demand(station.person(), APPROVAL, None)


async def test_in_mode_key_the_key_suffices_until_there_is_a_passkey(station: Station) -> None:
    """It says so itself; who has a passkey has to use it."""
    lax = Process(station.here.database, lambda: station.now, mode="key")

    assert await lax.step_up.demand(station.person(), APPROVAL, None) == Assurance("key", "key-sergeant")
    await station.registered()
    with pytest.raises(StepUpRequired):
        await lax.step_up.demand(station.person(), APPROVAL, None)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE passkeys SET person = 'mallory'",
        "UPDATE passkeys SET public_key = x'00'",
        "UPDATE passkeys SET sign_count = 0, person = 'mallory'",
        "UPDATE passkeys SET id = 'pk-other', person = 'mallory'",
    ],
)
async def test_who_writes_the_store_makes_no_passkey(station: Station, statement: str) -> None:
    """A row that was altered is not believed and not passed over: in mode key either, where having none would do."""
    await station.registered()
    await station.write(statement)
    lax = Process(station.here.database, lambda: station.now, mode="key")
    person = station.person("mallory" if "mallory" in statement else "sergeant")

    for process in (station.here, lax):
        with pytest.raises(StepUpFailed, match="altered"):
            await process.step_up.demand(person, APPROVAL, None)


async def test_who_writes_the_store_revives_no_challenge(station: Station) -> None:
    """A time that was put off is not believed."""
    authenticator = await station.registered()
    options = await station.asked()
    await station.write("UPDATE passkey_challenges SET expires_at = '2030-01-01T00:00:00.000000+00:00'")
    station.pass_time(minutes=3)

    with pytest.raises(StepUpFailed, match="expired"):
        await station.confirm(authenticator.get(options))


async def test_a_confirmation_is_proven_from_the_log_alone(station: Station) -> None:
    """The evidence and the registration's key, as the log has them in JSON, prove who confirmed what; altered, nothing."""
    authenticator = await station.registered()
    assurance = await station.confirm(authenticator.get(await station.asked()))
    (registered,) = [event for event in station.here.events if isinstance(event, PasskeyRegistered)]
    key = bytes.fromhex(str(registered.sealed()["public_key"]))
    evidence = json.loads(json.dumps(assurance.sealed()))

    proven = prove(evidence, registered.passkey.id, key)

    assert (proven.passkey, proven.origin) == (assurance.credential, "http://localhost")
    assert proven.who == Who("sergeant", "MO0950000", "supervisor")
    assert proven.thing == APPROVAL
    assert json.loads(proven.thing.content)["fields"] == ["dob", "name"]
    for changed in (
        {"about": "e2"}, {"content": "{}"}, {"digest": "00" * 32}, {"who": ["mallory", "MO0950000", "supervisor"]},
        {"nonce": "00" * 32}, {"rp_id": "evil.example"}, {"signature": b64(b"no")}, {"id": None}, {"move": "refuse"},
    ):  # fmt: skip
        with pytest.raises(EvidenceBroken):
            prove(evidence | changed, registered.passkey.id, key)
    with pytest.raises(EvidenceBroken):
        prove(evidence, registered.passkey.id, Authenticator().public_key)


async def test_the_first_passkey_needs_the_code(station: Station) -> None:
    """No code, a wrong one, another person's, an expired one, one that a newer has replaced: nothing is begun."""
    theirs, _ = await station.desk.invite("lieutenant", within=timedelta(hours=1))
    replaced, _ = await station.desk.invite("sergeant", within=timedelta(hours=1))
    code, invitation = await station.desk.invite("sergeant", within=timedelta(hours=1))

    for wrong in (None, "", "aaaa-bbbb", theirs, replaced):
        with pytest.raises(PasskeyRefused):
            await station.here.registration.begin(station.person(), code=wrong, assertion=None)
    station.now = invitation.expires_at
    with pytest.raises(PasskeyRefused, match="expired"):
        await station.here.registration.begin(station.person(), code=code, assertion=None)


async def test_a_code_is_used_once(station: Station) -> None:
    """Begun twice with one code, finished once; it may be typed in capitals and without hyphens."""
    code, _ = await station.desk.invite("sergeant", within=timedelta(hours=1))
    person = station.person()
    begun = [
        await station.here.registration.begin(person, code=code.upper().replace("-", " "), assertion=None) for _ in range(2)
    ]
    await station.here.registration.finish(person, Authenticator().create(begun[0]))

    with pytest.raises(PasskeyRefused, match="meanwhile"):
        await station.there.registration.finish(person, Authenticator().create(begun[1]))
    assert len(await station.here.registration.mine(person)) == 1


async def test_a_further_passkey_needs_one_that_counts(station: Station) -> None:
    """A key and a code are not enough once there is a passkey: it has to let the next one in."""
    authenticator = await station.registered()
    person, registration = station.person(), station.here.registration
    with pytest.raises(PasskeyRefused, match="has a passkey"):
        await station.desk.invite("sergeant", within=timedelta(hours=1))

    with pytest.raises(StepUpRequired) as required:
        await registration.begin(person, code="any", assertion=None)
    challenge: Any = required.value.extras["challenge"]
    options = await registration.begin(person, code=None, assertion=authenticator.get(challenge))
    assert options["excludeCredentials"] == [{"type": "public-key", "id": b64(authenticator.credential)}]
    second = Authenticator()
    await registration.finish(person, second.create(options))

    assert (await station.confirm(second.get(await station.asked()))).method == "webauthn"
    registered = [event for event in station.here.events if isinstance(event, PasskeyRegistered)]
    assert [event.authority for event in registered] == ["invitation", registered[0].passkey.id]


async def test_an_approval_signed_is_no_leave_to_register(station: Station) -> None:
    """What was signed to approve does not let a passkey in."""
    authenticator = await station.registered()
    assertion = authenticator.get(await station.asked())

    with pytest.raises(StepUpFailed, match="not what this would do"):
        await station.here.registration.begin(station.person(), code=None, assertion=assertion)


async def test_a_registration_needs_a_fresh_sign_in(station: Station) -> None:
    """A session left open on a desk makes nobody a passkey."""
    code, _ = await station.desk.invite("sergeant", within=timedelta(hours=1))
    person = station.person()
    options = await station.here.registration.begin(person, code=code, assertion=None)
    station.pass_time(minutes=6)

    with pytest.raises(PasskeyRefused, match="Sign in again"):
        await station.here.registration.begin(person, code=code, assertion=None)
    with pytest.raises(PasskeyRefused, match="Sign in again"):
        await station.here.registration.finish(person, Authenticator().create(options))


UNFIT: dict[str, Callable[[dict[str, Any]], str]] = {
    "RS1": lambda options: Authenticator(algorithm=-65535).create(options),
    "RSA of 1024 bits": lambda options: Authenticator(algorithm=-257, rsa_bits=1024).create(options),
    "no algorithm": lambda options: Authenticator(algorithm=0).create(options),
    "an elliptic key that says RS256": lambda options: _claiming(-257).create(options),
    "an elliptic key that says EdDSA": lambda options: _claiming(-8).create(options),
    "an attestation nobody asked for": lambda options: Authenticator().create(options, fmt="fido-u2f"),
    "an attestation nobody knows": lambda options: Authenticator().create(options, fmt="zzz"),
    "holder not verified": lambda options: Authenticator(flags=UP).create(options),
    "from a frame": lambda options: Authenticator().create(options, crossOrigin=True),
    "wrong origin": lambda options: Authenticator(origin="https://evil.example").create(options),
    "an assertion's answer": lambda options: Authenticator().create(options, type="webauthn.get"),
    "a credential id too long": lambda options: Authenticator(credential=b"c" * 1024).create(options),
    "garbage": lambda _: packed({"rawId": "aa", "response": {}}),
}


def _claiming(algorithm: int) -> Authenticator:
    made = Authenticator()
    made.algorithm = algorithm
    return made


@pytest.mark.parametrize("make", UNFIT.values(), ids=UNFIT.keys())
async def test_what_is_no_fit_passkey_is_not_registered(station: Station, make: Callable[[dict[str, Any]], str]) -> None:
    """Weak and confused algorithms, other pages, no verification: nobody gets a passkey, and the code stays good."""
    code, _ = await station.desk.invite("sergeant", within=timedelta(hours=1))
    options = await station.here.registration.begin(station.person(), code=code, assertion=None)

    with pytest.raises(StepUpFailed):
        await station.here.registration.finish(station.person(), make(options))

    assert await station.here.registration.mine(station.person()) == []
    await station.here.registration.finish(station.person(), Authenticator().create(options))


async def test_a_registration_is_for_who_began_it(station: Station) -> None:
    """Another person does not finish it."""
    code, _ = await station.desk.invite("sergeant", within=timedelta(hours=1))
    options = await station.here.registration.begin(station.person(), code=code, assertion=None)

    with pytest.raises(StepUpFailed):
        await station.here.registration.finish(station.person("mallory"), Authenticator().create(options))


async def test_a_credential_is_one_persons(station: Station) -> None:
    """What is somebody's already cannot become another's: they would share a key."""
    first = await station.registered()
    code, _ = await station.desk.invite("lieutenant", within=timedelta(hours=1))
    options = await station.here.registration.begin(station.person("lieutenant"), code=code, assertion=None)

    with pytest.raises(PasskeyRefused, match="registered already"):
        await station.here.registration.finish(station.person("lieutenant"), first.create(options))


async def test_one_revokes_ones_own_with_a_confirmation(station: Station) -> None:
    """Asked, confirmed, recorded, gone; another's is not there."""
    authenticator = await station.registered()
    registration = station.here.registration
    (passkey,) = await registration.mine(station.person())
    reason = "replaced by another"

    with pytest.raises(PasskeyRefused):
        await registration.revoke(station.person("mallory"), passkey.id, reason=reason, assertion=None)
    with pytest.raises(StepUpRequired) as required:
        await registration.revoke(station.person(), passkey.id, reason=reason, assertion=None)
    challenge: Any = required.value.extras["challenge"]
    await registration.revoke(station.person(), passkey.id, reason=reason, assertion=authenticator.get(challenge))

    assert await registration.mine(station.person()) == []
    assert [event.kind for event in station.here.events if isinstance(event, PasskeyRevoked)] == ["passkey-revoked"]


async def test_the_desk_leaves_its_events(station: Station) -> None:
    """An invitation and a revocation each have an entry in the outbox, in the same transaction; never the code."""
    await station.registered()
    (passkey,) = await station.desk.listed()
    await station.desk.revoke(passkey.id, reason="the key was lost")

    async with station.here.database.begin() as connection:
        queued = [row[0] for row in await connection.execute(text("SELECT kind FROM outbox ORDER BY seq"))]
    assert queued == ["passkey-invited", "passkey-revoked"]
