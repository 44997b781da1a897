"""JSON Web Tokens as facts: from their bytes to claims that hold, or to the reason why they do not.

The algorithm is chosen by us: asymmetric ones only, and the one that the key is for (RFC 8725 sections 3.1 and 3.2). A key that
a token brings along is never looked at; one that tries is refused.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import jwt

from proxy.identity.claims import Reason, Unfit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.identity.options import TokenRules

MAX_CHARACTERS: Final = 8000
MAX_METHODS: Final = 16
_FORM: Final = re.compile(r"[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]*\Z")
_KID: Final = re.compile(r"[\x21-\x7e]{1,256}\Z")
_ID: Final = re.compile(r"[\x21-\x7e]{1,255}\Z")
_METHOD: Final = re.compile(r"[A-Za-z0-9:/._-]{1,100}\Z")
_BROUGHT_ALONG: Final = ("jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc")
_LATEST: Final = 1 << 37


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A token's header, unverified: what it says it was signed with, and what it is."""

    kid: str
    alg: str
    typ: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """When and how somebody signed in, as the provider tells (RFC 8176, OIDC Core section 2)."""

    at: datetime
    amr: tuple[str, ...]
    acr: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What holds of an access token (RFC 9068). ``thumbprint`` is that of the certificate it is bound to (RFC 8705)."""

    subject: str
    token_id: str
    session: str | None
    issued_at: datetime
    expires_at: datetime
    signed_in: SignIn
    thumbprint: str | None


def token_of(authorization: str | None) -> str | None:
    """Return the token of an ``Authorization`` header when it looks like one, else None: a key is no token."""
    if authorization is None or len(authorization) > MAX_CHARACTERS:
        return None
    scheme, _, rest = authorization.partition(" ")
    token = rest.strip(" ")
    return token if scheme.lower() == "bearer" and _FORM.match(token) else None


def head_of(token: str, rules: TokenRules) -> Head:
    """Return a token's header.

    Raises:
        Unfit: it is none, or one that leads astray.
    """
    if len(token) > MAX_CHARACTERS or not _FORM.match(token):
        raise Unfit(Reason.MALFORMED, "it is not three parts in base64url")
    header = strict_object(_decoded(token.split(".", 1)[0]))
    for member in _BROUGHT_ALONG:
        if member in header:
            raise Unfit(Reason.KEY, f"its header holds {member}")
    kid, alg, typ = header.get("kid"), header.get("alg"), header.get("typ", "")
    if not isinstance(alg, str) or alg not in rules.algorithms:
        raise Unfit(Reason.ALGORITHM, f"its algorithm is not among {', '.join(sorted(rules.algorithms))}")
    if not isinstance(kid, str) or not _KID.match(kid):
        raise Unfit(Reason.KEY, "its header names no key (kid)")
    if not isinstance(typ, str):
        raise Unfit(Reason.TYPE, "its typ is no text")
    return Head(kid=kid, alg=alg, typ=typ.lower().removeprefix("application/"))


def opened(token: str, key: jwt.PyJWK) -> Mapping[str, object]:
    """Return the claims of a token whose signature the key proves.

    Raises:
        Unfit: it does not, or they are no JSON object.
    """
    try:
        payload = jwt.PyJWS().decode_complete(token, key, algorithms=[key.algorithm_name])["payload"]
    except jwt.PyJWTError:
        raise Unfit(Reason.SIGNATURE, "its signature does not hold, or is of another algorithm than its key") from None
    return strict_object(payload)


def access(head: Head, claims: Mapping[str, object], rules: TokenRules, now: datetime) -> Access:
    """Return what an access token says, checked against the rules at ``now`` (RFC 9068 section 4).

    Raises:
        Unfit: something does not hold.
    """
    if head.typ != "at+jwt" and not (rules.unsafe_untyped and head.typ in {"", "jwt"}):
        raise Unfit(Reason.TYPE, "its typ is not at+jwt: it is no access token")
    if "nonce" in claims or "at_hash" in claims or "events" in claims:
        raise Unfit(Reason.TYPE, "it is an ID token or a logout token, and no access token")
    require_issuer(claims, rules)
    if rules.audience not in audiences(claims):
        raise Unfit(Reason.AUDIENCE, "it was made out to somebody else: oidc.audience is not in aud")
    expires_at, issued_at = require_times(claims, rules, now)
    if expires_at - issued_at > rules.lifetime:
        raise Unfit(Reason.LIFETIME, f"it lives longer than {rules.lifetime.total_seconds():g} s (oidc.token_seconds)")
    signed_in = signed_in_of(claims, rules, now)
    return Access(
        subject=identifier(claims, "sub"),
        token_id=identifier(claims, "jti"),
        session=identifier(claims, "sid") if "sid" in claims else None,
        issued_at=issued_at,
        expires_at=expires_at,
        signed_in=signed_in,
        thumbprint=_confirmation(claims),
    )


def signed_in_of(claims: Mapping[str, object], rules: TokenRules, now: datetime) -> SignIn:
    """Return when and how somebody signed in; whether that is recent and strong enough, ``require_sufficient`` tells.

    Raises:
        Unfit: the claims do not say, or say the future.
    """
    at = moment(claims, "auth_time")
    if at > now + rules.skew:
        raise Unfit(Reason.EARLY, "auth_time lies in the future: compare the clocks")
    amr = claims.get("amr", [])
    if not isinstance(amr, list) or len(amr) > MAX_METHODS:
        raise Unfit(Reason.CLAIMS, "amr is no list of methods")
    for method in amr:
        if not isinstance(method, str) or not _METHOD.match(method):
            raise Unfit(Reason.CLAIMS, "amr holds what is no method")
    acr = claims.get("acr")
    if acr is not None and not isinstance(acr, str):
        raise Unfit(Reason.CLAIMS, "acr is no text")
    return SignIn(at=at, amr=tuple(amr), acr=acr)


def require_sufficient(signed_in: SignIn, rules: TokenRules, now: datetime) -> None:
    """Return when a sign-in is recent and strong enough.

    Raises:
        Unfit: it is too long ago, or too weak.
    """
    if now - signed_in.at >= rules.max_age:
        raise Unfit(Reason.INSUFFICIENT, f"the sign-in is older than {rules.max_age.total_seconds():g} s")
    if rules.amr and not rules.amr & set(signed_in.amr):
        raise Unfit(Reason.INSUFFICIENT, "amr names none of the methods in oidc.amr")
    if rules.acr and signed_in.acr not in rules.acr:
        raise Unfit(Reason.INSUFFICIENT, "acr is none of oidc.acr")


def require_issuer(claims: Mapping[str, object], rules: TokenRules) -> None:
    """Return when the issuer is ours, character by character.

    Raises:
        Unfit: it is another.
    """
    if claims.get("iss") != rules.issuer:
        raise Unfit(Reason.ISSUER, "iss is another issuer than oidc.issuer")


def require_times(claims: Mapping[str, object], rules: TokenRules, now: datetime) -> tuple[datetime, datetime]:
    """Return when a token expires and when it was issued; both are needed.

    Raises:
        Unfit: it has expired, is not valid yet, or was issued in the future.
    """
    expires_at, issued_at = moment(claims, "exp"), moment(claims, "iat")
    if now >= expires_at + rules.skew:
        raise Unfit(Reason.EXPIRED, "it has expired")
    if issued_at > now + rules.skew:
        raise Unfit(Reason.EARLY, "iat lies in the future: compare the clocks")
    if "nbf" in claims and moment(claims, "nbf") > now + rules.skew:
        raise Unfit(Reason.EARLY, "it is not valid yet (nbf)")
    return expires_at, issued_at


def audiences(claims: Mapping[str, object]) -> Iterable[str]:
    """Return whom a token is made out to."""
    aud = claims.get("aud")
    return [aud] if isinstance(aud, str) else [each for each in aud if isinstance(each, str)] if isinstance(aud, list) else []


def identifier(claims: Mapping[str, object], name: str) -> str:
    """Return a claim that has to be a short text in visible ASCII.

    Raises:
        Unfit: it is not.
    """
    value = claims.get(name)
    if not isinstance(value, str) or not _ID.match(value):
        raise Unfit(Reason.CLAIMS, f"{name} is missing, or no text of 1 to 255 characters")
    return value


def moment(claims: Mapping[str, object], name: str) -> datetime:
    """Return a claim that has to be seconds since 1970.

    Raises:
        Unfit: it is not.
    """
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or not 0 <= value < _LATEST:
        raise Unfit(Reason.CLAIMS, f"{name} is missing, or no time in seconds")
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)


def strict_object(raw: bytes) -> dict[str, object]:
    """Return a JSON object in UTF-8 that has each key once: two readers must not read two different ones.

    Raises:
        Unfit: it is none.
    """
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_constant)
    except (ValueError, RecursionError):
        raise Unfit(Reason.MALFORMED, "a part of it is no JSON object in UTF-8 with each key once") from None
    if not isinstance(value, dict):
        raise Unfit(Reason.MALFORMED, "a part of it is no JSON object")
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        msg = "a key is there twice"
        raise ValueError(msg)
    return made


def _constant(name: str) -> object:
    msg = f"{name} is no JSON"
    raise ValueError(msg)


def _decoded(part: str) -> bytes:
    try:
        return jwt.utils.base64url_decode(part)
    except ValueError:
        raise Unfit(Reason.MALFORMED, "a part of it is no base64url") from None


def _confirmation(claims: Mapping[str, object]) -> str | None:
    """Return the thumbprint that a token is bound to. One bound to anything else is not taken as if it were unbound."""
    bound = claims.get("cnf")
    if bound is None:
        return None
    thumbprint = bound.get("x5t#S256") if isinstance(bound, dict) and len(bound) == 1 else None
    if not isinstance(thumbprint, str) or not thumbprint:
        raise Unfit(Reason.BINDING, "it is bound to something else than a client certificate (cnf)")
    return thumbprint
