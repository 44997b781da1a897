"""What came from upstream, and every way it can fail to come."""

from __future__ import annotations

from dataclasses import dataclass

from proxy.refusal import Refusal


class UpstreamFailed(Refusal):
    """The records server answered with something that is not an answer (status, framing, coding)."""


class UpstreamUnavailable(Refusal):
    """The records server cannot be reached."""


class UpstreamTimeout(Refusal):
    """The records server did not answer in time."""


class Overloaded(Refusal):
    """The queue before the records server is full."""


class ReplyUnreadable(Refusal):
    """The reply does not parse as its route says; nothing of it was released."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A bounded, identity-coded reply. ``media_type`` is lower case without parameters; status is 200 or 404."""

    status: int
    media_type: str
    body: bytes
