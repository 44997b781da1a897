"""``audit who-saw|saw|case|timeline|count``: questions to the log, each with a case and a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from proxy.audit.index.service import Index
from proxy.cli.answers import verify_answer
from proxy.cli.asking import AnswerOption, Cause, Pages, ask, asking, run, say_unasked
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
)
from proxy.cli.older import OlderOption, asked_log
from proxy.cli.recording import OPERATOR, operator, sealer_of
from proxy.cli.spread import spread
from proxy.oversight.questions import BY, COUNTS, Asker
from proxy.tlog.store import newest_seal

if TYPE_CHECKING:
    from collections.abc import Sequence

PERSONS: Final = tuple(by for by in BY if by not in {"officer", "case", "terminal"})

DobOption = Annotated[str, typer.Option("--dob", help="The date of birth, with --by name.")]


@spread
def who_saw(
    who: Annotated[str, typer.Argument(help="Whom: a value in any spelling; say with --by what it is.")],
    *,
    by: Annotated[str, typer.Option("--by", help=f"What it is: {', '.join(PERSONS)}.")] = "person_id",
    dob: DobOption = "",
    cause: Cause,
    pages: Pages,
    answer: AnswerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print who looked at somebody, by whatever road, and what they saw."""
    _must_be(by, PERSONS)
    ask(by, who, cause, dob=dob, pages=pages, answer=answer, as_json=as_json)


@spread
def timeline(
    who: Annotated[str, typer.Argument(help="Whom or what; say with --by what it is.")],
    *,
    by: Annotated[str, typer.Option("--by", help=f"What it is: {', '.join(BY)}.")] = "person_id",
    dob: DobOption = "",
    cause: Cause,
    answer: AnswerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print everything about somebody, an officer, a case or a terminal, oldest first, all of it."""
    _must_be(by, BY)
    ask(by, who, cause, dob=dob, answer=answer, oldest_first=True, as_json=as_json)


@spread
def saw(
    officer: Annotated[str, typer.Argument(help="The officer's personnel id, or with --terminal a terminal.")],
    *,
    terminal: Annotated[bool, typer.Option("--terminal", help="It is a terminal: everything from there.")] = False,
    cause: Cause,
    pages: Pages,
    answer: AnswerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print everything an officer did, and marked, what others did about them; or everything that came from a terminal."""
    ask("terminal" if terminal else "officer", officer, cause, pages=pages, answer=answer, as_json=as_json)


@spread
def of_case(
    number: Annotated[str, typer.Argument(help="The number of the case that is looked into.")],
    *,
    cause: Cause,
    pages: Pages,
    answer: AnswerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print everything that was asked under a case."""
    ask("case", number, cause, pages=pages, answer=answer, as_json=as_json)


@spread
def count(
    by: Annotated[str, typer.Argument(help=f"By what to count: {', '.join(COUNTS)}.")] = "day",
    *,
    officer: Annotated[str, typer.Option("--officer", help="Only this officer's queries.")] = "",
    cause: Cause,
    as_json: JsonOption = False,
) -> None:
    """Count queries by day, officer, purpose or outcome; no body is opened but for officers' names."""
    _must_be(by, COUNTS)
    question = cause.question("officer", officer, counts=by)
    settings = settings_of(cause.config)

    async def counting() -> None:
        async with asking(settings, asked_log(settings, cause.directory)) as questions:
            counted = await questions.count(question, Asker(person=operator(), role=OPERATOR))
        if as_json:
            counts = [{by: what, "queries": number} for what, number in counted.rows]
            emit({"by": by, "counts": counts, "dead_epochs": list(counted.dead), "goes_on_from": counted.goes_on_from})
            return
        for what, number in counted.rows:
            say(f"{number:>9}  {what or 'unknown'}")
        say_unasked(counted.dead, counted.goes_on_from)

    run(counting())


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


def register(app: typer.Typer) -> None:
    """Add the commands to ``audit``."""
    app.command("who-saw")(who_saw)
    app.command("saw")(saw)
    app.command("case")(of_case)
    app.command("timeline")(timeline)
    app.command("count")(count)
    app.command("rebuild-index")(rebuild_index)
    app.command("verify-answer")(verify_answer)
