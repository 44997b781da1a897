"""``notices``: queries that somebody has to take note of, over the terminals' door, with that person's own key."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from proxy.cli.common import JsonOption
from proxy.cli.door import Access, ask, list_room, path_of, show_one
from proxy.cli.spread import spread

app = typer.Typer(no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(help="The notice's id.")]
COLUMNS: Final = ("id", "state", "due_at", "requested_by", "case", "purpose", "action", "outcome", "categories", "entry")


@app.command("list")
@spread
def list_(
    *,
    access: Access,
    state: Annotated[str | None, typer.Option("--state", help="Only those due, overdue, done.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the notices that are yours to take. Exit 1 when some wait, 0 when none does."""
    list_room(access, "notices", COLUMNS, state=state, waiting={"due", "overdue"}, as_json=as_json)


@app.command()
@spread
def acknowledge(
    notice: IdArgument,
    *,
    reason: Annotated[str, typer.Option("--reason", help="What you did about it, if anything.")] = "",
    access: Access,
    as_json: JsonOption = False,
) -> None:
    """Say that you have seen it."""
    show_one(ask("POST", path_of("notices", notice, "acknowledge"), access, {"reason": reason}), as_json=as_json)
