"""Keyed tokens for searching, authenticated encryption for keeping.

A token is HMAC-SHA256 over kind and value, cut to 16 bytes: equal identifiers give equal tokens within an epoch, that is,
while one index key is in use, and without that key nobody can tell whose.

The body of an entry is AES-256-GCM under a data key of its own, which lies in front of it, wrapped with the newest body key.
Both are bound to the entry: its kind, its about, its time and its epoch are associated data, so that neither a body nor a
wrapped key can be moved to another one. The data key is used once, so its nonce may be zero. Nonces of the wrapping are
random; a key for each day, derived from the body key, keeps their number far below the 2**32 of NIST SP 800-38D section 8.3.

What waits in the store (``seal``) is encrypted with a third key that does not rotate with the others: the store is read for as
long as the server lives, while body keys may be destroyed.
"""

from __future__ import annotations

import hmac
import json
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Self, cast

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from proxy.audit.keyring import Key, KeyRing, load_ring
from proxy.audit.keys import load_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from proxy.audit.event import Json

TOKEN_BYTES: Final = 16
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
DATA_KEY_BYTES: Final = 32
CACHED_TOKENS: Final = 65_536
BODY_FORM: Final = 1
_WRAPPED_BYTES: Final = NONCE_BYTES + DATA_KEY_BYTES + TAG_BYTES
_ONCE: Final = bytes(NONCE_BYTES)
"""The nonce of a key that encrypts one message."""


class SealBroken(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """The ciphertext was altered or moved, or the key is another."""


class Shredded(SealBroken):
    """The body was shredded on an order; the log says on which."""


class KeyGone(SealBroken):
    """The body was sealed with a key that is not here (any more)."""


class Sealer:
    """Holds the index keys, the body keys and the store's key. Safe to use from any thread."""

    def __init__(
        self,
        *,
        index_key: bytes | KeyRing,
        body_key: bytes | KeyRing,
        store_key: bytes | None = None,
        randomness: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """Keep 256-bit keys, or rings of them; ``randomness`` gives data keys and nonces.

        Without a ``store_key``, the oldest body key is taken for the store as well.
        """
        self._index = _ring("index", index_key)
        self._body = _ring("body", body_key)
        self._store_key = self._body.oldest.secret if store_key is None else store_key
        self._randomness = randomness
        self._token_of = lru_cache(CACHED_TOKENS)(_token)
        self._cipher = lru_cache(16)(_derived)

    @classmethod
    def load(cls, *, index: Path, body: Path, store: Path | None = None) -> Self:
        """Return the sealer of the configured keys: folders or files, and the store's file, if it has one of its own.

        Raises:
            KeyUnusable: one is missing, malformed, or open to others.
        """
        return cls(
            index_key=load_ring(index), body_key=load_ring(body), store_key=load_key(store) if store is not None else None
        )

    @property
    def store_key(self) -> bytes:
        """Return the key from which each room derives its own for what it keeps in the store."""
        return self._store_key

    @property
    def epoch(self) -> str:
        """Return the id of the index key that new tokens are made with."""
        return self._index.active.id

    @property
    def body_key_id(self) -> str:
        """Return the id of the body key that new bodies are sealed with."""
        return self._body.active.id

    @property
    def epochs(self) -> frozenset[str]:
        """Return the epochs whose key is still here: only their tokens can be searched."""
        return frozenset(self._index.keys)

    @property
    def body_keys(self) -> frozenset[str]:
        """Return the ids of the body keys that are still here: what was sealed with others cannot be read."""
        return frozenset(self._body.keys)

    def token(self, kind: str, value: str, epoch: str | None = None) -> str:
        """Return the token of an identifier, 32 hexadecimal digits, in the newest epoch or another.

        Raises:
            KeyError: that epoch's key is not here (any more).
        """
        key = self._index.active if epoch is None else self._index.get(epoch)
        if key is None:
            raise KeyError(epoch)
        return self._token_of(key.secret, kind, value)

    def searches(self, kind: str, value: str) -> Mapping[str, str]:
        """Return the identifier's token in each epoch whose key is still here."""
        return {key.id: self._token_of(key.secret, kind, value) for key in self._index.keys.values()}

    def seal_body(self, content: Mapping[str, Json], *, day: str, bound: tuple[str, ...]) -> bytes:
        """Return the body that holds a JSON object: form, key id, wrapped data key, ciphertext; bound to ``bound``.

        Raises:
            TypeError: the content is not JSON.
        """
        key = self._body.active
        fresh = self._randomness(DATA_KEY_BYTES + NONCE_BYTES)
        data_key, nonce = fresh[:DATA_KEY_BYTES], fresh[DATA_KEY_BYTES:]
        named = key.id.encode()
        what = orjson.dumps((key.id, *bound))
        wrapped = self._cipher(key.secret, f"body/{day}").encrypt(nonce, data_key, what)
        closed = AESGCM(data_key).encrypt(_ONCE, _plain(content), what)
        return b"".join((bytes((BODY_FORM, len(named))), named, nonce, wrapped, closed))

    def unseal_body(self, body: bytes, *, day: str, bound: tuple[str, ...]) -> dict[str, Json]:
        """Return the JSON object that a body holds.

        Raises:
            KeyGone: the key that it names is not here.
            SealBroken: it was altered, moved, or sealed under another key.
        """
        return open_body(body, self.data_key(body, day=day, bound=bound), bound=bound)

    def data_key(self, body: bytes, *, day: str, bound: tuple[str, ...]) -> bytes:
        """Return the key of one body: it opens this one and no other, so it can be given away with it.

        Raises:
            KeyGone: the key that wraps it is not here.
            SealBroken: it was altered, moved, or wrapped with another key.
        """
        key_id, start = body_key_of(body), 2 + body[1]
        key = self._body.get(key_id)
        if key is None:
            msg = f"it was sealed with body key {key_id}, which is not here (any more)"
            raise KeyGone(msg)
        nonce, wrapped = body[start : start + NONCE_BYTES], body[start + NONCE_BYTES : start + _WRAPPED_BYTES]
        try:
            return self._cipher(key.secret, f"body/{day}").decrypt(nonce, wrapped, orjson.dumps((key_id, *bound)))
        except InvalidTag:
            raise SealBroken("the body was altered or moved, or this is not the key it was sealed with") from None

    def seal(self, content: Mapping[str, Json], *, use: str, bound: tuple[str, ...]) -> bytes:
        """Return nonce and ciphertext of a JSON object for the store, bound to ``bound``; ``use`` chooses the derived key.

        Raises:
            TypeError: the content is not JSON.
        """
        nonce = self._randomness(NONCE_BYTES)
        return nonce + self._cipher(self._store_key, use).encrypt(nonce, _plain(content), orjson.dumps((use, *bound)))

    def unseal(self, sealed: bytes, *, use: str, bound: tuple[str, ...]) -> dict[str, Json]:
        """Return the JSON object.

        Raises:
            SealBroken: it was altered, moved, or sealed under another key.
        """
        if len(sealed) < NONCE_BYTES + TAG_BYTES:
            raise SealBroken("there is no ciphertext")
        nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            plain = self._cipher(self._store_key, use).decrypt(nonce, ciphertext, orjson.dumps((use, *bound)))
        except InvalidTag:
            raise SealBroken("the sealed part was altered or moved, or this is not the key it was sealed with") from None
        return _object(plain)


def open_body(body: bytes, data_key: bytes, *, bound: tuple[str, ...]) -> dict[str, Json]:
    """Return the JSON object that a body holds, with its own key.

    Raises:
        SealBroken: the body was altered or moved, or the key is another's.
    """
    key_id, start = body_key_of(body), 2 + body[1] + _WRAPPED_BYTES
    try:
        plain = AESGCM(data_key).decrypt(_ONCE, body[start:], orjson.dumps((key_id, *bound)))
    except (InvalidTag, ValueError):
        raise SealBroken("the body was altered or moved, or this is not its key") from None
    return _object(plain)


def body_key_of(body: bytes) -> str:
    """Return the id of the body key that a body names.

    Raises:
        SealBroken: it is no body.
    """
    if len(body) < 2 or body[0] != BODY_FORM or len(body) < 2 + body[1] + _WRAPPED_BYTES + TAG_BYTES:
        raise SealBroken("the body is not of a form this program knows")
    return body[2 : 2 + body[1]].decode(errors="replace")


def _object(plain: bytes) -> dict[str, Json]:
    try:
        content = json.loads(plain)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise SealBroken("what was sealed is no JSON object")
    return cast("dict[str, Json]", content)


def _ring(key_id: str, key: bytes | KeyRing) -> KeyRing:
    return key if isinstance(key, KeyRing) else KeyRing([Key(key_id, key)])


def _token(key: bytes, kind: str, value: str) -> str:
    message = f"{len(kind)}:{kind}:{value}".encode(errors="surrogatepass")
    return hmac.digest(key, message, "sha256")[:TOKEN_BYTES].hex()


def _derived(key: bytes, use: str) -> AESGCM:
    return AESGCM(hmac.digest(key, f"showcause/{use}".encode(), "sha256"))


def _plain(content: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(content if isinstance(content, dict) else dict(content))
    except TypeError:
        # A hostile request may hold bytes that are no text (lone surrogates). It must not escape the record by that.
        return json.dumps(dict(content)).encode()
