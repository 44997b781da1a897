"""Where entries lie in the segment files: to read any of them without those before it, and to go on from any of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.tlog.errors import LogDamaged
from proxy.tlog.frames import MAX_BODY, MAX_ENTRY, Frame, Kind, frames, next_frame, segment_name
from proxy.tlog.store import SEGMENTS, Stored, absent, segments_of

if TYPE_CHECKING:
    from pathlib import Path

CHUNK: Final = 4 << 20
_ONE: Final = MAX_ENTRY + 64


class Place(NamedTuple):
    """Where one can go on: the next entry's number, the first one's of its segment, and an offset right behind a seal."""

    number: int = 0
    segment: int = 0
    offset: int = 0


class Placed(NamedTuple):
    """An entry with its body, and where its frame begins."""

    stored: Stored
    segment: int
    offset: int


def following(directory: Path, place: Place, chunk: int = CHUNK) -> tuple[list[Placed], Place]:
    """Return sealed entries behind a place, about ``chunk`` bytes at a time, and where to go on; none at the log's end.

    Raises:
        LogDamaged: the segment that should hold the next entry is missing.
        OSError: it cannot be read.
    """
    segments = segments_of(directory)
    if not segments:
        return [], place
    here = next((each for each in reversed(segments) if each.first <= place.number), None)
    if here is None and place.number:
        raise absent(directory, place.number)
    here = here or segments[0]  # from the beginning of what is kept
    if here.first != place.segment:
        place = Place(number=here.first, segment=here.first, offset=0)
    with here.path.open("rb") as file:
        size = chunk
        while True:
            file.seek(place.offset)
            data = file.read(size)
            found, passed = _sealed(data, place)
            if passed or len(data) < size:
                break
            size *= 2
    following_one = place._replace(number=place.number + len(found), offset=place.offset + passed)
    if not passed and any(each.first > here.first for each in segments) and len(data) > 0:
        msg = f"entry {place.number} and what follows it in its segment cannot be read"
        raise LogDamaged(msg, place.number)
    return found, following_one


def _sealed(data: bytes, place: Place) -> tuple[list[Placed], int]:
    """Return the entries of whole batches and how many bytes those are."""
    found: list[Placed] = []
    pending: list[Placed] = []
    passed = begin = 0
    for frame in frames(data):
        match frame.kind:
            case Kind.ENTRY:
                stored = Stored(place.number + len(found) + len(pending), frame.content, b"")
                pending.append(Placed(stored, place.segment, place.offset + begin))
            case Kind.BODY:
                pending[-1] = pending[-1]._replace(stored=pending[-1].stored._replace(body=_content(frame)))
            case Kind.SEAL:
                found += pending
                pending, passed = [], frame.end
        begin = frame.end
    return found, passed


def _content(frame: Frame) -> bytes | None:
    return None if frame.shredded else frame.content


def read_at(directory: Path, index: int, segment: int, offset: int) -> Stored:
    """Return the entry whose frame begins at an offset.

    Raises:
        LogDamaged: there is no entry's frame.
        OSError: the segment is not there (any more).
    """
    descriptor = os.open(directory / SEGMENTS / segment_name(segment), os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(descriptor, _ONE, offset)
        frame = next_frame(data, 0)
        if frame is None or frame.kind is not Kind.ENTRY:
            msg = f"no entry lies where entry {index} was"
            raise LogDamaged(msg, index)
        body = next_frame(data, frame.end)
        if body is None and len(data) == _ONE:
            body = next_frame(os.pread(descriptor, MAX_BODY + 64, offset + frame.end), 0)
        beside = _content(body) if body is not None and body.kind is Kind.BODY else b""
        return Stored(index, frame.content, beside)
    finally:
        os.close(descriptor)
