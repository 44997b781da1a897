"""One question to the log at the command line: what is asked under which cause, what is printed of the answer.

It is in the log before it is answered. What is printed is read from the log; the index only says where. With ``--answer`` a
file is written by which anybody who has the log can tell that nothing was left out.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from proxy.audit.answer import Answer, AnswerInvalid, answer_of, asked_for
from proxy.audit.index.service import Index
from proxy.audit.keyring import by_age
from proxy.audit.search import LogSearch
from proxy.cli.cause import cases_of, must_be_given, refused
from proxy.cli.common import DEFAULT_CONFIG, CommandFailed, ConfigOption, emit, progress, say, settings_of
from proxy.cli.older import NOT_ASKED, OlderOption, asked_log
from proxy.cli.queued import QueuedLog
from proxy.cli.recording import OPERATOR, operator, recording, sealer_of
from proxy.clock import utc_now
from proxy.oversight.questions import Asker, Question, Questions, road_in_words
from proxy.refusal import Refusal
from proxy.registry.keyring import Keyring
from proxy.registry.thresholds import load_thresholds
from proxy.tlog.store import SegmentReader, newest_seal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from proxy.audit.search import Found, Line
    from proxy.cli.older import AskedLog
    from proxy.settings import Settings

DAYS: Final = 30
MOST_PAGES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Under which cause is asked, of which log, from when to when: options of every question (``spread``)."""

    config: ConfigOption = DEFAULT_CONFIG
    case: Annotated[str, typer.Option("--case", help="Your case: the one that needs the answer.")] = ""
    statement: Annotated[str, typer.Option("--statement", help="Why, in words.")] = ""
    since: Annotated[str, typer.Option("--since", help="First day, UTC; default: 30 days ago.")] = ""
    until: Annotated[str, typer.Option("--until", help="Last day, UTC, included; default: today.")] = ""
    directory: OlderOption = None

    def question(self, by: str, value: str, **more: str) -> Question:
        """Return what is asked.

        Raises:
            CommandFailed: there is no case, or no statement.
        """
        must_be_given(self.case, self.statement)
        today = datetime.now(UTC).date()
        first, last = self.since or str(today - timedelta(days=DAYS)), self.until or str(today)
        return Question(case=self.case, statement=self.statement, by=by, value=value, first=first, last=last, **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Which part of the answer is printed: options of a question whose answer has pages (``spread``)."""

    before: Annotated[str, typer.Option("--before", help="Go on before this entry: the next page.")] = ""
    every: Annotated[bool, typer.Option("--all", help="All pages.")] = False


AnswerOption = Annotated[
    Path | None, typer.Option("--answer", help="Write a file by which the answer can be checked for being complete.")
]


@asynccontextmanager
async def asking(settings: Settings, log: AskedLog) -> AsyncIterator[Questions]:
    """Yield who answers questions to a log."""
    from proxy.identity.service import Identities  # noqa: PLC0415 -- these two take their time; most commands do without
    from proxy.registry.service import Registry  # noqa: PLC0415

    sealer = sealer_of(settings)
    index = Index(log.folder, log.index, sealer, log.origin)
    thresholds = load_thresholds(settings.policies / "recognition.yaml", categories=None)
    try:
        async with recording(settings) as store:
            registry = Registry(store.database, Keyring.of(settings.keys.registry), utc_now, thresholds=thresholds)
            await registry.refresh()
            async with cases_of(settings, store) as cases:
                search = LogSearch(index, sealer, QueuedLog(settings, store), log.older)
                # Whom only the provider's tokens name has come by, and is in the log.
                identities = Identities(database=store.database, key=store.key)
                yield Questions(search=search, cases=cases, registry=registry, sealer=sealer, persons=identities.persons)
    finally:
        index.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question of the command line. ``every`` asks for all pages, ``answer`` is where the file to check goes."""

    settings: Settings
    log: AskedLog
    question: Question
    every: bool = False
    answer: Path | None = None
    oldest_first: bool = False
    as_json: bool

    async def run(self) -> None:
        """Ask, and print what is answered."""
        asker = Asker(person=operator(), role=OPERATOR)
        async with asking(self.settings, self.log) as questions:
            pages = [page async for page in self._pages(questions, asker)]
            if self.answer is not None:  # before anything is printed: whoever reads may have read enough (`| head`)
                self.answer.write_bytes((await self._complete(questions, asker)).document())
            self._print(pages)
            if self.answer is not None:
                say(f"{self.answer}: check it with `audit verify-answer`") if not self.as_json else None

    async def _pages(self, questions: Questions, asker: Asker) -> AsyncIterator[Found]:
        question = self.question
        for _ in range(MOST_PAGES):
            found = await questions.ask(question, asker)
            yield found
            if not self.every or found.before is None:
                return
            question = replace(question, before=str(found.before))

    async def _complete(self, questions: Questions, asker: Asker) -> Answer:
        sealer, log = questions.sealer, self.log
        sought = await questions.sought(self.question, asker)
        since, until = self.question.stretch()
        size = newest_seal(log.folder)
        with progress("reading the log", size) as advance:

            def entries() -> Any:
                for number, content in SegmentReader(log.folder).entries(0, size):
                    advance(1)
                    yield number, content

            asked = asked_for(sought.parties, sealer.searches)
            return await asyncio.to_thread(
                answer_of, entries(), origin=log.origin, size=size, asked=asked, since=since, until=until
            )

    def _print(self, pages: Sequence[Found]) -> None:
        lines = [line for page in pages for line in page.lines]
        if self.oldest_first:
            lines.reverse()
        before, behind, older = pages[-1].before, pages[-1].behind, pages[-1].goes_on_from
        dead = sorted({epoch for page in pages for epoch in page.dead}, key=by_age)
        if self.as_json:
            queries = [{"entry": f"{self.log.origin}/{line.index}", **asdict(line)} for line in lines]
            emit(
                {
                    "queries": queries, "indexed": pages[-1].indexed, "behind": behind, "before": before,
                    "dead_epochs": dead, "goes_on_from": older,
                }
            )  # fmt: skip
            return
        for line in lines:
            say(_told(line, self.log.origin))
        if not lines:
            say("nothing in these days")
        say_unasked(dead, older)
        if behind:
            say(f"the newest {behind} entries are not indexed yet: ask again, or run `audit rebuild-index`")
        if before is not None:
            say(f"there is more: --before {before}, or --all")


def say_unasked(dead: Iterable[str], older: str) -> None:
    """Say what was not asked: epochs whose index key is gone, and the log that this one goes on from."""
    if older:
        say(NOT_ASKED.format(older))
    for epoch in dead:
        say(f"not complete: nobody can search the entries of epoch {epoch} in these days, since its index key is not here")


def _told(line: Line, origin: str) -> str:
    """Return a line for a reader: when (here and in UTC), who, why, what was seen."""
    here = line.at.astimezone()
    when = f"{here:%Y-%m-%d %H:%M:%S %Z}" + ("" if here.utcoffset() == timedelta(0) else f" ({line.at:%H:%M:%SZ})")
    parts = [f"{when}  {line.officer or 'somebody unknown'}"]
    parts.append(f"{'about them: ' if line.about else ''}{line.action or line.kind} {line.outcome}".strip())
    why = " ".join(filter(None, (line.purpose, line.case and f"case {line.case}", line.statement and f"“{line.statement}”")))
    if line.unread:
        why = f"what it says is {line.unread}"
    seen = f"saw {', '.join(line.seen)}" if line.seen else ""
    masked = f"masked {', '.join(line.masked)}" if line.masked else ""
    withheld = f"{line.withheld} withheld" if line.withheld else ""
    if not line.released:
        withheld = "not released: no witness had signed for it"
    where = f"at {line.terminal}" if line.terminal else ""
    road = f"by {', '.join(road_in_words(each) for each in line.roads)}" if line.roads else ""
    return "  ".join(filter(None, (*parts, where, why, road, seen, masked, withheld, f"{origin}/{line.index}")))


def ask(
    by: str,
    value: str,
    cause: Cause,
    *,
    dob: str = "",
    pages: Pages | None = None,
    answer: Path | None = None,
    oldest_first: bool = False,
    as_json: bool,
) -> None:
    """Ask a question, and print what is answered; without ``pages`` all of it.

    Raises:
        CommandFailed: it is not answered; the message says why.
    """
    question = cause.question(by, value, dob=dob, before=pages.before if pages is not None else "")
    settings = settings_of(cause.config)
    asked = Asked(
        settings=settings, log=asked_log(settings, cause.directory), question=question, every=pages is None or pages.every,
        answer=answer, oldest_first=oldest_first, as_json=as_json,
    )  # fmt: skip
    run(asked.run())


def run(asking: Any) -> None:
    """Run what asks.

    Raises:
        CommandFailed: it was refused.
    """
    try:
        asyncio.run(asking)
    except Refusal as refusal:
        raise refused(refusal) from refusal
    except AnswerInvalid as invalid:
        raise CommandFailed(str(invalid)) from invalid
