"""``audit``: verify the log, look at its end, show an entry.

Verification needs the public key only, and is worth more with a key and checkpoints that were kept elsewhere. Sealed parts are
shown against a case and a reason, and that is recorded before they are shown: the log is searched through the log.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from proxy.audit.bodies import Bodies
from proxy.audit.entry import EntryUnreadable, decode
from proxy.audit.events import LogRead
from proxy.audit.pairing import Pairing
from proxy.audit.reader import AuditReader
from proxy.audit.retention import ordered
from proxy.audit.sealing import SealBroken
from proxy.audit.times import SKEW_SECONDS, Timeline
from proxy.cli import bundles
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
)
from proxy.cli.confirmation import confirmation
from proxy.cli.leak import leak
from proxy.cli.questions import register as register_questions
from proxy.cli.queued import recorded
from proxy.cli.recording import operator, sealer_of
from proxy.cli.retention import hold, prune
from proxy.cli.rings import rotate_key
from proxy.cli.shredding import shred
from proxy.cli.succession import new_origin
from proxy.cli.trusting import cosigned_of, verifier_of
from proxy.tlog.errors import LogPruned, NoteInvalid
from proxy.tlog.note import parse_unverified
from proxy.tlog.store import CHECKPOINT, LOCK, Cursor, newest_seal, segments_of
from proxy.tlog.verify import verify as verify_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from proxy.audit.entry import Entry
    from proxy.audit.event import Json
    from proxy.cli.trusting import Cosigned
    from proxy.tlog.verify import Report

app = typer.Typer(no_args_is_help=True)
app.add_typer(hold, name="hold", help="What must not be pruned or shredded, on whose order.")
app.command()(prune)
app.command()(leak)
app.command()(shred)
app.command("rotate-key")(rotate_key)
app.command("new-origin")(new_origin)
app.add_typer(bundles.app)

FOLLOW_SECONDS: Final = 0.5
MIN_STATEMENT: Final = 8

DirectoryOption = Annotated[Path | None, typer.Option("--directory", help="The log's folder; default: the configured one.")]
VkeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        help="The log's verifier key (name+id+base64), or a file of them; several, if it was changed. Default: the configured.",
    ),
]
PolicyOption = Annotated[
    Path | None, typer.Option("--policy", help="Whose cosignatures count, and how many (c2sp.org/tlog-policy).")
]
CosignedOption = Annotated[
    list[Path] | None,
    typer.Option("--cosigned", help="With --policy: a file of cosigned checkpoints, such as a witness's history."),
]
SkewOption = Annotated[
    float, typer.Option("--skew", min=0, help="By so many seconds the clocks of log and witnesses may differ.")
]
SeenOption = Annotated[
    list[Path] | None,
    typer.Option("--checkpoint", help="A checkpoint of this log that was kept elsewhere. May be given several times."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """One line of the report."""

    kind: str
    index: int | None
    message: str


@app.command()
def verify(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    directory: DirectoryOption = None,
    key: VkeyOption = None,
    checkpoint: SeenOption = None,
    policy: PolicyOption = None,
    cosigned: CosignedOption = None,
    skew: SkewOption = SKEW_SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Verify the whole log: every entry, body, checkpoint and tile, that every forwarded query has its one end, and the times.

    A body has to be the one whose hash its entry holds, or to be shredded, and an entry to cite the order for that.
    With --policy, what witnesses have signed must be here, and bounds the time of every entry.

    Exit 0 when all holds, 1 when something was found; the first line names the entry.
    """
    folder = directory if directory is not None else settings_of(config).log
    if cosigned and policy is None:
        raise CommandFailed("--cosigned needs --policy", help="say whose cosignatures count", code=Code.WRONG_USE)
    verifier = verifier_of(key or [], config, folder)
    seen = [_kept(path) for path in checkpoint or ()]
    witnessed = cosigned_of(folder, policy, cosigned or (), verifier) if policy is not None else None
    if witnessed is not None and witnessed.newest is not None:
        seen.append(witnessed.newest.text)
    if not segments_of(folder) and not (folder / CHECKPOINT).exists():
        raise CommandFailed(f"there is no log in {folder}", help="name its folder with --directory")
    running = _is_running(folder)
    with progress("verifying", _expected(folder)) as advance:
        report = verify_log(folder, verifier, seen=seen, progress=_steps(advance))
    problems = [_Problem(kind=found.kind, index=found.index, message=found.message) for found in report.findings]
    problems += _unwitnessed(witnessed)
    under_way, notes = 0, list[str]()
    if not any(found.kind in {"entry", "missing"} for found in report.findings):
        by = ordered(folder, report.pruned) if report.pruned else None
        problems += _unordered(report) if report.pruned and by is None else []
        unpaired, under_way = _unpaired(AuditReader(folder), report.size, by, running=running)
        problems = [each for each in problems if each.kind != "body"] + unpaired  # where a CRC fails, so does the hash
        untimely, notes = _untimely(AuditReader(folder), report.size, witnessed, skew=skew, running=running)
        problems += untimely
        notes += _gone(report, by)
    _print_report(report, problems, notes, under_way, witnessed, as_json=as_json)
    if problems:
        raise done(Code.FOUND)


def _kept(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a checkpoint"
        raise CommandFailed(f"{path}: {reason}", help="give a checkpoint that was kept", code=Code.WRONG_USE) from error


def _expected(folder: Path) -> int | None:
    try:
        return parse_unverified((folder / CHECKPOINT).read_text(encoding="utf-8")).size
    except (OSError, NoteInvalid, UnicodeDecodeError):
        return None


def _steps(advance: Callable[[int], None]) -> Callable[[int], None]:
    """Turn "so many in all" into "so many more"."""
    reached = 0

    def step(size: int) -> None:
        nonlocal reached
        advance(size - reached)
        reached = size

    return step


def _is_running(folder: Path) -> bool:
    """Tell whether a server has the log open: then the newest decisions may be queries under way."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _unordered(report: Report) -> list[_Problem]:
    message = f"entries 0 to {report.pruned - 1} are gone, and no entry of the log says that they were pruned"
    return [_Problem(kind="missing", index=0, message=message)]


def _gone(report: Report, by: Entry | None) -> list[str]:
    """Return what there is to say of entries that were pruned."""
    if by is None:
        return []
    return [f"entries 0 to {report.pruned - 1} were pruned ({by.facts['rule']}): entry {by.index} of {by.at} says so"]


def _unpaired(reader: AuditReader, size: int, by: Entry | None, *, running: bool) -> tuple[list[_Problem], int]:
    """Return what breaks the rule that each forwarded decision has one end, and how many queries are under way.

    ``by`` is the entry that ordered a prune, and knows which queries were under way where what is kept begins.
    """
    pairing, bodies = Pairing(), Bodies()
    if by is not None:
        left = by.facts["open"]
        pairing.orphans = dict.fromkeys(map(str, left if isinstance(left, list) else ()), 0)
    try:
        for entry in reader.entries(0, size):
            pairing.see(entry)
            bodies.see(entry)
    except EntryUnreadable as error:
        return [_Problem(kind="unreadable", index=None, message=str(error))], 0
    problems = [_Problem(kind="pairing", index=fault.index, message=fault.message) for fault in pairing.faults]
    problems += [_Problem(kind="body", index=fault.index, message=fault.message) for fault in bodies.faults()]
    orphans = pairing.unended()
    fresh = reader.after_last_start() if running else size
    problems += [
        _Problem(kind="orphan", index=orphan.index, message=f"{orphan.message}; the next start closes it as unknown")
        for orphan in orphans
        if orphan.index < fresh
    ]
    return problems, sum(orphan.index >= fresh for orphan in orphans)


def _unwitnessed(witnessed: Cosigned | None) -> list[_Problem]:
    """Return what is wrong with the cosignatures themselves."""
    if witnessed is None:
        return []
    problems = [_Problem(kind="witness", index=None, message=message) for message in witnessed.rejected]
    if witnessed.newest is None:
        problems.append(_Problem(kind="witness", index=None, message="no checkpoint is cosigned as the policy wants"))
    return problems


def _untimely(
    reader: AuditReader, size: int, witnessed: Cosigned | None, *, skew: float, running: bool
) -> tuple[list[_Problem], list[str]]:
    """Return times and silences that cannot be, and those that have to be explained."""
    timeline = Timeline(witnessed.times if witnessed is not None else (), skew=skew)
    try:
        for entry in reader.entries(0, size):
            timeline.see(entry)
    except (EntryUnreadable, ValueError):
        return [], []  # told already
    if running:
        timeline.end(time.time())
    problems = [
        _Problem(kind=each.kind, index=each.index, message=each.message) for each in timeline.found if each.kind != "note"
    ]
    return problems, [each.message for each in timeline.found if each.kind == "note"]


def _print_report(
    report: Report,
    problems: Sequence[_Problem],
    notes: Sequence[str],
    under_way: int,
    witnessed: Cosigned | None,
    *,
    as_json: bool,
) -> None:
    newest = witnessed.newest if witnessed is not None else None
    if as_json:
        emit(
            {
                "ok": not problems,
                "origin": report.origin,
                "size": report.size,
                "root": report.root.hex(),
                "published": report.published,
                "unfinished_bytes": report.unfinished,
                "under_way": under_way,
                "pruned": report.pruned,
                "cosigned": newest.size if newest is not None else None,
                "notes": notes,
                "findings": [{"kind": each.kind, "entry": each.index, "message": each.message} for each in problems],
            },
        )
        return
    for message in (*(problem.message for problem in problems), *(f"note: {note}" for note in notes)):
        say(message)
    if problems:
        say(f"{report.origin}: {len(problems)} finding{'s' if len(problems) > 1 else ''}; holds up to entry {report.size}")
        say("help: keep a copy of the folder as it is before anything else, and compare with checkpoints kept elsewhere")
        return
    say(f"{report.origin}: {report.size} entries hold, root {report.root.hex()}")
    if newest is not None:
        rest = report.size - newest.size
        say(f"{newest.size} of them are signed for by {', '.join(sorted(newest.times))}; {rest} more are this log's word alone")
    if under_way:
        say(f"{under_way} quer{'ies are' if under_way > 1 else 'y is'} under way")


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
            facts = "  ".join(
                f"{name}={_word(value)}" for name, value in entry.facts.items() if value not in (None, "", [], False)
            )
            say(f"{index}  {entry.at}  {entry.kind}  {entry.about}  {facts}")


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
    case: Annotated[str, typer.Option("--case", help="With --decrypt: the case that needs it.")] = "",
    statement: Annotated[str, typer.Option("--statement", help="With --decrypt: why, in words.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Show one entry."""
    if decrypt and case.strip() and 0 < len(statement.strip()) < MIN_STATEMENT:
        help_ = f"say in {MIN_STATEMENT} characters or more why this entry is needed"
        raise CommandFailed("the statement says too little", help=help_, code=Code.WRONG_USE)
    if decrypt and (not case.strip() or not statement.strip()):
        raise CommandFailed(
            "reading sealed parts of the log needs a case and a reason",
            help='add --case NUMBER --statement "why this entry is needed"',
            code=Code.WRONG_USE,
        )
    settings = settings_of(config)
    reader = AuditReader(settings.log, sealer_of(settings) if decrypt else None)
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
        read = LogRead(about=entry.about, operator=operator(), case=case.strip(), statement=statement.strip(), first=index)
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
