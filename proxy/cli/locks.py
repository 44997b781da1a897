"""``locks``: stop a person, terminal, case, subject or grant at once, over the terminals' door, with your own key."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from proxy.cli.common import Code, JsonOption, warn
from proxy.cli.door import UNREACHED, Access, ask, list_room, path_of, show_one
from proxy.cli.spread import spread

app = typer.Typer(no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(help="The lock's id.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the log.")]
COLUMNS: Final = ("id", "state", "kind", "target", "stops", "locked_by", "created_at", "until")
# Somebody reads this at two in the morning. That the server is down is, for once, no reason to hurry.
DOWN: Final = (
    f"{UNREACHED} While no server runs, nobody is answered anything. To keep somebody out of the next start, revoke their keys"
    " now: `identity revoke --person ID --reason …` works beside it; then start, and lock"
)


@app.command("list")
@spread
def list_(
    *,
    access: Access,
    state: Annotated[str | None, typer.Option("--state", help="Only those active, or ended.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the locks that are yours to see. Exit 1 when some hold, 0 when none does."""
    list_room(access, "locks", COLUMNS, state=state, waiting={"active"}, as_json=as_json, unreached=DOWN)


@app.command()
@spread
def show(lock: IdArgument, *, access: Access, as_json: JsonOption = False) -> None:
    """Show one lock: whom or what it stops, who locked, why, and how it ended."""
    show_one(ask("GET", path_of("locks", lock), access, unreached=DOWN), as_json=as_json)


@app.command()
@spread
def add(
    kind: Annotated[str, typer.Argument(help="principal, terminal, case, subject or grant.")],
    target: Annotated[
        str, typer.Argument(help="badge-1234, car-12, a case's number, record/ID or entry/ID, an escalation's id.")
    ],
    *,
    reason: ReasonOption,
    until: Annotated[str | None, typer.Option("--until", help="When it ends by itself, as 2026-11-23T18:00:00Z.")] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Also where nobody of this name is known.")] = False,
    access: Access,
    as_json: JsonOption = False,
) -> None:
    """Lock: from the next query on, on every process. Another person lifts it."""
    said: dict[str, object] = {"kind": kind, "target": target, "reason": reason}
    said |= ({"until": until} if until is not None else {}) | ({"anyway": True} if anyway else {})
    found = ask("POST", "/locks", access, said, unreached=DOWN)
    show_one(found, as_json=as_json)
    if found.get("only_here"):
        warn("the store cannot be written: the lock holds on this server, and on the others once it can; `doctor` says more")
        raise typer.Exit(int(Code.FOUND))


@app.command()
@spread
def lift(lock: IdArgument, *, reason: ReasonOption, access: Access, as_json: JsonOption = False) -> None:
    """Lift a lock, as another person than who locked and than who is locked. Who has a passkey does it on the console."""
    show_one(ask("POST", path_of("locks", lock, "lift"), access, {"reason": reason}, unreached=DOWN), as_json=as_json)
