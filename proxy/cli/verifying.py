"""``audit verify``: the whole log, with the public key only; worth more with a key and checkpoints that were kept elsewhere."""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.audit.bodies import Bodies
from proxy.audit.entry import EntryUnreadable
from proxy.audit.pairing import Pairing
from proxy.audit.reader import AuditReader
from proxy.audit.retention import ordered
from proxy.audit.times import SKEW_SECONDS, Timeline
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
from proxy.cli.trusting import cosigned_of, verifier_of
from proxy.tlog.errors import NoteInvalid
from proxy.tlog.note import parse_unverified
from proxy.tlog.store import CHECKPOINT, LOCK, segments_of
from proxy.tlog.verify import verify as verify_log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proxy.audit.entry import Entry
    from proxy.cli.trusting import Cosigned
    from proxy.tlog.verify import Report

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
    seen += witnessed.texts if witnessed is not None else ()
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
    return [f"entries 0 to {report.pruned - 1} were pruned ({by.facts.get('rule')}): entry {by.index} of {by.at} says so"]


def _unpaired(reader: AuditReader, size: int, by: Entry | None, *, running: bool) -> tuple[list[_Problem], int]:
    """Return what breaks the rule that each forwarded decision has one end, and how many queries are under way.

    ``by`` is the entry that ordered a prune, and knows which queries were under way where what is kept begins.
    """
    pairing, bodies = Pairing(), Bodies()
    if by is not None:
        left = by.facts.get("open")
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
    except EntryUnreadable:
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
