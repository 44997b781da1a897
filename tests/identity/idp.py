"""An identity provider of our own that lies on request: real HTTP on loopback, real keys, and tokens of any form."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import jwt
import orjson
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from proxy.identity.logout import EVENT
from proxy.settings import OidcSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from proxy.identity.options import OidcOptions

NOW: Final = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
AUDIENCE: Final = "https://showcause.example"
PERSON: Final = {"badge": "badge-1", "ori": "MO0950000", "groups": ["pd-patrol"], "unit": "3A12", "terminal": "car-12"}
SECRET: Final = "a secret of the console"

RSA: Final = rsa.generate_private_key(65537, 2048)
OTHER: Final = rsa.generate_private_key(65537, 2048)
EC: Final = ec.generate_private_key(ec.SECP256R1())
ED: Final = ed25519.Ed25519PrivateKey.generate()
KEYS: Final[Mapping[str, tuple[Any, str]]] = {"one": (RSA, "RS256"), "ec": (EC, "ES256"), "ed": (ED, "EdDSA")}


def seconds(moment: datetime) -> int:
    """Return a moment as tokens have it."""
    return int(moment.timestamp())


def public(key: Any, alg: str, kid: str, **more: object) -> dict[str, object]:
    """Return a public key as a JWK."""
    jwk = jwt.get_algorithm_by_name(alg).to_jwk(key.public_key(), as_dict=True)
    return {**jwk, "kid": kid, "alg": alg, "use": "sig"} | more


def signed(claims: Mapping[str, object] | bytes, *, key: Any = RSA, alg: str = "RS256", typ: str = "", **header: object) -> str:
    """Return a token; ``header`` and claims may be anything."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jwt.PyJWS().encode(payload, key, algorithm=alg, headers={"typ": typ, **header})


def sealed(header: Mapping[str, object], claims: Mapping[str, object] | bytes, signature: bytes = b"") -> str:
    """Return a token with a signature of our choosing, which no library would make."""
    parts = (orjson.dumps(header), claims if isinstance(claims, bytes) else orjson.dumps(claims), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@dataclass
class Idp:
    """The provider. ``journal`` holds the paths that were asked for; everything it says can be changed."""

    now: datetime = NOW
    port: int = 0
    published: dict[str, dict[str, object]] = field(
        default_factory=lambda: {kid: public(key, alg, kid) for kid, (key, alg) in KEYS.items()}
    )
    discovery: dict[str, object] = field(default_factory=dict)
    journal: list[str] = field(default_factory=list)
    answers: dict[str, Callable[[], web.StreamResponse]] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    forms: list[dict[str, str]] = field(default_factory=list)
    said: dict[str, object] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    down: bool = False

    def __post_init__(self) -> None:
        self.gate.set()

    @property
    def issuer(self) -> str:
        """The provider's name, and where it is."""
        return f"http://127.0.0.1:{self.port}"

    def claims(self, **changes: object) -> dict[str, object]:
        """Return the claims of a good access token; a change to None leaves a claim out."""
        at = seconds(self.now)
        claims: dict[str, object] = {
            "iss": self.issuer, "sub": "account-1", "aud": AUDIENCE, "client_id": "terminal", "jti": "token-1", "iat": at,
            "exp": at + 600, "auth_time": at - 60, "amr": ["pwd", "mfa"], **PERSON,
        }  # fmt: skip
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def access(self, *, key: Any = RSA, alg: str = "RS256", kid: str = "one", typ: str = "at+jwt", **changes: object) -> str:
        """Return an access token."""
        return signed(self.claims(**changes), key=key, alg=alg, kid=kid, typ=typ)

    def id_claims(self, nonce: str, /, **changes: object) -> dict[str, object]:
        """Return the claims of a good ID token."""
        return self.claims(**{"aud": "console", "nonce": nonce, "sid": "session-1", "jti": None, "client_id": None} | changes)

    def logout(self, *, typ: str = "logout+jwt", kid: str = "one", **changes: object) -> str:
        """Return a logout token."""
        at = seconds(self.now)
        claims: dict[str, object] = {
            "iss": self.issuer, "aud": "console", "iat": at, "exp": at + 120, "jti": "logout-1", "sub": "account-1",
            "sid": "session-1", "events": {EVENT: {}},
        }  # fmt: skip
        return signed({name: value for name, value in (claims | changes).items() if value is not None}, kid=kid, typ=typ)

    def sign_in(self, url: str, code: str = "code-1") -> dict[str, str]:
        """Do what the provider does when the browser comes: note what was asked, and return the redirect's query."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query, strict_parsing=True).items()}
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer as a provider does, or as it was told to."""
        self.journal.append(request.path)
        self.asked.set()
        await self.gate.wait()
        if self.down:
            return web.Response(status=503)
        if request.path in self.answers:
            return self.answers[request.path]()
        match request.path:
            case "/.well-known/openid-configuration":
                return web.json_response(self._described())
            case "/jwks":
                return web.json_response({"keys": list(self.published.values())})
            case "/token":
                form = {name: str(value) for name, value in (await request.post()).items()}
                return self._token(form | {"authorization": request.headers.get("Authorization", "")})
            case _:
                return web.Response(status=404)

    def _described(self) -> dict[str, object]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        } | self.discovery

    def _token(self, form: dict[str, str]) -> web.Response:
        """Give an ID token for a code, once, to whoever knows the verifier (RFC 7636 section 4.6)."""
        self.forms.append(form)
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=")
        if asked is None or asked["code_challenge"] != challenge.decode():
            return web.json_response({"error": "invalid_grant"}, status=400)
        access_token = "opaque"
        half = base64.urlsafe_b64encode(hashlib.sha256(access_token.encode()).digest()[:16]).rstrip(b"=").decode()
        claims = self.id_claims(asked["nonce"], **{"at_hash": half} | self.said)
        answer = {"access_token": access_token, "token_type": "Bearer", "id_token": signed(claims, kid="one", typ="JWT")}
        return web.Response(body=json.dumps(answer), content_type="application/json")

    def pass_time(self, **kwargs: float) -> None:
        """Move the provider's clock, which is ours too."""
        self.now += timedelta(**kwargs)


@asynccontextmanager
async def serving() -> AsyncIterator[Idp]:
    """Yield a provider that listens."""
    idp = Idp()
    runner = web.ServerRunner(web.Server(idp.handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    idp.port = runner.addresses[0][1]
    yield idp
    idp.gate.set()
    await runner.cleanup()


def settings(issuer: str, secret: Path, **changes: object) -> OidcSettings:
    """Return the settings that fit the provider."""
    values: dict[str, object] = {
        "issuer": issuer,
        "client_id": "console",
        "client_secret": secret,
        "audience": AUDIENCE,
        "redirect": "http://127.0.0.1:8441/sign-in/callback",
        "claims": {
            "person": "badge", "agency": "ori", "groups": "groups", "role": "role", "unit": "unit", "terminal": "terminal",
        },
        "agencies": {"MO0950000": "MO0950000", "lakeview": "KY0429900"},
        "roles": {"pd-patrol": "patrol", "pd-sergeants": "supervisor", "pd-officers": "patrol"},
    }  # fmt: skip
    return OidcSettings.model_validate(values | changes)


def options(issuer: str, folder: Path, **changes: object) -> OidcOptions:
    """Return the settings as the identity room takes them, with the client's secret in a file."""
    secret = folder / "oidc.secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    return settings(issuer, secret, **changes).options()
