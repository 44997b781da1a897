"""A new index or body key: made beside the others, told of in the log, then put among them, whereupon it is used.

In this order, so that no key is ever in use of which the log does not speak: the file is written as ``<id>.new``, which no ring
reads; the entry ``key-rotated`` is queued; the file gets its name. Interrupted in between, the next run announces the same
key again and goes on. The entry holds a commitment to the key, never the key: whoever is shown a key later can tell whether
it is the one that was announced.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar, Final

from proxy.audit.event import Event, Party
from proxy.audit.keyring import SUFFIX, Key, by_age, read_keys
from proxy.audit.keys import create_key, load_key
from proxy.audit.sealing import body_key_of
from proxy.tlog.errors import KeyUnusable
from proxy.tlog.files import sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from proxy.audit.entry import Entry
    from proxy.audit.event import Json
    from proxy.audit.sealing import Sealer

_NEW: Final = ".new"


@dataclass(frozen=True, slots=True, kw_only=True)
class RingRotated(Event):
    """Another key of a ring is used from here on. ``ring`` is ``index`` or ``body``."""

    kind: ClassVar[str] = "key-rotated"
    ring: str
    before: str
    after: str
    commitment: str
    by: str

    def facts(self) -> Mapping[str, Json]:
        """Return both ids, and what commits to the new key."""
        return {"ring": self.ring, "before": self.before, "after": self.after, "commitment": self.commitment}

    def parties(self) -> Iterable[Party]:
        """Return who rotated it."""
        yield Party("actor", self.by)

    def sealed(self) -> Mapping[str, Json]:
        """Return who, in clear."""
        return {"operator": self.by}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that is not used yet, and the one that it will follow."""

    key: Key
    before: str
    folder: Path

    def event(self, ring: str, *, by: str) -> RingRotated:
        """Return what the log has to say of it."""
        return RingRotated(ring=ring, before=self.before, after=self.key.id, commitment=commitment(ring, self.key), by=by)

    def put_in(self) -> None:
        """Put it among the others; from here on it is used.

        Raises:
            KeyUnusable: the folder cannot be written.
        """
        file = self.folder / f"{self.key.id}{_NEW}"
        try:
            file.rename(file.with_suffix(SUFFIX))
            sync_directory(self.folder)
        except OSError as error:
            msg = f"{file} cannot be renamed: {error.strerror or error}. Run the same command again"
            raise KeyUnusable(msg) from error


def commitment(ring: str, key: Key) -> str:
    """Return the hash that commits to a key."""
    return sha256(f"showcause {ring} key {key.id}:".encode() + key.secret).hexdigest()


def new_key(folder: Path, now: datetime) -> NewKey:
    """Make a key for a ring, or take the one that an interrupted run has made.

    Raises:
        KeyUnusable: the ring is one file, the clock is behind its newest key, or the folder cannot be used.
    """
    if not folder.is_dir():
        msg = (
            f"{folder} is one key file, and a key is never overwritten. Make a folder, put the file into it as "
            f"`{folder.stem}{SUFFIX}`, name the folder in the configuration, restart, and rotate again"
        )
        raise KeyUnusable(msg)
    before = max((key.id for key in read_keys(folder)), key=by_age, default="")
    begun = sorted(folder.glob(f"*{_NEW}"))
    if begun and by_age(begun[-1].stem) > by_age(before):
        return NewKey(key=Key(begun[-1].stem, load_key(begun[-1])), before=before, folder=folder)
    key_id = now.strftime("%Y%m%dT%H%M%SZ")
    if by_age(key_id) <= by_age(before):
        msg = f"the newest key in {folder} is {before}, which is not before {key_id}: set the clock, or wait a second"
        raise KeyUnusable(msg)
    file = folder / f"{key_id}{_NEW}"
    create_key(file)
    _give(file, folder)
    return NewKey(key=Key(key_id, load_key(file)), before=before, folder=folder)


def _give(file: Path, folder: Path) -> None:
    """Let the folder's owner have the file: who rotates may be root, and the server has to be able to read it."""
    owner = folder.stat()
    if os.geteuid() == 0:
        os.chown(file, owner.st_uid, owner.st_gid)


def require_newest(last: Entry, sealer: Sealer) -> None:
    """Make sure that no ring is older than the log: somebody may have set the key folder back to an earlier state.

    Raises:
        KeyUnusable: the log's last entry was made with a newer key than the ring's newest.
    """
    used = [("index", last.epoch, sealer.epoch)]
    if last.body:
        used.append(("body", body_key_of(last.body), sealer.body_key_id))
    for ring, then, now in used:
        if by_age(then) > by_age(now):
            msg = (
                f"the log's last entry was made with {ring} key {then}, and the newest that is here is {now}: an earlier state "
                "of the key folder. Put the newer key back; if it is lost, rotate to a new one"
            )
            raise KeyUnusable(msg)
