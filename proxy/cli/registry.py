"""``registry``: who is protected. Identifiers come from files and standard input, never from arguments.

An argument can be read by every user of the machine (``/proc``) and stays in the shell's history.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer

from proxy.audit.keys import load_key
from proxy.cli import resolution
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
from proxy.clock import stamp, utc_now
from proxy.database import Database
from proxy.policy.vocabulary import load_vocabulary
from proxy.registry.imports import import_registry, read_lines
from proxy.registry.index import TooManyNames
from proxy.registry.lines import IDENTIFIERS, LISTS, LineRefused, criteria, entry_line, read_jsonl
from proxy.registry.recognition import score
from proxy.registry.service import EntryUnknown, Registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from proxy.registry.enrollment import Report
    from proxy.registry.person import Entry
    from proxy.registry.protection import Protection
    from proxy.settings import Settings

app = typer.Typer(no_args_is_help=True)
app.command()(resolution.resolve)
app.command()(resolution.sweep)

COLUMNS: Final = ("id", "category", "basis", "household", "enrolled", "expires")
IN_FORCE: Final = "a running server knows it within a second or two"
MOST_REASON: Final = 1000
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
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Enroll one person. Who it is is asked for; or give a JSON object on standard input, with the keys of an import."""
    facts = {"category": category, "basis": basis, "expires": expires, "household": household}
    raw = _asked_for() if sys.stdin.isatty() else _given()
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
    rows = [_row(entry) for entry in found]
    if as_json:
        emit([{column: row[column] for column in columns} for row in rows])
    elif rows:
        table(columns, [[row[column] or "-" for column in columns] for row in rows])
    else:
        say("nobody is enrolled; `registry import FILE` enrolls everybody in a file")


@app.command()
def remove(
    entry: Annotated[str, typer.Argument(help="The entry's id, as `registry list` shows it.")],
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why the protection ends; it goes into the log.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """End a person's protection."""
    if not 0 < len(reason.strip()) <= MOST_REASON:
        raise CommandFailed(
            f"the reason is empty, or longer than {MOST_REASON} characters", help="say why it ends", code=Code.WRONG_USE
        )
    try:
        removed = asyncio.run(_remove(settings_of(config), entry, reason))
    except EntryUnknown as unknown:
        raise CommandFailed(str(unknown), code=Code.WRONG_USE) from None
    if as_json:
        emit({"removed": removed.id, "category": removed.category})
    else:
        say(f"{removed.id} ({removed.category or 'household'}) is protected no longer; {IN_FORCE}")


@app.command()
def recognize(
    file: Annotated[Path, typer.Option("--jsonl", help="One JSON object of criteria or of a record's fields a line.")],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,  # noqa: ARG001 -- it prints nothing else, and every command takes it
) -> None:
    """Say of each line whom of the registry it concerns, one JSON verdict a line. Exit 1 when a line was not understood."""
    if not asyncio.run(_recognize(settings_of(config), file)):
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


def progress_over(doing: str, file: Path) -> AbstractContextManager[Callable[[int], None]]:
    """Return a progress bar over a file's bytes."""
    return progress(f"{doing} {file.name}", file.stat().st_size if file.is_file() else None)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Registry]:
    """Yield the registry for changes, each of which goes into the log. Raises as ``recording``."""
    key = load_key(settings.keys.registry)
    async with recording(settings) as recorder:
        yield Registry(database=recorder.database, key=key, clock=utc_now, outbox=recorder.outbox)


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Registry]:
    """Yield the registry for reading only."""
    key = load_key(settings.keys.registry)
    database = Database(settings.store)
    await database.open()
    try:
        yield Registry(database=database, key=key, clock=utc_now)
    finally:
        await database.close()


async def _import(settings: Settings, file: Path) -> Report:
    categories = load_vocabulary(settings.policies / "vocabulary.yaml").categories
    async with opened(settings) as registry:
        with progress_over("reading", file) as read, progress("enrolling") as wrote:
            return await import_registry(
                registry, file, categories=categories, by=operator(), now=utc_now(), read=read, wrote=wrote
            )


async def _add(settings: Settings, raw: Mapping[str, Any]) -> tuple[Entry | None, Report]:
    categories = load_vocabulary(settings.policies / "vocabulary.yaml").categories
    try:
        line = entry_line(1, raw, categories=categories, now=utc_now())
    except LineRefused as refused:
        raise CommandFailed(str(refused), code=Code.WRONG_USE) from None
    async with opened(settings) as registry:
        entry, report = await registry.add(line, by=operator())
    for _, reason in report.rejected:
        raise CommandFailed(reason, code=Code.WRONG_USE)
    return entry, report


async def _listed(settings: Settings, *, reveal: bool) -> Sequence[Entry]:
    if reveal:
        async with opened(settings) as registry:
            return await registry.reveal(by=operator())
    async with reading(settings) as registry:
        return await registry.entries()


async def _remove(settings: Settings, entry: str, reason: str) -> Entry:
    async with opened(settings) as registry:
        return await registry.remove(entry, by=operator(), reason=reason)


async def _recognize(settings: Settings, file: Path) -> bool:
    understood = True
    async with reading(settings) as registry:
        await registry.refresh()
        with progress_over("recognizing", file) as advance:
            for number, raw in read_jsonl(read_lines(file, advance)):
                verdict = _verdict(registry, number, raw)
                understood &= "error" not in verdict
                sys.stdout.write(orjson.dumps(verdict).decode() + "\n")
    sys.stdout.flush()
    return understood


def _verdict(registry: Registry, number: int, raw: Mapping[str, Any] | LineRefused) -> dict[str, object]:
    try:
        if isinstance(raw, LineRefused):
            raise raw
        found = registry.recognizer.protections(criteria(raw))
    except LineRefused as refused:
        return {"line": number, "error": str(refused)}
    except TooManyNames:
        return {"line": number, "error": "too many names in one object"}
    if not found:
        return {"line": number, "recognized": False, "category": None, "entry": None, "matched": [], "score": 0.0}
    first, *others = sorted(found, key=lambda protection: (-score(protection), protection.entry))
    verdict = {"line": number, "recognized": True, **_explained(first)}
    return verdict | {"also": [_explained(each) for each in others]} if others else verdict


def _explained(protection: Protection) -> dict[str, object]:
    return {
        "category": protection.category,
        "entry": protection.entry,
        "matched": list(protection.matched),
        "score": score(protection),
    }


def _row(entry: Entry) -> dict[str, str]:
    who = entry.identifiers
    return {
        "id": entry.id,
        "category": entry.category,
        "basis": entry.basis,
        "household": entry.household,
        "enrolled": f"{stamp(entry.enrolled_at)} by {entry.enrolled_by}",
        "expires": stamp(entry.expires) if entry.expires else "",
        "name": " ".join(part for part in (who.given_name, who.middle_name, who.surname, who.suffix) if part),
        "dob": who.dob,
        "homes": "; ".join(" ".join(part for part in (home.street, home.unit, home.city) if part) for home in who.homes),
    }


def _given() -> dict[str, Any]:
    try:
        raw = orjson.loads(sys.stdin.buffer.read(1 << 16))
    except orjson.JSONDecodeError:
        raw = None
    if not isinstance(raw, dict):
        raise CommandFailed(
            "standard input is not a JSON object", help=f"its keys: {', '.join(IDENTIFIERS)}", code=Code.WRONG_USE
        )
    return raw


def _asked_for() -> dict[str, Any]:
    say("Enter what is known; several values are divided by ';', an empty line is none.")
    return dict(_answers())


def _answers() -> Iterator[tuple[str, object]]:
    for key in IDENTIFIERS:
        answer = input(f"{key}: ").strip()
        if answer:
            yield key, answer.split(";") if key in LISTS else answer
