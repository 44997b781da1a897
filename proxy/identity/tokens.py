"""Access tokens at the doors: whose one is, while the provider's key, the clock, and the list of those signed out agree.

A signature is checked once; what was proven is kept by the token's digest, and everything that can change meanwhile (the key,
the time, a revocation, the certificate) is asked again at each query.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from proxy.identity.claims import Identity, Reason, Unfit, identity_of
from proxy.identity.principal import AuthenticationInsufficient, CredentialInvalid, Principal
from proxy.identity.token import Access, access, head_of, opened, require_sufficient

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from proxy.identity.credential import Holder
    from proxy.identity.denylist import Denylist
    from proxy.identity.keyset import SigningKey
    from proxy.identity.options import TokenRules
    from proxy.identity.people import People
    from proxy.identity.token import Head
    from proxy.refusal import Refusal

PROVEN: Final = 10_000
_SAID: Final = {
    Reason.EXPIRED: "This access token has expired. Refresh it, or sign in again.",
    Reason.REVOKED: "You were signed out after this access token was issued. Sign in again.",
    Reason.BINDING: "This access token and the client certificate do not belong together. Send the two of one person.",
    Reason.TERMINAL: "The access token does not say which terminal this is. Ask the identity desk.",
}


class KeySource(Protocol):
    """Whoever has the provider's keys."""

    async def key(self, head: Head) -> SigningKey:
        """Return the key that a token names."""
        ...

    def holds(self, name: tuple[str, str], mark: str) -> bool:
        """Tell whether a key that proved a token earlier is still the provider's."""
        ...


@dataclass(frozen=True, slots=True)
class Presented:
    """The client certificate that came along: its thumbprint, and whose it is where it was enrolled."""

    thumbprint: str | None = None
    holder: Holder | None = None


@dataclass(frozen=True, slots=True)
class _Proven:
    access: Access
    identity: Identity
    name: tuple[str, str]
    mark: str


class Tokens:
    """Verifies access tokens. ``tell`` hears of each refusal: its reason, and a sentence that holds nothing of the token."""

    def __init__(
        self,
        *,
        keys: KeySource,
        rules: TokenRules,
        denylist: Denylist,
        people: People,
        tell: Callable[[Reason, str], None],
        proven: int = PROVEN,
    ) -> None:
        """Take the keys, what a token has to be, and who notes whom it is of; ``proven`` is how many proofs are kept."""
        self._keys = keys
        self._rules = rules
        self._denylist = denylist
        self._people = people
        self._tell = tell
        self._room = proven
        self._proven: OrderedDict[bytes, _Proven] = OrderedDict()

    async def principal(self, token: str, presented: Presented, now: datetime) -> Principal:
        """Return whose a token is.

        Raises:
            CredentialInvalid: it does not hold, or not together with the certificate.
            AuthenticationInsufficient: the sign-in was too long ago, or too weak.
            IdentityProviderUnavailable: its key is not known and the provider does not answer.
            DatabaseUnusable: the store cannot be read, so no revocation would be seen.
        """
        try:
            proven = await self._prove(token, now)
            return self._held(proven, presented, now)
        except Unfit as unfit:
            self._tell(unfit.reason, str(unfit))
            raise self._refused(unfit) from unfit

    async def _prove(self, token: str, now: datetime) -> _Proven:
        digest = hashlib.sha256(token.encode()).digest()
        known = self._proven.get(digest)
        if known is not None and self._keys.holds(known.name, known.mark):
            return known
        self._proven.pop(digest, None)
        head = head_of(token, self._rules)
        found = await self._keys.key(head)
        claims = opened(token, found.key)
        proven = _Proven(
            access=access(head, claims, self._rules, now),
            identity=identity_of(claims, self._rules.claims),
            name=(head.kid, head.alg),
            mark=found.mark,
        )
        self._proven[digest] = proven
        if len(self._proven) > self._room:
            self._proven.popitem(last=False)
        return proven

    def _held(self, proven: _Proven, presented: Presented, now: datetime) -> Principal:
        found, who = proven.access, proven.identity
        if now >= found.expires_at + self._rules.skew:
            raise Unfit(Reason.EXPIRED, "it has expired")
        if self._denylist.refuses(
            account=found.subject,
            person=who.person,
            issued_at=found.issued_at,
            signed_in_at=found.signed_in.at,
            session=found.session,
            token_id=found.token_id,
        ):
            raise Unfit(Reason.REVOKED, "its account, session, person or itself was signed out after it was issued")
        require_sufficient(found.signed_in, self._rules, now)
        _require_binding(found, who, presented)
        terminal = _terminal(who, presented.holder)
        self._people.saw(who, found.issued_at, now)
        mark = hashlib.sha256(f"{self._rules.issuer}\0{found.token_id}".encode()).hexdigest()
        return Principal(
            person=who.person,
            agency=who.agency,
            role=who.role,
            unit=who.unit,
            terminal=terminal,
            credential=f"at-{mark[:20]}",
            methods=("token", *found.signed_in.amr),
            authenticated_at=found.signed_in.at,
        )

    def _refused(self, unfit: Unfit) -> Refusal:
        if unfit.reason is Reason.INSUFFICIENT:
            detail = "The sign-in was too long ago, or without a second factor. Sign in again, with both."
            return AuthenticationInsufficient(detail, bearer=self._step_up(detail))
        detail = _SAID.get(unfit.reason, "This access token is not valid here. Sign in again; if it stays, tell the operator.")
        if unfit.reason in {Reason.PERSON, Reason.AGENCY, Reason.ROLE, Reason.UNIT}:
            detail = f"The access token does not say your {unfit.reason} as it is known here. Ask the identity desk."
        return CredentialInvalid(detail, bearer={"error": "invalid_token", "error_description": detail})

    def _step_up(self, detail: str) -> dict[str, str]:
        """Return the challenge of RFC 9470 section 3: what a new sign-in has to be."""
        challenge = {
            "error": "insufficient_user_authentication",
            "error_description": detail,
            "max_age": f"{self._rules.max_age.total_seconds():.0f}",
        }
        return challenge | ({"acr_values": " ".join(sorted(self._rules.acr))} if self._rules.acr else {})


def _require_binding(found: Access, who: Identity, presented: Presented) -> None:
    """Return when token and certificate belong together.

    Raises:
        Unfit: the token is bound to another certificate (RFC 8705 section 3), or the certificate is another's or nobody's.
    """
    if found.thumbprint is not None and found.thumbprint != presented.thumbprint:
        raise Unfit(Reason.BINDING, "it is bound to another client certificate than the one presented, or none was")
    holder = presented.holder
    if holder is not None and (holder.person, holder.agency) != (who.person, who.agency):
        raise Unfit(Reason.BINDING, "the client certificate is enrolled for another person than the token's")
    if holder is None and presented.thumbprint is not None and found.thumbprint is None:
        raise Unfit(Reason.BINDING, "a client certificate came along that is not enrolled, nor is the token bound to it")


def _terminal(who: Identity, holder: Holder | None) -> str:
    """Return the terminal: the certificate's, the token's, or the one that both say."""
    named = {each for each in (who.terminal, holder.terminal if holder is not None else None) if each is not None}
    if len(named) > 1:
        raise Unfit(Reason.TERMINAL, "the client certificate is enrolled for another terminal than the token names")
    if not named:
        raise Unfit(Reason.TERMINAL, "no terminal: name its claim as oidc.claims.terminal, or enroll client certificates")
    return named.pop()
