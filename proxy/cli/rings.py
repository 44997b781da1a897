"""``audit rotate-key``: a new key for tokens or bodies, which a running server takes within a second; or for the log itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from proxy.audit.rotation import new_key
from proxy.cli.common import DEFAULT_CONFIG, Code, CommandFailed, ConfigOption, JsonOption, emit, say, settings_of
from proxy.cli.recording import operator, recording
from proxy.cli.succession import rotate_checkpoint_key
from proxy.clock import utc_now
from proxy.tlog.keys import load_signer

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.audit.rotation import RingRotated
    from proxy.settings import Settings

Ring = Literal["index", "body"]


def rotate_key(
    which: Annotated[str, typer.Argument(help="index makes tokens, body seals bodies, checkpoint signs the log.")],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Change a key of the record; what was made with the old one stays good for as long as that is kept."""
    match which:
        case "index" | "body":
            rotate_ring(which, config, as_json=as_json)
        case "checkpoint":
            rotate_checkpoint_key(config, as_json=as_json)
        case _:
            help_ = "rotate-key index|body|checkpoint"
            raise CommandFailed(f"there is no key {which!r} to change here", help=help_, code=Code.WRONG_USE)


def rotate_ring(ring: Ring, config: Path, *, as_json: bool) -> None:
    """Make a new key, tell of it in the log, and have it used.

    Raises:
        KeyUnusable: the ring is no folder, or cannot be written; or the log's key signs nothing now.
    """
    told = asyncio.run(_rotate(ring, settings_of(config)))
    if as_json:
        emit(dict(told.facts()))
        return
    say(f"{ring} key {told.after} is used from now on; {told.before or 'nothing'} was before it")
    say(_KEPT[ring].format(before=told.before))


async def _rotate(ring: Ring, settings: Settings) -> RingRotated:
    # What tells of the new key has to be signed: where that cannot be, no key is made.
    load_signer(settings.keys.checkpoint, settings.origin)
    folder = settings.keys.index if ring == "index" else settings.keys.body
    fresh = new_key(folder, utc_now())
    told = fresh.event(ring, by=operator())
    async with recording(settings) as store:
        async with store.database.begin() as connection:
            await store.outbox.put(connection, told)
        fresh.put_in()
    return told


_KEPT: dict[Ring, str] = {
    "index": "keep {before} for as long as its entries are to be searched; without it their tokens are dead for everybody",
    "body": "keep {before} for as long as its bodies are to be read; without it nobody reads them again",
}
