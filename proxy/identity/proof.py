"""How this client proves itself at the token endpoint: a secret, or an assertion signed with its own key (RFC 7523)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy.identity.discovery import JWT_BEARER
from proxy.tlog.errors import KeyUnusable
from proxy.tlog.keys import load_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from proxy.identity.discovery import Metadata

ASSERTION_SECONDS: Final = 60

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey


class Proof(Protocol):
    """What is sent along with a form to the token endpoint."""

    def applied(self, metadata: Metadata, now: datetime) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return fields for the form, and headers."""
        ...


@dataclass(frozen=True, slots=True)
class SecretProof:
    """The client's secret: as Basic credentials, or in the form where the provider takes no others."""

    client_id: str
    secret: str

    def applied(self, metadata: Metadata, now: datetime) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return fields for the form, and headers."""
        del now
        if not metadata.basic:
            return {"client_id": self.client_id, "client_secret": self.secret}, {}
        # RFC 6749 section 2.3.1: both are form-encoded before they are joined.
        pair = f"{quote(self.client_id, safe='')}:{quote(self.secret, safe='')}"
        return {}, {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


@dataclass(frozen=True, slots=True)
class KeyProof:
    """The client's private key (``private_key_jwt``), so that nothing that could be replayed crosses the network."""

    client_id: str
    key: PrivateKey
    token_id: Callable[[], str]

    def applied(self, metadata: Metadata, now: datetime) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return fields for the form, and headers."""
        issued = int(now.timestamp())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": metadata.issuer,
            "jti": self.token_id(),
            "iat": issued,
            "exp": issued + ASSERTION_SECONDS,
        }
        algorithm = "PS256" if isinstance(self.key, RSAPrivateKey) else "EdDSA"
        if isinstance(self.key, EllipticCurvePrivateKey):
            algorithm = "ES256"
        assertion = jwt.encode(claims, self.key, algorithm=algorithm)
        return {"client_id": self.client_id, "client_assertion_type": JWT_BEARER, "client_assertion": assertion}, {}


def load_proof(client_id: str, *, secret: Path | None, key: Path | None, token_id: Callable[[], str]) -> Proof:
    """Read the file that proves this client.

    Raises:
        KeyUnusable: it cannot be read, is open to others, or is no secret or private key.
    """
    if key is None:
        assert secret is not None
        text = load_secret(secret).decode("utf-8", "replace").strip()
        if not text or not text.isascii() or not text.isprintable():
            msg = f"{secret} is not a client secret in one line of visible ASCII"
            raise KeyUnusable(msg)
        return SecretProof(client_id, text)
    try:
        loaded = load_pem_private_key(load_secret(key), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        loaded = None
    curve = loaded.curve.name if isinstance(loaded, EllipticCurvePrivateKey) else "secp256r1"
    if not isinstance(loaded, RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey) or curve != "secp256r1":
        msg = f"{key} is not an unencrypted RSA, P-256 or Ed25519 key in PEM"
        raise KeyUnusable(msg)
    return KeyProof(client_id, loaded, token_id)
