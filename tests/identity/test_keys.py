"""Keys: from the identity desk to a principal, and everything that is not one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from proxy.identity.credential import KEY_BYTES, Holder, bearer, digest, make_key
from proxy.identity.desk import EnrollmentRefused
from proxy.identity.principal import CredentialInvalid, CredentialMissing
from tests.identity.conftest import holder

if TYPE_CHECKING:
    from tests.identity.conftest import Office


async def test_a_key_becomes_the_person_it_was_made_for(office: Office) -> None:
    """A query with a key has the person, agency, role, unit and terminal that were enrolled, and nothing of its own."""
    key, credential = await office.desk.add_key(holder())

    principal = office.identities.authenticate(f"Bearer {key}", (), office.now)

    assert (principal.person, principal.agency, principal.role) == ("badge-1", "MO0950000", "patrol")
    assert (principal.unit, principal.terminal) == ("3A12", "car-badge-1")
    assert principal.credential == credential.id
    assert principal.methods == ("key",)
    assert principal.authenticated_at == office.now


async def test_a_key_is_stored_nowhere(office: Office) -> None:
    """No column of the store holds the key or a part of it that could be used; its digest is there."""
    key, _ = await office.desk.add_key(holder())

    async with office.database.begin() as connection:
        rows = [tuple(row) for row in await connection.execute(text("SELECT * FROM credentials"))]

    assert key.removeprefix("sc_") not in repr(rows)
    assert digest(key) in rows[0]


async def test_keys_are_never_the_same_and_have_their_form(office: Office) -> None:
    """Each key is sc_ and 43 characters of 32 random bytes."""
    keys = {(await office.desk.add_key(holder()))[0] for _ in range(8)}

    assert len(keys) == 8
    assert all(len(key) == 46 and key.startswith("sc_") and bearer(f"Bearer {key}") == key for key in keys)


async def test_a_revocation_holds_from_the_next_query_on(office: Office) -> None:
    """What another process revokes is refused at once, without a restart, and says so."""
    key, credential = await office.desk.add_key(holder())
    office.identities.authenticate(f"Bearer {key}", (), office.now)

    await office.desk.revoke(credential.id, reason="lost in a car")

    with pytest.raises(CredentialInvalid, match="revoked"):
        office.identities.authenticate(f"Bearer {key}", (), office.now)
    with pytest.raises(CredentialInvalid, match="revoked"):
        office.identities.authenticate(f"Bearer {key}", (), office.now - timedelta(days=3650))


async def test_all_of_a_leaver_s_credentials_go_at_once(office: Office) -> None:
    """Revoking a person revokes every key of theirs and nobody else's."""
    first, _ = await office.desk.add_key(holder())
    second, _ = await office.desk.add_key(holder(terminal="desk-1"))
    other, _ = await office.desk.add_key(holder("badge-2"))

    assert len(await office.desk.revoke_person("badge-1", reason="left the force")) == 2

    for key in (first, second):
        with pytest.raises(CredentialInvalid):
            office.identities.authenticate(f"Bearer {key}", (), office.now)
    assert office.identities.authenticate(f"Bearer {other}", (), office.now).person == "badge-2"


async def test_a_key_expires_to_the_moment(office: Office) -> None:
    """A key is good until its expiry and not at it."""
    expires_at = office.now + timedelta(days=1)
    key, _ = await office.desk.add_key(holder(), expires_at=expires_at)

    assert office.identities.authenticate(f"Bearer {key}", (), expires_at - timedelta(microseconds=1)).person == "badge-1"
    with pytest.raises(CredentialInvalid, match="expired"):
        office.identities.authenticate(f"Bearer {key}", (), expires_at)


async def test_nobody_is_enrolled_or_revoked_without_its_event(office: Office) -> None:
    """Every change of the desk has its event in the same transaction; a change that is refused has none."""
    _, credential = await office.desk.add_key(holder())
    await office.desk.add_certificate("spiffe://pd.example/p/1", holder())
    await office.desk.revoke(credential.id, reason="lost in a car")
    with pytest.raises(EnrollmentRefused, match="before"):
        await office.desk.revoke(credential.id, reason="lost in a car")
    with pytest.raises(EnrollmentRefused, match="no credential"):
        await office.desk.revoke("cr-none", reason="lost in a car")
    with pytest.raises(EnrollmentRefused, match="expired"):
        await office.desk.add_key(holder(), expires_at=office.now)

    assert await office.queued() == ["identity-added", "identity-added", "identity-revoked"]


async def test_no_credential_is_no_principal(office: Office) -> None:
    """Nothing presented is missing, not invalid."""
    with pytest.raises(CredentialMissing, match="Bearer"):
        office.identities.authenticate(None, (), office.now)


@pytest.mark.parametrize(
    ("authorization", "says"),
    [
        ("", "scheme"),
        ("Bearer", "no key"),
        ("Bearer ", "no key"),
        ("Basic c2NfOng=", "scheme"),
        ("Token sc_x", "scheme"),
        ("Bearer\tsc_x", "scheme"),
        ("Bearer eyJhbGciOiJub25lIn0.e30.", "sc_"),
        ("Bearer sc_short", "cut"),
        (f"Bearer sc_{'A' * 43}=", "cut"),
        (f"Bearer sc_{'A' * 43} sc_{'A' * 43}", "cut"),
        (f"Bearer sc_{'A' * 43}\n", "cut"),
        (f"Bearer SC_{'A' * 43}", "sc_"),
        (f"Bearer sc_{'A' * 43}", "not known"),
        ("Bearer sc_" + "A" * 5000, "longer"),
    ],
)
async def test_what_is_no_key_is_refused_with_what_to_do(office: Office, authorization: str, says: str) -> None:
    """Each malformed Authorization has its own sentence, which never repeats what was sent."""
    with pytest.raises(CredentialInvalid, match=says) as refused:
        office.identities.authenticate(authorization, (), office.now)

    assert "AAAA" not in refused.value.detail
    assert "eyJ" not in refused.value.detail


async def test_the_scheme_s_case_does_not_matter(office: Office) -> None:
    """The authentication scheme is case-insensitive (RFC 9110 section 11.1); the key is not."""
    key, _ = await office.desk.add_key(holder())

    assert office.identities.authenticate(f"bearer  {key}", (), office.now).person == "badge-1"
    with pytest.raises(CredentialInvalid):
        office.identities.authenticate(f"Bearer sc_{key[3:].swapcase()}", (), office.now)


@given(st.text(max_size=200))
def test_any_text_in_authorization_is_a_key_or_a_refusal(text: str) -> None:
    """No header, however odd, does anything but name a key of its form or be refused."""
    try:
        found = bearer(text)
    except CredentialInvalid as refused:
        found = refused.detail

    assert found.startswith("sc_") or len(text) < 4 or text not in found


@given(st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES))
def test_every_random_value_makes_a_key_that_is_read_back(random: bytes) -> None:
    """No key is ever made that its own reader would refuse."""
    assert bearer(f"Bearer {make_key(random)}") == make_key(random)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_less_randomness_is_not_made(size: int) -> None:
    """A plain hash is enough for 32 random bytes and for nothing less."""
    with pytest.raises(ValueError, match="32"):
        make_key(b"x" * size)


@pytest.mark.parametrize(
    "change",
    [
        {"person": "Badge 1"},
        {"person": ""},
        {"agency": "mo0950000"},
        {"agency": "MO095"},
        {"role": "Patrol"},
        {"unit": "3a12"},
        {"unit": "3A12/x"},
        {"terminal": ""},
        {"terminal": "car 12"},
    ],
)
def test_a_holder_is_valid_from_birth(change: dict[str, str]) -> None:
    """Nobody is enrolled of whom no principal could be made."""
    values = {"person": "badge-1", "agency": "MO0950000", "role": "patrol", "unit": "3A12", "terminal": "car-1"} | change

    with pytest.raises(ValueError, match="is not"):
        Holder(**values)
