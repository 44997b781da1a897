"""``findings``: what reviews found wanting, over the terminals' door, with the oversight desk's own key."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from proxy.cli.common import JsonOption
from proxy.cli.door import Access, ask, list_room, path_of, show_one
from proxy.cli.spread import spread

app = typer.Typer(no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(help="The finding's id.")]
COLUMNS: Final = ("id", "state", "opened_at", "why", "requested_by", "opened_by", "case", "action", "outcome", "entry")


@app.command("list")
@spread
def list_(
    *,
    access: Access,
    state: Annotated[str | None, typer.Option("--state", help="Only those open, closed.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the findings that are yours to see. Exit 1 when some are open, 0 when none is."""
    list_room(access, "findings", COLUMNS, state=state, waiting={"open"}, as_json=as_json)


@app.command()
@spread
def show(finding: IdArgument, *, access: Access, as_json: JsonOption = False) -> None:
    """Show one finding: the query, what the reviewer found, and how it ended."""
    show_one(ask("GET", path_of("findings", finding), access), as_json=as_json)


@app.command()
@spread
def close(
    finding: IdArgument,
    *,
    outcome: Annotated[str, typer.Option("--outcome", help="sustained, not-sustained, exonerated or unfounded.")],
    reason: Annotated[str, typer.Option("--reason", help="What you found, for the auditor.")],
    access: Access,
    as_json: JsonOption = False,
) -> None:
    """Say how it ended, and why: once, and neither of your own query nor of your own review."""
    body = ask("POST", path_of("findings", finding, "close"), access, {"outcome": outcome, "reason": reason})
    show_one(body, as_json=as_json)
