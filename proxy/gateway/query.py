"""One query on its way down the street: how far it has come, and when it left each room."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.audit.event import Receipt
    from proxy.gateway.spending import Charged
    from proxy.identity.principal import Principal
    from proxy.inquiry.inquiry import Inbound, Inquiry
    from proxy.policy.service import PolicySet
    from proxy.policy.shadow import Shadow, Tally
    from proxy.registry.protection import Recognition


@dataclass(slots=True, kw_only=True)
class Query:
    """What is known of a query so far, and of its entries; times are in seconds, of a clock that never goes back.

    ``policies``, and the candidate ``shadow`` beside them, are those in force when it came. They rule on it to its end, also
    when others have taken their place meanwhile: half of one policy and half of another is no policy at all.

    ``receipt`` is that of its decision, and ``closed`` tells whether an entry says how that ended. ``forwarded`` and ``ending``
    are set before such an entry is appended: whoever is canceled in between has still appended it.
    """

    inbound: Inbound
    peer: Mapping[str, Any]
    policies: PolicySet
    shadow: Shadow | None
    started: float
    left: float = field(init=False)
    stages: list[tuple[str, float]] = field(default_factory=list)
    principal: Principal | None = None
    inquiry: Inquiry | None = None
    case: str = ""
    recognition: Recognition | None = None
    charged: Charged | None = None
    receipt: Receipt | None = None
    forwarded: bool = False
    ending: bool = False
    closed: bool = False
    size: int = 0
    tally: Tally | None = None
    noticed: set[str] = field(default_factory=set)
    met: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.left = self.started

    def leave(self, stage: str, now: float) -> None:
        """Note how long the query was in the room that it leaves."""
        self.stages.append((stage, now - self.left))
        self.left = now

    def lasted_ms(self, now: float) -> float:
        """Return how long ago it came, as its entries say it."""
        return round((now - self.started) * 1000, 2)

    @property
    def upstream_ms(self) -> float:
        """Return how much of that the records server took."""
        return round(sum(seconds for stage, seconds in self.stages if stage == "upstream") * 1000, 2)
