"""How a segment file reads: frames of entries and their bodies, closed batch by batch by a signed checkpoint.

An entry is ``uint16 length || bytes``, as in the entry bundles of C2SP tlog-tiles. Length zero, which no entry has, introduces
a *seal*: ``uint16 0 || uint16 length || checkpoint``. A segment opens with the seal of all that went before it. Length zero
twice introduces a *body*: ``uint16 0 || uint16 0 || uint8 1 || uint32 length || uint32 CRC-32 || bytes``; it belongs to the
entry right before it. No leaf and no tile holds it, so it can be shredded: zeros of the same length take its place, and
every length, hash and proof stays as it was. The CRC is against torn pages and tells zeros that were written from those that
shredding left; against a forger stands the hash of the body in the entry itself.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_ENTRY: Final = 0xFFFF
MAX_BODY: Final = 1 << 22
SEGMENT_NAME: Final = re.compile(r"([0-9]{12})\.seg\Z")
_BODY: Final = b"\x00\x00\x00\x00\x01"
_BODY_HEAD: Final = len(_BODY) + 8


class Kind(Enum):
    """What a frame holds."""

    ENTRY = auto()
    BODY = auto()
    SEAL = auto()


class Frame(NamedTuple):
    """One entry, body or seal; ``end`` is the offset of the byte after it, ``crc`` what stands before a body."""

    kind: Kind
    content: bytes
    end: int
    crc: int = 0

    @property
    def sealed(self) -> bool:
        """Tell whether it is a seal."""
        return self.kind is Kind.SEAL

    @property
    def damaged(self) -> bool:
        """Tell whether it is a body that is not what was written: torn, altered or shredded."""
        return self.kind is Kind.BODY and crc32(self.content) != self.crc

    @property
    def shredded(self) -> bool:
        """Tell whether it is a body of which only zeros are left."""
        return self.kind is Kind.BODY and not self.content.strip(b"\x00") and self.damaged


def segment_name(first: int) -> str:
    """Return the file name of the segment whose first entry is ``first``."""
    return f"{first:012d}.seg"


def encode_entries(entries: Iterable[bytes]) -> bytes:
    """Return the frames of ``entries``, which is also their C2SP bundle."""
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def encode_stored(entries: Iterable[bytes], bodies: Iterable[bytes]) -> bytes:
    """Return the frames of ``entries``, each with its body behind it; an empty body has no frame."""
    parts: list[bytes] = []
    for entry, body in zip(entries, bodies, strict=True):
        parts += (len(entry).to_bytes(2), entry)
        if body:
            parts += (_BODY, len(body).to_bytes(4), crc32(body).to_bytes(4), body)
    return b"".join(parts)


def encode_seal(checkpoint: str) -> bytes:
    """Return the frame of a checkpoint."""
    content = checkpoint.encode()
    return b"\x00\x00" + len(content).to_bytes(2) + content


def next_frame(data: bytes, offset: int) -> Frame | None:
    """Return the frame at ``offset``, or None where no whole frame is left."""
    length = int.from_bytes(data[offset : offset + 2])
    start = offset + 2
    kind = Kind.ENTRY
    if length == 0:
        kind = Kind.SEAL
        length = int.from_bytes(data[start : start + 2])
        start += 2
        if length == 0:
            return _body_at(data, offset)
    end = start + length
    return Frame(kind, data[start:end], end) if end <= len(data) else None


def _body_at(data: bytes, offset: int) -> Frame | None:
    start = offset + _BODY_HEAD
    head = data[offset:start]
    length = int.from_bytes(head[5:9])
    end = start + length
    if not head.startswith(_BODY) or not 0 < length <= MAX_BODY or end > len(data):
        return None
    return Frame(Kind.BODY, data[start:end], end, int.from_bytes(head[9:]))


def frames(data: bytes, offset: int = 0) -> Iterator[Frame]:
    """Yield whole frames from ``offset``, where a batch begins; what is left behind the last one is torn.

    A body that follows no entry is no frame, for nobody could say whose it is.
    """
    before = Kind.SEAL
    while (frame := next_frame(data, offset)) is not None:
        if frame.kind is Kind.BODY and before is not Kind.ENTRY:
            return
        yield frame
        before, offset = frame.kind, frame.end


def decode_bundle(data: bytes) -> list[bytes]:
    """Return the entries of a C2SP bundle.

    Raises:
        ValueError: it is not one.
    """
    entries, end = [], 0
    for frame in frames(data):
        if frame.kind is not Kind.ENTRY:
            break
        entries.append(frame.content)
        end = frame.end
    if end != len(data):
        raise ValueError("this is not an entry bundle")
    return entries
