"""``delegations``: who stands in for whom, over the terminals' door, each with their own key."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from proxy.cli.common import JsonOption
from proxy.cli.door import Access, ask, list_room, path_of, show_one
from proxy.cli.spread import spread

app = typer.Typer(no_args_is_help=True)

COLUMNS: Final = ("id", "state", "delegator", "delegate", "role", "starts_at", "ends_at")


@app.command("list")
@spread
def list_(*, access: Access, as_json: JsonOption = False) -> None:
    """List who stands in for you, and for whom you do."""
    list_room(access, "delegations", COLUMNS, waiting=frozenset(), as_json=as_json)


@app.command()
@spread
def add(
    delegate: Annotated[str, typer.Argument(help="The personnel id of who is to stand in for you.")],
    *,
    until: Annotated[str, typer.Option("--until", help="When it ends, as 2026-11-30T06:00-06:00; 31 days at most.")],
    since: Annotated[str, typer.Option("--since", help="When it begins; now, if not said.")] = "",
    access: Access,
    as_json: JsonOption = False,
) -> None:
    """Have a colleague decide in your place. What was handed on is not handed on again; neither of you decides on the other."""
    said = {"delegate": delegate, "ends_at": until} | ({"starts_at": since} if since else {})
    show_one(ask("POST", "/delegations", access, said), as_json=as_json)


@app.command()
@spread
def end(
    delegation: Annotated[str, typer.Argument(help="The delegation's id.")],
    *,
    access: Access,
    as_json: JsonOption = False,
) -> None:
    """End a delegation before its time, as either of the two."""
    show_one(ask("POST", path_of("delegations", delegation, "end"), access, {}), as_json=as_json)
