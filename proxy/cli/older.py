"""``--directory`` of whatever asks the log: an older log, which the configured one goes on from.

It is read and never written: a question to it is an entry of the configured log, which names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.audit.index.folder import folder_of
from proxy.cli.common import Code, CommandFailed
from proxy.tlog.store import origin_of

if TYPE_CHECKING:
    from proxy.settings import Settings

OlderOption = Annotated[
    Path | None,
    typer.Option("--directory", help="Ask an older log, kept in this folder; that it was asked stands in the configured one."),
]
NOT_ASKED = "this log goes on from {}; what is there was not asked: --directory and its folder do that"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedLog:
    """The log that is asked: its folder, its name, where its index lies; ``older`` is its name if it is not the one in use."""

    folder: Path
    origin: str
    index: Path
    older: str = ""


def asked_log(settings: Settings, directory: Path | None) -> AskedLog:
    """Return the log that a command asks.

    Raises:
        CommandFailed: there is none, or it is a copy of the one in use.
    """
    if directory is None:
        return AskedLog(folder=settings.log, origin=settings.origin, index=folder_of(settings.store))
    origin = origin_of(directory)
    if origin is None:
        raise CommandFailed(f"there is no log in {directory}", help="name the folder that was kept", code=Code.WRONG_USE)
    if origin == settings.origin:
        help_ = "leave --directory away: the configured log is asked"
        raise CommandFailed(f"{directory} is {origin} itself, or a copy", help=help_, code=Code.WRONG_USE)
    index = folder_of(settings.store).with_name(f"{settings.store.stem}.{directory.resolve().name}.index")
    return AskedLog(folder=directory, origin=origin, index=index, older=origin)
