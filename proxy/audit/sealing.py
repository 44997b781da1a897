"""Keyed tokens for searching, authenticated encryption for keeping.

A token is HMAC-SHA256 over kind and value, cut to 16 bytes: equal identifiers give equal tokens, and without the index key
nobody can tell whose. The sealed part is AES-256-GCM with kind, about and time as associated data, so that a ciphertext cannot
be moved to another entry. Nonces are random; a key of its own for each day, derived from the body key, keeps their number far
below the 2**32 of NIST SP 800-38D section 8.3.
"""

from __future__ import annotations

import hmac
import json
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.audit.event import Json

TOKEN_BYTES: Final = 16
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
CACHED_TOKENS: Final = 65_536


class SealBroken(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """The ciphertext was altered or moved, or the key is another."""


class Sealer:
    """Holds the index key and the body key. Safe to use from any thread."""

    def __init__(self, *, index_key: bytes, body_key: bytes, randomness: Callable[[int], bytes] = os.urandom) -> None:
        """Keep 256-bit keys; ``randomness`` gives nonces."""
        self._index_key = index_key
        self._body_key = body_key
        self._randomness = randomness
        self.token = lru_cache(CACHED_TOKENS)(self._token)
        self._cipher = lru_cache(16)(self._derive)

    def _token(self, kind: str, value: str) -> str:
        """Return the token of an identifier, 32 hexadecimal digits."""
        message = f"{len(kind)}:{kind}:{value}".encode(errors="surrogatepass")
        return hmac.digest(self._index_key, message, "sha256")[:TOKEN_BYTES].hex()

    def searches(self, kind: str, value: str) -> Mapping[str, str]:
        """Return the tokens of an identifier by the id of the key that makes them: one for each key that is still there."""
        return {"": self.token(kind, value)}

    def _derive(self, use: str) -> AESGCM:
        return AESGCM(hmac.digest(self._body_key, f"showcause/{use}".encode(), "sha256"))

    def seal(self, content: Mapping[str, Json], *, use: str, bound: tuple[str, ...]) -> bytes:
        """Return nonce and ciphertext of a JSON object, bound to ``bound``; ``use`` chooses the derived key.

        Raises:
            TypeError: the content is not JSON.
        """
        nonce = self._randomness(NONCE_BYTES)
        return nonce + self._cipher(use).encrypt(nonce, _plain(content), orjson.dumps((use, *bound)))

    def unseal(self, sealed: bytes, *, use: str, bound: tuple[str, ...]) -> dict[str, Json]:
        """Return the JSON object.

        Raises:
            SealBroken: it was altered, moved, or sealed under another key.
        """
        if len(sealed) < NONCE_BYTES + TAG_BYTES:
            raise SealBroken("there is no ciphertext")
        nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            plain = self._cipher(use).decrypt(nonce, ciphertext, orjson.dumps((use, *bound)))
        except InvalidTag:
            raise SealBroken("the sealed part was altered or moved, or this is not the key it was sealed with") from None
        return cast("dict[str, Json]", json.loads(plain))


def _plain(content: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(content if isinstance(content, dict) else dict(content))
    except TypeError:
        # A hostile request may hold bytes that are no text (lone surrogates). It must not escape the record by that.
        return json.dumps(dict(content)).encode()
