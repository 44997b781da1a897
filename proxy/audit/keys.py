"""The two secrets of the record: one turns identifiers into tokens, one seals what must not lie open.

They are separate because they die differently: without the body key nobody reads the sealed parts, without the index key nobody
searches. Names, plates and dates of birth can be enumerated, so whoever holds the index key can undo its tokens.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from proxy.tlog.errors import KeyUnusable
from proxy.tlog.keys import create_secret, load_secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY_BYTES: Final = 32


def create_key(path: Path, randomness: Callable[[int], bytes] = os.urandom) -> None:
    """Write a new 256-bit key, as 64 hexadecimal digits, to a file of mode 0600.

    Raises:
        KeyUnusable: the file exists already or cannot be written.
    """
    create_secret(path, randomness(KEY_BYTES).hex().encode() + b"\n")


def load_key(path: Path) -> bytes:
    """Return the key in a file.

    Raises:
        KeyUnusable: it is missing, is not 64 hexadecimal digits, or others than its owner may read it.
    """
    try:
        key = bytes.fromhex(load_secret(path).decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        msg = f"{path} is not a key of {KEY_BYTES * 2} hexadecimal digits"
        raise KeyUnusable(msg)
    return key
