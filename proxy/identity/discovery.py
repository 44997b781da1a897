"""What an identity provider says of itself (OIDC Discovery 1.0, RFC 8414), believed only as far as it fits our settings."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from proxy.identity.claims import Unfit
from proxy.identity.token import strict_object

if TYPE_CHECKING:
    from collections.abc import Mapping

WELL_KNOWN: Final = "/.well-known/openid-configuration"
JWT_BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class ProviderTrouble(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """The identity provider cannot be used; the message, for the operator, says why and holds nothing of a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Where the provider's endpoints are. ``tells_issuer``: its answers name it (RFC 9207)."""

    issuer: str
    authorization: str
    token: str
    jwks: str
    end_session: str | None
    tells_issuer: bool
    basic: bool


def metadata_of(document: bytes, issuer: str, *, private_key: bool) -> Metadata:
    """Return what the discovery document says; ``private_key``: this client proves itself by a signed assertion.

    Raises:
        ProviderTrouble: it is no such document, is another issuer's, or cannot do what is needed.
    """
    try:
        found = strict_object(document)
    except Unfit:
        raise ProviderTrouble("its discovery document is no JSON object with each key once") from None
    if found.get("issuer") != issuer:
        # OIDC Discovery section 4.3: else one provider could speak for another (mix-up).
        raise ProviderTrouble("its discovery document is of another issuer than oidc.issuer, which counts letter by letter")
    _require(found, "response_types_supported", "code", needed=True)
    _require(found, "code_challenge_methods_supported", "S256")
    _require(found, "subject_types_supported", "public", "pairwise")
    if private_key:
        _require(found, "token_endpoint_auth_methods_supported", "private_key_jwt", needed=True)
    methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Metadata(
        issuer=issuer,
        authorization=_endpoint(found, "authorization_endpoint", issuer),
        token=_endpoint(found, "token_endpoint", issuer),
        jwks=_endpoint(found, "jwks_uri", issuer),
        end_session=_endpoint(found, "end_session_endpoint", issuer) if "end_session_endpoint" in found else None,
        tells_issuer=found.get("authorization_response_iss_parameter_supported") is True,
        basic=isinstance(methods, list) and "client_secret_basic" in methods,
    )


def _require(found: Mapping[str, object], name: str, *wanted: str, needed: bool = False) -> None:
    """Return when a list that the document has holds one of the words; not every provider has every list."""
    listed = found.get(name)
    if listed is None and not needed:
        return
    if not isinstance(listed, list) or not set(wanted) & {each for each in listed if isinstance(each, str)}:
        raise ProviderTrouble(f"its {name} does not hold {' or '.join(wanted)}")


def _endpoint(found: Mapping[str, object], name: str, issuer: str) -> str:
    url = found.get(name)
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url:
        raise ProviderTrouble(f"its {name} is missing, or no URL")
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    plain = parts.scheme == "http" and issuer.startswith("http:") and _loopback(host or "")
    if not host or (parts.scheme != "https" and not plain) or parts.username is not None or parts.fragment:
        raise ProviderTrouble(f"its {name} is no https URL without user and fragment")
    return url


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
