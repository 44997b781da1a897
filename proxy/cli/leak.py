"""``audit leak``: given what was published, who was shown exactly that before, ranked by how well it explains the leak.

What was published stands in the arguments or, for many things, in a file of JSON lines. It is recorded before anything is
looked for, and again, with whom it shows, before that is printed.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import orjson
import typer

from proxy.audit.index.file import IndexUnusable
from proxy.audit.index.service import Index
from proxy.cli.cause import cases_of, must_be_given, refused
from proxy.cli.common import DEFAULT_CONFIG, Code, CommandFailed, ConfigOption, JsonOption, done, emit, say, settings_of
from proxy.cli.older import OlderOption, asked_log
from proxy.cli.queued import QueuedLog
from proxy.cli.recording import OPERATOR, operator, recording, sealer_of
from proxy.clock import utc_now
from proxy.oversight.leak.answer import view
from proxy.oversight.leak.asking import kinds_of, with_cause
from proxy.oversight.leak.claim import (
    MOST_PHOTO,
    PHOTO,
    LeakUnclear,
    bounded,
    claim,
    photo,
    read_claims,
    read_line,
    read_moment,
)
from proxy.oversight.leak.ranking import Verdict
from proxy.oversight.leak.service import LeakTrace
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from proxy.cli.older import AskedLog
    from proxy.oversight.leak.answer import Answer, LeadTold
    from proxy.oversight.leak.claim import Claim
    from proxy.settings import Settings

MOST_LINES: Final = 1_000_000

PublishedOption = Annotated[
    list[str] | None,
    typer.Option(
        "--published",
        help="What was published, as kind=value: 'home_address=12 Elm St', phone=…, email=…, name=…, plate=…; behind"
        " ' @ 2026-11-20T09:00Z' with a time of its own. May be given several times.",
    ),
]
PhotoOption = Annotated[
    list[str] | None, typer.Option("--photo", help="A picture that was published: its file, or its SHA-256 in hexadecimal.")
]
FileOption = Annotated[
    Path | None,
    typer.Option(
        "--file",
        help='Many things, one JSON object a line: {"kind": …, "value": …}, also at, about, within_hours, elsewhere; or -.',
    ),
]


def leak(  # noqa: PLR0917 -- typer reads the signature as the options
    published: PublishedOption = None,
    photos: PhotoOption = None,
    file: FileOption = None,
    at: Annotated[str, typer.Option("--at", help="When it was first seen in public, with its zone: 2026-11-20T09:00Z.")] = "",
    within: Annotated[
        float, typer.Option("--within-hours", min=0, max=2160, help="It may have been out for so many hours before.")
    ] = 24.0,
    about: Annotated[str, typer.Option("--about", help="Whom it is about, if known: the person id.")] = "",
    case: Annotated[str, typer.Option("--case", help="The case that needs it.")] = "",
    statement: Annotated[str, typer.Option("--statement", help="Why, in words.")] = "",
    page: Annotated[int, typer.Option("--page", min=1, help="Which ten leads.")] = 1,
    directory: OlderOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,  # noqa: FBT002 -- typer's way
) -> None:
    """Say who was shown what was published, before it was, ranked by how well it explains the leak. A lead, never a finding.

    Exit 1 when somebody was, 0 when nobody was.
    """
    hours = timedelta(hours=within)
    try:
        moment = read_moment(at) if at else None
        more = _file(file, moment, hours, about) if file is not None else ()
        claims = bounded([*_lines(published or (), moment, hours, about), *_photos(photos or (), moment, hours, about), *more])
    except LeakUnclear as unclear:
        raise CommandFailed(unclear.detail, help="`audit leak --help` shows how it is written", code=Code.WRONG_USE) from None
    must_be_given(case, statement)
    settings = settings_of(config)
    answer = asyncio.run(_traced(settings, asked_log(settings, directory), claims, case=case, statement=statement, page=page))
    emit(view(answer)) if as_json else _print(answer)
    if answer.verdict != Verdict.NOBODY:
        raise done(Code.FOUND)


def _lines(texts: Iterable[str], at: datetime | None, within: timedelta, about: str) -> Sequence[Claim]:
    return [read_line(text, at=at, within=within, about=about) for text in texts]


def _photos(photos: Iterable[str], at: datetime | None, within: timedelta, about: str) -> Sequence[Claim]:
    found: list[Claim] = []
    for each in photos:
        if at is None:
            raise LeakUnclear("Say when the picture was published, with --at.")
        path = Path(each)
        if not path.is_file():
            found.append(claim(PHOTO, each, at, within, about))
            continue
        with path.open("rb") as opened:
            content = opened.read(MOST_PHOTO + 1)
        found.append(photo(content, hashlib.sha256(content).hexdigest(), at, within, about))
    return found


def _file(path: Path, at: datetime | None, within: timedelta, about: str) -> Sequence[Claim]:
    text = sys.stdin.read(MOST_LINES) if str(path) == "-" else path.read_text(encoding="utf-8")
    try:
        lines: list[Mapping[str, object]] = [orjson.loads(line) for line in text.splitlines() if line.strip()]
    except orjson.JSONDecodeError as error:
        raise LeakUnclear(f"{path} is not JSON lines: {error}.") from None
    if not all(isinstance(line, dict) for line in lines):
        raise LeakUnclear(f"{path}: each line is a JSON object.")
    return read_claims(lines, at=at, within=within, about=about)


async def _traced(
    settings: Settings, log: AskedLog, claims: Sequence[Claim], *, case: str, statement: str, page: int
) -> Answer:
    from proxy.inquiry.routes import load_routes  # noqa: PLC0415 -- the other commands do without

    sealer = sealer_of(settings)
    index = Index(log.folder, log.index, sealer, log.origin)
    try:
        async with recording(settings) as store:
            async with cases_of(settings, store) as cases:
                asked = await with_cause(
                    cases,
                    operator=operator(),
                    role=OPERATOR,
                    case=case,
                    statement=statement,
                    claims=claims,
                    kinds=kinds_of(load_routes(settings.policies / "routes.yaml").routes),
                    now=utc_now(),
                    page=page,
                )
            return await LeakTrace(index, sealer, QueuedLog(settings, store), log.origin, older=log.older).trace(asked)
    except IndexUnusable as error:
        raise CommandFailed(str(error), help="`audit rebuild-index` makes it anew from the log") from error
    except LeakUnclear as unclear:
        raise CommandFailed(unclear.detail, help="`audit leak --help` shows how it is written", code=Code.WRONG_USE) from None
    except Refusal as refusal:
        raise refused(refusal) from refusal
    finally:
        index.close()


def _print(answer: Answer) -> None:
    say(answer.says)
    for item in answer.items:
        last = f", last {item.last:%Y-%m-%d %H:%M} UTC" if item.last is not None else ""
        masked = f", masked for {item.masked_for}" if item.masked_for else ""
        say(f"item {item.number}, {item.kind}, {item.at:%Y-%m-%d %H:%M} UTC: shown to {item.officers} before{last}{masked}")
    for lead in answer.leads:
        _print_lead(lead)
    for pair in answer.together:
        told = ", ".join(map(str, pair.items))
        say(f"together: {pair.officers[0]} and {pair.officers[1]} were shown items {told} ({pair.share:.0%})")
    say(f"sources that are not in this log: {answer.outside:.0%}")
    for limit in answer.limits:
        say(f"note: {limit}")
    if answer.next_page is not None:
        say(f"help: there are {answer.count} leads; the next ten: --page {answer.next_page}")


def _print_lead(lead: LeadTold) -> None:
    say(f"{lead.place}. {lead.officer} ({lead.share:.0%})")
    for sentence in lead.says:
        say(f"   {sentence}")
    for entry in lead.entries:
        words = f": {entry.statement}" if entry.statement else ""
        query = f" of query {entry.query}" if entry.query is not None else ""
        say(f"   entry {entry.entry}{query}  {entry.at:%Y-%m-%d %H:%M} UTC  {entry.terminal}  case {entry.case}{words}")
