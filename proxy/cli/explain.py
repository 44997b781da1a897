"""``explain``: what would be decided, and by which row?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli.common import (
    DEFAULT_CONFIG,
    Code,
    CommandFailed,
    ConfigOption,
    JsonOption,
    emit,
    say,
)
from proxy.cli.policy import PoliciesOption, folder_of
from proxy.document import suggest

if TYPE_CHECKING:
    from proxy.policy.decision import Facts
    from proxy.policy.rows import Row
    from proxy.policy.service import Explanation, PolicySet

app = typer.Typer()


@app.command()
def explain(  # noqa: PLR0917 -- typer reads the signature as the options
    role: Annotated[str, typer.Option(help="Who asks: a role of vocabulary.yaml.")],
    action: Annotated[str, typer.Option(help="What is asked: an action of routes.yaml.")],
    purpose: Annotated[str, typer.Option(help="Why: a code of purposes.yaml.")],
    category: Annotated[str, typer.Option(help="About whom: a category of vocabulary.yaml, or none.")] = "none",
    standing: Annotated[str, typer.Option(help="assigned, unit, dispatched, unassigned.")] = "assigned",
    relation: Annotated[str, typer.Option(help="self, household, family, dispute, command, colleague, none.")] = "none",
    approval: Annotated[str, typer.Option(help="Has a supervisor agreed: none, granted.")] = "none",
    config: ConfigOption = DEFAULT_CONFIG,
    policies: PoliciesOption = None,
    as_json: JsonOption = False,  # noqa: FBT002 -- typer's way
) -> None:
    """Say what would be decided, by which row and why, and which other rows match."""
    from proxy.policy.decision import Facts  # noqa: PLC0415 -- Casbin takes its time
    from proxy.policy.service import explain as explained  # noqa: PLC0415
    from proxy.policy.service import load_policies  # noqa: PLC0415

    loaded = load_policies(folder_of(config, policies))
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
