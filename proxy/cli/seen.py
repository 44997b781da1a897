"""What one look of ``doctor`` finds: how bad, what is the case, and what to do next."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import load_pem_x509_certificates

from proxy.tlog.errors import KeyChangeBegun, KeyExposed, KeyForbidden, LogError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

EXPIRES_SOON: Final = timedelta(days=30)
AS_SERVICE: Final = "run as the service's user, whose it has to be; nothing is to be put back or made anew for this"


class Level(StrEnum):
    """How bad it is: a failure stops the start or soon the service, a warning will."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one look found: the part, how bad, what is the case, and what to do next (empty when all is well)."""

    part: str
    level: Level
    detail: str
    next: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the finding as a JSON object."""
        return asdict(self)


def loaded(part: str, load: Callable[[], object], *, made: str = "") -> Seen:
    """Return whether a secret file can be used."""
    try:
        found = load()
    except KeyChangeBegun as error:
        hint = "with the service stopped run `audit rotate-key checkpoint` again: it goes on where it was; remove neither key"
        return Seen(part=part, level=Level.FAILURE, detail=str(error), next=hint)
    except KeyForbidden as error:
        return Seen(part=part, level=Level.FAILURE, detail=str(error), next=AS_SERVICE)
    except KeyExposed as error:
        hint = "do that; if others may have read it meanwhile, have it exchanged"
        return Seen(part=part, level=Level.FAILURE, detail=str(error), next=hint)
    except LogError as error:
        hint = "put back the file that belongs there, owned by the service, mode 0600"
        if made:
            hint += f"; before the very first start, make it: {made}"
        return Seen(part=part, level=Level.FAILURE, detail=str(error), next=hint)
    return Seen(part=part, level=Level.OK, detail=found if isinstance(found, str) else "can be read by its owner only")


def readable(path: Path) -> bool:
    """Tell whether this process, as it runs, may read a file that is there."""
    return os.access(path, os.R_OK, effective_ids=True)


def writable(path: Path) -> bool:
    """Tell whether this process, as it runs, may write a file or into a folder that is there."""
    return os.access(path, os.W_OK, effective_ids=True)


def dated_by(
    part: str, path: Path, now: datetime, end: Callable[[bytes], datetime | None], *, soon: timedelta = EXPIRES_SOON
) -> Seen:
    """Return until when a file in PEM can be used: ``end`` reads it, and ``soon`` before that is a warning."""
    try:
        until = end(path.read_bytes())
    except OSError as error:
        hint = AS_SERVICE if isinstance(error, PermissionError) else "put the file there"
        return Seen(part=part, level=Level.FAILURE, detail=f"{path}: {error.strerror}", next=hint)
    except (ValueError, UnsupportedAlgorithm):
        return Seen(part=part, level=Level.FAILURE, detail=f"{path} is not what it should be, in PEM", next="replace the file")
    if until is None:
        return Seen(part=part, level=Level.WARNING, detail=f"{path} names no next update", next="have it issued with one")
    day = f"{until:%Y-%m-%d %H:%M} UTC"
    if until <= now:
        return Seen(part=part, level=Level.FAILURE, detail=f"expired at {day}", next="renew it; a restart is not needed")
    if until - now < soon:
        return Seen(part=part, level=Level.WARNING, detail=f"expires at {day}", next="renew it; a restart is not needed")
    return Seen(part=part, level=Level.OK, detail=f"valid until {day}")


def dated(part: str, path: Path, now: datetime) -> Seen:
    """Return until when a file of certificates can be used."""
    return dated_by(part, path, now, _earliest_end)


def _earliest_end(pem: bytes) -> datetime:
    return min(each.not_valid_after_utc for each in load_pem_x509_certificates(pem))
