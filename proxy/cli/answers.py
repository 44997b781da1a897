"""``audit verify-answer``: whether an answer is complete, told from the log alone, without any key."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path  # noqa: TC003 -- typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxy.audit.answer import Answer, AnswerInvalid, check
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
from proxy.tlog.store import SegmentReader

if TYPE_CHECKING:
    from proxy.audit.answer import Checked


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
