"""The registry's key file: one key, or two while one takes the other's place, the new one first.

``registry rotate-key`` adds the new key, seals every row with it, and then forgets the old one. A running server reads the file
anew when something does not open with what it has, so it never has to be restarted, and never holds the old key for longer
than until the next change of the registry.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.audit.keys import KEY_BYTES
from proxy.tlog.errors import KeyUnusable
from proxy.tlog.files import sync_directory
from proxy.tlog.keys import create_secret, load_secret

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Keys:
    """``current`` seals; ``previous``, while there is one, still opens."""

    current: bytes
    previous: bytes | None = None

    @property
    def both(self) -> tuple[bytes, ...]:
        """Return the keys that open, the current one first."""
        return (self.current,) if self.previous is None else (self.current, self.previous)


class Keyring:
    """The keys as they were last read."""

    def __init__(self, keys: Keys, path: Path | None = None) -> None:
        """Hold keys; without a ``path`` they are never read anew."""
        self.keys = keys
        self._path = path

    @classmethod
    def of(cls, path: Path) -> Keyring:
        """Read a key file.

        Raises:
            KeyUnusable: it is missing, holds no key, or others than its owner may read it.
        """
        return cls(load_keys(path), path)

    def reread(self) -> bool:
        """Read the file anew, and tell whether it holds other keys now; what cannot be read changes nothing."""
        if self._path is None:
            return False
        try:
            keys = load_keys(self._path)
        except KeyUnusable:
            return False
        if keys == self.keys:
            return False
        self.keys = keys
        return True


def load_keys(path: Path) -> Keys:
    """Return the keys in a file.

    Raises:
        KeyUnusable: it is missing, is not one or two lines of 64 hexadecimal digits, or others than its owner may read it.
    """
    try:
        keys = [bytes.fromhex(line) for line in load_secret(path).decode("ascii").split()]
    except ValueError:
        keys = []
    if not 1 <= len(keys) <= 2 or any(len(key) != KEY_BYTES for key in keys):
        msg = f"{path} is not a key of {KEY_BYTES * 2} hexadecimal digits, nor two of them on two lines"
        raise KeyUnusable(msg)
    return Keys(*keys)


def write_keys(path: Path, keys: Keys) -> None:
    """Put keys into the file's place at once and durably: whatever happens, it holds the old keys or these.

    Raises:
        KeyUnusable: it cannot be written; nothing has changed.
    """
    beside = path.with_name(f"{path.name}.new")
    try:
        owner = path.stat()
        beside.unlink(missing_ok=True)
        create_secret(beside, b"".join(key.hex().encode() + b"\n" for key in keys.both))
        # Who rotates may be root: the server has to be able to read what is there afterwards.
        os.chown(beside, owner.st_uid, owner.st_gid)
        beside.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        msg = f"{path} cannot be replaced: {error.strerror or error}. The key file's folder has to be writable"
        raise KeyUnusable(msg) from error
