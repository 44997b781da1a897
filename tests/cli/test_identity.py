"""``identity``: from an enrollment on the command line to a principal, and to the log."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from proxy.audit.keys import load_key
from proxy.clock import utc_now
from proxy.database import Database
from proxy.identity.principal import CredentialInvalid, Principal
from proxy.identity.service import Identities

if TYPE_CHECKING:
    from datetime import datetime

    from tests.cli.conftest import Office

ENROLL = ("--person", "badge-1", "--agency", "mo0950000", "--role", "patrol", "--terminal", "car-12", "--unit", "3a12")


def identity(office: Office, *arguments: str) -> tuple[int, str, str]:
    """Return exit code, standard output and standard error of ``identity …``."""
    return office.call("identity", *arguments, "--config", str(office.config))


def who(office: Office, key: str | None = None, *uris: str, at: datetime | None = None) -> Principal:
    """Return whom a server beside the command line would take the holder of a credential for."""

    async def ask() -> Principal:
        database = Database(office.folder / "data/store.sqlite3")
        await database.open()
        try:
            authorization = f"Bearer {key}" if key else None
            key_of_store = load_key(office.folder / "keys/body")
            return Identities(database=database, key=key_of_store).authenticate(authorization, uris, at or utc_now())
        finally:
            await database.close()

    return asyncio.run(ask())


def rows(office: Office, *arguments: str) -> list[dict[str, Any]]:
    """Return what ``identity list`` lists."""
    return list(orjson.loads(identity(office, "list", *arguments, "--json")[1]))


def test_a_key_is_printed_once_and_nothing_else_on_standard_output(office: Office) -> None:
    """So that a script can keep it; it is the enrolled person's from then on, and in no list."""
    code, out, err = identity(office, "add", *ENROLL)
    key = out.strip()

    principal = who(office, key)
    assert (code, principal.person, principal.agency, principal.unit) == (0, "badge-1", "MO0950000", "3A12")
    assert principal.credential in err
    assert key not in identity(office, "list", "--all", "--json")[1]


def test_a_key_can_go_to_a_file_that_only_its_owner_reads(office: Office) -> None:
    """The key is in the file alone, and a file that is there is never written over."""
    file = office.folder / "officer.key"
    code, out, _ = identity(office, "add", *ENROLL, "--out", str(file), "--json")

    key = file.read_text().strip()
    assert (code, who(office, key).person, file.stat().st_mode & 0o777) == (0, "badge-1", 0o600)
    assert key not in out
    code, _, err = identity(office, "add", *ENROLL, "--out", str(file))
    assert (code, "is there already" in err, file.read_text().strip()) == (2, True, key)
    assert len(rows(office)) == 1


def test_a_certificate_is_enrolled_by_its_uri(office: Office) -> None:
    """The URI counts once; a form that has a second spelling does not."""
    enroll = ("add", *ENROLL, "--certificate-uri")

    assert identity(office, *enroll, "spiffe://pd.example/car/12")[0] == 0
    assert who(office, None, "spiffe://pd.example/car/12").methods == ("certificate",)
    for uri, says in (
        ("spiffe://pd.example/car/12", "enrolled already"),
        ("spiffe://pd.example/../12", "spiffe://domain/path"),
    ):
        code, _, err = identity(office, *enroll, uri)
        assert (code, says in err) == (2, True)


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--role", "patrl", "did you mean 'patrol'"),
        ("--role", "chief", "the roles are"),
        ("--person", "Jane Doe", "personnel id"),
        ("--agency", "KC", "ORI"),
        ("--terminal", "car 12", "terminal"),
        ("--unit", "3/12", "call sign"),
        ("--days", "0", "--days"),
    ],
)
def test_wrong_use_says_what_is_right(office: Office, option: str, value: str, says: str) -> None:
    """Nobody is enrolled of whom no principal could be made, or in a role that policy does not know."""
    arguments = [*ENROLL, option, value]

    code, _, err = identity(office, "add", *arguments)

    assert (code, says in err) == (2, True), err
    assert rows(office, "--all") == []


def test_a_key_with_days_expires(office: Office) -> None:
    """It is listed with its end, and good until then."""
    key = identity(office, "add", *ENROLL, "--days", "3")[1].strip()

    assert who(office, key).person == "badge-1"
    with pytest.raises(CredentialInvalid, match="expired"):
        who(office, key, at=utc_now() + timedelta(days=3))
    assert rows(office)[0]["expires"] is not None


def test_a_revocation_needs_a_reason_and_holds(office: Office) -> None:
    """One credential by its id, or all of a person's; what is revoked is listed only when it is asked for."""
    first = identity(office, "add", *ENROLL)[1].strip()
    second = identity(office, "add", *ENROLL)[1].strip()
    name = rows(office)[0]["id"]

    assert identity(office, "revoke", name, "--reason", "lost")[0] == 2
    assert identity(office, "revoke", "--reason", "lost in a car")[0] == 2
    assert identity(office, "revoke", "cr-none", "--reason", "lost in a car")[0] == 2
    assert identity(office, "revoke", name, "--reason", "lost in a car")[0] == 0
    with pytest.raises(CredentialInvalid, match="revoked"):
        who(office, first)
    assert who(office, second).person == "badge-1"
    assert identity(office, "revoke", "--person", "badge-11", "--reason", "left the force")[0] == 2
    assert identity(office, "revoke", "--person", "badge-1", "--reason", "left the force")[0] == 0
    assert (len(rows(office)), [row["state"] for row in rows(office, "--all")]) == (0, ["revoked", "revoked"])


def test_every_change_is_in_the_log_without_names(office: Office) -> None:
    """The command line itself delivers its events when no server runs; what lies open names nobody."""
    identity(office, "add", *ENROLL)
    identity(office, "revoke", "--person", "badge-1", "--reason", "left the force")

    code, out, _ = office.call("audit", "tail", "--config", str(office.config))

    assert code == 0
    assert "identity-added" in out
    assert "identity-revoked" in out
    assert "badge-1" not in out
    assert office.call("audit", "verify", "--config", str(office.config))[0] == 0
