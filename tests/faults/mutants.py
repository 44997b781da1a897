"""Writers that are wrong on purpose, each in one way, to show that the fault tests would notice."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from proxy.tlog.files import make_directory, replace
from proxy.tlog.frames import encode_seal, segment_name
from proxy.tlog.log import Log
from proxy.tlog.segment import OpenSegment
from proxy.tlog.store import SEGMENTS, Segment, segments_of

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.tlog.note import Checkpoint


class _NeverSyncs(OpenSegment):
    def _sync(self) -> None:
        pass


class _SyncsAfterwards(OpenSegment):
    """Tells first: a batch is synced when the next one comes."""

    def _write(self, batch: bytes) -> None:
        super()._sync()
        super()._write(batch)

    def _sync(self) -> None:
        pass


class _SyncsAgain(OpenSegment):
    """Takes the second fdatasync's word, which after a failed one says nothing."""

    def _sync(self) -> None:
        with suppress(OSError):
            super()._sync()
            return
        super()._sync()


class _TakesLess(OpenSegment):
    """Does not look how much of a batch was taken."""

    def _write(self, batch: bytes) -> None:
        os.write(self._descriptor, batch)


class Unsynced(Log):
    """Acknowledges what is in the page cache."""

    def _open(self, segment: Segment) -> OpenSegment:
        return _NeverSyncs(segment)


class Early(Log):
    """Acknowledges before the disk has."""

    def _open(self, segment: Segment) -> OpenSegment:
        return _SyncsAfterwards(segment)


class Stubborn(Log):
    """Tries a failed sync again."""

    def _open(self, segment: Segment) -> OpenSegment:
        return _SyncsAgain(segment)


class Careless(Log):
    """Ignores a short write."""

    def _open(self, segment: Segment) -> OpenSegment:
        return _TakesLess(segment)


class Nameless(Log):
    """Does not sync the directory that names a new segment."""

    def _create(self, opening: Checkpoint) -> Segment:
        make_directory(self.directory / SEGMENTS)
        path = self.directory / SEGMENTS / segment_name(opening.size)
        replace(path, encode_seal(opening.text), durable=True)
        return Segment(opening.size, path)


class Untidy(Log):
    """Leaves the torn end of the batch that a crash interrupted where it is, and writes behind it."""

    def __init__(self, directory: Path, **rest: Any) -> None:
        """Recover, and undo what recovery cut off."""
        before = {segment.path: segment.path.read_bytes() for segment in segments_of(directory)[-1:]}
        super().__init__(directory, **rest)
        for path, content in before.items():
            path.write_bytes(content)


WRITERS: Final[dict[str, type[Log]]] = {
    "right": Log,
    "unsynced": Unsynced,
    "early": Early,
    "stubborn": Stubborn,
    "careless": Careless,
    "nameless": Nameless,
    "untidy": Untidy,
}
