"""A real store with its outbox, a clock moved by hand, and a certification authority that signs what a test asks for."""

from __future__ import annotations

import ipaddress
import itertools
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sqlalchemy import text

from proxy.audit.outbox import Outbox
from proxy.audit.sealing import Sealer
from proxy.database import Database
from proxy.identity.credential import Holder
from proxy.identity.desk import IdentityDesk
from proxy.identity.service import Identities

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

STORE_KEY = b"s" * 32
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


@dataclass
class Office:
    """The identity desk, and the server's view of it through a store of its own, as another process has it."""

    desk: IdentityDesk
    identities: Identities
    database: Database
    now: datetime = NOW

    def pass_time(self, **kwargs: float) -> None:
        self.now += timedelta(**kwargs)

    async def queued(self) -> Sequence[str]:
        async with self.database.begin() as connection:
            return [row[0] for row in await connection.execute(text("SELECT kind FROM outbox ORDER BY seq"))]


def holder(person: str = "badge-1", **changes: str | None) -> Holder:
    values: dict[str, str | None] = {
        "agency": "MO0950000", "role": "patrol", "unit": "3A12", "terminal": f"car-{person}",
    }  # fmt: skip
    return Holder(person=person, **(values | changes))  # type: ignore[arg-type]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    servers, desks = Database(tmp_path / "store.sqlite3"), Database(tmp_path / "store.sqlite3")
    await servers.open()
    await desks.open()
    made: list[Office] = []
    outbox = Outbox(desks, Sealer(index_key=b"i" * 32, body_key=b"b" * 32), lambda: made[0].now, os.urandom)
    desk = IdentityDesk(
        database=desks, key=STORE_KEY, outbox=outbox, clock=lambda: made[0].now, randomness=os.urandom, actor="login:clerk"
    )
    made.append(Office(desk=desk, identities=Identities(database=servers, key=STORE_KEY), database=desks))
    yield made[0]
    await desks.close()
    await servers.close()


@dataclass
class Authority:
    """A certification authority in a folder. Files are PEM; a pair is one file with certificate and key."""

    folder: Path
    name: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    certificate: x509.Certificate = field(init=False)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        now = datetime.now(UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.pem"

    def server(self) -> Path:
        names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        return self._sign("server", names, ExtendedKeyUsageOID.SERVER_AUTH)[0]

    def client(
        self, *uris: str, common_name: str = "Officer", days: tuple[float, float] = (-1, 30), identified: bool = True
    ) -> tuple[Path, x509.Certificate]:
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        return self._sign(common_name, names, ExtendedKeyUsageOID.CLIENT_AUTH, days, identified=identified)

    def revoke(self, certificates: Iterable[x509.Certificate] = (), *, days: tuple[float, float] = (-1, 7)) -> Path:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now + timedelta(days=days[0]))
            .next_update(now + timedelta(days=days[1]))
            .add_extension(x509.CRLNumber(next(self.numbers)), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        for certificate in certificates:
            revoked = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(now)
            builder = builder.add_revoked_certificate(revoked.build())
        path = self.folder / f"{self.name}.crl"
        fresh = path.with_suffix(".new")
        fresh.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return fresh.replace(path)

    def _sign(
        self,
        common_name: str,
        names: Sequence[x509.GeneralName],
        usage: x509.ObjectIdentifier,
        days: tuple[float, float] = (-1, 30),
        *,
        identified: bool = True,
    ) -> tuple[Path, x509.Certificate]:
        now = datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if identified:
            authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
            builder = builder.add_extension(authority, critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        path = self.folder / f"{self.name}-{next(self.numbers)}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        )
        return path, certificate
