"""``cases``: the case directory in the store, fed by what a records management or dispatch system exports."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from proxy.cli.common import (
    DEFAULT_CONFIG,
    Code,
    CommandFailed,
    ConfigOption,
    JsonOption,
    done,
    emit,
    progress,
    say,
    settings_of,
    table,
    warn,
)
from proxy.cli.recording import operator, recording
from proxy.clock import stamp
from proxy.database import Database
from proxy.document import suggest
from proxy.purpose.casefile import CaseFileUnusable
from proxy.purpose.imports import import_cases
from proxy.purpose.standing import KINDS
from proxy.purpose.store import newest_cases

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proxy.purpose.imports import Imported
    from proxy.purpose.purpose import Case
    from proxy.settings import Settings

app = typer.Typer(no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(help="A .csv with a header line, or a .jsonl: one case a line.")]

COLUMNS: Final = ("number", "kind", "agency", "opened", "closed", "code", "assigned", "units", "dispatched")


@app.command("import")
def import_(
    file: FileArgument,
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Import cases; again as often as you like. Exit 1 when lines were rejected: each is told with its number and reason."""
    settings = settings_of(config)
    try:
        with progress(f"importing {file.name}", file.stat().st_size if file.is_file() else None) as advance:
            imported = asyncio.run(_import(settings, file, _steps(advance)))
    except CaseFileUnusable as unusable:
        raise CommandFailed(str(unusable), code=Code.WRONG_USE) from None
    if as_json:
        emit(
            {
                "added": imported.added,
                "changed": imported.changed,
                "unchanged": imported.unchanged,
                "rejected": [{"line": each.line, "reason": each.reason} for each in imported.rejected],
            }
        )
    else:
        for each in imported.rejected:
            warn(f"{file}:{each.line}: {each.reason}")
        counts = f"{imported.added} added, {imported.changed} changed, {imported.unchanged} as they were"
        say(f"{counts}, {len(imported.rejected)} rejected")
    if imported.rejected:
        raise done(Code.FOUND)


@app.command("list")
def list_(
    *,
    kind: Annotated[str | None, typer.Option("--kind", help="Only incident, cad, case, warrant, docket or permit.")] = None,
    agency: Annotated[str | None, typer.Option("--agency", help="Only this ORI's.")] = None,
    most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="So many at most, the newest first.")] = 50,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List cases, the newest first; of those assigned and dispatched, how many. Summaries are left out."""
    if kind is not None and kind not in KINDS:
        hint = suggest(kind, KINDS) or f"the kinds are {', '.join(KINDS)}"
        raise CommandFailed(f"'{kind}' is no kind of case", help=hint, code=Code.WRONG_USE)
    found = asyncio.run(_listed(settings_of(config), kind, agency, most))
    rows = [_row(case) for case in found]
    if as_json:
        emit(rows)
    elif rows:
        table(COLUMNS, [["-" if row[column] is None else row[column] for column in COLUMNS] for row in rows])
    else:
        say("no such cases" if kind or agency else "no cases; `cases import FILE` brings them in")


async def _import(settings: Settings, file: Path, step: Callable[[int, int], None]) -> Imported:
    async with recording(settings) as opened:
        return await import_cases(opened.database, opened.key, file, actor=operator(), outbox=opened.outbox, progress=step)


async def _listed(settings: Settings, kind: str | None, agency: str | None, most: int) -> Sequence[Case]:
    database = Database(settings.store)
    await database.open()
    try:
        async with database.begin() as connection:
            return await newest_cases(connection, most=most, agency=agency.upper() if agency else None, kind=kind)
    finally:
        await database.close()


def _steps(advance: Callable[[int], None]) -> Callable[[int, int], None]:
    """Turn "so many in all" into "so many more"."""
    reached = 0

    def step(size: int, _total: int) -> None:
        nonlocal reached
        advance(size - reached)
        reached = size

    return step


def _row(case: Case) -> dict[str, object]:
    return {
        "number": case.number,
        "kind": case.kind,
        "agency": case.agency,
        "opened": stamp(case.opened_at),
        "closed": stamp(case.closed_at) if case.closed_at else None,
        "code": case.code,
        "assigned": len(case.assigned),
        "units": " ".join(sorted(unit.removeprefix("unit:") for unit in case.units)) or None,
        "dispatched": len(case.dispatched),
    }
