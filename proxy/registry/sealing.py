"""What one key does: payloads of AES-256-GCM, padded to a few sizes, and the keyed hashes that a manifest sums."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Mapping

SMALLEST: Final = 512
LARGEST: Final = 1 << 18
NONCE: Final = 12
TAG: Final = 16
MODULUS: Final = 1 << 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """How many rows there are, and the sum of their hashes."""

    count: int = 0
    total: int = 0

    def changed(self, *, added: int = 0, removed: int = 0, by: int = 0) -> Manifest:
        """Return what it is after a change of so many rows, by their hashes."""
        return Manifest(count=self.count + by, total=(self.total + added - removed) % MODULUS)


class Sealing:
    """What is done with one key for one table."""

    def __init__(self, name: str, key: bytes) -> None:
        """Take one of the tables' names, and the registry's key."""
        self.key = key
        self._name = name
        self._cipher = AESGCM(blake2b(key=key, digest_size=32, person=b"registry-seal").digest())
        self._row_hash = blake2b(key=key, digest_size=32, person=b"registry-rows")

    def seal(self, bound: str, content: bytes, nonce: bytes) -> bytes:
        """Return a payload of one of a few sizes, bound to where it belongs."""
        if len(content) > LARGEST:
            msg = f"a row of the {self._name} table holds at most {LARGEST} bytes"
            raise ValueError(msg)
        size = max(SMALLEST, 1 << (len(content) - 1).bit_length())
        return nonce + self._cipher.encrypt(nonce, content.ljust(size), bound.encode())

    def open(self, bound: str, sealed: bytes) -> bytes | None:
        """Return what was sealed there with this key; None when it was not."""
        try:
            return self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], bound.encode()).rstrip(b" ")
        except (InvalidTag, ValueError):
            return None

    def row_hash(self, row: str, tag: bytes) -> int:
        """Return a row's part of the manifest's sum."""
        keyed = self._row_hash.copy()
        keyed.update(f"{self._name}/{row}\0".encode() + tag)
        return int.from_bytes(keyed.digest(), "big")

    def sum(self, tags: Mapping[str, bytes]) -> Manifest:
        """Return the manifest of rows by their tags."""
        return Manifest(count=len(tags), total=sum(self.row_hash(row, tag) for row, tag in tags.items()) % MODULUS)
