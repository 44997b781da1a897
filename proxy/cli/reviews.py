"""``reviews``: answered queries that somebody else has to judge, over the terminals' door, with the reviewer's own key."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from proxy.cli.common import JsonOption
from proxy.cli.door import Access, ask, list_room, path_of, show_one
from proxy.cli.spread import spread

app = typer.Typer(no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(help="The review's id.")]
COLUMNS: Final = ("id", "state", "due_at", "why", "requested_by", "case", "purpose", "action", "entry")


@app.command("list")
@spread
def list_(
    *,
    access: Access,
    state: Annotated[str | None, typer.Option("--state", help="Only those due, overdue, done.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the reviews that are yours to do. Exit 1 when some wait, 0 when none does."""
    list_room(access, "reviews", COLUMNS, state=state, waiting={"due", "overdue"}, as_json=as_json)


@app.command()
@spread
def show(review: IdArgument, *, access: Access, as_json: JsonOption = False) -> None:
    """Show one review: who asked, why, and what came of it."""
    show_one(ask("GET", path_of("reviews", review), access), as_json=as_json)


@app.command()
@spread
def close(
    review: IdArgument,
    *,
    outcome: Annotated[str, typer.Option("--outcome", help="justified or unjustified.")],
    reason: Annotated[str, typer.Option("--reason", help="What you found, for the auditor.")],
    access: Access,
    as_json: JsonOption = False,
) -> None:
    """Say whether the query was justified, and why: once, and not of your own query or approval."""
    body = ask("POST", path_of("reviews", review, "close"), access, {"outcome": outcome, "reason": reason})
    show_one(body, as_json=as_json)
