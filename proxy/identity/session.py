"""A console session as a fact: whose it is, by what sign-in, and when it is over.

The cookie holds 32 random bytes and nothing else; the store holds their digest, so who reads the store cannot sign in with what
they find. The token against forged forms is made from the cookie's bytes too, and kept nowhere.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final

from proxy.audit.event import Event, Party
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from proxy.audit.event import Json
    from proxy.identity.principal import Principal

TOKEN_BYTES: Final = 32
IDLE: Final = timedelta(minutes=15)
ABSOLUTE: Final = timedelta(hours=12)
"""CJIS AC-11 locks a session after 30 minutes at most; NIST SP 800-63B section 4.2.3 ends one after 12 hours."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}\Z")


class SignInNeeded(Refusal):
    """There is no session, or it is over; the extras say why, if it is known."""


class Ending(StrEnum):
    """Why a session ended."""

    SIGNED_OUT = "signed-out"
    EVERYWHERE = "signed-out-everywhere"
    REPLACED = "replaced"
    IDLE = "idle"
    ABSOLUTE = "absolute"
    REVOKED = "revoked"
    PROVIDER = "identity-provider"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One sign-in at the console. ``id`` is public; ``sid`` is the identity provider's name for it. Times are in UTC.

    ``enrolled`` tells that the principal's credential is one of the embedded identity desk's, whose revocation ends it.
    """

    id: str
    principal: Principal
    begun_at: datetime
    seen_at: datetime
    enrolled: bool
    sid: str | None = None

    def over(self, now: datetime) -> Ending | None:
        """Return why it is over at ``now``, or None. A clock that was set back does not lengthen it."""
        if abs(now - self.begun_at) >= ABSOLUTE:
            return Ending.ABSOLUTE
        if abs(now - self.seen_at) >= IDLE:
            return Ending.IDLE
        return None


def make_token(random: bytes) -> str:
    """Return the cookie's value made of 32 random bytes.

    Raises:
        ValueError: there are not 32.
    """
    if len(random) != TOKEN_BYTES:
        msg = f"a session takes {TOKEN_BYTES} random bytes"
        raise ValueError(msg)
    return base64.urlsafe_b64encode(random).rstrip(b"=").decode()


def mark(token: str) -> str | None:
    """Return what is stored of a cookie's value, or None when it is none of ours."""
    return hashlib.sha256(token.encode()).hexdigest() if _TOKEN.match(token) else None


def form_token(token: str) -> str:
    """Return what a form of this session has to hold: whoever knows it cannot tell the cookie from it."""
    return hmac.digest(token.encode(), b"showcause form", hashlib.sha256).hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class _SessionEvent(Event):
    session: Session

    def facts(self) -> Mapping[str, Json]:
        """Return which session, in which role of which agency."""
        principal = self.session.principal
        return {
            "session": self.session.id,
            "agency": principal.agency,
            "role": principal.role,
            "methods": list(principal.methods),
        }

    def parties(self) -> Iterable[Party]:
        """Return whose it is, and at which terminal."""
        yield Party("officer", self.session.principal.person)
        yield Party("terminal", self.session.principal.terminal)

    def sealed(self) -> Mapping[str, Json]:
        """Return who, in clear, and by which credential."""
        principal = self.session.principal
        return {"operator": principal.person, "terminal": principal.terminal, "credential": principal.credential}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBegun(_SessionEvent):
    """Somebody signs in at the console (CJIS AU-2)."""

    kind: ClassVar[str] = "session-begun"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(_SessionEvent):
    """A session is over."""

    kind: ClassVar[str] = "session-ended"
    why: Ending

    def facts(self) -> Mapping[str, Json]:
        """Return which session, and why."""
        return {**_SessionEvent.facts(self), "why": str(self.why)}
