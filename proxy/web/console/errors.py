"""What went wrong, for somebody tired: what happened, and what to do next. The table of the doors speaks to programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.web.problems import PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.refusal import Refusal


class Trouble(NamedTuple):
    """A page of an error: HTTP's status, what happened in short, and what to do next."""

    status: int
    title: str
    next: str


_QUEUE: Final = "Go back to the queue; it shows what still waits."

TROUBLES: Final[Mapping[str, tuple[str, str]]] = {
    "route-unknown": ("There is no such page", "Use the menu above. If a link brought you here, what it led to is gone."),
    "method-not-allowed": ("This is not done that way", "Open the page from the menu and use its buttons."),
    "escalation-unknown": ("There is no such escalation among yours", _QUEUE),
    "escalation-moved": ("Somebody or the clock was faster", "Nothing was changed by you. " + _QUEUE),
    "approver-ineligible": ("Another person has to decide this", "Tell one of those who may; the page names them."),
    "duty-unknown": ("There is nothing of that number for you", "Go back to the reviews; they show what still waits for you."),
    "duty-done": ("Somebody has done it already", "Go back to the reviews; they show what still waits for you."),
    "finding-unknown": ("There is no such finding for you", "Go back to the reviews; they show what still waits for you."),
    "finding-closed": ("Somebody has closed it already", "Go back to the reviews; they show what still waits for you."),
    "outcome-unknown": ("Your judgment is missing", "Go back and choose whether the query was justified."),
    "case-unknown": ("There is no such case", "Check the number of the case under which you search. Nothing was searched."),
    "statement-uninformative": (
        "Your words say too little",
        "Go back and say what happened and why you search, in a few words of your own. Nothing was searched.",
    ),
    "leak-unclear": (
        "What was published is not clear",
        "Go back and write one thing a line, as kind=value. Nothing was searched.",
    ),
    "own-lookups": (
        "Nobody asks the log about themselves",
        "You, or somebody close to you, are among those whom this is about. Have another auditor ask.",
    ),
    "step-up-required": (
        "Your passkey has to confirm this",
        "Nothing was done. Go back and do it again; scripts have to be allowed for that page.",
    ),
    "step-up-failed": ("Your passkey did not confirm this", "Nothing was done. Go back and do it again."),
    "passkey-missing": (
        "You have no passkey yet",
        "The identity desk makes you a code; then register one from your account.",
    ),
    "passkey-refused": (
        "This passkey was not taken",
        "Nothing was done. Try again from your account.",
    ),
    "lock-ineligible": ("Another person has to do this", "Nothing was done. Ask another supervisor, or the oversight desk."),
    "lock-unknown": ("There is no such lock among yours", "Go back to the locks; the page shows what holds now."),
    "lock-over": (
        "This lock has ended already",
        "Nothing was changed by you. Go back to the locks; the page shows what holds now.",
    ),
    "sought-unknown": ("Nobody knows whom you seek", "Nothing was found. Go back and look at the spelling."),
    "lock-target-unknown": ("Nobody knows such a target", "Nothing was locked. Go back and look at the spelling."),
    "lock-target-invalid": ("This cannot be locked as you wrote it", "Nothing was locked. Go back and correct it."),
    "delegation-invalid": ("Nobody can stand in like this", "Nothing was handed on. Go back and correct it."),
    "delegation-unknown": ("There is no such delegation of yours", "Go back to your delegations; they show what holds now."),
    "locked": ("A lock stops this", "Nothing was done. Ask a supervisor or the oversight desk."),
    "asked-enough": ("Enough has been asked", "Nothing was done. Approve it, or refuse it and say why."),
    "nothing-asked": ("Nobody has asked for more", "Nothing was done. What you said stands as it is."),
    "escalation-amended": ("The officer has added something", "Nothing was done. Go back to the escalation and read it first."),
    "reason-missing": ("Your reason is missing", "Go back and say in a few words why. The officer and the auditor read it."),
    "body-unreadable": ("The form did not arrive whole", "Go back and send it again."),
    "body-too-large": ("That was too much text", "Go back and say it in fewer words."),
    "budget-spent": ("Too many attempts", "Wait a minute, then try again."),
    "audit-unavailable": (
        "The log is not available",
        "Nothing was done, because nothing happens unrecorded. Tell the operator; decide by phone what cannot wait.",
    ),
    "case-directory-unavailable": ("The case directory does not answer", "Nothing was done. Try again in a moment."),
    "not-ready": ("The console is not ready", "Nothing was done. Try again in a moment; if it stays, tell the operator."),
    "internal-error": ("Something went wrong here", "Nothing was done. Tell the operator the number below, if there is one."),
}


def trouble(refusal: Refusal) -> Trouble:
    """Return the page of a refusal."""
    problem = PROBLEMS[refusal.slug()]
    title, then = TROUBLES.get(refusal.slug(), (problem.title, problem.advice.replace("`", "")))
    return Trouble(problem.status, title, then)
