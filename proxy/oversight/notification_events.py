"""What the log says of notifications: now and then what was sent, so that no entry's number tells when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from proxy.audit.event import Event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proxy.audit.event import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Notified(Event):
    """What became of notifications since the last such entry; written at a steady pace, also when there was none.

    An entry for each would show in the number of the next answer that somebody had been told of the one before.
    ``sent`` holds, for each, what waited, the channel, the step of the chain, and when (ISO 8601, UTC).
    """

    kind: ClassVar[str] = "notified"
    sent: Sequence[Mapping[str, Json]]
    given_up: Sequence[Mapping[str, Json]]

    def facts(self) -> Mapping[str, Json]:
        """Return how many, and which."""
        return {
            "sent": tuple(dict(each) for each in self.sent),
            "given_up": tuple(dict(each) for each in self.given_up),
        }
