from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from proxy.identity.evidence import EvidenceBroken, prove
from proxy.identity.passkey_events import PasskeyCloned, PasskeyRegistered
from proxy.identity.passkeys import (
    PasskeyMissing,
    PasskeyRefused,
    StepUpFailed,
    StepUpRequired,
    StepUpTooMany,
    Thing,
    Who,
)
from proxy.identity.stepup import MOST_OPEN, Assurance
from tests.identity.authenticator import AT, BE, ED, UP, UV, Authenticator, b64, opened, packed
from tests.identity.station import APPROVAL, Process, Station, station

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["station"]


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
