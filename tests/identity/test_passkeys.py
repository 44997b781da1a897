from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from proxy.identity.passkey_events import PasskeyRegistered, PasskeyRevoked
from proxy.identity.passkeys import (
    PasskeyRefused,
    StepUpFailed,
    StepUpRequired,
)
from tests.identity.authenticator import UP, Authenticator, b64, packed
from tests.identity.station import Station, station

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["station"]


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
