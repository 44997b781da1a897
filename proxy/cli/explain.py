"""``explain``: what would be decided, and by which row?"""

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
from proxy.cli.policy import PoliciesOption, folder_of
from proxy.cli.rehearsal import rehearse
from proxy.document import suggest
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from proxy.policy.decision import Facts
    from proxy.policy.rows import Row
    from proxy.policy.service import Explanation, PolicySet

app = typer.Typer()


@app.command()
def explain(  # noqa: PLR0917 -- typer reads the signature as the options
    role: Annotated[str | None, typer.Option(help="Who asks: a role of vocabulary.yaml.")] = None,
    action: Annotated[str | None, typer.Option(help="What is asked: an action of routes.yaml.")] = None,
    purpose: Annotated[
        str | None, typer.Option(help="Why: a code of purposes.yaml; with --target, a whole Query-Purpose.")
    ] = None,
    category: Annotated[str, typer.Option(help="About whom: a category of vocabulary.yaml, or none.")] = "none",
    standing: Annotated[str, typer.Option(help="assigned, unit, dispatched, unassigned, unverified.")] = "assigned",
    relation: Annotated[str, typer.Option(help="self, household, family, dispute, command, colleague, none.")] = "none",
    approval: Annotated[str, typer.Option(help="Has a supervisor agreed: none, granted.")] = "none",
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
    """Say what would be decided, by which row and why, and which other rows match.

    Of bare facts (--role, --action, --purpose …), or of a whole query (--person, --purpose 'code=C, case="…", statement="…"',
    --target): that one goes down the street as far as the decision. It is recorded, since it tells who is protected.
    Exit 1 when such a query would be refused before policy is asked.
    """
    from proxy.policy.decision import Facts  # noqa: PLC0415 -- Casbin takes its time
    from proxy.policy.service import explain as explained  # noqa: PLC0415
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
        _known(loaded, facts)
    explanation = explained(loaded, facts)
    if as_json:
        emit(_as_json(loaded, explanation))
    else:
        _print(loaded, explanation)


def _known(loaded: PolicySet, facts: Facts) -> None:
    for column, word in facts._asdict().items():
        known = loaded.words.words[column]
        if word not in known:
            hint = suggest(word, known) or f"known: {', '.join(sorted(known))}"
            raise CommandFailed(f"'{word}' is no {column}", help=hint, code=Code.WRONG_USE)


def _print(loaded: PolicySet, explanation: Explanation) -> None:
    ruling = explanation.ruling
    say(f"{ruling.outcome}  by {_where(loaded, explanation.deciding)}: {ruling.because}")
    say("  of " + ", ".join(f"{column}={word}" for column, word in explanation.facts._asdict().items()))
    if ruling.masked:
        labels = (f"{name} ({loaded.fields[name].label})" for name in sorted(ruling.masked))
        say(f"  masked: {', '.join(labels)}")
    if ruling.notify:
        say(f"  notified: {', '.join(ruling.notify)}")
    if explanation.others:
        say("also matching, strictest first:")
        for row in explanation.others:
            say(f"  {row.outcome}  {_where(loaded, row)}: {row.because}")


def _where(loaded: PolicySet, row: Row | None) -> str:
    return "default" if row is None else f"{row.rule} ({loaded.directory / 'policy.csv'}:{row.line})"


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
        "tell": ruling.tell,
        "others": [
            {"outcome": row.outcome, "rule": row.rule, "because": row.because, "line": row.line} for row in explanation.others
        ],
    }
