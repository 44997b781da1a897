"""What an identity provider is to us: where it is, and what its tokens have to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from proxy.identity.claims import ClaimRules


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """What a token has to be. ``amr`` and ``acr``: at least one of each has to be there, unless it is empty."""

    issuer: str
    client_id: str
    audience: str
    algorithms: frozenset[str]
    amr: frozenset[str]
    acr: frozenset[str]
    max_age: timedelta
    skew: timedelta
    lifetime: timedelta
    claims: ClaimRules
    unsafe_untyped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderOptions:
    """Where the provider is, and how long and how much we take from it."""

    issuer: str
    ca: Path | None
    private_key: bool
    connect_seconds: float = 2.0
    total_seconds: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcOptions:
    """The provider, what its tokens have to be, and how this client proves itself. ``secret`` and ``key`` are files."""

    rules: TokenRules
    provider: ProviderOptions
    redirect: str
    after_logout: str | None
    scopes: tuple[str, ...]
    secret: Path | None
    key: Path | None
    fresh_seconds: float
    stale_seconds: float
    embedded_keys: bool
    known: timedelta
