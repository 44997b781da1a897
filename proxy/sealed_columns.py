"""What of the store only this house can read, or write.

Sealed columns are AES-256-GCM, each value bound to its row and its column. A row whose columns lie open is under a MAC as a
whole, so that who can write the file but has no key makes none that is believed. Either can be removed, or put back as it was.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class SealedColumns:
    """Seals values for the rows of one kind of thing."""

    def __init__(self, key: bytes, what: str) -> None:
        """Take a 32-byte key, and what a row is of, for messages."""
        self._cipher = AESGCM(key)
        self._what = what

    def seal(self, plain: bytes, row: str, column: str) -> bytes:
        """Return what is to be kept of a row's column."""
        nonce = secrets.token_bytes(12)
        return nonce + self._cipher.encrypt(nonce, plain, f"{row}/{column}".encode())

    def open(self, sealed: bytes, row: str, column: str) -> bytes:
        """Return what was sealed.

        Raises:
            ValueError: it was altered, or moved, or the key is another.
        """
        try:
            return self._cipher.decrypt(sealed[:12], sealed[12:], f"{row}/{column}".encode())
        except InvalidTag as error:
            # A row that was moved, altered, or sealed under another key: trust none of it.
            msg = f"{self._what} {row} cannot be opened: it was altered, or the key is another"
            raise ValueError(msg) from error


class RowMacs:
    """MACs over the rows of one kind of thing."""

    def __init__(self, key: bytes, what: str) -> None:
        """Take a 32-byte key from which this kind's own is derived."""
        self._key = hmac.digest(key, f"showcause row {what}".encode(), hashlib.sha256)

    def of(self, *facts: object) -> bytes:
        """Return the MAC of everything that a row says: texts, numbers, nothing, and lists of them."""
        return hmac.digest(self._key, orjson.dumps(facts), hashlib.sha256)

    def holds(self, mac: bytes | None, *facts: object) -> bool:
        """Tell whether a row says what was written here."""
        return mac is not None and hmac.compare_digest(mac, self.of(*facts))
