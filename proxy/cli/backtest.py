"""``policy backtest``: what a candidate would have ruled otherwise, of what the log says was ruled."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 -- typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.audit.entry import EntryUnreadable
from proxy.audit.reader import AuditReader
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
from proxy.cli.verifying import DirectoryOption  # noqa: TC001 -- typer reads the annotations at run time
from proxy.clock import stamp
from proxy.tlog.store import newest_seal, segments_of

if TYPE_CHECKING:
    from collections import Counter

    from proxy.policy.backtest import Backtest, Changed, Found

app = typer.Typer()


@app.command()
def backtest(
    candidate: Annotated[Path, typer.Argument(help="The folder of the candidate policy.")],
    *,
    since: Annotated[str, typer.Option("--since", help="The first day, YYYY-MM-DD (UTC); default: the whole log.")] = "",
    directory: DirectoryOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Rule again, by a candidate's rows, on every query and record of the log; no query term is opened.

    Exit 1 when anything would have been ruled otherwise.
    """
    from proxy.policy.backtest import Backtest  # noqa: PLC0415 -- Casbin takes its time
    from proxy.policy.service import load_policies  # noqa: PLC0415
    from proxy.policy.shadow import Shadow  # noqa: PLC0415

    begin = _begin(since)
    folder = directory if directory is not None else settings_of(config).log
    if not segments_of(folder):
        raise CommandFailed(f"there is no log in {folder}", help="name its folder with --directory")
    loaded = load_policies(candidate)
    test = Backtest(Shadow(loaded.lattice, loaded.version))
    size = newest_seal(folder)
    with progress("replaying", size) as advance:
        try:
            for entry in AuditReader(folder).entries(0, size):
                if entry.at >= begin:
                    test.see(entry)
                advance(1)
        except EntryUnreadable as error:
            raise CommandFailed(str(error), help="run `audit verify`") from error
    if as_json:
        emit(_as_json(test, loaded.version))
    else:
        _print(test, loaded.version)
    if test.found:
        raise done(Code.FOUND)


def _begin(since: str) -> str:
    if not since:
        return ""
    try:
        return stamp(datetime.strptime(since, "%Y-%m-%d").replace(tzinfo=UTC))
    except ValueError:
        raise CommandFailed(f"'{since}' is no day", help="like --since 2026-11-01", code=Code.WRONG_USE) from None


def _print(test: Backtest, version: str) -> None:
    for changed, found in test.changes():
        say(f"{'looser  ' if changed.looser else 'stricter'}  {_told(changed, found)}")
        for name, counter in (("roles", found.roles), ("codes", found.purposes), ("actions", found.actions)):
            say(f"          {name}: {_counts(counter)}")
        say(f"          entries: {', '.join(map(str, found.entries))}{' …' if found.count > len(found.entries) else ''}")
    looser = sum(found.count for changed, found in test.found.items() if changed.looser)
    stricter = sum(found.count for changed, found in test.found.items() if not changed.looser)
    say(
        f"version {version}, of {test.queries} rulings on queries and {test.records} on records: "
        f"{looser} looser, {stricter} stricter, all others as they were"
    )
    if test.silent:
        say(f"{test.silent} could not be made again: they were written before entries said enough, or no row made them")


def _told(changed: Changed, found: Found) -> str:
    plural = {"query": "queries", "record": "records"}[changed.what] if found.count > 1 else changed.what
    return f"{found.count} {plural}: {changed.before} by {changed.rule_before} -> {changed.after} by {changed.rule_after}"


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{word} {count}" for word, count in counter.most_common())


def _as_json(test: Backtest, version: str) -> dict[str, object]:
    return {
        "policy": version,
        "queries": test.queries,
        "records": test.records,
        "silent": test.silent,
        "changes": [
            {
                "what": changed.what,
                "looser": changed.looser,
                "from": changed.before,
                "to": changed.after,
                "rule_from": changed.rule_before,
                "rule_to": changed.rule_after,
                "count": found.count,
                "roles": dict(found.roles),
                "purposes": dict(found.purposes),
                "actions": dict(found.actions),
                "entries": found.entries,
            }
            for changed, found in test.changes()
        ],
    }
