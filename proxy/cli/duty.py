"""``duty``: who is on duty when, so that the one who asks knows at once whether anybody is there to decide."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from proxy.cli.common import DEFAULT_CONFIG, Code, CommandFailed, ConfigOption, JsonOption, emit, say, settings_of, warn
from proxy.cli.recording import operator, recording
from proxy.cli.registry import FileArgument  # noqa: TC001 -- typer reads the annotation
from proxy.escalation.panel_events import RosterImported
from proxy.escalation.roster import COLUMNS, Shift, ShiftRefused, shift_of
from proxy.escalation.roster_store import RosterStore
from proxy.registry.imports import read_lines
from proxy.registry.lines import LineRefused
from proxy.registry.tabular import HeaderInvalid, read_csv, read_jsonl

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep ``import`` a command of its own beside those to come."""


@app.command("import")
def import_(file: FileArgument, *, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Replace the duty roster by a file: CSV or JSON Lines with `personnel`, `start` and `end`, a turn of duty each line.

    Times have their offset from UTC. A file with a line that is not understood replaces nothing; every such line is told.
    """
    settings = settings_of(config)
    shifts, refused = _read(file)
    if refused:
        for number, reasons in refused:
            warn(f"{file}:{number}: {reasons}")
        raise CommandFailed(f"{len(refused)} lines were not understood", help="correct them; nothing was replaced")
    asyncio.run(_replace(settings, shifts))
    persons = len({shift.person for shift in shifts})
    if as_json:
        emit({"shifts": len(shifts), "persons": persons})
    else:
        say(f"{len(shifts)} turns of duty of {persons} people; the roster before is gone")


def _read(file: Path) -> tuple[list[Shift], list[tuple[int, str]]]:
    shifts: list[Shift] = []
    refused: list[tuple[int, str]] = []
    lines = read_lines(file)
    match file.suffix.lower():
        case ".csv":
            raws = read_csv(lines, COLUMNS)
        case ".jsonl" | ".ndjson":
            raws = read_jsonl(lines)
        case _:
            raise CommandFailed(f"{file} is neither .csv nor .jsonl", help="a turn of duty a line", code=Code.WRONG_USE)
    try:
        for number, raw in raws:
            try:
                if isinstance(raw, LineRefused):
                    refused.append((number, str(raw)))
                else:
                    shifts.append(shift_of(raw))
            except ShiftRefused as reason:
                refused.append((number, str(reason)))
    except HeaderInvalid as invalid:
        raise CommandFailed(f"{file}:1:{invalid.column}: {invalid}", help=invalid.hint, code=Code.WRONG_USE) from None
    return shifts, refused


async def _replace(settings: Settings, shifts: list[Shift]) -> None:
    async with recording(settings) as record, record.database.begin() as connection:
        await RosterStore(record.database).replace(connection, shifts)
        persons = len({shift.person for shift in shifts})
        await record.outbox.put(connection, RosterImported(shifts=len(shifts), persons=persons, by=operator()))
