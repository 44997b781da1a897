"""``policy``: what authors of the policy need before it is live."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli import activation
from proxy.cli.common import (
    DEFAULT_CONFIG,
    Code,
    ConfigOption,
    JsonOption,
    done,
    emit,
    mistakes_as_json,
    say,
    settings_of,
    warn,
)
from proxy.document import DocumentInvalid

if TYPE_CHECKING:
    from proxy.document import Mistake

app = typer.Typer(no_args_is_help=True)
app.add_typer(activation.app)

PoliciesOption = Annotated[
    Path | None, typer.Option("--policies", help="A folder of policy files, instead of the one that the configuration names.")
]
"""``policies: PoliciesOption = None`` in a command's signature."""


def folder_of(config: Path, policies: Path | None) -> Path:
    """Return the folder of policy files that a command is about.

    Raises:
        DocumentInvalid: the configuration, which was needed to find it, is wrong.
    """
    return policies if policies is not None else settings_of(config).policies


@app.callback()
def policy() -> None:
    """The policy: is it right, and what does it say?"""


@app.command()
def check(
    config: ConfigOption = DEFAULT_CONFIG,
    policies: PoliciesOption = None,
    as_json: JsonOption = False,  # noqa: FBT002 -- typer's way
) -> None:
    """Tell every mistake in every policy file, then what is right but risky: dead rows, rows that permits lean on.

    Exit 1 when there is anything to tell.
    """
    from proxy.policy.service import load_policies, review  # noqa: PLC0415 -- Casbin takes its time

    folder = folder_of(config, policies)
    mistakes: tuple[Mistake, ...] = ()
    warnings: tuple[Mistake, ...] = ()
    version = None
    rows = 0
    try:
        loaded = load_policies(folder)
        version, rows, warnings = loaded.version, len(loaded.sheet.rows), review(loaded)
    except DocumentInvalid as invalid:
        mistakes = invalid.mistakes
    if as_json:
        emit(
            {
                "ok": not (mistakes or warnings),
                "version": version,
                "rows": rows,
                "mistakes": mistakes_as_json(mistakes),
                "warnings": mistakes_as_json(warnings),
            },
        )
    else:
        for mistake in (*mistakes, *warnings):
            warn(str(mistake))
        if mistakes:
            warn(f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}; this policy would not be loaded")
        elif warnings:
            warn(f"{len(warnings)} warning{'s' if len(warnings) > 1 else ''}; this policy would be loaded as version {version}")
        else:
            say(f"{folder}: {rows} rows, version {version}; no mistake, no dead row, nothing that a lost line would open")
    if mistakes or warnings:
        raise done(Code.FOUND)
