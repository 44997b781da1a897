"""Signing in at the console: authorization code with PKCE (RFC 6749, RFC 7636, RFC 9700), from redirect to ``Login``.

What ties the answer to the browser that asked is the ``Transaction``: whoever begins keeps it, server-side or in a sealed
cookie, for that browser alone, and hands it to ``finish`` once. State, nonce and verifier are 32 random bytes each.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import OrderedDict
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import orjson

from proxy.identity.claims import Reason, Unfit, identity_of
from proxy.identity.discovery import ProviderTrouble
from proxy.identity.id_token import id_token
from proxy.identity.jwks import IdentityProviderUnavailable
from proxy.identity.principal import Principal
from proxy.identity.token import head_of, opened, require_sufficient
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.clock import Clock
    from proxy.identity.denylist import Denylist
    from proxy.identity.discovery import Metadata
    from proxy.identity.jwks import Keys
    from proxy.identity.options import TokenRules
    from proxy.identity.people import People
    from proxy.identity.proof import Proof
    from proxy.identity.provider import Provider
    from proxy.identity.session import Session

TERMINAL: Final = "console"
TRANSACTION: Final = timedelta(minutes=10)
FINISHED: Final = 10_000
_LOCAL: Final = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,2000}\Z")
_CODE: Final = re.compile(r"[\x20-\x7e]{1,4096}\Z")


class SignInRefused(Refusal):
    """A sign-in at the identity provider did not become a session here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One sign-in under way. Secret from everybody but the browser that began it; of use once, for ten minutes."""

    state: str
    nonce: str
    verifier: str
    return_to: str
    begun_at: datetime
    again: bool = False

    def dump(self) -> str:
        """Return it as text, to be kept; ``load`` reads it."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def load(cls, text: str) -> Transaction:
        """Return what ``dump`` wrote."""
        values = orjson.loads(text)
        return cls(**values | {"begun_at": datetime.fromisoformat(values["begun_at"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Somebody signed in. ``sid`` names the provider's session and ``sub`` the person there: by these it can end it."""

    principal: Principal
    auth_time: datetime
    amr: tuple[str, ...]
    sid: str | None
    sub: str
    issued_at: datetime

    @property
    def name(self) -> str:
        """Return what a session of the console keeps: when by the provider's clock, the account, and its session there."""
        return f"{self.issued_at.timestamp():.0f} {self.sub} {self.sid or ''}"


class OidcLogin:
    """The console's side of the code flow."""

    def __init__(
        self,
        *,
        provider: Provider,
        keys: Keys,
        rules: TokenRules,
        proof: Callable[[], Proof],
        denylist: Denylist,
        people: People,
        redirect: str,
        after_logout: str | None,
        scopes: tuple[str, ...],
        clock: Clock,
        randomness: Callable[[int], bytes],
        tell: Callable[[Reason, str], None],
    ) -> None:
        """Take the provider, and what its tokens have to be. ``tell`` hears why a sign-in was refused, for the operator."""
        self._denylist = denylist
        self._people = people
        self._provider = provider
        self._keys = keys
        self._rules = rules
        self._proof = proof
        self._redirect = redirect
        self._after_logout = after_logout
        self._scopes = scopes
        self._clock = clock
        self._randomness = randomness
        self._tell = tell
        self._finished: OrderedDict[str, None] = OrderedDict()

    async def begin(self, return_to: str, *, again: bool = False) -> tuple[str, Transaction]:
        """Return where to send the browser, and the transaction to keep for it.

        ``return_to`` is a path of ours; anything else becomes ``/``. ``again``: the person has to prove themselves anew.

        Raises:
            IdentityProviderUnavailable: it does not answer.
        """
        metadata = await self._metadata()
        transaction = Transaction(
            state=self._secret(),
            nonce=self._secret(),
            verifier=self._secret(),
            return_to=return_to if _LOCAL.match(return_to) else "/",
            begun_at=self._clock(),
            again=again,
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(transaction.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._rules.client_id,
            "redirect_uri": self._redirect,
            "scope": " ".join(self._scopes),
            "state": transaction.state,
            "nonce": transaction.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "max_age": str(0 if again else int(self._rules.max_age.total_seconds())),
        }
        if self._rules.acr:
            asked["acr_values"] = " ".join(sorted(self._rules.acr))
        if again:
            asked["prompt"] = "login"
        joint = "&" if "?" in metadata.authorization else "?"
        return f"{metadata.authorization}{joint}{urlencode(asked)}", transaction

    async def finish(self, transaction: Transaction, query: Mapping[str, str]) -> Login:
        """Return who signed in. ``query`` is that of the redirect back, in which nothing may be there twice.

        Raises:
            SignInRefused: the answer is not that of this transaction, the provider refused, or its token does not hold.
            IdentityProviderUnavailable: it does not answer.
        """
        now, metadata = self._clock(), await self._metadata()
        code = self._code(transaction, query, metadata, now)
        self._use_up(transaction)
        fields, headers = self._proof().applied(metadata, now)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "code_verifier": transaction.verifier,
            **fields,
        }
        try:
            answer = await self._provider.tokens(form, headers)
            return await self._login(answer, transaction)
        except ProviderTrouble as trouble:
            self._tell(Reason.PROVIDER, str(trouble))
            raise SignInRefused("The identity provider did not confirm the sign-in. Sign in again.") from trouble
        except Unfit as unfit:
            self._tell(unfit.reason, str(unfit))
            raise _refused(unfit) from unfit

    def _code(self, transaction: Transaction, query: Mapping[str, str], metadata: Metadata, now: datetime) -> str:
        """Return the code of an answer that is this transaction's, and this provider's.

        Raises:
            SignInRefused: it is not.
        """
        if not timedelta(0) <= now - transaction.begun_at < TRANSACTION:
            raise SignInRefused("The sign-in took too long. Sign in again.")
        if not hmac.compare_digest(query.get("state", "").encode(), transaction.state.encode()):
            raise SignInRefused("This answer belongs to another sign-in. Sign in again, in one window.")
        # RFC 9207: the answer of another provider, to which the browser was led, names another issuer (mix-up).
        issuer = query.get("iss")
        if issuer != self._rules.issuer and (issuer is not None or metadata.tells_issuer):
            self._tell(Reason.ISSUER, "the answer of a sign-in names another issuer, or none (RFC 9207)")
            raise SignInRefused("This answer comes from another identity provider. Sign in again, and tell the operator.")
        code = query.get("code", "")
        if "error" in query or not _CODE.match(code):
            raise SignInRefused("The identity provider did not sign you in. Try again, or ask the identity desk.")
        return code

    def _use_up(self, transaction: Transaction) -> None:
        if transaction.state in self._finished:
            raise SignInRefused("This sign-in was completed before. Sign in again.")
        self._finished[transaction.state] = None
        if len(self._finished) > FINISHED:
            self._finished.popitem(last=False)

    async def _login(self, answer: Mapping[str, object], transaction: Transaction) -> Login:
        token, access_token, kind = answer.get("id_token"), answer.get("access_token"), answer.get("token_type")
        if not isinstance(token, str) or not isinstance(kind, str) or kind.lower() != "bearer":
            raise Unfit(Reason.MALFORMED, "the token endpoint gave no ID token, or one of another type than Bearer")
        head = head_of(token, self._rules)
        claims = opened(token, (await self._keys.key(head)).key)
        now = self._clock()
        read = id_token(
            head,
            claims,
            self._rules,
            now,
            nonce=transaction.nonce,
            access_token=access_token if isinstance(access_token, str) else None,
        )
        require_sufficient(read.signed_in, self._rules, now)
        if transaction.again and read.signed_in.at < transaction.begun_at - self._rules.skew:
            raise Unfit(Reason.INSUFFICIENT, "the provider did not ask for a new sign-in although it had to")
        who = identity_of(claims, self._rules.claims)
        if self._denylist.refuses(
            account=read.subject,
            person=who.person,
            issued_at=read.issued_at,
            signed_in_at=read.signed_in.at,
            session=read.session,
        ):
            raise Unfit(Reason.REVOKED, "the account, session or person was signed out since; a new sign-in is needed")
        self._people.saw(who, read.issued_at, now)
        mark = hashlib.sha256(f"{read.subject}\0{read.session}\0{transaction.state}".encode()).hexdigest()
        principal = Principal(
            person=who.person,
            agency=who.agency,
            role=who.role,
            unit=who.unit,
            terminal=TERMINAL,
            credential=f"si-{mark[:20]}",
            methods=("oidc", *read.signed_in.amr),
            authenticated_at=read.signed_in.at,
        )
        return Login(
            principal=principal,
            auth_time=read.signed_in.at,
            amr=read.signed_in.amr,
            sid=read.session,
            sub=read.subject,
            issued_at=read.issued_at,
        )

    async def sign_out_url(self) -> str | None:
        """Return where a browser signs out at the provider (OIDC RP-Initiated Logout 1.0); None where it says of no such place.

        No ID token goes along: the provider asks the person, so that a link that somebody else planted signs nobody out.

        Raises:
            IdentityProviderUnavailable: it does not answer.
        """
        place = (await self._metadata()).end_session
        if place is None:
            return None
        asked = {"client_id": self._rules.client_id}
        if self._after_logout is not None:
            asked["post_logout_redirect_uri"] = self._after_logout
        return f"{place}{'&' if '?' in place else '?'}{urlencode(asked)}"

    def ended(self, login: Login) -> bool:
        """Tell whether the provider or the identity desk has ended what a login began; no waiting, some microseconds.

        Raises:
            DatabaseUnusable: the store cannot be read, so nobody can tell.
        """
        return self._denylist.refuses(
            account=login.sub,
            person=login.principal.person,
            issued_at=login.issued_at,
            signed_in_at=login.auth_time,
            session=login.sid,
        )

    def session_ended(self, session: Session) -> bool:
        """Tell the same of a session of the console that was begun with a login's ``name``."""
        # Neither holds a space (``identifier``), and times are the provider's, so that its clock alone counts.
        issued, account, name = (session.sid or "0  ").split(" ", 2)
        return self._denylist.refuses(
            account=account,
            person=session.principal.person,
            issued_at=datetime.fromtimestamp(int(issued), UTC),
            signed_in_at=session.principal.authenticated_at,
            session=name or None,
        )

    async def _metadata(self) -> Metadata:
        try:
            return await self._provider.metadata()
        except ProviderTrouble as trouble:
            raise IdentityProviderUnavailable(
                "The identity provider does not answer, so nobody can sign in. Try again.", retry_after=5
            ) from trouble

    def _secret(self) -> str:
        return base64.urlsafe_b64encode(self._randomness(32)).rstrip(b"=").decode()


def _refused(unfit: Unfit) -> SignInRefused:
    """Say what the person can do about it; what exactly was wrong is for the operator."""
    match unfit.reason:
        case Reason.INSUFFICIENT | Reason.REVOKED:
            return SignInRefused("The sign-in was too long ago, or without a second factor. Sign in again, with both.")
        case Reason.PERSON | Reason.AGENCY | Reason.ROLE | Reason.UNIT:
            return SignInRefused("The identity provider does not say who you are here. Ask the identity desk.")
        case _:
            return SignInRefused("What the identity provider says of the sign-in does not hold. Tell the operator.")
