"""Who may lock and lift what: a table of the policy, and that nobody judges their own cause.

A role reaches its own agency or everywhere. Whoever lifts is another person than who locked and than who is locked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from proxy.escalation.locks import EVERYWHERE, Kind, case_target, record_target
from proxy.policy.vocabulary import Reach
from proxy.refusal import Refusal
from proxy.registry.protection import OWN_CAUSE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.escalation.locks import Lock
    from proxy.identity.principal import Principal
    from proxy.registry.protection import Recognizer

CLOCK: Final = "clock"
AUDITOR: Final = "auditor"
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")


class LockIneligible(Refusal):
    """This person may not lock, or not lift this."""


class LockUnknown(Refusal):
    """There is no such lock, or it is none of theirs: the two are not told apart."""


class LockOver(Refusal):
    """The lock has ended already."""


class LockTargetInvalid(Refusal):
    """What is to be locked is not of its form, or is not there."""


class LockTargetUnknown(Refusal):
    """Nobody has ever heard of what is to be locked, and it was not said that it is meant all the same."""


def target_of(kind: Kind, said: str) -> str:
    """Return what a person names in the one form that is compared.

    Raises:
        LockTargetInvalid: it is of no such form.
    """
    text = said.strip()
    match kind:
        case Kind.PRINCIPAL if _WORD.match(text):
            return text.casefold()
        case Kind.TERMINAL | Kind.GRANT if _WORD.match(text):
            return text
        case Kind.CASE if case_target(text):
            return case_target(text)
        case Kind.SUBJECT:
            where, _, name = text.partition("/")
            if where == "entry" and _WORD.match(name):
                return text
            if where == "record" and name.strip():
                return record_target(name)
        case _:
            pass
    raise LockTargetInvalid(_FORMS[kind])


_FORMS: Final[Mapping[Kind, str]] = {
    Kind.PRINCIPAL: "Name the person by their personnel id, as badge-1234.",
    Kind.TERMINAL: "Name the terminal as it is enrolled, as car-12.",
    Kind.CASE: "Name the case by its number.",
    Kind.SUBJECT: "Name the subject as record/ID (the record's person id) or entry/ID (of the registry); never by name.",
    Kind.GRANT: "Name the escalation by its id.",
}


class LockRules:
    """The rules, without a store: asked before each move, and by whoever shows what there is."""

    def __init__(self, recognizer: Recognizer) -> None:
        """Take whoever knows who is close to whom."""
        self._recognizer = recognizer

    def reach(self, table: Mapping[str, Reach], principal: Principal) -> str:
        """Return whose queries this person's locks stop: an agency's, or everybody's.

        Raises:
            LockIneligible: their role locks nothing.
        """
        match table.get(principal.role):
            case Reach.AGENCY:
                return principal.agency
            case Reach.EVERYWHERE:
                return EVERYWHERE
            case _:
                roles = ", ".join(sorted(table)) or "nobody: vocabulary.yaml has no `locks`"
                raise LockIneligible(f"Only {roles} may lock, see and lift locks.")

    def view(self, table: Mapping[str, Reach], principal: Principal) -> str:
        """Return whose locks this person sees: those that their own role could set, and an auditor everybody's.

        Raises:
            LockIneligible: nobody's.
        """
        return EVERYWHERE if principal.role == AUDITOR else self.reach(table, principal)

    def sees(self, reach: str, lock: Lock, principal: Principal) -> bool:
        """Tell whether a lock is somebody's to see: within their reach, and not about them or theirs."""
        return reach in {EVERYWHERE, lock.agency} and not self.own_cause(lock.kind, lock.target, principal)

    def own_cause(self, kind: Kind, target: str, principal: Principal) -> bool:
        """Tell whether a subject is the principal, or somebody close to them."""
        if kind is not Kind.SUBJECT or not target.startswith("record/"):
            return False
        fields = {"person_id": [target.partition("/")[2]]}
        return bool(self._recognizer.recognize(fields, principal).relations & OWN_CAUSE)

    def may_lift(self, lock: Lock, principal: Principal, asker: str | None) -> None:
        """Return when a person may lift a lock that they see; ``asker`` is whose grant it is, if it is one.

        Raises:
            LockIneligible: they locked it, or it is they who are locked.
        """
        if principal.person == lock.by:
            raise LockIneligible("You locked it; another person has to lift it.")
        locked = {Kind.PRINCIPAL: principal.person, Kind.TERMINAL: principal.terminal, Kind.GRANT: principal.person}
        if lock.kind in locked and locked[lock.kind] == (asker if lock.kind is Kind.GRANT else lock.target):
            raise LockIneligible("Nobody lifts what stops themselves; another person has to.")
