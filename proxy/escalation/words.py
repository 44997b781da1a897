"""What a supervisor asks of the one who asked, and what that one adds to the statement: in turn, a few times, never taken back.

Nothing of the query itself changes: its statement, its fingerprint and what a grant is bound to stay. What a supervisor agrees
to does, so an approval that was given before something was added counts no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.escalation.lifecycle import Move
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.escalation.lifecycle import Said

MOST_ASKED: Final = 3
"""Questions an escalation can have: who needs more can refuse, and say why."""


class AskedEnough(Refusal):
    """So many questions have been asked that it is time to decide."""


class NothingAsked(Refusal):
    """A statement is added to when a supervisor asks for more, and only then."""


class EscalationAmended(Refusal):
    """Something was added to the statement that whoever approves has not seen."""


def waiting(words: Sequence[Said]) -> tuple[Said, ...]:
    """Return the questions that nothing was added for yet."""
    answered = max((place + 1 for place, said in enumerate(words) if said.move is Move.AMEND), default=0)
    return tuple(words[answered:])


def amended(words: Sequence[Said]) -> int:
    """Return how often something was added to the statement."""
    return sum(1 for said in words if said.move is Move.AMEND)


def must_have_turn(words: Sequence[Said], move: Move) -> None:
    """Return when it is the turn of this move; any move but ``ask`` and ``amend`` is at any time.

    Raises:
        AskedEnough, NothingAsked.
    """
    if move is Move.ASK and sum(1 for said in words if said.move is Move.ASK) >= MOST_ASKED:
        raise AskedEnough(f"{MOST_ASKED} questions have been asked about this already. Approve it, or refuse and say why.")
    if move is Move.AMEND and not waiting(words):
        raise NothingAsked("No supervisor has asked for more. If the statement is wrong, cancel and send the query anew.")


def must_have_seen(words: Sequence[Said], seen: int) -> None:
    """Return when whoever approves has seen all that was added to the statement.

    Raises:
        EscalationAmended.
    """
    if (added := amended(words)) != seen:
        # Else a few words could be agreed to, and others be what was agreed to in the log.
        raise EscalationAmended(
            f"The statement was added to {added} time{'s' if added != 1 else ''}, and you say that you saw {seen}."
            ' Look at it again, and approve with "amendments" as it says then.'
        )
