"""``policy``: what authors of the policy need before it is live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from proxy.cli import activation, backtest
from proxy.cli.common import (
    DEFAULT_CONFIG,
    Code,
    ConfigOption,
    JsonOption,
    done,
    emit,
    mistakes_as_json,
    progress,
    say,
    warn,
)
from proxy.cli.comparison import diff, matrix
from proxy.cli.explain import explain_facts
from proxy.cli.policies import PoliciesOption, counted, folder_of
from proxy.cli.promises import cases, invariants
from proxy.document import DocumentInvalid

if TYPE_CHECKING:
    from proxy.document import Mistake
    from proxy.policy.agreement import Agreement
    from proxy.policy.service import PolicySet

app = typer.Typer(no_args_is_help=True)
app.add_typer(activation.app)
app.add_typer(backtest.app)


@app.callback()
def policy() -> None:
    """The policy: is it right, what does it say, and what would a change of it change?"""


@app.command()
def check(
    config: ConfigOption = DEFAULT_CONFIG,
    policies: PoliciesOption = None,
    as_json: JsonOption = False,  # noqa: FBT002 -- typer's way
) -> None:
    """Tell every mistake in every policy file, then what is right but risky: dead rows, rows that permits lean on.

    Every question that can be asked is decided by our reading of the rows and by an independent one, and one question of
    each kind by stock Casbin; all have to agree. Exit 1 when there is anything to tell.
    """
    from proxy.policy.advice import review  # noqa: PLC0415 -- Casbin takes its time
    from proxy.policy.gate import disagreements  # noqa: PLC0415
    from proxy.policy.service import load_policies  # noqa: PLC0415

    folder = folder_of(config, policies)
    mistakes: tuple[Mistake, ...] = ()
    warnings: tuple[Mistake, ...] = ()
    loaded: PolicySet | None = None
    agreed: Agreement | None = None
    try:
        loaded = load_policies(folder)
        warnings, agreed = review(loaded), _agreement(loaded)
    except DocumentInvalid as invalid:
        mistakes = invalid.mistakes
    if loaded is not None and agreed is not None:
        mistakes += tuple(disagreements(loaded, agreed))
    if as_json:
        emit(
            {
                "ok": not (mistakes or warnings),
                "version": loaded.version if loaded else None,
                "rows": len(loaded.sheet.rows) if loaded else 0,
                "questions": agreed.questions if agreed else 0,
                "asked_of_casbin": agreed.casbin if agreed else 0,
                "mistakes": mistakes_as_json(mistakes),
                "warnings": mistakes_as_json(warnings),
            },
        )
    else:
        for mistake in (*mistakes, *warnings):
            warn(str(mistake))
        if mistakes:
            warn(f"{counted(len(mistakes), 'mistake')}; this policy would not be loaded")
        elif warnings and loaded is not None:
            warn(f"{counted(len(warnings), 'warning')}; this policy would be loaded as version {loaded.version}")
        elif loaded is not None:
            say(
                f"{folder}: {counted(len(loaded.sheet.rows), 'row')}, version {loaded.version}; "
                "no mistake, no dead row, nothing that a lost line would open"
            )
        if agreed is not None and not agreed.disagreements:
            say(
                f"all {counted(agreed.questions, 'question')} were compared: our reading and the oracle agree on each, and "
                f"stock Casbin on {agreed.casbin:,}, one of each kind that no row tells apart"
            )
    if mistakes or warnings:
        raise done(Code.FOUND)


def _agreement(loaded: PolicySet) -> Agreement:
    from proxy.policy.agreement import agreement  # noqa: PLC0415 -- Casbin takes its time

    with progress("questions") as advance:
        return agreement(loaded.text, loaded.lattice, loaded.policy, advance=advance)


app.command("test")(cases)
app.command()(invariants)
app.command()(diff)
app.command("explain")(explain_facts)
app.command()(matrix)
