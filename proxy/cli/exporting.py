"""``audit export``: evidence for somebody who has neither the log nor the server."""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 -- typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, cast

import typer

from proxy import __version__
from proxy.audit.events import INVESTIGATING
from proxy.cli.cause import case_with_cause, must_be_given
from proxy.cli.common import (
    DEFAULT_CONFIG,
    Code,
    CommandFailed,
    ConfigOption,
    JsonOption,
    emit,
    progress,
    say,
    settings_of,
    warn,
    wrong_use,
)
from proxy.cli.older import NOT_ASKED, OlderOption, asked_log
from proxy.cli.queued import recorded
from proxy.cli.recording import operator, sealer_of
from proxy.cli.trusting import verifier_of
from proxy.clock import stamp, utc_now
from proxy.document import DocumentInvalid
from proxy.tlog.store import newest_seal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from proxy.audit.bundle.exporting import Notary, Written
    from proxy.audit.bundle.question import By, Question
    from proxy.audit.entry import Entry
    from proxy.audit.event import Event
    from proxy.audit.sealing import Sealer
    from proxy.cli.older import AskedLog
    from proxy.settings import Settings
    from proxy.tlog.note import Checkpoint, Verifier


def export(
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The bundle: a new folder, or a new file that ends in .zip.")],
    case: Annotated[str, typer.Option("--case", help="The case that needs the evidence, in the case directory.")] = "",
    statement: Annotated[str, typer.Option("--statement", help="Why, in words that say something.")] = "",
    officer: Annotated[str, typer.Option("--officer", help="What this officer asked, and others did about them.")] = "",
    subject: Annotated[str, typer.Option("--subject", help="Everything that met this protected person (registry entry).")] = "",
    person_id: Annotated[str, typer.Option("--person-id", help="Everything that met the person with this record number.")] = "",
    under_case: Annotated[str, typer.Option("--under-case", help="Everything asked under this case.")] = "",
    terminal: Annotated[str, typer.Option("--terminal", help="Everything from this terminal.")] = "",
    entries: Annotated[str, typer.Option("--entries", help="Entries by number: 5,9-12. Claims nothing of others.")] = "",
    since: Annotated[str, typer.Option("--since", help="From this time on: 2026-11-01 or 2026-11-01T08:30Z (UTC).")] = "",
    until: Annotated[str, typer.Option("--until", help="Before this time; of a day, nothing any more.")] = "",
    disclose: Annotated[
        str, typer.Option("--disclose", help="What is opened: all (but what investigators asked), none, or 5,9-12.")
    ] = "all",
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option("--checkpoint", help="A checkpoint that was kept: the bundle proves the log has only grown since."),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    directory: OlderOption = None,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", help="With --directory: the older log's verifier key, if the configured one was changed since."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write evidence that verifies offline: entries, proofs, completeness, and the keys of just these entries.

    That it is begun is in the log before anything is read, and what it holds before it appears.
    """
    asked = {
        "officer": officer, "subject": subject, "person_id": person_id, "case": under_case, "terminal": terminal,
        "entries": entries,
    }  # fmt: skip
    by, value = _one(asked)
    must_be_given(case, statement)
    span = _moment(since, "--since"), _moment(until, "--until")
    numbers, opens = _numbers(value) if by == "entries" else (), _opener(disclose, by)
    if by == "entries" and any(span):
        raise wrong_use("entries that are asked for by number have no --since or --until", "leave them away")
    if output.exists():
        raise wrong_use(f"{output} exists already", "name another with -o")
    settings = settings_of(config)
    if key and directory is None:
        raise wrong_use("the configured log has its configured key", "leave --key away, or name an older log's --directory")
    log = asked_log(settings, directory)
    verifier = verifier_of(key or (), config, log.folder, log.origin)
    kept = [_kept(path, verifier) for path in checkpoint or ()]
    number = asyncio.run(case_with_cause(settings, case=case, statement=statement, label="export of evidence"))
    order = _Export(settings, log, verifier, by=by, value=value, case=number, statement=statement.strip(), span=span)
    with _explained():
        written = order.run(output, numbers=numbers, opens=opens, earlier=kept)
    _print_written(output, written, older=_goes_on_from(log.folder), as_json=as_json)


def _goes_on_from(folder: Path) -> str:
    from proxy.audit.continuity import older_of  # noqa: PLC0415
    from proxy.audit.reader import AuditReader  # noqa: PLC0415
    from proxy.tlog.errors import LogPruned  # noqa: PLC0415

    try:
        return older_of(AuditReader(folder).read(0))
    except LogPruned:
        return ""


def _one(asked: Mapping[str, str]) -> tuple[By, str]:
    given = [(by, value.strip()) for by, value in asked.items() if value.strip()]
    if len(given) != 1:
        raise wrong_use(
            "an export answers one question",
            "give one of --officer, --subject, --person-id, --under-case, --terminal, --entries",
        )
    return cast("By", given[0][0]), given[0][1]


def _moment(text: str, option: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise wrong_use(f"{option} {text} is no time", "write 2026-11-01 or 2026-11-01T08:30Z") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _numbers(text: str) -> tuple[int, ...]:
    """Return the numbers that a list like 5,9-12 names."""
    numbers: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or len(first + last) > 24:
            raise wrong_use(f"{part!r} is no number of an entry", "write them as in 5,9-12")
        end = int(last) if dash else int(first)
        if not int(first) <= end < int(first) + 100_000:
            raise wrong_use(f"{part!r} is no stretch of up to 100,000 entries", "write it as in 9-12")
        numbers |= set(range(int(first), end + 1))
    return tuple(sorted(numbers))


def _opener(disclose: str, by: By) -> Callable[[Entry], bool]:
    """Tell of an entry whether it is opened: what whoever investigates asked is not, unless it is named by number."""
    if disclose not in {"all", "none"}:
        numbers = set(_numbers(disclose))
        return lambda entry: entry.index in numbers
    return lambda entry: disclose == "all" and (by == "entries" or entry.kind not in INVESTIGATING)


def _kept(path: Path, verifier: Verifier) -> Checkpoint:
    from proxy.tlog.errors import NoteInvalid  # noqa: PLC0415

    try:
        return verifier.checkpoint(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, NoteInvalid) as error:
        raise wrong_use(f"{path}: {error}", "give a checkpoint of this log that was kept") from error


@contextmanager
def _explained() -> Iterator[None]:
    """Say what to do about what stops an export."""
    from proxy.audit.bundle.gathering import EpochUnsearchable, ExportRefused  # noqa: PLC0415
    from proxy.audit.bundle.stamps import StampInvalid  # noqa: PLC0415
    from proxy.audit.entry import EntryUnreadable  # noqa: PLC0415
    from proxy.audit.sealing import SealBroken  # noqa: PLC0415

    try:
        yield
    except EpochUnsearchable as error:
        help_ = f"nobody can tell whom their entries name: ask from then on, with --since {error.since}"
        raise CommandFailed(str(error), help=help_, code=Code.WRONG_USE) from error
    except ExportRefused as error:
        raise CommandFailed(str(error), help="nothing was exported", code=Code.WRONG_USE) from error
    except StampInvalid as error:
        help_ = "nothing was exported; try again, or take audit.timestamps out of the configuration"
        raise CommandFailed(str(error), help=help_) from error
    except (EntryUnreadable, SealBroken) as error:
        raise CommandFailed(str(error), help="nothing was exported; run `audit verify`") from error


class _Export:
    """One export, from the configured log or an older one."""

    def __init__(
        self,
        settings: Settings,
        log: AskedLog,
        verifier: Verifier,
        *,
        by: By,
        value: str,
        case: str,
        statement: str,
        span: tuple[datetime | None, datetime | None],
    ) -> None:
        self._settings = settings
        self._log = log
        self._verifier = verifier
        self._by: By = by
        self._value = value
        self._case = case
        self._statement = statement
        self._span = span
        self._about = f"export-{os.urandom(8).hex()}"

    def run(
        self, output: Path, *, numbers: Sequence[int], opens: Callable[[Entry], bool], earlier: Sequence[Checkpoint]
    ) -> Written:
        from proxy.audit.bundle.events import ExportBegun  # noqa: PLC0415
        from proxy.audit.bundle.exporting import Exporting  # noqa: PLC0415
        from proxy.audit.bundle.gathering import Gathering, newest_checkpoint  # noqa: PLC0415
        from proxy.audit.bundle.writing import Order  # noqa: PLC0415

        settings, sealer = self._settings, sealer_of(self._settings)
        verifier, notary = self._verifier, _notary(settings)
        question = self._question(sealer)
        digest, files = _policy(settings)
        # Of the log as it is before this export, so that its own entry is no part of the answer.
        newest = newest_checkpoint(self._log.folder, verifier)
        newer = max(newest_seal(self._log.folder) - newest.size, 0)
        self._record(
            ExportBegun(
                about=self._about, operator=operator(), case=self._case, statement=self._statement, by=self._by,
                value=self._value, since=question.since, until=question.until, log=self._log.older,
            )
        )  # fmt: skip
        with progress("exporting", newest.size * 2 if self._by != "entries" else len(numbers)) as advance:
            gathering = Gathering(self._log.folder, newest, advance, newer=newer)
            gathered = gathering.by_number(question) if self._by == "entries" else gathering.spanned(question, *self._span)
            order = Order(
                exporter=operator(), case=self._case, statement=self._statement, at=utc_now(), opens=opens, earlier=earlier,
                policy=digest, policies=files,
            )  # fmt: skip
            program = f"Showcause {__version__}"
            exporting = Exporting(self._log.folder, verifier, sealer, program=program, notary=notary, about=self._about)
            return exporting.write(output, order, gathering, gathered, numbers=numbers, record=self._record)

    def _question(self, sealer: Sealer) -> Question:
        from proxy.audit.bundle.question import Question  # noqa: PLC0415

        since, until = self._span
        return Question(
            by=self._by,
            value=self._value,
            tokens=dict(sealer.searches(self._by, self._value)) if self._by != "entries" else {},
            since=stamp(since) if since else "",
            until=stamp(until) if until else "",
        )

    def _record(self, event: Event) -> None:
        asyncio.run(recorded(self._settings, event))


def _notary(settings: Settings) -> Notary | None:
    from proxy.audit.bundle.authority import Asker  # noqa: PLC0415
    from proxy.audit.bundle.exporting import Notary  # noqa: PLC0415
    from proxy.audit.bundle.stamps import StampInvalid, authorities  # noqa: PLC0415

    timestamps = settings.audit.timestamps
    if timestamps is None:
        return None
    try:
        return Notary(ask=Asker(timestamps.url), roots=authorities(timestamps.ca))
    except (StampInvalid, OSError) as error:
        raise CommandFailed(f"audit.timestamps.ca: {error}", help="name the authority's root certificate, in PEM") from error


def _policy(settings: Settings) -> tuple[str, Mapping[str, bytes]]:
    """Return the digest and the files of the policy that is there; nothing of one that has mistakes."""
    from proxy.policy.service import load_policies  # noqa: PLC0415 -- Casbin takes its time

    try:
        loaded = load_policies(settings.policies)
    except (DocumentInvalid, OSError):
        return "", {}
    return loaded.digest, loaded.contents


def _print_written(output: Path, written: Written, *, older: str, as_json: bool) -> None:
    from proxy.audit.bundle.papers import left_out  # noqa: PLC0415

    asked = written.asked
    if as_json:
        emit(
            {
                "bundle": str(output), "manifest": written.manifest, "size": written.size, "entries": list(asked.entries),
                "disclosed": len(asked.disclosed), "shredded": list(asked.shredded), "locked": list(written.locked),
                "range": None if asked.stretch is None else [asked.stretch.first, asked.stretch.end],
                "stamped": written.stamped, "policies": len(asked.policies), "newer": written.newer,
                "goes_on_from": older,
            }
        )  # fmt: skip
        return
    say(f"{output}: {len(asked.entries)} entries, {len(asked.disclosed)} of them opened, from a log of {written.size}")
    if asked.stretch is not None:
        say(f"complete for entries {asked.stretch.first} to {asked.stretch.end - 1}: all of them are in it")
    if written.newer:
        warn(f"{left_out(written.newer)}: ask again later for them")
    if older:
        say(NOT_ASKED.format(older))
    say(f"its manifest's SHA-256, which names it for good: {written.manifest}")
    if written.stamped:
        say(f"time-stamped on {written.stamped}")
    if written.locked:
        warn(f"{len(written.locked)} entries stay closed: the key that they were sealed with is not here any more")
    say("next: complete certification.txt, and hand over the log's verifier key (`doctor` prints it) by another way")
