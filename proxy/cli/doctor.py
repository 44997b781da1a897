"""``doctor``: would it start, and if not, what is to be done?"""

from __future__ import annotations

from itertools import chain
from typing import Annotated

import typer

from proxy.cli.common import DEFAULT_CONFIG, Code, ConfigOption, JsonOption, done, emit, progress, say, settings_of
from proxy.cli.examination import examine
from proxy.cli.keyplaces import examine_places
from proxy.cli.provider import examine_provider
from proxy.cli.seen import Level
from proxy.clock import utc_now

app = typer.Typer()

_MARKS = {Level.OK: "ok", Level.WARNING: "warn", Level.FAILURE: "FAIL"}


@app.command()
def doctor(
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,  # noqa: FBT002 -- typer's way
    network: Annotated[bool, typer.Option(help="Ask the records server, and others that it depends on, too.")] = True,  # noqa: FBT002
) -> None:
    """Try policies, keys, certificates, store, log, disk, doors, upstream and clock. Exit 1 when something is to be done."""
    settings = settings_of(config)
    with progress("Looking") as advance:
        found = []
        looks = (
            examine(settings, utc_now, network=network),
            examine_places(settings),
            examine_provider(settings, utc_now, network=network),
        )
        for seen in chain.from_iterable(looks):
            found.append(seen)
            advance(1)
    well = all(seen.level is Level.OK for seen in found)
    if as_json:
        emit({"ok": well, "checks": [seen.as_json() for seen in found]})
    else:
        width = max(len(seen.part) for seen in found)
        for seen in found:
            say(f"{_MARKS[seen.level]:4}  {seen.part:{width}}  {seen.detail}")
            if seen.next:
                say(f"      {'':{width}}  -> {seen.next}")
    if not well:
        raise done(Code.FOUND)
