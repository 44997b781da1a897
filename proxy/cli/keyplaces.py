"""Where the log's keys lie: whoever copies the log's disk must not have them too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.cli.seen import Level, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxy.settings import Settings

PART = "keys.place"


def examine_places(settings: Settings) -> Iterator[Seen]:
    """Tell whether a key lies below the log's folder (a failure) or on its file system, and what seals the store."""
    keys = settings.keys
    log = settings.log.resolve()
    wanted = {"checkpoint": keys.checkpoint, "index": keys.index, "body": keys.body}
    if keys.store is not None:
        wanted["store"] = keys.store
    below = [name for name, path in wanted.items() if path.resolve().is_relative_to(log)]
    beside = [name for name, path in wanted.items() if _device(path) == _device(log)]
    if below:
        detail = f"{', '.join(below)} below the log's folder: whoever copies it has the key too"
        yield Seen(part=PART, level=Level.FAILURE, detail=detail, next="move it, and name its new place in the configuration")
    elif beside and not keys.unsafe_same_disk:
        hint = (
            "put them on another one (a systemd credential, a tmpfs that is filled at boot), or say keys.unsafe_same_disk: true"
        )
        detail = f"{', '.join(beside)} on the log's file system: its disk, and each of its backups, may hold both"
        yield Seen(part=PART, level=Level.WARNING, detail=detail, next=hint)
    else:
        detail = (
            "the log's keys lie on its file system, as configured" if beside else "the log's keys are not on its file system"
        )
        yield Seen(part=PART, level=Level.OK, detail=detail)
    if keys.store is None and keys.body.is_dir():
        detail = "the oldest body key seals the store as well, so it cannot be destroyed"
        hint = "a new installation names a key of its own: keys.store"
        yield Seen(part="keys.store", level=Level.WARNING, detail=detail, next=hint)


def _device(path: Path) -> int:
    """Return the file system that a path is on, or will be once it is made."""
    for place in (path, *path.absolute().parents):
        try:
            return place.stat().st_dev
        except OSError:
            continue
    return -1
