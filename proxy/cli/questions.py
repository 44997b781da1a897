"""``audit who-saw|saw|case|timeline|count``, ``verify-answer`` and ``rebuild-index``: questions to the log.

Each needs a case and a reason and is in the log before it is answered. What is printed is read from the log; the index only
says where. With ``--answer`` a file is written by which anybody who has the log can tell that nothing was left out.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from proxy.audit.answer import Answer, AnswerInvalid, answer_of, asked_for, check
from proxy.audit.index.service import Index
from proxy.audit.keyring import by_age
from proxy.audit.search import LogSearch
from proxy.cli.cause import cases_of, must_be_given, refused
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
from proxy.cli.older import NOT_ASKED, OlderOption, asked_log
from proxy.cli.queued import QueuedLog
from proxy.cli.recording import operator, recording, sealer_of
from proxy.clock import utc_now
from proxy.identity.service import Identities
from proxy.oversight.questions import BY, COUNTS, Asker, Question, Questions, road_in_words
from proxy.refusal import Refusal
from proxy.registry.keyring import Keyring
from proxy.registry.service import Registry
from proxy.registry.thresholds import load_thresholds
from proxy.tlog.store import SegmentReader, newest_seal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from proxy.audit.answer import Checked
    from proxy.audit.search import Found, Line
    from proxy.cli.older import AskedLog
    from proxy.settings import Settings

OPERATOR: Final = "operator"
"""The role of somebody who asks at the machine itself."""
MOST_PAGES: Final = 10_000
PERSONS: Final = tuple(by for by in BY if by not in {"officer", "case", "terminal"})

CaseOption = Annotated[str, typer.Option("--case", help="Your case: the one that needs the answer.")]
StatementOption = Annotated[str, typer.Option("--statement", help="Why, in words.")]
SinceOption = Annotated[str, typer.Option("--since", help="First day, UTC; default: 30 days ago.")]
UntilOption = Annotated[str, typer.Option("--until", help="Last day, UTC, included; default: today.")]
BeforeOption = Annotated[str, typer.Option("--before", help="Go on before this entry: the next page.")]
AllOption = Annotated[bool, typer.Option("--all", help="All pages.")]
AnswerOption = Annotated[
    Path | None, typer.Option("--answer", help="Write a file by which the answer can be checked for being complete.")
]


@asynccontextmanager
async def _asking(settings: Settings, log: AskedLog) -> AsyncIterator[Questions]:
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
                identities = Identities(database=store.database)
                yield Questions(search=search, cases=cases, registry=registry, sealer=sealer, persons=identities.persons)
    finally:
        index.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One question of the command line."""

    settings: Settings
    log: AskedLog
    question: Question
    every: bool
    answer: Path | None
    oldest_first: bool
    as_json: bool

    async def run(self) -> None:
        asker = Asker(person=operator(), role=OPERATOR)
        async with _asking(self.settings, self.log) as questions:
            pages = [page async for page in self._pages(questions, asker)]
            self._print(pages)
            if self.answer is not None:
                self.answer.write_bytes((await self._complete(questions, asker)).document())
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
        _say_unasked(dead, older)
        if behind:
            say(f"the newest {behind} entries are not indexed yet: ask again, or run `audit rebuild-index`")
        if before is not None:
            say(f"there is more: --before {before}, or --all")


def _say_unasked(dead: Iterable[str], older: str) -> None:
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


def _ask(
    config: Path,
    *,
    by: str,
    value: str,
    case: str,
    statement: str,
    since: str,
    until: str,
    dob: str = "",
    before: str = "",
    every: bool = False,
    answer: Path | None = None,
    oldest_first: bool = False,
    directory: Path | None,
    as_json: bool,
) -> None:
    must_be_given(case, statement)
    today = datetime.now(UTC).date()
    question = Question(
        case=case,
        statement=statement,
        by=by,
        value=value,
        dob=dob,
        first=since or str(today - timedelta(days=30)),
        last=until or str(today),
        before=before,
    )
    settings = settings_of(config)
    asked = _Asked(
        settings=settings, log=asked_log(settings, directory), question=question, every=every, answer=answer,
        oldest_first=oldest_first, as_json=as_json,
    )  # fmt: skip
    _run(asked.run())


def _run(asking: Any) -> None:
    try:
        asyncio.run(asking)
    except Refusal as refusal:
        raise refused(refusal) from refusal
    except AnswerInvalid as invalid:
        raise CommandFailed(str(invalid)) from invalid


def who_saw(
    who: Annotated[str, typer.Argument(help="Whom: a value in any spelling; say with --by what it is.")],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    by: Annotated[str, typer.Option("--by", help=f"What it is: {', '.join(PERSONS)}.")] = "person_id",
    dob: Annotated[str, typer.Option("--dob", help="The date of birth, with --by name.")] = "",
    case: CaseOption = "",
    statement: StatementOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    before: BeforeOption = "",
    every: AllOption = False,
    answer: AnswerOption = None,
    directory: OlderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print who looked at somebody, by whatever road, and what they saw."""
    _must_be(by, PERSONS)
    _ask(
        config, by=by, value=who, dob=dob, case=case, statement=statement, since=since, until=until, before=before, every=every,
        answer=answer, directory=directory, as_json=as_json,
    )  # fmt: skip


def timeline(
    who: Annotated[str, typer.Argument(help="Whom or what; say with --by what it is.")],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    by: Annotated[str, typer.Option("--by", help=f"What it is: {', '.join(BY)}.")] = "person_id",
    dob: Annotated[str, typer.Option("--dob", help="The date of birth, with --by name.")] = "",
    case: CaseOption = "",
    statement: StatementOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    answer: AnswerOption = None,
    directory: OlderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print everything about somebody, an officer, a case or a terminal, oldest first, all of it."""
    _must_be(by, BY)
    _ask(
        config, by=by, value=who, dob=dob, case=case, statement=statement, since=since, until=until, every=True, answer=answer,
        oldest_first=True, directory=directory, as_json=as_json,
    )  # fmt: skip


def saw(
    officer: Annotated[str, typer.Argument(help="The officer's personnel id, or with --terminal a terminal.")],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    terminal: Annotated[bool, typer.Option("--terminal", help="It is a terminal: everything from there.")] = False,
    case: CaseOption = "",
    statement: StatementOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    before: BeforeOption = "",
    every: AllOption = False,
    answer: AnswerOption = None,
    directory: OlderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print everything an officer did, and marked, what others did about them; or everything that came from a terminal."""
    _ask(
        config, by="terminal" if terminal else "officer", value=officer, case=case, statement=statement, since=since,
        until=until, before=before, every=every, answer=answer, directory=directory, as_json=as_json,
    )  # fmt: skip


def of_case(
    number: Annotated[str, typer.Argument(help="The number of the case that is looked into.")],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    case: CaseOption = "",
    statement: StatementOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    before: BeforeOption = "",
    every: AllOption = False,
    answer: AnswerOption = None,
    directory: OlderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print everything that was asked under a case."""
    _ask(
        config, by="case", value=number, case=case, statement=statement, since=since, until=until, before=before, every=every,
        answer=answer, directory=directory, as_json=as_json,
    )  # fmt: skip


def count(
    by: Annotated[str, typer.Argument(help=f"By what to count: {', '.join(COUNTS)}.")] = "day",
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    officer: Annotated[str, typer.Option("--officer", help="Only this officer's queries.")] = "",
    case: CaseOption = "",
    statement: StatementOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    directory: OlderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count queries by day, officer, purpose or outcome; no body is opened but for officers' names."""
    _must_be(by, COUNTS)
    must_be_given(case, statement)
    today = datetime.now(UTC).date()
    question = Question(
        case=case, statement=statement, by="officer", value=officer, counts=by,
        first=since or str(today - timedelta(days=30)), last=until or str(today),
    )  # fmt: skip
    settings = settings_of(config)

    async def asking() -> None:
        async with _asking(settings, asked_log(settings, directory)) as questions:
            counted = await questions.count(question, Asker(person=operator(), role=OPERATOR))
        if as_json:
            counts = [{by: what, "queries": number} for what, number in counted.rows]
            emit({"by": by, "counts": counts, "dead_epochs": list(counted.dead), "goes_on_from": counted.goes_on_from})
            return
        for what, number in counted.rows:
            say(f"{number:>9}  {what or 'unknown'}")
        _say_unasked(counted.dead, counted.goes_on_from)

    _run(asking())


def _must_be(by: str, known: Sequence[str]) -> None:
    if by not in known:
        raise CommandFailed(f"{by!r} is not one of {', '.join(known)}", help="see --help", code=Code.WRONG_USE)


def rebuild_index(*, config: ConfigOption = DEFAULT_CONFIG, directory: OlderOption = None, as_json: JsonOption = False) -> None:
    """Make the index anew from the log, beside the one in use; what was interrupted goes on where it was."""
    settings = settings_of(config)
    log = asked_log(settings, directory)
    index = Index(log.folder, log.index, sealer_of(settings), log.origin)
    with progress("indexing", newest_seal(log.folder)) as advance:
        size = index.rebuild(advance)
    emit({"entries": size}) if as_json else say(f"{size} entries are indexed")


def verify_answer(
    file: Annotated[Path, typer.Argument(help="An answer, as --answer wrote it.")],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    directory: Annotated[
        Path | None, typer.Option("--directory", help="The log's folder; default: the configured one.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell whether an answer is complete, by reading the log again, without any key; `audit verify` verifies the log itself.

    Exit 0 when it is, 1 when entries were left out, added, or the log is another.
    """
    try:
        answer = Answer.parse(file.read_bytes())
    except (OSError, AnswerInvalid) as error:
        raise CommandFailed(f"{file}: {error}", help="give a file that --answer wrote", code=Code.WRONG_USE) from error
    folder = directory if directory is not None else settings_of(config).log
    with progress("reading the log", answer.size) as advance:

        def entries() -> Any:
            for number, content in SegmentReader(folder).entries(0, answer.size):
                advance(1)
                yield number, content

        checked = check(answer, entries())
    emit({"complete": checked.complete, **asdict(checked)}) if as_json else _say_checked(answer, checked)
    if not checked.complete:
        raise done(Code.FOUND)


def _say_checked(answer: Answer, checked: Checked) -> None:
    told = {"left out": checked.missing, "not of it": checked.added, "unreadable": checked.unreadable}
    told["had no room for everybody, and the answer does not say so"] = checked.unnamed_missing
    for what, numbers in told.items():
        for number in numbers:
            say(f"entry {number}: {what}")
    for epoch in checked.unasked:
        say(f"entries of epoch {epoch} are of that time, and no token of it was asked for: nobody can tell whom they name")
    if checked.short or checked.other_root:
        say("this is not the log that the answer is of: its first entries have another root")
    if checked.complete:
        say(f"complete: {len(answer.entries)} of {answer.size} entries of {answer.origin}, root {checked.root}")
        if answer.unnamed:
            say(f"{len(answer.unnamed)} entries had no room for everybody, and may concern whoever was asked about")


def register(app: typer.Typer) -> None:
    """Add the commands to ``audit``."""
    app.command("who-saw")(who_saw)
    app.command("saw")(saw)
    app.command("case")(of_case)
    app.command("timeline")(timeline)
    app.command("count")(count)
    app.command("rebuild-index")(rebuild_index)
    app.command("verify-answer")(verify_answer)
