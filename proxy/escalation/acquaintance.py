"""Whether anybody here has ever heard of what is to be locked: a mistyped name stops nobody, and looks as if it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from proxy.escalation.locks import Kind
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from proxy.purpose.directory import CaseDirectory


class Enrolled(Protocol):
    """Whoever knows who has come, or could."""

    def persons(self) -> AbstractSet[str]:
        """Return everybody who ever had a credential, or came by the identity provider lately."""
        ...

    def terminals(self) -> AbstractSet[str] | None:
        """Return the terminals that were ever enrolled; None where tokens name them, so that nobody has a list."""
        ...


class Staff(Protocol):
    """The personnel directory."""

    def employed(self, person: str) -> bool:
        """Tell whether somebody has a line of their own there."""
        ...


class Acquaintance:
    """Asked before a lock is set. Who cannot tell says yes: doubt never keeps anybody from locking.

    Of subjects nothing is said: whether an entry is there is nobody's to find out.
    """

    def __init__(self, enrolled: Enrolled, staff: Staff, cases: CaseDirectory | None) -> None:
        """Take whoever knows people, terminals and cases; ``cases`` is None where looking one up could take its time."""
        self._enrolled = enrolled
        self._staff = staff
        self._cases = cases

    async def knows(self, kind: Kind, target: str) -> bool:
        """Tell whether there is such a target, as far as anybody knows; a case by the number that was said."""
        try:
            match kind:
                case Kind.PRINCIPAL:
                    return target in self._enrolled.persons() or self._staff.employed(target)
                case Kind.TERMINAL:
                    terminals = self._enrolled.terminals()
                    return terminals is None or target in terminals
                case Kind.CASE:
                    return self._cases is None or await self._cases.look_up(target) is not None
                case _:
                    return True
        except Refusal:
            return True
