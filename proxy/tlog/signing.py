r"""The kinds of key that sign notes, as bytes: what is signed, and how a key and its signature are written.

=========  =====================  ============================================================================
type byte  algorithm              signs
=========  =====================  ============================================================================
``01``     Ed25519                the note's text (c2sp.org/signed-note)
``02``     ECDSA P-256, SHA-256   the note's text; its key id is that of the DER key (transparency-dev/witness)
``04``     Ed25519                a checkpoint and the time: a witness's cosignature/v1 (c2sp.org/tlog-cosignature)
``06``     ML-DSA-44              a checkpoint and the time, proof against quantum computers (the same)
=========  =====================  ============================================================================

A line ``— <name> base64(key id || signature)`` of a key that a verifier does not know is passed over, so a log can sign with a
second kind beside the first, and nobody who knows only the first has to change.
"""

from __future__ import annotations

import base64
import binascii
import re
from enum import IntEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Final, assert_never

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from proxy.tlog.errors import NoteInvalid

if TYPE_CHECKING:
    Public = Ed25519PublicKey | EllipticCurvePublicKey | MLDSA44PublicKey
    Private = Ed25519PrivateKey | EllipticCurvePrivateKey | MLDSA44PrivateKey

DASH: Final = "\N{EM DASH} "
NAME: Final = re.compile(r"[!-*,-~]{1,200}\Z")  # visible ASCII without the plus sign
MAX_TIME: Final = (1 << 63) - 1
_SUBTREE: Final = b"subtree/v1\n\x00"


class Kind(IntEnum):
    """The type byte of a key."""

    ED25519 = 0x01
    ECDSA = 0x02
    COSIGNATURE = 0x04
    ML_DSA_44 = 0x06


TIMED: Final = frozenset({Kind.COSIGNATURE, Kind.ML_DSA_44})
"""Kinds whose signature states a time, and which sign checkpoints only."""


class PublicKey:
    """A name and a key; ``vkey`` is both in one line, as in Go's sumdb: ``<name>+<key id in hex>+<base64>``."""

    def __init__(self, name: str, kind: Kind, material: bytes) -> None:
        """Keep a key as its kind writes it: 32 bytes, DER, 32 bytes, 1,312 bytes.

        Raises:
            NoteInvalid: the name has blanks, a plus sign or nothing; or the key is not one.
        """
        if not NAME.match(name):
            msg = f"{name!r} cannot name a log or a witness: visible ASCII characters, no blanks, no plus sign"
            raise NoteInvalid(msg)
        self.name = name
        self.kind = kind
        self.material = material
        self._key = _load(kind, material)
        hashed = material if kind is Kind.ECDSA else name.encode() + b"\n" + bytes([kind]) + material
        self.key_id = sha256(hashed).digest()[:4]
        self.vkey = f"{name}+{self.key_id.hex()}+{base64.b64encode(bytes([kind]) + material).decode()}"

    @classmethod
    def parse(cls, vkey: str) -> PublicKey:
        """Read a verifier key.

        Raises:
            NoteInvalid: it is malformed, of a kind nobody here knows, or its key id is not that of the key.
        """
        parts = vkey.strip().split("+", 2)
        if len(parts) != 3:
            raise NoteInvalid("a verifier key reads <name>+<key id>+<base64 key>")
        raw = decode_base64(parts[2])
        try:
            kind = Kind(raw[0])
        except (ValueError, IndexError):
            raise NoteInvalid("this verifier key is of a kind that is not known here") from None
        key = cls(parts[0], kind, raw[1:])
        if key.vkey != f"{parts[0]}+{parts[1]}+{parts[2]}":
            raise NoteInvalid("the key id of this verifier key is not that of its key: it was copied wrong or altered")
        return key

    def verify(self, body: str, signature: bytes) -> int:
        """Return the POSIX time that a signature of ``body`` states, 0 where its kind states none.

        Raises:
            NoteInvalid: the signature does not hold.
        """
        time = 0
        if self.kind in TIMED:
            time, signature = int.from_bytes(signature[:8]), signature[8:]
        try:
            if time > MAX_TIME:
                raise InvalidSignature  # noqa: TRY301 -- one message for every signature that does not hold
            message = _message(self.kind, self.name, body, time)
            if isinstance(self._key, EllipticCurvePublicKey):
                self._key.verify(signature, message, ECDSA(SHA256()))
            else:
                self._key.verify(signature, message)
        except InvalidSignature:
            msg = f"a signature of {self.name} does not hold"
            raise NoteInvalid(msg) from None
        return time


class PrivateKey:
    """Signs for a name; ``public`` is what to publish."""

    def __init__(self, name: str, kind: Kind, key: Private) -> None:
        """Bind a key to a name and to what it signs.

        Raises:
            NoteInvalid: the name cannot be one, or the key is not of this kind.
        """
        self._key = key
        self.public = PublicKey(name, kind, _material(key))

    def line(self, body: str, time: int = 0) -> str:
        """Return the signature line of a note's text; ``time``, in POSIX seconds, for the kinds that state one."""
        public = self.public
        message = _message(public.kind, public.name, body, time)
        if isinstance(self._key, EllipticCurvePrivateKey):
            signature = self._key.sign(message, ECDSA(SHA256()))
        else:
            signature = self._key.sign(message)
        stated = time.to_bytes(8) if public.kind in TIMED else b""
        return f"{DASH}{public.name} {base64.b64encode(public.key_id + stated + signature).decode()}\n"


def decode_base64(text: str) -> bytes:
    """Return the bytes of canonical base64.

    Raises:
        NoteInvalid: it is not that.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteInvalid("this is not base64") from None
    if base64.b64encode(raw).decode() != text:  # b64decode forgives stray bits: two texts must not pass as one signature
        raise NoteInvalid("this base64 is not canonical")
    return raw


def _message(kind: Kind, name: str, body: str, time: int) -> bytes:
    match kind:
        case Kind.ED25519 | Kind.ECDSA:
            return body.encode()
        case Kind.COSIGNATURE:
            return f"cosignature/v1\ntime {time}\n{body}".encode()
        case Kind.ML_DSA_44:
            origin, size, root = body.split("\n", 3)[:3]
            head = _SUBTREE + _counted(name) + time.to_bytes(8) + _counted(origin)
            return head + bytes(8) + int(size).to_bytes(8) + decode_base64(root)
        case _:
            assert_never(kind)


def _counted(text: str) -> bytes:
    content = text.encode()
    return len(content).to_bytes(1) + content


def _load(kind: Kind, material: bytes) -> Public:
    try:
        match kind:
            case Kind.ED25519 | Kind.COSIGNATURE:
                return Ed25519PublicKey.from_public_bytes(material)
            case Kind.ML_DSA_44:
                return MLDSA44PublicKey.from_public_bytes(material)
            case Kind.ECDSA:
                key = load_der_public_key(material)
                if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
                    return key
            case _:
                assert_never(kind)
    except (ValueError, UnsupportedAlgorithm):
        pass
    msg = f"not a key of the kind {kind:02x}"
    raise NoteInvalid(msg)


def _material(key: Private) -> bytes:
    if isinstance(key, EllipticCurvePrivateKey):
        return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes_raw()
