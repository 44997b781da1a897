"""A ring of keys that take turns: the newest is used, the others still open or find what was made with them.

A ring is a folder of ``<id>.key`` files, or one such file, whose id is its name. The id of a key that ``audit rotate-key``
made is the time at which it was made, so ids have an order; a key with any other name is older than all of those. A running
server sees within a moment that the folder has changed, and takes the new key without a restart. It never goes back to an
older one, whatever becomes of the folder.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.audit.keys import load_key
from proxy.tlog.errors import KeyUnusable
from proxy.tlog.keys import unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

SUFFIX: Final = ".key"
LOOK_SECONDS: Final = 0.25
"""How long a ring is used before its folder is looked at again."""
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_DATED: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z\Z")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a ring."""

    id: str
    secret: bytes


def by_age(key_id: str) -> tuple[bool, str]:
    """Return what sorts ids from the oldest to the newest."""
    return _DATED.match(key_id) is not None, key_id


class KeyRing:
    """The keys as they were last read. Safe to use from any thread."""

    def __init__(
        self,
        keys: Iterable[Key],
        path: Path | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Hold keys; without a ``path`` they are never read anew.

        Raises:
            KeyUnusable: there is none.
        """
        self._path = path
        self._monotonic = monotonic
        self._keys = {key.id: key for key in keys}
        if not self._keys:
            msg = f"{path} holds no key: make one with `showcause audit rotate-key`, or put `<id>{SUFFIX}` there"
            raise KeyUnusable(msg)
        self._newest = max(self._keys, key=by_age)
        self._seen = _changed(path)
        self._looked = monotonic()

    @property
    def active(self) -> Key:
        """Return the newest key."""
        self._look()
        return self._keys[self._newest]

    @property
    def keys(self) -> Mapping[str, Key]:
        """Return the keys that are there, by id."""
        self._look()
        return self._keys

    @property
    def oldest(self) -> Key:
        """Return the first key."""
        return self._keys[min(self._keys, key=by_age)]

    def get(self, key_id: str) -> Key | None:
        """Return a key, or None when it is not there (any more)."""
        found = self._keys.get(key_id)
        if found is None:
            self._look(now=True)
            found = self._keys.get(key_id)
        return found

    def _look(self, *, now: bool = False) -> None:
        moment = self._monotonic()
        if self._path is None or (not now and moment - self._looked < LOOK_SECONDS):
            return
        self._looked = moment
        seen = _changed(self._path)
        if seen == self._seen:
            return
        try:
            keys = {key.id: key for key in read_keys(self._path)}
        except KeyUnusable:
            return  # half a change: what is held goes on being used, and the next look tries again
        if keys and by_age(max(keys, key=by_age)) >= by_age(self._newest):
            self._keys, self._newest, self._seen = keys, max(keys, key=by_age), seen


def load_ring(path: Path) -> KeyRing:
    """Return the ring in a folder, or of one key file.

    Raises:
        KeyUnusable: there is no key, or one cannot be used.
    """
    return KeyRing(read_keys(path), path)


def read_keys(path: Path) -> list[Key]:
    """Return the keys in a folder, or the one in a file.

    Raises:
        KeyUnusable: one cannot be used, or its file name is no id.
    """
    try:
        # A glob would take a folder that may not be read for an empty one, and an empty ring asks for a new key.
        files = sorted(file for file in path.iterdir() if file.suffix == SUFFIX) if path.is_dir() else [path]
    except OSError as error:
        raise unreadable(path, error) from error
    return [Key(_id_of(file), load_key(file)) for file in files]


def _id_of(file: Path) -> str:
    if _ID.match(file.stem) is None:
        msg = f"{file}: a key is named by up to 64 letters, digits, dots, dashes and underscores"
        raise KeyUnusable(msg)
    return file.stem


def _changed(path: Path | None) -> int:
    try:
        return path.stat().st_mtime_ns if path is not None else 0
    except OSError:
        return 0
