"""An authenticator in software: it makes keys and signs, and can be told to lie in every part of what it says."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from webauthn.helpers import encode_cbor

if TYPE_CHECKING:
    from collections.abc import Mapping

UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80


def b64(content: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """Return the bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def packed(document: object) -> str:
    """Return a document as the header Step-Up has it."""
    return b64(json.dumps(document).encode())


def opened(text: str) -> Any:
    """Return the document of a header Step-Up."""
    return json.loads(unb64(text))


@dataclass
class Authenticator:
    """One key. ``origin`` is the page that a browser would be on; ``algorithm`` a COSE number."""

    origin: str = "http://localhost"
    algorithm: int = -7
    rsa_bits: int = 2048
    flags: int = UP | UV
    count: int = 0
    step: int = 1
    credential: bytes = field(default_factory=lambda: os.urandom(32))
    handle: str | None = None

    def __post_init__(self) -> None:
        self.key: Any
        if self.algorithm == -8:
            self.key = ed25519.Ed25519PrivateKey.generate()
        elif self.algorithm in {-257, -65535}:
            self.key = rsa.generate_private_key(public_exponent=65537, key_size=self.rsa_bits)
        else:
            self.key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public_key(self) -> bytes:
        """The key in COSE's form (RFC 9052, RFC 9053, RFC 8230)."""
        public = self.key.public_key()
        if isinstance(public, ed25519.Ed25519PublicKey):
            return encode_cbor({1: 1, 3: self.algorithm, -1: 6, -2: public.public_bytes_raw()})
        numbers = public.public_numbers()
        if isinstance(numbers, rsa.RSAPublicNumbers):
            size = (numbers.n.bit_length() + 7) // 8
            return encode_cbor({1: 3, 3: self.algorithm, -1: numbers.n.to_bytes(size), -2: numbers.e.to_bytes(3)})
        return encode_cbor({1: 2, 3: self.algorithm, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})

    def create(self, options: Mapping[str, Any], *, fmt: str = "none", **client: object) -> str:
        """Return the answer of ``navigator.credentials.create``."""
        self.handle = options["user"]["id"]
        attested = os.urandom(16) + len(self.credential).to_bytes(2) + self.credential + self.public_key
        data = self._data(options["rp"]["id"], self.flags | AT) + attested
        response = {
            "clientDataJSON": b64(self._client("webauthn.create", options["challenge"], client)),
            "attestationObject": b64(encode_cbor({"fmt": fmt, "attStmt": {}, "authData": data})),
        }
        return packed({"id": b64(self.credential), "rawId": b64(self.credential), "type": "public-key", "response": response})

    def get(self, options: Mapping[str, Any], *, rp_id: str = "", flags: int | None = None, **client: object) -> str:
        """Return the answer of ``navigator.credentials.get``; what is given takes the place of what is true."""
        self.count += self.step
        data = self._data(rp_id or options["rpId"], self.flags if flags is None else flags)
        said = self._client("webauthn.get", options["challenge"], client)
        signed = data + hashlib.sha256(said).digest()
        response = {
            "clientDataJSON": b64(said),
            "authenticatorData": b64(data),
            "signature": b64(self._sign(signed)),
            "userHandle": self.handle,
        }
        return packed({"id": b64(self.credential), "rawId": b64(self.credential), "type": "public-key", "response": response})

    def _data(self, rp_id: str, flags: int) -> bytes:
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4)

    def _client(self, kind: str, challenge: str, more: Mapping[str, object]) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False, **more}).encode()

    def _sign(self, content: bytes) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(content)
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(content, padding.PKCS1v15(), hashes.SHA1() if self.algorithm == -65535 else hashes.SHA256())
        return bytes(self.key.sign(content, ec.ECDSA(hashes.SHA256())))
