"""How proposals are shown to a steward, and asked for one by one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from proxy.cli.common import emit, say
from proxy.clock import utc_now
from proxy.registry import normalize
from proxy.registry.households import MOST_RESIDENTS
from proxy.registry.person import NORMAL_FORMS
from proxy.registry.proposals import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from proxy.registry.person import Entry
    from proxy.registry.proposals import Ledger, Proposal

TOLD: Final = frozenset(
    {"person_id", "name", "given_name", "middle_name", "surname", "suffix", "alias", "dob", "plate", "case"}
    | {"street", "unit", "city", "state", "postal_code"}
)
"""The kinds that are shown of a record: who and where, and nothing else that it holds."""
SAYS: Final[Mapping[Kind, str]] = {
    Kind.RECORD: "is this the person's record?",
    Kind.RESIDENT: "lives in the same home: a member of the household?",
    Kind.HOME: "the person's own record gives another home: protect it too?",
    Kind.IDENTIFIER: "the person's own record has an identifier that the entry lacks: add it?",
    Kind.MENTION: "a record names the person, or has a mark of theirs: seen?",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a steward says of one entry's proposals, by their ids."""

    entry: str
    accept: tuple[str, ...]
    decline: tuple[str, ...]


def asked_for(found: Sequence[tuple[Entry, Ledger]]) -> Iterator[Answers]:
    """Ask about each proposal and yield what was answered, entry by entry; an empty answer leaves it for another time."""
    say("y confirms, n is never asked again, an empty line leaves it for later.")
    for entry, ledger in found:
        if not ledger.open:
            continue
        say(_heading(entry, ledger))
        said: dict[str, str] = {}
        for proposal in ledger.open:
            say(_line(proposal))
            said[proposal.id] = _answer(f"    {SAYS[proposal.kind]} [y/n] ")
        accept, decline = (tuple(each for each, answer in said.items() if answer == wanted) for wanted in "yn")
        if accept or decline:
            yield Answers(entry=entry.id, accept=accept, decline=decline)


def _answer(question: str) -> str:
    try:
        return input(question).strip().lower()[:1]
    except EOFError:
        return ""


def show(found: Sequence[tuple[Entry, Ledger]], *, as_json: bool) -> None:
    """Print what waits, with the reasons of each."""
    if as_json:
        emit([_as_json(entry, ledger) for entry, ledger in found])
        return
    for entry, ledger in found:
        say(_heading(entry, ledger))
        for proposal in ledger.open:
            say(_line(proposal))
    if any(ledger.open for _, ledger in found):
        say("confirm with `registry resolve ENTRY --accept ID`, or --decline ID")
    elif not found:
        say("nothing waits for a steward")


def _heading(entry: Entry, ledger: Ledger) -> str:
    ids = ", ".join(entry.identifiers.person_ids) or "none"
    lines = [f"{entry.id} ({entry.category or 'household'}): {len(ledger.open)} to confirm; record ids known: {ids}"]
    if ledger.institution:
        lines.append(
            f"  more than {MOST_RESIDENTS} people have this address: an institution, so nobody is proposed as household"
        )
    if ledger.namesakes:
        lines.append(f"  {ledger.namesakes} of the same name are contradicted by their date of birth or SSN, and not proposed")
    return "\n".join(lines)


def _line(proposal: Proposal) -> str:
    shown = proposal.shown
    name = " ".join(text for kind in ("given_name", "middle_name", "surname", "suffix") for text in shown.get(kind, ())[:1])
    name = name or next(iter(shown.get("name", ())), "")
    born = next(iter(shown.get("dob", ())), "")
    said = [name, f"born {born} ({_age(born)})" if born else "", _added(proposal)]
    reasons = [f"agrees: {', '.join(proposal.agrees) or 'nothing'}"]
    if proposal.contradicts:
        reasons.append(f"contradicts: {', '.join(proposal.contradicts)}")
    reasons.append(f"in {', '.join(proposal.routes)}")
    what = proposal.kind if proposal.kind is Kind.RESIDENT else f"{proposal.kind}, {proposal.likeness}"
    return f"  {proposal.id}  {what}: {', '.join(filter(None, said))}\n    {'; '.join(reasons)}"


def _added(proposal: Proposal) -> str:
    if proposal.additions.homes and proposal.kind is not Kind.RESIDENT:
        homes = ([home.street, home.unit, home.city] for home in proposal.additions.homes)
        return "; ".join(" ".join(filter(None, home)) for home in homes)
    if proposal.kind is Kind.RESIDENT:
        return ", ".join(f"person_id {text}" for text in proposal.additions.person_ids)
    added = _adds(proposal)
    return ", ".join(f"{kind} {text}" for kind, (attribute, _) in NORMAL_FORMS.items() for text in added.get(attribute, ()))


def _adds(proposal: Proposal) -> dict[str, Any]:
    """Return what would be added; a steward tells people apart without their whole SSN."""
    added: dict[str, Any] = {name: value for name, value in asdict(proposal.additions).items() if value}
    if "ssns" in added:
        added["ssns"] = [f"***-**-{text.strip()[-4:]}" for text in added["ssns"]]
    return added


def _age(born: str) -> str:
    form = normalize.dob(born)
    if not form:
        return "age unknown"
    birth, today = date.fromisoformat(form), utc_now().date()
    return f"age {today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))}"


def _as_json(entry: Entry, ledger: Ledger) -> dict[str, object]:
    return {
        "entry": entry.id,
        "category": entry.category,
        "person_ids": entry.identifiers.person_ids,
        "asked_at": ledger.asked_at,
        "institution": ledger.institution,
        "namesakes": ledger.namesakes,
        "proposals": [
            {
                "id": proposal.id,
                "kind": proposal.kind,
                "likeness": proposal.likeness,
                "agrees": proposal.agrees,
                "contradicts": proposal.contradicts,
                "routes": proposal.routes,
                "adds": _adds(proposal),
                "shown": {kind: texts for kind, texts in proposal.shown.items() if kind in TOLD},
            }
            for proposal in ledger.open
        ],
    }
