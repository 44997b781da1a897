"""What a query is answered by beyond its row: somebody's agreement, or an emergency that the officer answers for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from proxy.escalation.glass import Broken
    from proxy.escalation.lifecycle import Escalation


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """A grant, a broken glass, or neither."""

    grant: Escalation | None = None
    glass: Broken | None = None

    @property
    def any(self) -> bool:
        """Tell whether there is one."""
        return self.grant is not None or self.glass is not None


UNCOVERED: Final = Cover()
