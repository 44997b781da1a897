"""``personnel``: who works here, and who is close to them, so that nobody looks up their own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli.common import DEFAULT_CONFIG, ConfigOption, JsonOption, progress, settings_of
from proxy.cli.recording import operator
from proxy.cli.registering import opened
from proxy.cli.registry import FileArgument, progress_over, tell
from proxy.registry.imports import import_personnel

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.registry.enrollment import Report
    from proxy.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep ``import`` a command of its own beside those to come."""


@app.command("import")
def import_(
    file: FileArgument,
    *,
    whole: Annotated[bool, typer.Option("--whole", help="The file is the whole directory: remove whoever it lacks.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Import personnel and those close to them; again as often as you like.

    A line is one person: `personnel` (the personnel id), `agency`, `squad`, `supervisor`, `household`, `rank` (a word of
    approvals.yaml), and identifiers as in `registry import`. A line with `relation` household, family, former_partner or
    dispute (the other party to a case or a protection order) is about somebody else: its `personnel` says whose. Exit 1 when
    lines were not taken: each is told with its reasons.
    """
    report = asyncio.run(_import(settings_of(config), file, whole=whole))
    tell(report, file, as_json=as_json)


async def _import(settings: Settings, file: Path, *, whole: bool) -> Report:
    async with opened(settings) as registry:
        with progress_over(file) as read, progress("writing") as wrote:
            return await import_personnel(registry, file, by=operator(), whole=whole, read=read, wrote=wrote)
