"""An identity provider at the command line: `check` without network, `doctor` with it, and somebody is signed out."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson

from proxy.clock import utc_now
from proxy.database import Database
from proxy.identity.denylist import Denylist
from tests.identity.idp import AUDIENCE, Idp, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Office


@contextmanager
def listening(change: Callable[[Idp], None] = lambda _idp: None) -> Iterator[str]:
    """Run a provider in a thread of its own, since a command line has its own loop; yield its issuer."""
    ready, issuer = threading.Event(), [""]
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def run() -> None:
        async with serving() as idp:
            change(idp)
            issuer[0] = idp.issuer
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield issuer[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()


def configure(office: Office, issuer: str, **changes: object) -> None:
    """Give the office a provider."""
    secret = office.folder / "oidc.secret"
    secret.write_text("a secret of the console")
    secret.chmod(0o600)
    section = {
        "issuer": issuer, "client_id": "console", "client_secret": "oidc.secret", "audience": AUDIENCE,
        "redirect": "http://127.0.0.1:8441/sign-in/callback", "agencies": {"KY0429900": "KY0429900"},
        "roles": {"pd-patrol": "patrol"}, **changes,
    }  # fmt: skip
    config = office.config.read_text("utf-8")
    office.config.write_text(f"{config}\noidc: {json.dumps(section)}\n", "utf-8")


def test_a_group_that_gives_an_unknown_role_is_a_mistake_with_its_line(office: Office) -> None:
    """Without network, with the nearest role."""
    configure(office, "https://login.example.gov", roles={"pd-patrol": "patrole"})

    code, out, _ = office.call("check", "--config", str(office.config), "--json")

    [mistake] = orjson.loads(out)["mistakes"]
    assert code == 1
    assert mistake["message"] == "there is no role 'patrole' in vocabulary.yaml"
    assert mistake["help"] == "did you mean 'patrol'?"
    assert mistake["line"] > 7


def test_a_provider_that_fits_is_well(office: Office) -> None:
    """Discovery and keys are fetched; the secret is readable by its owner only."""
    with listening() as issuer:
        configure(office, issuer)
        assert office.troubles() == {}


def test_a_provider_that_does_not_fit_is_told_with_what_to_do(office: Office) -> None:
    """Another issuer, no keys, nobody there, a secret that others can read, settings that weaken."""

    def lies(idp: Idp) -> None:
        idp.discovery = {"issuer": "https://login.example.gov"}

    def has_no_keys(idp: Idp) -> None:
        idp.published = {}

    for change, says in ((lies, "another issuer"), (has_no_keys, "holds no key")):
        with listening(change) as issuer:
            before = office.config.read_text("utf-8")
            configure(office, issuer)
            level, detail, hint = office.troubles()["identity provider"]
            assert level == "failure"
            assert says in detail
            assert "issuer" in hint
            office.config.write_text(before, "utf-8")
    configure(office, "http://127.0.0.1:1", amr=[], unsafe_single_factor=True)
    (office.folder / "oidc.secret").chmod(0o644)
    found = office.troubles()
    assert "cannot be reached" in found["identity provider"][1]
    assert "chmod 600" in found["oidc.client_secret"][1]
    assert "unsafe_single_factor" in found["oidc"][1]


def refused(office: Office, *, signed_in_ago: float) -> bool:
    """Tell whether a server beside the command line refuses a token of badge-1."""

    async def ask() -> bool:
        database = Database(office.folder / "data/store.sqlite3")
        await database.open()
        try:
            at = utc_now() - timedelta(seconds=signed_in_ago)
            return Denylist(database).refuses(account="a", person="badge-1", issued_at=utc_now(), signed_in_at=at)
        finally:
            await database.close()

    return asyncio.run(ask())


def test_somebody_is_signed_out_from_the_command_line(office: Office) -> None:
    """From the next query on, in every process, whatever was refreshed since; and it is in the log with its reason."""
    configure(office, "https://login.example.gov")
    config = ("--config", str(office.config))
    assert not refused(office, signed_in_ago=60)

    assert office.call("identity", "sign-out", "badge-1", "--reason", "phone stolen", *config)[0] == 0

    assert refused(office, signed_in_ago=60)
    assert not refused(office, signed_in_ago=-1)
    assert "identity-signed-out" in office.call("audit", "tail", *config)[1]


def test_signing_out_needs_a_provider_a_reason_and_a_person(office: Office) -> None:
    """Exit 2 and what to do; nothing is written."""
    config = ("--config", str(office.config))
    assert office.call("identity", "sign-out", "badge-1", "--reason", "phone stolen", *config)[0] == 2
    configure(office, "https://login.example.gov")
    assert office.call("identity", "sign-out", "badge-1", "--reason", "x", *config)[0] == 2
    assert office.call("identity", "sign-out", "Dana Hale", "--reason", "phone stolen", *config)[0] == 2
