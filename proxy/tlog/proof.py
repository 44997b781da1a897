"""c2sp.org/tlog-proof: one text that proves offline that an entry is in a log.

::

    c2sp.org/tlog-proof@v1
    index 73894
    gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=

    log.example/node-1
    109482
    sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

    — log.example/node-1 hI2DJw…
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from proxy.tlog.errors import NoteInvalid
from proxy.tlog.merkle import HASH_SIZE

HEAD: Final = "c2sp.org/tlog-proof@v1"
MAX_PATH: Final = 63
_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,18})\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The entry's index, its audit path from its sibling upwards, and the checkpoint, verbatim and not yet verified."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str

    @property
    def text(self) -> str:
        """Return the file's content."""
        hashes = "".join(f"{base64.b64encode(item).decode()}\n" for item in self.path)
        return f"{HEAD}\nindex {self.index}\n{hashes}\n{self.checkpoint}"

    @classmethod
    def parse(cls, text: str) -> Proof:
        """Read a proof; extra data, which nothing authenticates, is refused.

        Raises:
            NoteInvalid: it is not one.
        """
        head, gap, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        match = _INDEX.match(lines[1]) if len(lines) > 1 else None
        if not gap or lines[0] != HEAD or match is None or len(lines) > MAX_PATH + 2:
            raise NoteInvalid("this is not a tlog-proof")
        return cls(index=int(match[1]), path=tuple(map(hash_of, lines[2:])), checkpoint=checkpoint)


def hashes_of(content: bytes) -> list[bytes]:
    """Return the hashes of a file of them, a line each, the last with its end.

    Raises:
        NoteInvalid: it is not one.
    """
    *lines, rest = content.decode("ascii", "replace").split("\n")
    if rest:
        raise NoteInvalid("something follows the last line of this proof")
    return [hash_of(line) for line in lines]


def hash_of(line: str) -> bytes:
    """Return the SHA-256 hash that a line of base64 is.

    Raises:
        NoteInvalid: it is not one, or not in the one canonical spelling.
    """
    try:
        raw = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != HASH_SIZE or base64.b64encode(raw).decode() != line:
        raise NoteInvalid("a line of this proof is not a SHA-256 hash in base64")
    return raw
