"""The section ``oidc``: the identity provider, what its claims mean here, and how strong a sign-in has to be.

Groups and agencies are closed maps: what is not in them is refused. Nobody is known by an e-mail address or a name, which
change hands and are typed by people.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path  # noqa: TC003 -- pydantic reads the annotations at run time
from typing import Annotated, Final, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from proxy.identity.claims import ClaimRules
from proxy.identity.credential import ROLE_PATTERN
from proxy.identity.options import OidcOptions, ProviderOptions, TokenRules
from proxy.identity.principal import ORI_PATTERN
from proxy.settings.parts import File, Seconds, Section, is_loopback, number

Algorithm = Literal["RS256", "PS256", "ES256", "EdDSA"]
ALGORITHMS: Final[tuple[Algorithm, ...]] = get_args(Algorithm)

NO_PERSON: Final = frozenset(
    {
        "email", "name", "preferred_username", "given_name", "family_name", "middle_name", "nickname", "upn", "unique_name",
        "phone_number", "profile", "picture", "website",
    }
)  # fmt: skip
"""Claims that can be given to another person, or that people may set for themselves."""
_POINTER: Final = re.compile(r"(?:/[^/~]+(?:~[01][^/~]*)*)+\Z")


def _url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if not parts.hostname or port == 0 or any(letter.isspace() for letter in url):
        msg = "must be a URL, like https://login.example.gov"
        raise ValueError(msg)
    if parts.username is not None or parts.query or parts.fragment or "?" in url or "#" in url:
        msg = "must be a URL without user, query and fragment"
        raise ValueError(msg)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        msg = "must be https: whoever can change what crosses the network would say who signs in"
        raise ValueError(msg)
    return url


def _claim(name: str) -> str:
    if not name or len(name) > 200 or (name.startswith("/") and not _POINTER.match(name)):
        msg = "must be a claim's name, or a path to it like /realm_access/roles"
        raise ValueError(msg)
    return name


def _ori(value: str) -> str:
    if not ORI_PATTERN.match(value):
        msg = "must be a nine-character ORI, like KY0429900"
        raise ValueError(msg)
    return value


def _role(value: str) -> str:
    if not ROLE_PATTERN.match(value):
        msg = "must be a role of vocabulary.yaml, in lower-case letters"
        raise ValueError(msg)
    return value


Url = Annotated[str, AfterValidator(_url)]
Claim = Annotated[str, AfterValidator(_claim)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Ori = Annotated[str, AfterValidator(_ori)]
Role = Annotated[str, AfterValidator(_role)]


class ClaimSettings(Section):
    """Which claims say who somebody is: names, or paths as RFC 6901 has them.

    ``groups`` holds the provider's groups; ``role``, where a person can have several roles, says which is meant.
    """

    person: Claim = "sub"
    agency: Claim | None = None
    groups: Claim = "groups"
    role: Claim | None = None
    unit: Claim | None = None
    terminal: Claim | None = None

    @field_validator("person")
    @classmethod
    def _lasting(cls, name: str) -> str:
        if name.rpartition("/")[2] in NO_PERSON:
            msg = f"{name} can be given to another person: name the claim that holds the personnel id"
            raise ValueError(msg)
        return name


class OidcSettings(Section):
    """The identity provider. Times are in seconds.

    ``agencies`` says which ORI a value of the agency's claim means; without such a claim it has one ORI, for everybody.
    """

    issuer: Url
    client_id: Text
    audience: Text
    redirect: Url
    after_logout: Url | None = None
    client_secret: File | None = None
    client_key: File | None = None
    algorithms: tuple[Algorithm, ...] = ALGORITHMS
    scopes: tuple[Text, ...] = ("openid",)
    claims: ClaimSettings = ClaimSettings()
    agencies: Annotated[dict[Text, Ori], Field(min_length=1)]
    roles: Annotated[dict[Text, Role], Field(min_length=1)]
    amr: tuple[Text, ...] = ("mfa",)
    acr: tuple[Text, ...] = ()
    max_age_seconds: Seconds = 43_200
    skew_seconds: Annotated[float, BeforeValidator(number), Field(ge=0, le=300, allow_inf_nan=False)] = 30
    token_seconds: Seconds = 5400
    keys_fresh_seconds: Seconds = 300
    keys_stale_seconds: Annotated[float, BeforeValidator(number), Field(ge=0, le=86_400, allow_inf_nan=False)] = 3600
    connect_seconds: Seconds = 2
    total_seconds: Seconds = 5
    ca: File | None = None
    embedded_keys: bool = True
    known_days: Annotated[int, Field(ge=1, le=366)] = 45
    unsafe_single_factor: bool = False
    unsafe_untyped_tokens: bool = False

    @field_validator("audience")
    @classmethod
    def _of_its_own(cls, audience: str, info: ValidationInfo) -> str:
        # An ID token is made out to the client; with one audience for both it would pass for an access token.
        if audience == info.data.get("client_id"):
            msg = "must differ from client_id: give the API a name of its own at the provider"
            raise ValueError(msg)
        return audience

    @field_validator("client_key")
    @classmethod
    def _one_proof(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if "client_secret" in info.data and (info.data["client_secret"] is None) == (key is None):
            msg = "give either 'client_secret' or 'client_key' (private_key_jwt), as files"
            raise ValueError(msg)
        return key

    @field_validator("algorithms")
    @classmethod
    def _some(cls, algorithms: tuple[Algorithm, ...]) -> tuple[Algorithm, ...]:
        if not algorithms:
            msg = f"must name one or more of {', '.join(ALGORITHMS)}"
            raise ValueError(msg)
        return algorithms

    @field_validator("scopes")
    @classmethod
    def _openid(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in scopes:
            msg = "must hold openid"
            raise ValueError(msg)
        return scopes

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.claims.agency is None and len(set(self.agencies.values())) > 1:
            msg = "'agencies' has several ORIs, so claims.agency must name the claim that says which"
            raise ValueError(msg)
        if not self.amr and not self.acr and not self.unsafe_single_factor:
            msg = "'amr' or 'acr' must demand a second factor (or say unsafe_single_factor: true)"
            raise ValueError(msg)
        return self

    def options(self) -> OidcOptions:
        """Return the settings as the identity room takes them."""
        rules = TokenRules(
            issuer=self.issuer,
            client_id=self.client_id,
            audience=self.audience,
            algorithms=frozenset(self.algorithms),
            amr=frozenset(self.amr),
            acr=frozenset(self.acr),
            max_age=timedelta(seconds=self.max_age_seconds),
            skew=timedelta(seconds=self.skew_seconds),
            lifetime=timedelta(seconds=self.token_seconds),
            claims=ClaimRules(**self.claims.model_dump(), agencies=self.agencies, roles=self.roles),
            unsafe_untyped=self.unsafe_untyped_tokens,
        )
        provider = ProviderOptions(
            issuer=self.issuer,
            ca=self.ca,
            private_key=self.client_key is not None,
            connect_seconds=self.connect_seconds,
            total_seconds=self.total_seconds,
        )
        return OidcOptions(
            rules=rules,
            provider=provider,
            redirect=self.redirect,
            after_logout=self.after_logout,
            scopes=self.scopes,
            secret=self.client_secret,
            key=self.client_key,
            fresh_seconds=self.keys_fresh_seconds,
            stale_seconds=self.keys_stale_seconds,
            embedded_keys=self.embedded_keys,
            known=timedelta(days=self.known_days),
        )
