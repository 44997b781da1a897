"""``registry``: who is protected. Identifiers come from files and standard input, never from arguments.

An argument can be read by every user of the machine (``/proc``) and stays in the shell's history.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from proxy.cli import resolution, stewards
from proxy.cli.common import (
    DEFAULT_CONFIG,
    Code,
    CommandFailed,
    ConfigOption,
    JsonOption,
    done,
    emit,
    listing,
    progress,
    say,
    settings_of,
    warn,
)
from proxy.cli.recognizing import recognized
from proxy.cli.recording import operator, recording
from proxy.cli.registering import IN_FORCE, concealed_by, given, opened, reading, risky_by, words_of
from proxy.clock import stamp, utc_now
from proxy.registry.check import findings
from proxy.registry.imports import import_registry
from proxy.registry.lines import IDENTIFIERS, LISTS, LineRefused, entry_line
from proxy.registry.rotation import rotate_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from proxy.registry.check import Finding
    from proxy.registry.enrollment import Report
    from proxy.registry.person import Entry
    from proxy.settings import Settings

app = typer.Typer(no_args_is_help=True)
app.add_typer(stewards.app)
app.command()(resolution.resolve)
app.command()(resolution.sweep)

COLUMNS: Final = ("id", "category", "basis", "household", "enrolled", "expires", "review", "fields")
REVEALED: Final = ("name", "dob", "homes")

FileArgument = Annotated[Path, typer.Argument(help="A .csv with a header line, or a .jsonl: one person a line.")]
CategoryOption = Annotated[
    str, typer.Option("--category", help="A category of vocabulary.yaml; none for a household's member.")
]
BasisOption = Annotated[str, typer.Option("--basis", help="The legal basis: a statute, an order's number.")]


@app.command("import")
def import_(
    file: FileArgument,
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Enroll everybody in a file, as often as you like. Exit 1 when lines were not taken: each is told with its reasons."""
    report = asyncio.run(_import(settings_of(config), file))
    tell(report, file, as_json=as_json)


@app.command()
def add(
    *,
    category: CategoryOption = "",
    basis: BasisOption = "",
    expires: Annotated[str, typer.Option("--expires", help="The last day of protection, YYYY-MM-DD; none is for good.")] = "",
    household: Annotated[str, typer.Option("--household", help="A name that the members of one household share.")] = "",
    review: Annotated[str, typer.Option("--review", help="The day by which somebody looks at it again, YYYY-MM-DD.")] = "",
    fields: Annotated[
        str, typer.Option("--fields", help="Classes of fields.yaml to mask whatever policy permits: home_address;phone.")
    ] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Enroll one person. Who it is is asked for; or give a JSON object on standard input, with the keys of an import."""
    facts: dict[str, Any] = {"category": category, "basis": basis, "expires": expires, "household": household}
    facts |= {"review": review, "fields": [word.strip() for word in fields.split(";")] if fields else ""}
    raw = _asked_for() if sys.stdin.isatty() else given()
    entry, report = asyncio.run(_add(settings_of(config), raw | {key: value for key, value in facts.items() if value}))
    for _, note in report.notes:
        warn(f"note: {note}")
    if as_json:
        emit({"entry": entry.id if entry else None, "added": report.added, "updated": report.updated})
    elif entry is None:
        say("already enrolled as given; nothing changed")
    else:
        say(f"{entry.id} {'enrolled' if report.added else 'added to'}; {IN_FORCE}")


@app.command("list")
def list_(
    *,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show names, dates of birth and homes; the log will say so.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the entries: id, category, legal basis, household, dates. Nobody is named without --reveal."""
    found = asyncio.run(_listed(settings_of(config), reveal=reveal))
    columns = (*COLUMNS, *REVEALED) if reveal else COLUMNS
    rows = [{column: row[column] for column in columns} for row in map(_row, found)]
    listing(columns, rows, nothing="nobody is enrolled; `registry import FILE` enrolls everybody in a file", as_json=as_json)


@app.command()
def check(*, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Look for entries that are there twice, are over or overdue, or would match too little or too much. Exit 1 when some are.

    Entries are named by their ids; `registry list --reveal` shows whose they are.
    """
    found = asyncio.run(_checked(settings_of(config)))
    if as_json:
        emit([asdict(each) for each in found])
    elif found:
        for each in found:
            say(f"{each.kind}: {', '.join(each.entries)}: {each.detail}; {each.next}")
        say(f"{len(found)} finding{'s' if len(found) > 1 else ''}")
    else:
        say("nothing to look at")
    if found:
        raise done(Code.FOUND)


@app.command("rotate-key")
def rotate_key_(*, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Seal everything with a new key, while servers go on answering; run it again if it was stopped.

    Backups made before open with the old key only: keep a copy of it with them first, apart from the store.
    """
    count = asyncio.run(_rotated(settings_of(config)))
    if as_json:
        emit({"sealed": count})
    else:
        say(f"{count} rows sealed anew; the old key is forgotten")


@app.command()
def recognize(
    file: Annotated[Path, typer.Option("--jsonl", help="One JSON object of criteria or of a record's fields a line.")],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,  # noqa: ARG001 -- it prints nothing else, and every command takes it
) -> None:
    """Say of each line whom of the registry it concerns, one JSON verdict a line. Exit 1 when a line was not understood.

    `too_little` stands beside a verdict where a terminal would be asked for more than a name first.
    """
    if not asyncio.run(recognized(settings_of(config), file)):
        raise done(Code.FOUND)


def tell(report: Report, file: Path, *, as_json: bool) -> None:
    """Print what became of a file's lines; end with 1 when some were not taken."""
    if as_json:
        emit(
            {
                "added": report.added,
                "updated": report.updated,
                "unchanged": report.unchanged,
                "removed": report.removed,
                "rejected": [{"line": line, "reason": reason} for line, reason in report.rejected],
                "notes": [{"line": line, "note": note} for line, note in report.notes],
            }
        )
    else:
        for line, note in report.notes:
            warn(f"{file}:{line}: taken, but {note}")
        for line, reason in report.rejected:
            warn(f"{file}:{line}: not taken: {reason}")
        counts = f"{report.added} added, {report.updated} updated, {report.unchanged} as they were"
        say(f"{counts}, {report.removed} removed, {len(report.rejected)} not taken")
    if report.rejected:
        raise done(Code.FOUND)


def progress_over(file: Path) -> AbstractContextManager[Callable[[int], None]]:
    """Return a progress bar over the bytes of a file that is read."""
    return progress(f"reading {file.name}", file.stat().st_size if file.is_file() else None)


async def _import(settings: Settings, file: Path) -> Report:
    words, concealed = words_of(settings), risky_by(settings)
    async with opened(settings) as registry:
        with progress_over(file) as read, progress("enrolling") as wrote:
            return await import_registry(
                registry, file, **words, concealed=concealed, by=operator(), now=utc_now(), read=read, wrote=wrote
            )


async def _add(settings: Settings, raw: Mapping[str, Any]) -> tuple[Entry | None, Report]:
    try:
        line = entry_line(1, raw, **words_of(settings), now=utc_now())
    except LineRefused as refused:
        raise CommandFailed(str(refused), code=Code.WRONG_USE) from None
    async with opened(settings) as registry:
        entry, report = await registry.add(line, by=operator(), concealed=risky_by(settings))
    for _, reason in report.rejected:
        raise CommandFailed(reason, code=Code.WRONG_USE)
    return entry, report


async def _listed(settings: Settings, *, reveal: bool) -> Sequence[Entry]:
    if reveal:
        async with opened(settings) as registry:
            return await registry.reveal(by=operator())
    async with reading(settings) as registry:
        return await registry.entries()


async def _checked(settings: Settings) -> Sequence[Finding]:
    words, concealed = words_of(settings), concealed_by(settings)
    async with reading(settings) as registry:
        return findings(await registry.entries(), now=utc_now(), concealed=concealed, **words)


async def _rotated(settings: Settings) -> int:
    async with recording(settings) as recorder:
        with progress("sealing") as sealed:
            return await rotate_key(
                recorder.database, settings.keys.registry, by=operator(), outbox=recorder.outbox, sealed=sealed
            )


def _row(entry: Entry) -> dict[str, str]:
    who = entry.identifiers
    return {
        "id": entry.id,
        "category": entry.category,
        "basis": entry.basis,
        "household": entry.household,
        "enrolled": f"{stamp(entry.enrolled_at)} by {entry.enrolled_by}",
        "expires": stamp(entry.expires) if entry.expires else "",
        "review": stamp(entry.review) if entry.review else "",
        "fields": ";".join(sorted(entry.fields)),
        "name": " ".join(part for part in (who.given_name, who.middle_name, who.surname, who.suffix) if part),
        "dob": who.dob,
        "homes": "; ".join(" ".join(part for part in (home.street, home.unit, home.city) if part) for home in who.homes),
    }


def _asked_for() -> dict[str, Any]:
    say("Enter what is known; several values are divided by ';', an empty line is none.")
    return dict(_answers())


def _answers() -> Iterator[tuple[str, object]]:
    for key in IDENTIFIERS:
        answer = input(f"{key}: ").strip()
        if answer:
            yield key, answer.split(";") if key in LISTS else answer
