"""``demo``: everything at once, on this machine, with data that is nobody's."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from proxy.cli.common import Code, CommandFailed, JsonOption
from proxy.demo.home import DEFAULT, Home, HomeUnusable
from proxy.demo.records_server import RecordsServerFailed

app = typer.Typer()

HomeOption = Annotated[Path, typer.Option("--home", help="The folder to make, and to find again.")]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Make everything anew; what an earlier start made is removed.")]
TourOption = Annotated[bool, typer.Option("--tour", help="Play the whole story over HTTP, in a home of its own.")]


@app.command()
def demo(
    *,
    home: HomeOption = DEFAULT,
    fresh: FreshOption = False,
    tour: TourOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run a records server, this proxy before it, and print what to try; Ctrl-C stops everything.

    With --tour, exit 0 only if every step did what it should; with --json too, print one JSON object a step.
    """
    if as_json and not tour:
        raise CommandFailed("--json goes with --tour", help="leave it out, or add --tour", code=Code.WRONG_USE)
    try:
        code = _run(home, fresh=fresh, tour=tour, as_json=as_json)
    except (HomeUnusable, RecordsServerFailed) as error:
        raise CommandFailed(str(error)) from error
    raise typer.Exit(code)


def _run(home: Path, *, fresh: bool, tour: bool, as_json: bool) -> int:
    from proxy.demo import run  # noqa: PLC0415 -- the whole house; --help need not wait for it
    from proxy.demo.tour import tour as play  # noqa: PLC0415

    place = Home(home.absolute())

    async def work() -> int:
        return await run.until_interrupted(play(as_json=as_json) if tour else run.run(place, fresh=fresh))

    return asyncio.run(work())
