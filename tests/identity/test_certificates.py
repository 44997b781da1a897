"""Client certificates over real TLS: who gets through the handshake, and who they are then."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from proxy.identity.desk import EnrollmentRefused
from proxy.identity.principal import CredentialInvalid, CredentialMissing
from proxy.identity.tls import CertificatesUnusable, certificate_uris, notice, server_context, trouble
from proxy.refusal import Refusal
from tests.identity.conftest import Authority, holder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.identity.conftest import Office

URI = "spiffe://pd.example/person/badge-1"


@dataclass
class Server:
    """A TLS server that answers with who asked, and the client's end."""

    port: int
    context: ssl.SSLContext
    ca: Path
    peers: list[Any] = field(default_factory=list)

    def client_context(self, certificate: Path | None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """Return a client's context with a certificate or none."""
        context = ssl.create_default_context(cafile=self.ca)
        if certificate is not None:
            context.load_cert_chain(certificate)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context

    async def ask(
        self, certificate: Path | None = None, *, key: str | None = None, version: ssl.TLSVersion | None = None
    ) -> tuple[int, str]:
        """Return status and body of one request on a connection of its own."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        connector = aiohttp.TCPConnector(ssl=self.client_context(certificate, version), force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(f"https://127.0.0.1:{self.port}/", headers=headers) as response,
        ):
            return response.status, await response.text()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The authority that the server believes."""
    return Authority(tmp_path, "ours")


@asynccontextmanager
async def serving(office: Office, authority: Authority, context: ssl.SSLContext) -> AsyncIterator[Server]:
    """Serve over TLS as the doors do: the URI of the verified certificate and the header go to ``authenticate``."""

    async def answer(request: web.BaseRequest) -> web.Response:
        peer = request.transport.get_extra_info("peercert") if request.transport else None
        server.peers.append(peer)
        try:
            uris = certificate_uris(peer) if peer else ()
            principal = office.identities.authenticate(request.headers.get("Authorization"), uris, office.now)
        except Refusal as refusal:
            return web.Response(status=401, text=refusal.slug())
        return web.Response(text=f"{principal.person} {'+'.join(principal.methods)}")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    server = Server(port=runner.addresses[0][1], context=context, ca=authority.path)
    yield server
    await runner.cleanup()


def context_of(authority: Authority, crl: Path | None, *, required: bool = False) -> ssl.SSLContext:
    """Return a context as the composition root makes it."""
    pair = authority.server()
    return server_context(pair, pair, authority.path, crl, required=required)


async def test_an_enrolled_certificate_is_the_person_it_was_enrolled_for(office: Office, authority: Authority) -> None:
    """The handshake proves the certificate, its URI names the person, and its common name means nothing."""
    await office.desk.add_certificate(URI, holder())
    pair, _ = authority.client(URI, common_name="badge-2")

    async with serving(office, authority, context_of(authority, authority.revoke())) as server:
        assert await server.ask(pair) == (200, "badge-1 certificate")
        assert await server.ask(pair, version=ssl.TLSVersion.TLSv1_2) == (200, "badge-1 certificate")


async def test_a_common_name_is_no_identity(office: Office, authority: Authority) -> None:
    """A certificate whose common name is an enrolled URI, but which has no URI, is nobody."""
    await office.desk.add_certificate(URI, holder())
    pair, _ = authority.client(common_name=URI)

    async with serving(office, authority, context_of(authority, authority.revoke())) as server:
        assert await server.ask(pair) == (401, "credential-invalid")


async def test_a_certificate_that_is_not_enrolled_is_nobody(office: Office, authority: Authority) -> None:
    """Being signed by the right authority is not enough, nor is an URI that only begins like an enrolled one."""
    await office.desk.add_certificate(URI, holder())

    async with serving(office, authority, context_of(authority, authority.revoke())) as server:
        for uri in (f"{URI}0", URI.removesuffix("1"), "spiffe://pd.example.evil.org/person/badge-1"):
            pair, _ = authority.client(uri)
            assert await server.ask(pair) == (401, "credential-invalid"), uri


async def test_two_uris_are_no_identity(office: Office, authority: Authority) -> None:
    """Of two identities in one certificate none is chosen, though both are enrolled."""
    await office.desk.add_certificate(URI, holder())
    await office.desk.add_certificate("spiffe://pd.example/person/badge-2", holder("badge-2"))
    pair, _ = authority.client(URI, "spiffe://pd.example/person/badge-2")

    async with serving(office, authority, context_of(authority, authority.revoke())) as server:
        assert await server.ask(pair) == (401, "credential-invalid")


async def test_without_a_certificate_a_key_will_do_where_it_may(office: Office, authority: Authority) -> None:
    """Where certificates are optional, a client without one comes with a key, or as nobody."""
    key, _ = await office.desk.add_key(holder())

    async with serving(office, authority, context_of(authority, authority.revoke())) as server:
        assert await server.ask(key=key) == (200, "badge-1 key")
        assert await server.ask() == (401, "credential-missing")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_without_a_certificate_there_is_no_handshake_where_it_must(
    office: Office, authority: Authority, version: ssl.TLSVersion
) -> None:
    """Where certificates are required, a key alone reaches nobody."""
    key, _ = await office.desk.add_key(holder())

    async with serving(office, authority, context_of(authority, authority.revoke(), required=True)) as server:
        with pytest.raises(aiohttp.ClientError):
            await server.ask(key=key, version=version)
    assert server.peers == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_certificate_that_does_not_hold_ends_the_handshake(
    office: Office, authority: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """Expired, not yet valid, revoked, or signed by another authority: no request of theirs is read."""
    await office.desk.add_certificate(URI, holder())
    stranger = Authority(tmp_path, "theirs")
    revoked, certificate = authority.client(URI)
    wrong = {
        "expired": authority.client(URI, days=(-20, -1))[0],
        "not yet valid": authority.client(URI, days=(1, 20))[0],
        "revoked": revoked,
        "another authority": stranger.client(URI)[0],
        "against RFC 5280, without its authority's key identifier": authority.client(URI, identified=False)[0],
    }

    async with serving(office, authority, context_of(authority, authority.revoke([certificate]))) as server:
        for what, pair in wrong.items():
            with pytest.raises(aiohttp.ClientError):
                await server.ask(pair, version=version)
            assert server.peers == [], what


async def test_a_revocation_list_is_obeyed_from_the_next_connection_on(office: Office, authority: Authority) -> None:
    """The list's file is replaced beside the running server; no restart, and others come through as before."""
    await office.desk.add_certificate(URI, holder())
    await office.desk.add_certificate("spiffe://pd.example/person/badge-2", holder("badge-2"))
    lost, certificate = authority.client(URI)
    kept, _ = authority.client("spiffe://pd.example/person/badge-2")

    async with serving(office, authority, context_of(authority, authority.revoke())) as server:
        assert await server.ask(lost) == (200, "badge-1 certificate")
        authority.revoke([certificate])
        with pytest.raises(aiohttp.ClientError):
            await server.ask(lost)
        assert await server.ask(kept) == (200, "badge-2 certificate")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_session_begun_before_a_revocation_does_not_outlive_it(
    office: Office, authority: Authority, version: ssl.TLSVersion
) -> None:
    """TLS resumption skips the certificate's verification; a session offered after the revocation is not resumed."""
    await office.desk.add_certificate(URI, holder())
    lost, certificate = authority.client(URI)
    context = context_of(authority, authority.revoke())
    client = ssl.create_default_context(cafile=authority.path)
    client.load_cert_chain(lost)
    client.minimum_version = client.maximum_version = version

    session = handshake(context, client)
    authority.revoke([certificate])

    with pytest.raises(ssl.SSLError, match=r"(?i)revoked"):
        handshake(context, client, session)


async def test_while_the_list_is_out_of_date_no_certificate_is_believed(office: Office, authority: Authority) -> None:
    """A list past its next update may lack the latest revocations, so it refuses; a key still works."""
    await office.desk.add_certificate(URI, holder())
    key, _ = await office.desk.add_key(holder())
    pair, _ = authority.client(URI)

    async with serving(office, authority, context_of(authority, authority.revoke(days=(-9, -2)))) as server:
        with pytest.raises(aiohttp.ClientError):
            await server.ask(pair)
        assert await server.ask(key=key) == (200, "badge-1 key")


async def test_a_broken_list_stops_handshakes_until_it_is_whole_again(
    office: Office, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """A list that was cut short or is gone is not taken for an empty one, and readiness can tell."""
    await office.desk.add_certificate(URI, holder())
    pair, certificate = authority.client(URI)
    crl = authority.revoke()
    context = context_of(authority, crl)

    async with serving(office, authority, context) as server:
        whole = crl.read_bytes()
        for broken in (b"", whole[:100], authority.path.read_bytes()):
            crl.write_bytes(broken)
            with pytest.raises(aiohttp.ClientError):
                await server.ask(pair)
            assert str(crl) in (trouble(context, datetime.now(UTC)) or "")
        crl.unlink()
        with pytest.raises(aiohttp.ClientError):
            await server.ask(pair)
        crl.write_bytes(whole)
        assert await server.ask(pair) == (200, "badge-1 certificate")
        assert trouble(context, datetime.now(UTC)) is None
        authority.revoke([certificate])
        with pytest.raises(aiohttp.ClientError):
            await server.ask(pair)
    assert "badge" not in caplog.text


async def test_a_certificate_says_when_it_ends_before_and_after(authority: Authority) -> None:
    """Clients refuse it without a word to us, so nothing that they ask would tell."""
    pair, crl = authority.server(), authority.revoke(days=(-1, 90))
    today = datetime.now(UTC)
    context = server_context(pair, pair, authority.path, crl)

    assert (trouble(context, today), notice(context, today)) == (None, "")
    assert "expires at" in notice(context, today + timedelta(days=20))
    assert trouble(context, today + timedelta(days=20)) is None
    assert "expired at" in (trouble(context, today + timedelta(days=31)) or "")


async def test_a_revocation_list_past_its_next_update_is_told_of(authority: Authority) -> None:
    """No client certificate is taken with it: trouble where one is needed, a notice where a key will do."""
    pair, crl = authority.server(), authority.revoke(days=(-1, 7))
    later = datetime.now(UTC) + timedelta(days=8)

    optional = server_context(pair, pair, authority.path, crl)
    required = server_context(pair, pair, authority.path, crl, required=True)

    assert trouble(optional, later) is None
    assert "next update" in notice(optional, later)
    assert "next update" in (trouble(required, later) or "")


async def test_old_protocol_versions_are_not_spoken(authority: Authority) -> None:
    """TLS 1.2 is the oldest."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(authority.path)
    client.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises(ssl.SSLError):
        handshake(context_of(authority, authority.revoke()), client)


async def test_a_key_and_a_certificate_have_to_agree(office: Office, authority: Authority) -> None:
    """Two credentials of one holder are one principal; of two holders, or with one that is bad, they are nobody."""
    await office.desk.add_certificate(URI, holder())
    key, credential = await office.desk.add_key(holder())
    others, _ = await office.desk.add_key(holder("badge-2"))
    elsewhere, _ = await office.desk.add_key(holder(terminal="desk-9"))
    promoted, _ = await office.desk.add_key(holder(role="supervisor"))
    pair, _ = authority.client(URI)
    stranger, _ = authority.client("spiffe://pd.example/person/badge-9")

    async with serving(office, authority, context_of(authority, authority.revoke())) as server:
        assert await server.ask(pair, key=key) == (200, "badge-1 certificate+key")
        for other in (others, elsewhere, promoted, "sc_none"):
            assert await server.ask(pair, key=other) == (401, "credential-invalid")
        assert await server.ask(stranger, key=key) == (401, "credential-invalid")
        await office.desk.revoke(credential.id, reason="lost in a car")
        assert await server.ask(pair, key=key) == (401, "credential-invalid")
        assert await server.ask(pair) == (200, "badge-1 certificate")


async def test_an_enrollment_can_be_revoked_and_made_anew(office: Office) -> None:
    """A URI is enrolled once at a time; after its revocation it is nobody until it is enrolled again, for whomever."""
    first = await office.desk.add_certificate(URI, holder())
    with pytest.raises(EnrollmentRefused, match="enrolled already"):
        await office.desk.add_certificate(URI, holder("badge-2"))

    await office.desk.revoke(first.id, reason="new terminal")
    with pytest.raises(CredentialInvalid, match="revoked"):
        office.identities.authenticate(None, (URI,), office.now)
    office.pass_time(minutes=1)
    await office.desk.add_certificate(URI, holder("badge-2"))

    assert office.identities.authenticate(None, (URI,), office.now).person == "badge-2"


async def test_a_key_s_digest_is_no_uri_and_a_uri_no_key(office: Office) -> None:
    """What is stored of one kind of credential does not open the door as the other kind."""
    _, credential = await office.desk.add_key(holder())

    with pytest.raises(CredentialInvalid):
        office.identities.authenticate(None, (credential.mark,), office.now)
    with pytest.raises(CredentialInvalid):
        office.identities.authenticate(f"Bearer {credential.mark}", (), office.now)
    with pytest.raises(CredentialMissing):
        office.identities.authenticate(None, (), office.now)


@pytest.mark.parametrize(
    "uri",
    [
        "", "spiffe://", "spiffe://pd.example", "spiffe://pd.example/", "spiffe://pd.example/a/", "spiffe://pd.example//a",
        "spiffe://pd.example/../a", "spiffe://pd.example/a/.", "spiffe://PD.example/a", "SPIFFE://pd.example/a",
        "spiffe://pd.example:443/a", "spiffe://user@pd.example/a", "spiffe://pd.example/a?x", "spiffe://pd.example/a#x",
        "spiffe://pd.example/%61", "spiffe://pd.example/a b", "spiffe://pd.example/a\x00b", "spiffe://pd.example/a\n",
        "https://pd.example/a", "urn:showcause:a", "spiffe://pd.example/é", f"spiffe://pd.example/{'a' * 300}",
    ],
)  # fmt: skip
async def test_a_uri_with_a_second_spelling_is_no_identity(office: Office, uri: str) -> None:
    """What could be written in another way, or is of an unknown scheme, is neither enrolled nor believed."""
    with pytest.raises(EnrollmentRefused):
        await office.desk.add_certificate(uri, holder())
    with pytest.raises(CredentialInvalid):
        certificate_uris({"subjectAltName": (("URI", uri),)})


def test_of_two_identities_none_is_chosen() -> None:
    """Two well-formed URIs are as bad as none, and the same one twice is two."""
    for second in ("spiffe://pd.example/b", URI):
        with pytest.raises(CredentialInvalid, match="2 URIs"):
            certificate_uris({"subjectAltName": (("URI", URI), ("URI", second))})


@given(st.lists(st.tuples(st.sampled_from(["URI", "DNS", "email", "IP Address", "uri"]), st.text(max_size=40)), max_size=4))
def test_any_alternative_names_are_one_identity_or_a_refusal(names: list[tuple[str, str]]) -> None:
    """Only exactly one URI in its plain form ever comes out, and then it is the certificate's own."""
    uris = [value for kind, value in names if kind == "URI"]
    try:
        found = certificate_uris({"subject": ((("commonName", URI),),), "subjectAltName": tuple(names)})
    except CredentialInvalid:
        return

    assert list(found) == uris
    assert len(uris) == 1


def test_no_certificate_is_no_uri() -> None:
    """A client that came without one has none."""
    assert certificate_uris({}) == ()


def test_clients_are_not_believed_without_a_list(authority: Authority, tmp_path: Path) -> None:
    """Leaving out the revocation list has to be said aloud, and a list needs the authority that it is about."""
    pair, crl = authority.server(), authority.revoke()

    with pytest.raises(CertificatesUnusable, match="revocation list"):
        server_context(pair, pair, authority.path)
    with pytest.raises(CertificatesUnusable, match="authority"):
        server_context(pair, pair, None, crl)
    with pytest.raises(CertificatesUnusable, match="authority"):
        server_context(pair, pair, required=True)
    for arguments in (
        (pair, crl, authority.path, crl),
        (tmp_path / "none.pem", pair, authority.path, crl),
        (pair, pair, crl, crl),
        (pair, pair, authority.path, authority.path),
        (pair, pair, authority.path, tmp_path / "none.crl"),
    ):
        with pytest.raises(CertificatesUnusable, match=r"\.(?:pem|crl)"):
            server_context(*arguments)


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSession | None:
    """Do a handshake in memory and read one byte each way; return the client's session."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(down, up, server_hostname="localhost", session=session)
    far = server.wrap_bio(up, down, server_side=True)
    waiting: dict[str, list[Callable[[], object]]] = {
        "near": [near.do_handshake, lambda: near.write(b"x"), lambda: near.read(1)],
        "far": [far.do_handshake, lambda: far.read(1), lambda: far.write(b"x")],
    }
    for _ in range(40):
        for side in ("near", "far"):
            while waiting[side]:
                try:
                    waiting[side][0]()
                except ssl.SSLWantReadError:
                    break
                waiting[side].pop(0)
    assert waiting == {"near": [], "far": []}
    return near.session
