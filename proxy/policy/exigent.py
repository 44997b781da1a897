"""What a row lets an emergency open: ``exigent=allowed/4h; shows=name+dob; alerts=supervisor/15m+auditor/1h``.

``shows`` names what leaves, not what is hidden: a field class that is added to fields.yaml later stays closed until somebody
says otherwise. The time is that of the review, and whoever is alerted, or would have been asked, is told at once.

Nothing that is concealed from anybody can be opened so (``concealed``): that somebody broke the glass, and was shown something,
would tell that there is such a person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.audit.owed import BREAK_GLASS, Duty, Owed, joined
from proxy.document import Mistake
from proxy.policy.decision import OPEN, Exigent, Outcome, Ruling
from proxy.policy.vocabulary import ANY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from proxy.policy.obligations import Reading
    from proxy.policy.rows import Row, Sheet
    from proxy.policy.vocabulary import Words

ALLOWED: Final = "allowed"
NEVER: Final = "never"
BESIDE: Final = ("shows", "alerts")
"""The clauses that say something only beside ``exigent=allowed``."""
_EXAMPLE: Final = "exigent=allowed/4h; shows=name+dob; alerts=supervisor/15m"


def read_exigent(reading: Reading, outcome: Outcome, said: Mapping[str, tuple[str, ...]], *, reviewer: str) -> Exigent | None:
    """Return what the clauses open, or None; what is wrong is told."""
    word, slash, time = "+".join(said.get("exigent", (NEVER,))).partition("/")
    if word not in {ALLOWED, NEVER} or (word == NEVER and slash):
        hint = f"exigent is one of: exigent={NEVER}, exigent={ALLOWED}/4h"
        reading.wrong(f"unknown obligation 'exigent={'+'.join(said['exigent'])}'", hint)
        return None
    if word == NEVER:
        for name in BESIDE:
            if name in said:
                reading.wrong(f"'{name}' says nothing where no emergency opens anything", f"write {_EXAMPLE}")
        return None
    if outcome is not Outcome.ESCALATE:
        reading.wrong("an emergency opens no refusal", f"exigent={ALLOWED} goes with escalate")
        return None
    if "shows" not in said:
        reading.wrong("what an emergency shows is not said", f"write {_EXAMPLE}, in the words of fields.yaml")
    if not slash:
        reading.wrong("how soon an emergency is reviewed is not said", f"write {_EXAMPLE}")
        return None
    if reviewer not in reading.roles:
        reading.wrong(f"a review needs the role '{reviewer}'", "declare it in vocabulary.yaml")
    review = Owed(duty=Duty.REVIEW, role=reviewer, why=BREAK_GLASS, within=reading.time(time))
    alerts = reading.notices("alerts", said.get("alerts", (reviewer,)), why=BREAK_GLASS)
    return Exigent(shown=frozenset(said.get("shows", ())), owed=joined((review, *alerts)))


def opened(ruling: Ruling, approved: Ruling) -> frozenset[str]:
    """Return the field classes that an emergency shows: of those the row names, what an approval would show, and none else.

    ``approved`` is the ruling on the same facts once a supervisor has agreed. Where that opens nothing, an emergency does not.
    """
    if ruling.exigent is None or approved.outcome not in OPEN:
        return frozenset()
    return ruling.exigent.shown - approved.masked


def broken(ruling: Ruling, approved: Ruling, known: Collection[str]) -> Ruling:
    """Return the ruling under which a stated emergency is answered; ``known`` are the classes of fields.yaml.

    Whoever would have been asked is told, whether or not the row says so.
    """
    assert ruling.exigent is not None
    owed = joined((*ruling.owed, *ruling.exigent.owed, *approved.owed))
    told = {each.role for each in owed if each.duty is Duty.NOTICE}
    skipped = frozenset().union(*(demand.roles for demand in ruling.demands)) - told
    return Ruling(
        outcome=Outcome.MASK,
        rule=ruling.rule,
        because=f"an emergency was stated; otherwise {ruling.because}",
        masked=frozenset(known) - opened(ruling, approved),
        owed=joined((*owed, *(Owed(duty=Duty.NOTICE, role=role, why=BREAK_GLASS) for role in skipped))),
        marked=True,
    )


def review_within(ruling: Ruling) -> int:
    """Return the seconds within which the broken glass of a ruling is reviewed."""
    return min(each.within or 0 for each in ruling.owed if each.duty is Duty.REVIEW and each.why == BREAK_GLASS)


def meant(row: Row, sheet: Sheet, words: Words) -> frozenset[str]:
    """Return the categories that a row is about."""
    said, every = row.conditions.category, words.words["category"]
    return every if said == ANY else sheet.members().get(("category", said), frozenset()) | ({said} & every)


def secret(sheet: Sheet, words: Words) -> frozenset[str]:
    """Return the categories that some row conceals from somebody."""
    return frozenset().union(*(meant(row, sheet, words) for row in sheet.rows if row.outcome is Outcome.CONCEAL))


def concealed(directory: Path, sheet: Sheet, words: Words) -> Iterator[Mistake]:
    """Yield each row that lets an emergency open a category which some row conceals from somebody."""
    hidden = secret(sheet, words)
    for row in sheet.rows:
        if row.exigent is not None and (opened := meant(row, sheet, words) & hidden):
            yield Mistake(
                file=directory / row.file,
                line=row.line,
                column=1,
                message=f"{row.rule} lets an emergency open '{min(opened)}', which another row conceals",
                help="break-glass never reveals who is concealed: name the other categories, or write exigent=never",
            )


def written_exigent(exigent: Exigent, time: Sequence[str]) -> Iterator[str]:
    """Yield the clauses that say this; ``time`` are the times of ``exigent.owed`` as a file holds them, in their order."""
    alerts = []
    review = ""
    for owed, within in zip(exigent.owed, time, strict=True):
        if owed.duty is Duty.REVIEW:
            review = within
        else:
            alerts.append(f"{owed.role}/{within}" if within else owed.role)
    yield f"exigent={ALLOWED}/{review}"
    yield f"shows={'+'.join(sorted(exigent.shown))}"
    yield f"alerts={'+'.join(alerts)}"
