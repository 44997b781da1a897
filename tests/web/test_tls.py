"""Real mutual TLS at the terminals' door: the handshake proves who it is, and a revocation list is obeyed."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from proxy.identity.tls import server_context
from tests.identity.conftest import Authority
from tests.web.conftest import PERSON, until, wired

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.web.conftest import House, Reply, Trivial

LAPTOP = "spiffe://records.example/laptop/12"


class Certificates:
    """A department's authority, its server and its laptops."""

    def __init__(self, folder: Path) -> None:
        """Make the authority; nothing is revoked."""
        self.authority = Authority(folder, "department")
        self.server = self.authority.server()
        self.crl = self.authority.revoke()

    def settings(self, *, required: bool) -> dict[str, Any]:
        """Return the terminals' door with mutual TLS."""
        tls = {"certificate": self.server, "key": self.server, "client_ca": self.authority.path, "crl": self.crl}
        tls["require_client_certificate"] = required  # type: ignore[assignment]
        return {f"doors__terminals__tls__{name}": value for name, value in tls.items()}

    def server_only(self) -> ssl.SSLContext:
        """Return a door's context that asks no client for a certificate."""
        return server_context(self.server, self.server)

    def client(self, pair: Path | None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        """Return a client that has the certificate of a file, or none."""
        context = ssl.create_default_context(cafile=str(self.authority.path))
        context.minimum_version = context.maximum_version = version
        if pair is not None:
            context.load_cert_chain(pair)
        return context


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """Return the department's."""
    return Certificates(tmp_path)


async def ask(house: House, context: ssl.SSLContext, *, key: str | None = None) -> Reply | None:
    """Return the answer to a query, or None when there is none."""
    try:
        async with wired(house.door, context) as wire:
            await wire.send(house.request(key=key))
            return await wire.reply()
    except (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError):
        return None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_certificate_is_a_credential_once_enrolled_and_until_revoked(
    opened: Callable[..., AbstractAsyncContextManager[House]], certificates: Certificates, version: ssl.TLSVersion
) -> None:
    """Not enrolled: refused. Enrolled: answered, as the one who holds it. Revoked by the authority: no handshake, no answer."""
    pair, certificate = certificates.authority.client(LAPTOP)
    laptop = certificates.client(pair, version)
    async with opened(**certificates.settings(required=True)) as house:
        stranger = await ask(house, laptop)
        await house.enroll(LAPTOP)
        known = await ask(house, laptop)
        others = await ask(house, certificates.client(certificates.authority.client("spiffe://records.example/laptop/13")[0]))
        asked = len(house.records.journal)
        certificates.authority.revoke([certificate])
        revoked = await ask(house, laptop)
        certificates.authority.revoke()
        pardoned = await ask(house, laptop)

    assert stranger is not None
    assert (stranger.status, stranger.problem) == (401, "credential-invalid")
    assert known is not None
    assert (known.status, json.loads(known.body)[0]["person_id"]) == (200, PERSON)
    assert others is not None
    assert others.problem == "credential-invalid"
    assert revoked is None
    assert asked == 1
    assert pardoned is not None
    assert pardoned.status == 200


async def test_without_a_certificate_of_ours_there_is_no_conversation(
    opened: Callable[..., AbstractAsyncContextManager[House]], certificates: Certificates, tmp_path: Path
) -> None:
    """None, one of another authority, one that has expired, and one of a server."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    foreign, _ = Authority(elsewhere, "department").client(LAPTOP)
    expired, _ = certificates.authority.client(LAPTOP, days=(-20, -1))
    async with opened(**certificates.settings(required=True)) as house:
        await house.enroll(LAPTOP)
        for pair in (None, foreign, expired, certificates.server):
            assert await ask(house, certificates.client(pair), key=house.key) is None
        assert house.records.journal == []


async def test_where_certificates_are_optional_a_key_will_do(
    opened: Callable[..., AbstractAsyncContextManager[House]], certificates: Certificates
) -> None:
    """Key or certificate; one that is there and bad is not passed over for a good key."""
    pair, certificate = certificates.authority.client(LAPTOP)
    double, _ = certificates.authority.client(LAPTOP, "spiffe://records.example/laptop/13")
    async with opened(**certificates.settings(required=False)) as house:
        await house.enroll(LAPTOP)
        by_key = await ask(house, certificates.client(None), key=house.key)
        by_certificate = await ask(house, certificates.client(pair))
        by_nothing = await ask(house, certificates.client(None))
        by_two_names = await ask(house, certificates.client(double), key=house.key)
        certificates.authority.revoke([certificate])
        revoked = await ask(house, certificates.client(pair), key=house.key)

    replies = [by_key, by_certificate, by_nothing, by_two_names]
    assert [reply and reply.status for reply in replies] == [200, 200, 401, 401]
    assert revoked is None


async def test_a_revocation_list_that_is_lost_stops_the_conversation(
    opened: Callable[..., AbstractAsyncContextManager[House]], certificates: Certificates
) -> None:
    """Nobody can say who is revoked, so nobody comes in; when the list is back, everybody does, without a restart."""
    pair, _ = certificates.authority.client(LAPTOP)
    async with opened(**certificates.settings(required=True)) as house:
        await house.enroll(LAPTOP)
        kept = shutil.move(certificates.crl, certificates.crl.with_suffix(".kept"))
        assert await ask(house, certificates.client(pair)) is None
        shutil.move(kept, certificates.crl)
        answer = await ask(house, certificates.client(pair))

    assert answer is not None
    assert answer.status == 200


async def test_a_handshake_that_never_ends_is_cut_off(certificates: Certificates, trivial: Trivial) -> None:
    """Also when it trickles, and without a word of TLS; others are served meanwhile."""
    door = trivial.door(certificates.server_only(), keepalive_seconds=0.3)
    await door.open()
    async with wired(door) as silent, wired(door) as halting:
        await halting.send(b"\x16\x03\x01\x02\x00\x01\x00")
        async with wired(door, certificates.client(None)) as other:
            await other.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await other.reply()).status == 200
        assert await silent.rest() == b""
        assert await halting.rest() == b""
    await door.close()


async def test_plain_http_is_not_answered_at_a_door_with_tls(certificates: Certificates, trivial: Trivial) -> None:
    """Not even with a refusal: whatever is said there is said in clear."""
    door = trivial.door(certificates.server_only())
    await door.open()
    async with wired(door) as plain:
        await plain.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"HTTP/" not in await plain.rest()
    await door.close()
    assert trivial.seen == []


async def test_a_client_that_does_not_read_is_cut_off_under_tls_as_well(certificates: Certificates, trivial: Trivial) -> None:
    """The time to take an answer is the same."""
    trivial.body = b"x" * 8_000_000
    door = trivial.door(certificates.server_only(), send_seconds=0.2, keepalive_seconds=0.4)
    await door.open()
    async with wired(door, certificates.client(None)) as deaf:
        await deaf.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: bool(trivial.seen) and not door.connections)
        deaf.abort()
    await door.close()
