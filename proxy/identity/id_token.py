"""The ID token of a sign-in at the console (OIDC Core section 3.1.3.7): who signed in, when, how, and in which session."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.identity.claims import Reason, Unfit
from proxy.identity.token import SignIn, audiences, identifier, require_issuer, require_times, signed_in_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from proxy.identity.options import TokenRules
    from proxy.identity.token import Head


@dataclass(frozen=True, slots=True, kw_only=True)
class IdToken:
    """What holds of an ID token."""

    subject: str
    session: str | None
    issued_at: datetime
    signed_in: SignIn


def id_token(
    head: Head, claims: Mapping[str, object], rules: TokenRules, now: datetime, *, nonce: str, access_token: str | None
) -> IdToken:
    """Return what an ID token says, checked against the rules, the nonce and the access token that came along.

    Raises:
        Unfit: something does not hold.
    """
    if head.typ not in {"", "jwt"} or "events" in claims:
        raise Unfit(Reason.TYPE, "it is no ID token")
    require_issuer(claims, rules)
    made_out_to = list(audiences(claims))
    if rules.client_id not in made_out_to:
        raise Unfit(Reason.AUDIENCE, "oidc.client_id is not in aud")
    if (len(made_out_to) > 1 or "azp" in claims) and claims.get("azp") != rules.client_id:
        raise Unfit(Reason.AUDIENCE, "azp is not oidc.client_id")
    _, issued_at = require_times(claims, rules, now)
    sent = claims.get("nonce")
    if not isinstance(sent, str) or not hmac.compare_digest(sent.encode(), nonce.encode()):
        # Somebody else's code, brought here, has another nonce in its token (code injection).
        raise Unfit(Reason.CLAIMS, "nonce is not that of this sign-in")
    if "at_hash" in claims and (access_token is None or claims["at_hash"] != _hash(access_token, head.alg)):
        raise Unfit(Reason.CLAIMS, "at_hash is not that of the access token")
    return IdToken(
        subject=identifier(claims, "sub"),
        session=identifier(claims, "sid") if "sid" in claims else None,
        issued_at=issued_at,
        signed_in=signed_in_of(claims, rules, now),
    )


def _hash(token: str, algorithm: str) -> str:
    """Return the left half of the hash that belongs to an algorithm (OIDC Core section 3.1.3.6)."""
    hashed = hashlib.sha512 if algorithm == "EdDSA" else hashlib.sha256
    digest = hashed(token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
