"""Findings as the oversight desk has them: listed, seen, and closed by somebody else, each move in the log before it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.oversight.duty import OutcomeUnknown
from proxy.oversight.finding import OVERSEER, Disposition, FindingClosed, FindingEnded, FindingUnknown, Standing
from proxy.oversight.reading import Closed
from proxy.oversight.service import MIN_WORDS, MOST_LISTED, must_say_why

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.identity.principal import Principal
    from proxy.oversight.finding import Finding
    from proxy.oversight.service import Oversight

_NONE: Final = "There is no finding of that number for you to look at."


class Findings:
    """The use cases of findings; they share oversight's store, its lock and its clock."""

    def __init__(self, oversight: Oversight) -> None:
        """Take the room."""
        self._oversight = oversight

    async def listed(self, principal: Principal, state: Standing | None) -> Sequence[Finding]:
        """Return the findings that are this person's to see."""
        if principal.role != OVERSEER:
            return ()
        found = await self._oversight.book.findings.listed(principal.agency, MOST_LISTED)
        return [each for each in found if self._theirs(each, principal) and state in {None, each.state}]

    async def seen(self, finding_id: str, principal: Principal) -> Finding:
        """Return one.

        Raises:
            FindingUnknown: there is none, or it is none of theirs.
        """
        found = await self._oversight.book.findings.get(finding_id)
        if found is None or not self._theirs(found, principal):
            raise FindingUnknown(_NONE)
        return found

    async def close(self, finding_id: str, principal: Principal, *, outcome: str, words: str) -> Finding:
        """Close one, recorded first.

        Raises:
            FindingUnknown, OutcomeUnknown, ReasonMissing, FindingClosed.
        """
        if outcome not in set(Disposition):
            raise OutcomeUnknown(f"A finding ends as {', '.join(Disposition)}.")
        said = must_say_why(words, least=MIN_WORDS)
        oversight, how = self._oversight, Disposition(outcome)
        async with oversight.lock:
            finding = await self.seen(finding_id, principal)
            if finding.state is Standing.CLOSED:
                raise FindingClosed(f"This finding was closed already: {finding.disposition}.")
            now = oversight.clock()
            await oversight.audit.record(FindingEnded(finding=finding, disposition=how, actor=principal.person, words=said))
            await oversight.book.take([Closed(finding=finding.id, disposition=how, at=now, by=principal.person, words=said)])
        return await self._oversight.book.findings.get(finding_id) or finding

    def _theirs(self, finding: Finding, principal: Principal) -> bool:
        """Tell whether it is this person's to close: not their own query, nor their own review, and about nobody of theirs."""
        task = finding.task
        if principal.role != OVERSEER or principal.agency != task.agency:
            return False
        if principal.person in {task.matter.person, task.done_by, *task.matter.approved_by, *task.matter.asked_for}:
            return False
        return not self._oversight.own_cause(task, principal)
