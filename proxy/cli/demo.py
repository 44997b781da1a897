"""``demo``: everything at once, on this machine, with data that is nobody's."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from proxy.cli.common import Code, CommandFailed, JsonOption
from proxy.demo.home import DEFAULT, Home, HomeUnusable, shipped_policies
from proxy.demo.records_server import RecordsServerFailed

app = typer.Typer()

HomeOption = Annotated[Path, typer.Option("--home", help="The folder to make, and to find again.")]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Make everything anew; what an earlier start made is removed.")]
PoliciesOption = Annotated[Path | None, typer.Option("--policies", help="The policies to rule by; default: those shipped.")]
TourOption = Annotated[bool, typer.Option("--tour", help="Play the whole story over HTTP, in a home of its own.")]


@app.command()
def demo(
    *,
    home: HomeOption = DEFAULT,
    fresh: FreshOption = False,
    policies: PoliciesOption = None,
    tour: TourOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run a records server, this proxy before it, and print what to try; Ctrl-C stops everything.

    With --tour, exit 0 only if every step did what it should; with --json too, print one JSON object a step.
    """
    if as_json and not tour:
        raise CommandFailed("--json goes with --tour", help="leave it out, or add --tour", code=Code.WRONG_USE)
    try:
        place = Home(home.absolute(), policies.absolute() if policies else shipped_policies())
        code = _run(place, fresh=fresh, tour=tour, as_json=as_json)
    except (HomeUnusable, RecordsServerFailed) as error:
        raise CommandFailed(str(error)) from error
    raise typer.Exit(code)


def _run(home: Home, *, fresh: bool, tour: bool, as_json: bool) -> int:
    from proxy.demo import run  # noqa: PLC0415 -- the whole house; --help need not wait for it
    from proxy.demo.tour import tour as play  # noqa: PLC0415

    async def work() -> int:
        return await run.until_interrupted(play(home.policies, as_json=as_json) if tour else run.run(home, fresh=fresh))

    return asyncio.run(work())
