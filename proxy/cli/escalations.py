"""``escalations``: what waits for a supervisor, over the terminals' door, with the supervisor's own key.

There is no way around the door: the command line decides nothing that the server would not, and who decided is whose key it is.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from proxy.cli.common import Code, JsonOption, emit, say
from proxy.cli.door import Access, ask, list_room, path_of, show_one
from proxy.cli.spread import spread

if TYPE_CHECKING:
    from collections.abc import Mapping

app = typer.Typer(no_args_is_help=True)

ReasonOption = Annotated[str, typer.Option("--reason", help="Why: the one who asked and the auditor read it.")]
IdArgument = Annotated[str, typer.Argument(help="The escalation's id.")]

WATCH_SECONDS: Final = 2.0
COLUMNS: Final = ("id", "state", "expires_at", "requested_by", "case", "purpose", "action", "because")


@app.command("list")
@spread
def list_(
    *,
    access: Access,
    state: Annotated[str | None, typer.Option("--state", help="Only those pending, approved, refused …")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the escalations that you asked for or may decide. Exit 1 when some wait, 0 when none does."""
    list_room(access, "escalations", COLUMNS, state=state, waiting={"pending"}, as_json=as_json)


@app.command()
@spread
def show(escalation: IdArgument, *, access: Access, as_json: JsonOption = False) -> None:
    """Show one escalation."""
    _show(ask("GET", path_of("escalations", escalation), access), as_json=as_json)


@app.command()
@spread
def approve(
    escalation: IdArgument,
    *,
    reason: ReasonOption,
    amendments: Annotated[
        int, typer.Option("--amendments", min=0, help="How many additions to the statement you have seen, as `show` says.")
    ] = 0,
    access: Access,
    as_json: JsonOption = False,
) -> None:
    """Approve: the same query then answers once. Who has a passkey, or needs one, approves on the console."""
    body = ask(
        "POST",
        path_of("escalations", escalation, "approve"),
        access,
        {"reason": reason, **({"amendments": amendments} if amendments else {})},
    )
    _show(body, as_json=as_json)


@app.command()
@spread
def refuse(escalation: IdArgument, *, reason: ReasonOption, access: Access, as_json: JsonOption = False) -> None:
    """Refuse: the one who asked is told the reason."""
    body = ask("POST", path_of("escalations", escalation, "refuse"), access, {"reason": reason})
    _show(body, as_json=as_json)


@app.command("ask")
@spread
def ask_more(
    escalation: IdArgument,
    *,
    words: Annotated[str, typer.Option("--words", help="What you have to know before you decide; the one who asked reads it.")],
    access: Access,
    as_json: JsonOption = False,
) -> None:
    """Ask for more, as one who may decide: it goes on waiting, and the one who asked can add to the statement."""
    _show(ask("POST", path_of("escalations", escalation, "ask"), access, {"words": words}), as_json=as_json)


@app.command()
@spread
def amend(
    escalation: IdArgument,
    *,
    words: Annotated[str, typer.Option("--words", help="What is added to your statement; what was said stays.")],
    access: Access,
    as_json: JsonOption = False,
) -> None:
    """Add to your statement when a supervisor asks for more. Who had agreed already is asked again."""
    _show(ask("POST", path_of("escalations", escalation, "amend"), access, {"words": words}), as_json=as_json)


@app.command()
@spread
def cancel(escalation: IdArgument, *, access: Access, as_json: JsonOption = False) -> None:
    """Take your own query back."""
    _show(ask("POST", path_of("escalations", escalation, "cancel"), access), as_json=as_json)


@app.command()
@spread
def watch(
    escalation: IdArgument,
    *,
    seconds: Annotated[float, typer.Option("--seconds", min=0, help="For how long at most.")] = 1800,
    access: Access,
    as_json: JsonOption = False,
) -> None:
    """Wait until it is decided, and tell of each change. Exit 0 once it is approved, 1 when it ended or still waits."""
    deadline, told = time.monotonic() + seconds, ""
    while True:
        found = ask("GET", path_of("escalations", escalation), access)
        state, asked = str(found.get("state", "")), str(found.get("asked", ""))
        if (now := f"{state}: {asked}" if asked else state) != told:
            told = now
            emit(found) if as_json else say(f"{now} {found.get('reason', '')}".rstrip())
        left = deadline - time.monotonic()
        if state != "pending" or left <= 0:
            raise typer.Exit(int(Code.DONE if state in {"approved", "redeemed"} else Code.FOUND))
        time.sleep(min(WATCH_SECONDS, left))


@app.command()
@spread
def revoke(escalation: IdArgument, *, reason: ReasonOption, access: Access, as_json: JsonOption = False) -> None:
    """Take an approval back that has not answered yet: the one who asked is told the reason."""
    body = ask("POST", path_of("escalations", escalation, "revoke"), access, {"reason": reason})
    _show(body, as_json=as_json)


def _show(found: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one escalation: what was asked and added reads as it was said, a line for each turn."""
    if as_json:
        emit(found)
        return
    show_one({name: value for name, value in found.items() if name != "exchange"}, as_json=False)
    for said in found.get("exchange", ()):
        verb = "asked" if said.get("move") == "ask" else "added"
        say(f"{said.get('at', '')}  {said.get('person', '')} {verb}: {said.get('words', '')}".replace("   ", "  "))
