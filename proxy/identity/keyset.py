"""A provider's public keys, read from its JWKS (RFC 7517): only those that sign, are strong, and can be told apart."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from proxy.identity.claims import Unfit
from proxy.identity.discovery import ProviderTrouble
from proxy.identity.token import strict_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_KEYS: Final = 64
RSA_BITS: Final = range(2048, 8193)
"""Shorter ones are broken (RFC 7518 section 3.3); longer ones make each verification cost what a flood could use."""
_OF_KEY: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("RSA", ""): ("RS256", "PS256"),
    ("EC", "P-256"): ("ES256",),
    ("OKP", "Ed25519"): ("EdDSA",),
}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key for one algorithm; ``mark`` tells it from another that came later under the same name."""

    key: jwt.PyJWK
    mark: str


def read_keys(document: bytes, algorithms: Iterable[str]) -> Mapping[tuple[str, str], SigningKey]:
    """Return the keys of a JWKS by ``(kid, alg)``. What is no signing key of ours is passed over.

    Raises:
        ProviderTrouble: the document is none, or holds no key that could be used.
    """
    try:
        listed = strict_object(document).get("keys")
    except Unfit:
        raise ProviderTrouble("its JWKS is no JSON object with each key once") from None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise ProviderTrouble(f"its JWKS is no list of up to {MAX_KEYS} keys")
    allowed = frozenset(algorithms)
    read: dict[tuple[str, str], SigningKey] = {}
    ambiguous: set[tuple[str, str]] = set()
    for each in listed:
        for name, key in _of(each, allowed):
            if name in read:
                ambiguous.add(name)
            read[name] = key
    usable = {name: key for name, key in read.items() if name not in ambiguous}
    if not usable:
        raise ProviderTrouble("its JWKS holds no key for a signature by one of oidc.algorithms")
    return usable


def _of(raw: object, allowed: frozenset[str]) -> Iterable[tuple[tuple[str, str], SigningKey]]:
    if not isinstance(raw, dict) or raw.get("use", "sig") != "sig" or "d" in raw or "k" in raw:
        return  # for encryption; or a private or symmetric key, which nobody should publish
    operations, kid = raw.get("key_ops", ["verify"]), raw.get("kid")
    if not isinstance(operations, list) or "verify" not in operations or not isinstance(kid, str) or not kid:
        return
    kty = str(raw.get("kty", ""))
    for algorithm in _OF_KEY.get((kty, "" if kty == "RSA" else str(raw.get("crv", ""))), ()):
        if algorithm in allowed and raw.get("alg", algorithm) == algorithm:
            try:
                key = jwt.PyJWK(raw, algorithm)
            except (jwt.PyJWTError, ValueError):
                continue
            if not isinstance(key.key, RSAPublicKey) or key.key.key_size in RSA_BITS:
                yield (kid, algorithm), SigningKey(key, _mark(raw))


def _mark(raw: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()
