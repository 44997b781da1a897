"""How a segment file reads: frames of entries, closed batch by batch by a signed checkpoint.

An entry is ``uint16 length || bytes``, as in the entry bundles of C2SP tlog-tiles. Length zero, which no entry has, introduces
a *seal*: ``uint16 0 || uint16 length || checkpoint``. A segment opens with the seal of all that went before it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_ENTRY: Final = 0xFFFF
SEGMENT_NAME: Final = re.compile(r"([0-9]{12})\.seg\Z")


class Frame(NamedTuple):
    """One entry or seal; ``end`` is the offset of the byte after it."""

    sealed: bool
    content: bytes
    end: int


def segment_name(first: int) -> str:
    """Return the file name of the segment whose first entry is ``first``."""
    return f"{first:012d}.seg"


def encode_entries(entries: Iterable[bytes]) -> bytes:
    """Return the frames of ``entries``, which is also their C2SP bundle."""
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def encode_seal(checkpoint: str) -> bytes:
    """Return the frame of a checkpoint."""
    content = checkpoint.encode()
    return b"\x00\x00" + len(content).to_bytes(2) + content


def next_frame(data: bytes, offset: int) -> Frame | None:
    """Return the frame at ``offset``, or None where no whole frame is left."""
    length = int.from_bytes(data[offset : offset + 2])
    start = offset + 2
    sealed = length == 0
    if sealed:
        length = int.from_bytes(data[start : start + 2])
        start += 2
    end = start + length
    if length == 0 or end > len(data):
        return None
    return Frame(sealed, data[start:end], end)


def frames(data: bytes, offset: int = 0) -> Iterator[Frame]:
    """Yield whole frames from ``offset`` on; what is left behind the last one is torn."""
    while (frame := next_frame(data, offset)) is not None:
        yield frame
        offset = frame.end


def decode_bundle(data: bytes) -> list[bytes]:
    """Return the entries of a C2SP bundle.

    Raises:
        ValueError: it is not one.
    """
    entries, end = [], 0
    for frame in frames(data):
        if frame.sealed:
            break
        entries.append(frame.content)
        end = frame.end
    if end != len(data):
        raise ValueError("this is not an entry bundle")
    return entries
