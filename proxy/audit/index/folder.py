"""The index's folder: which of its files is in use, who may add to it, and whether a file is this log's."""

from __future__ import annotations

import fcntl
import os
import random
from typing import TYPE_CHECKING, Final

from proxy.audit.index.file import IndexUnusable, Writing, reading
from proxy.audit.index.rows import row_at
from proxy.tlog.errors import LogDamaged
from proxy.tlog.merkle import leaf_hash
from proxy.tlog.places import Place, Placed, read_at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from proxy.audit.sealing import Sealer

SAMPLED: Final = 16
"""Entries that are compared with the log whenever the index is opened."""
_SEAL: Final = "index"


def folder_of(store: Path) -> Path:
    """Return where the index of a store's log lies."""
    return store.with_name(f"{store.stem}.index")


class Folder:
    """The folder of one log's index."""

    def __init__(self, path: Path, log: Path, sealer: Sealer, origin: str) -> None:
        """Name the folder, and the log that its files have to be of; nothing is opened yet."""
        self._path = path
        self._log = log
        self._sealer = sealer
        self._origin = origin

    def locked(self, name: str) -> int | None:
        """Return a descriptor that holds a lock, or None while another process has it."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def current(self) -> Path:
        """Return the file in use, or where the first one goes."""
        numbers = [int(path.stem) for path in self._path.glob("*.db") if path.stem.isdigit()]
        return self._file(max(numbers, default=1))

    def after(self, current: Path) -> Path:
        """Return the file that takes the place of the one in use."""
        return self._file(int(current.stem) + 1)

    def _file(self, number: int) -> Path:
        return self._path / f"{number}.db"

    def opened(self, path: Path) -> Writing:
        """Return a file opened, or, where it is not this log's, a new one in its place.

        Raises:
            IndexUnusable: neither can be opened.
        """
        writing = self._begun(path)
        if writing is None:
            writing = fresh(self.after(path) if path.exists() else path)
            if writing.path != path:
                remove(path)
        return writing

    def begun_or_fresh(self, path: Path) -> Writing:
        """Return what was begun at a path, or a new file there.

        Raises:
            IndexUnusable: it cannot be opened.
        """
        return self._begun(path) or fresh(path)

    def meta(self, place: Place, last: bytes | None) -> dict[str, str]:
        """Return what a file says of itself once the log is in it up to a place: ``last`` is the entry before that."""
        known = {"size": str(place.number), "segment": str(place.segment), "offset": str(place.offset)}
        seal = self._sealer.token(_SEAL, "/".join((self._origin, *known.values())))
        return known | {"seal": seal} | ({"last": leaf_hash(last).hex()} if last is not None else {})

    def _begun(self, path: Path) -> Writing | None:
        """Return the file opened, if it is this log's; None when it is another's, was altered, or cannot be read."""
        if not path.exists():
            return None
        try:
            writing = Writing(path)
        except IndexUnusable:
            return None
        if self._belongs(writing):
            return writing
        writing.close()
        return None

    def _belongs(self, writing: Writing) -> bool:
        try:
            known = writing.meta()
            if not known:
                return True
            size = int(known["size"])
            sealed = "/".join((self._origin, known["size"], known["segment"], known["offset"]))
            if known["seal"] not in self._sealer.searches(_SEAL, sealed).values():
                return False
            return self._agrees(writing.path, size, known.get("last", ""))
        except (KeyError, ValueError, IndexUnusable, LogDamaged):
            return False

    def _agrees(self, path: Path, size: int, last: str) -> bool:
        """Compare the last entry, and a few others, with the log. Entries that are not kept any more agree."""
        chosen = {size - 1, *random.SystemRandom().sample(range(size), min(SAMPLED, size))} - {-1}
        with reading(path) as index:
            for number, (segment, offset) in index.places(chosen).items():
                try:
                    stored = read_at(self._log, number, segment, offset)
                except FileNotFoundError:
                    continue
                if number == size - 1 and leaf_hash(stored.entry).hex() != last:
                    return False
                row = row_at(Placed(stored, segment, offset), self._sealer)
                if row is not None and not all(number in index.of_key(key, number, number + 1, 1) for key in row.keys):
                    return False
        return True


def place_of(known: Mapping[str, str]) -> Place:
    """Return the place in the log up to which a file has it."""
    return Place(int(known.get("size", 0)), int(known.get("segment", 0)), int(known.get("offset", 0)))


def fresh(path: Path) -> Writing:
    """Return a new file, in the place of what is there.

    Raises:
        IndexUnusable: it cannot be opened.
    """
    remove(path)
    return Writing(path)


def remove(path: Path) -> None:
    """Remove a file and its journal; who still has them open goes on with them."""
    for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        each.unlink(missing_ok=True)
