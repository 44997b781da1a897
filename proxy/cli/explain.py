"""``explain``: what would be decided, by which row, and what would have to be otherwise?

``showcause explain`` also takes a whole query down the street; ``showcause policy explain`` is about bare facts, and needs
no more than a folder of policy files.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli.common import (
    DEFAULT_CONFIG,
    Code,
    CommandFailed,
    ConfigOption,
    JsonOption,
    done,
    emit,
    say,
    settings_of,
)
from proxy.cli.policies import PoliciesOption, folder_of, must_be_known, place_of
from proxy.cli.rehearsal import rehearse
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.policy.decision import Facts
    from proxy.policy.nearest import Neighbor
    from proxy.policy.service import Explanation, PolicySet

app = typer.Typer()

CategoryOption = Annotated[str, typer.Option(help="About whom: a category of vocabulary.yaml, or none.")]
StandingOption = Annotated[str, typer.Option(help="assigned, unit, dispatched, unassigned, unverified.")]
RelationOption = Annotated[
    str, typer.Option(help="self, household, family, former_partner, dispute, command, colleague, none.")
]
ApprovalOption = Annotated[str, typer.Option(help="Has a supervisor agreed: none, granted.")]


@app.command()
def explain(  # noqa: PLR0917 -- typer reads the signature as the options
    role: Annotated[str | None, typer.Option(help="Who asks: a role of vocabulary.yaml.")] = None,
    action: Annotated[str | None, typer.Option(help="What is asked: an action of routes.yaml.")] = None,
    purpose: Annotated[
        str | None, typer.Option(help="Why: a code of purposes.yaml; with --target, a whole Query-Purpose.")
    ] = None,
    category: CategoryOption = "none",
    standing: StandingOption = "assigned",
    relation: RelationOption = "none",
    approval: ApprovalOption = "none",
    person: Annotated[
        str | None, typer.Option(help="With --target: whose query it would be, an enrolled personnel id.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="A whole query, like '/records/persons/100123'; nothing is forwarded.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    policies: PoliciesOption = None,
    as_json: JsonOption = False,  # noqa: FBT002 -- typer's way
) -> None:
    """Say what would be decided, by which row and why, which other rows match, and what would have to be otherwise.

    Of bare facts (--role, --action, --purpose …), or of a whole query (--person, --purpose 'code=C, case="…", statement="…"',
    --target): that one goes down the street as far as the decision. It is recorded, since it tells who is protected.
    Exit 1 when such a query would be refused before policy is asked.
    """
    from proxy.policy.decision import Facts  # noqa: PLC0415 -- Casbin takes its time
    from proxy.policy.service import load_policies  # noqa: PLC0415

    loaded = load_policies(folder_of(config, policies))
    if target is not None:
        if person is None or purpose is None:
            raise CommandFailed("--target needs --person and --purpose", code=Code.WRONG_USE)
        try:
            facts = asyncio.run(rehearse(settings_of(config), loaded, person=person, purpose=purpose, target=target))
        except Refusal as refusal:
            # Before policy was asked, so the answer says nothing of who is protected, and nothing is recorded.
            emit({"refused": refusal.slug(), "detail": refusal.detail}) if as_json else say(
                f"refused  {refusal.slug()}: {refusal.detail}"
            )
            raise done(Code.FOUND) from None
    elif role is None or action is None or purpose is None:
        raise CommandFailed("give --role, --action and --purpose, or --person, --purpose and --target", code=Code.WRONG_USE)
    else:
        facts = Facts(role, action, purpose, category, standing, relation, approval)
    _tell(loaded, facts, as_json=as_json)


def explain_facts(  # noqa: PLR0917 -- typer reads the signature as the options
    role: Annotated[str, typer.Option(help="Who asks: a role of vocabulary.yaml.")],
    action: Annotated[str, typer.Option(help="What is asked: an action of routes.yaml.")],
    purpose: Annotated[str, typer.Option(help="Why: a code of purposes.yaml.")],
    category: CategoryOption = "none",
    standing: StandingOption = "assigned",
    relation: RelationOption = "none",
    approval: ApprovalOption = "none",
    config: ConfigOption = DEFAULT_CONFIG,
    policies: PoliciesOption = None,
    as_json: JsonOption = False,  # noqa: FBT002 -- typer's way
) -> None:
    """Say what would be decided of these facts, by which row and why, which other rows match, and what would change it."""
    from proxy.policy.decision import Facts  # noqa: PLC0415 -- Casbin takes its time
    from proxy.policy.service import load_policies  # noqa: PLC0415

    loaded = load_policies(folder_of(config, policies))
    _tell(loaded, Facts(role, action, purpose, category, standing, relation, approval), as_json=as_json)


def _tell(loaded: PolicySet, facts: Facts, *, as_json: bool) -> None:
    from proxy.policy.service import explain as explained  # noqa: PLC0415 -- Casbin takes its time

    must_be_known(loaded, facts)
    explanation = explained(loaded, facts)
    if as_json:
        emit(_as_json(loaded, explanation))
    else:
        _print(loaded, explanation)


def _print(loaded: PolicySet, explanation: Explanation) -> None:
    from proxy.policy.obligations import written_time  # noqa: PLC0415

    ruling = explanation.ruling
    say(f"{ruling.outcome}  by {place_of(loaded, explanation.deciding)}: {ruling.because}")
    say("  of " + ", ".join(f"{column}={word}" for column, word in explanation.facts._asdict().items()))
    if ruling.masked:
        labels = (f"{name} ({loaded.fields[name].label})" for name in sorted(ruling.masked))
        say(f"  masked: {', '.join(labels)}")
    for owed in ruling.owed:
        within = f" within {written_time(owed.within)}" if owed.within is not None else ""
        say(f"  {owed.duty}: {owed.role}{within}")
    for demand in ruling.demands:
        stage = f"{demand.name}: " if demand.name else ""
        rank = f", {' or '.join(demand.ranks)}" if demand.ranks else ""
        agency = f", agency {demand.agency}" if demand.agency != "own" else ""
        say(f"  agreed by: {stage}{demand.quorum} of {', '.join(sorted(demand.roles))}{rank}{agency}")
    if ruling.exigent is not None:
        say(f"  in a stated emergency: {', '.join(_opened(loaded, explanation)) or 'nothing'}")
        for owed in ruling.exigent.owed:
            say(f"    {owed.duty}: {owed.role}{f' within {written_time(owed.within)}' if owed.within is not None else ''}")
    if explanation.others:
        say("also matching, strictest first:")
        for row in explanation.others:
            say(f"  {row.outcome}  {place_of(loaded, row)}: {row.because}")
    _print_nearest("looser", explanation.nearest.looser)
    _print_nearest("stricter", explanation.nearest.stricter)


def _opened(loaded: PolicySet, explanation: Explanation) -> list[str]:
    """Return what an emergency shows of these facts: no more than an approval would."""
    from proxy.policy.exigent import opened  # noqa: PLC0415

    approved = loaded.policy.rule(explanation.facts._replace(approval="granted"))
    return sorted(opened(explanation.ruling, approved))


def _print_nearest(direction: str, neighbors: Sequence[Neighbor]) -> None:
    from proxy.policy.nearest import FARTHEST  # noqa: PLC0415 -- the policy's room takes its time

    if not neighbors:
        say(f"nothing {direction} with up to {FARTHEST} of these facts changed")
        return
    say(f"{direction}, with {'one fact' if len(neighbors[0].changed) == 1 else 'two facts'} changed:")
    told = [(", ".join(f"{name}={word}" for name, word in _changes(each)), each.ruling) for each in neighbors]
    width = max(len(changes) for changes, _ in told)
    for changes, ruling in told:
        say(f"  {changes.ljust(width)}  {str(ruling.outcome).ljust(8)}  by {ruling.rule}")


def _changes(neighbor: Neighbor) -> list[tuple[str, str]]:
    return [(column, getattr(neighbor.facts, column)) for column in neighbor.changed]


def _as_json(loaded: PolicySet, explanation: Explanation) -> dict[str, object]:
    ruling = explanation.ruling
    return {
        "policy": loaded.version,
        "facts": explanation.facts._asdict(),
        "outcome": ruling.outcome,
        "rule": ruling.rule,
        "because": ruling.because,
        "line": explanation.deciding.line if explanation.deciding else None,
        "masked": sorted(ruling.masked),
        "notify": list(ruling.notify),
        "owed": [owed.fact() for owed in ruling.owed],
        "demands": [demand.fact() for demand in ruling.demands],
        "tell": ruling.tell,
        "exigent": _opened(loaded, explanation),
        "others": [
            {"outcome": row.outcome, "rule": row.rule, "because": row.because, "line": row.line} for row in explanation.others
        ],
        "looser": [_neighbor_as_json(each) for each in explanation.nearest.looser],
        "stricter": [_neighbor_as_json(each) for each in explanation.nearest.stricter],
    }


def _neighbor_as_json(neighbor: Neighbor) -> dict[str, object]:
    return {"changed": dict(_changes(neighbor)), "outcome": neighbor.ruling.outcome, "rule": neighbor.ruling.rule}
