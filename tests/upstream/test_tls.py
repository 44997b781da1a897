"""TLS to the records server: its name and issuer are checked, and ours can be shown."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from proxy.upstream.reply import UpstreamFailed, UpstreamUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.upstream.conftest import World


@dataclass(frozen=True)
class Office:
    """A certificate authority that lives for one test."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    name: x509.Name

    @property
    def ca(self) -> Path:
        """Return where the office's own certificate is."""
        return self.folder / "ca.pem"

    def issue(self, name: str, *addresses: str) -> tuple[Path, Path]:
        """Write a certificate for addresses and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address)) for address in addresses])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key.public_key(), ca=False, alternative=alternative if addresses else None)
        paths = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return paths

    def open(self) -> None:
        """Write the office's own certificate."""
        certificate = self._sign(self.name, self.key.public_key(), ca=True, alternative=None)
        self.ca.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        *,
        ca: bool,
        alternative: x509.SubjectAlternativeName | None,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if alternative is not None:
            builder = builder.add_extension(alternative, critical=False)
        return builder.sign(self.key, hashes.SHA256())


@pytest.fixture
def office(tmp_path: Path) -> Callable[[str], Office]:
    """Provide certificate authorities by name."""

    def found(name: str) -> Office:
        folder = tmp_path / name
        folder.mkdir()
        made = Office(
            folder=folder,
            key=ec.generate_private_key(ec.SECP256R1()),
            name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        )
        made.open()
        return made

    return found


def serving(certificate: Path, key: Path, clients: Path | None = None) -> ssl.SSLContext:
    """Return a server's context, which may ask for a client's certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=clients)
    context.load_cert_chain(certificate, key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def test_a_known_issuer_and_name_are_trusted(
    world: World, office: Callable[[str], Office], well_formed: Callable[..., bytes]
) -> None:
    """A query over TLS answers as one without, and the check passes."""
    ours = office("ours")
    server = await world.server(well_formed(), tls=serving(*ours.issue("server", "127.0.0.1")))
    upstream = await world.upstream(server.url.replace("http:", "https:"), ca=ours.ca)

    assert (await world.ask(upstream)).status == 200
    await upstream.check()


async def test_another_issuer_or_name_gets_no_query(world: World, office: Callable[[str], Office]) -> None:
    """Nothing is sent to a server that cannot prove its name."""
    ours, theirs = office("ours"), office("theirs")
    forged = await world.server(tls=serving(*theirs.issue("forged", "127.0.0.1")))
    elsewhere = await world.server(tls=serving(*ours.issue("elsewhere", "127.0.0.2")))

    for server in (forged, elsewhere):
        upstream = await world.upstream(server.url.replace("http:", "https:"), ca=ours.ca)
        with pytest.raises(UpstreamUnavailable):
            await world.ask(upstream)
        with pytest.raises(UpstreamUnavailable):
            await upstream.check()

    assert forged.requests == elsewhere.requests == []


async def test_our_certificate_is_shown(
    world: World, office: Callable[[str], Office], well_formed: Callable[..., bytes]
) -> None:
    """A records server that asks for a certificate gets ours; without one there is no answer."""
    ours = office("ours")
    context = serving(*ours.issue("server", "127.0.0.1"), clients=ours.ca)
    server = await world.server(well_formed(), tls=context)
    url = server.url.replace("http:", "https:")
    certificate, key = ours.issue("client")

    known = await world.upstream(url, ca=ours.ca, certificate=certificate, key=key)
    assert (await world.ask(known)).status == 200

    stranger = await world.upstream(url, ca=ours.ca)
    with pytest.raises((UpstreamFailed, UpstreamUnavailable)):
        await world.ask(stranger)
    assert len(server.requests) == 1
