"""``audit``: look at the log's end, show an entry; what else there is to do with it stands in files of their own.

Sealed parts are shown against a case and a reason, and that is recorded before they are shown: the log is searched through the
log.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from proxy.audit.entry import EntryUnreadable, decode
from proxy.audit.events import LogRead
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import SealBroken
from proxy.cli.bundles import verify_bundle
from proxy.cli.cause import case_with_cause
from proxy.cli.common import (
    DEFAULT_CONFIG,
    Code,
    CommandFailed,
    ConfigOption,
    JsonOption,
    emit,
    say,
    settings_of,
)
from proxy.cli.confirmation import confirmation
from proxy.cli.exporting import export
from proxy.cli.leak import leak
from proxy.cli.older import OlderOption, asked_log
from proxy.cli.questions import register as register_questions
from proxy.cli.queued import recorded
from proxy.cli.recording import operator, sealer_of
from proxy.cli.retention import hold, prune
from proxy.cli.rings import rotate_key
from proxy.cli.shredding import shred
from proxy.cli.succession import new_origin
from proxy.cli.verifying import DirectoryOption, verify
from proxy.tlog.errors import LogPruned
from proxy.tlog.store import Cursor, newest_seal, segments_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.entry import Entry
    from proxy.audit.event import Json

app = typer.Typer(no_args_is_help=True)
app.command()(verify)
app.add_typer(hold, name="hold", help="What must not be pruned or shredded, on whose order.")
app.command()(prune)
app.command()(leak)
app.command()(shred)
app.command("rotate-key")(rotate_key)
app.command("new-origin")(new_origin)

FOLLOW_SECONDS: Final = 0.5


@app.command()
def tail(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    count: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of the last entries.")] = 10,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as the log grows.")] = False,
    directory: DirectoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the last entries: what lies open in them, never a name or a query term."""
    folder = directory if directory is not None else settings_of(config).log
    if not segments_of(folder):
        raise CommandFailed(f"there is no log in {folder}", help="name its folder with --directory")
    cursor = Cursor(folder, max(newest_seal(folder) - count, 0))
    while True:
        _print_entries(cursor.sealed(), as_json=as_json)
        if not follow:
            following = cursor.sealed()
            _print_entries(following, as_json=as_json)
            if not following:
                return
        else:
            time.sleep(FOLLOW_SECONDS)


def _print_entries(entries: Iterable[tuple[int, bytes]], *, as_json: bool) -> None:
    for index, content in entries:
        try:
            entry = decode(index, content)
        except EntryUnreadable as error:
            emit({"index": index, "error": str(error)}) if as_json else say(f"{index}  {error}")
            continue
        if as_json:
            emit(_open_parts(entry))
        else:
            facts = "  ".join(f"{name}={_word(value)}" for name, value in entry.facts.items() if value not in (None, "", []))
            line = f"{index}  {entry.at}  {entry.kind}  {entry.about}  {facts}"
            say(line.replace("\n", r"\n"))  # a checkpoint or a statement in it has line ends; an entry is one line


def _word(value: Json) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _open_parts(entry: Entry) -> dict[str, Json]:
    return {
        "index": entry.index,
        "kind": entry.kind,
        "at": entry.at,
        "about": entry.about,
        "facts": dict(entry.facts),
        "parties": {kind: list(tokens) for kind, tokens in entry.parties.items()},
        "epoch": entry.epoch,
        "sealed": bool(entry.body_hash),
        "body": entry.body_hash,
    }


@app.command()
def show(
    index: Annotated[int, typer.Argument(min=0, help="The entry's index: the number behind the last slash of Audit-Entry.")],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    decrypt: Annotated[bool, typer.Option("--decrypt", help="Show the sealed part too; this is recorded.")] = False,
    case: Annotated[str, typer.Option("--case", help="With --decrypt: the case that needs it, in the case directory.")] = "",
    statement: Annotated[str, typer.Option("--statement", help="With --decrypt: why, in words.")] = "",
    directory: OlderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one entry."""
    settings = settings_of(config)
    log = asked_log(settings, directory)
    if decrypt:
        case = asyncio.run(case_with_cause(settings, case=case, statement=statement, label="reading of the log"))
    reader = AuditReader(log.folder, sealer_of(settings) if decrypt else None)
    try:
        entry = reader.read(index)
    except (IndexError, EntryUnreadable, LogPruned) as error:
        raise CommandFailed(str(error), help="`audit tail` shows the newest entries", code=Code.FOUND) from error
    shown = _open_parts(entry)
    if decrypt:
        try:
            content = reader.unseal(entry)
        except SealBroken as error:
            raise CommandFailed(f"entry {index}: {error}", help="run `audit verify`", code=Code.FOUND) from error
        read = LogRead(
            about=entry.about, operator=operator(), case=case, statement=statement.strip(), first=index, log=log.older
        )  # fmt: skip
        asyncio.run(recorded(settings, read))
        shown["sealed"] = content
        if (confirmed := confirmation(reader, entry, content)) is not None:
            shown["confirmed"] = confirmed
    if as_json:
        emit(shown)
        return
    for name, value in shown.items():
        _say_part(name, value)


def _say_part(name: str, value: Any) -> None:
    if not isinstance(value, dict):
        say(f"{name}: {value}")
        return
    say(f"{name}:")
    for key, inner in value.items():
        if key == "recognized":
            _say_why(inner)
        else:
            say(f"  {key}: {inner}")


def _say_why(recognized: Iterable[Mapping[str, Any]]) -> None:
    """Say of each person met by what, and how surely (``protection.explained``)."""
    say("  recognized:")
    for why in recognized:
        features = ", ".join(f"{kind} {level} {bits:+}" for kind, level, bits in why["features"]) or "nothing compared"
        roads = ", ".join(why["matched"])
        say(f"    {why['entry']}: {why['category']} by {roads}, {why['score']} of {why['threshold']} bits ({features})")


register_questions(app)
app.command()(export)
app.command("verify-bundle")(verify_bundle)
