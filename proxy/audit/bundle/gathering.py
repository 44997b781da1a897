"""What answers a question: the stretch of the log that it spans, and the entries in it, below one signed checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from proxy.audit.bundle.question import Chooser, Stretch
from proxy.audit.entry import decode
from proxy.clock import stamp
from proxy.tlog.errors import LogDamaged, LogError, NoteInvalid
from proxy.tlog.store import CHECKPOINT, COSIGNED, SegmentReader, segments_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from proxy.audit.bundle.question import Question
    from proxy.audit.entry import Entry
    from proxy.tlog.note import Checkpoint, Verifier
    from proxy.tlog.store import Stored

STEP: Final = 1000
_TICK: Final = timedelta(milliseconds=10)
"""The smallest step of an entry's time."""
SET_BACK: Final = timedelta(days=1)
"""Times in a log go up, but for a clock that was set back: by less than this, or its node would not have gone on."""


class ExportRefused(LogError):  # noqa: N818 -- reads as a sentence where it is raised
    """There is nothing to export, or more than a bundle holds."""


class EpochUnsearchable(ExportRefused):
    """Nobody can tell whom some entries of the time asked for name, so no answer of that time is complete."""

    def __init__(self, dead: Mapping[str, str]) -> None:
        """Name the epochs, each with its newest entry's time."""
        told = ", ".join(f"{epoch} (up to {at})" for epoch, at in sorted(dead.items(), key=itemgetter(1)))
        super().__init__(f"the index key is not here of the epoch{'s' if len(dead) > 1 else ''} {told}")
        self.since = stamp(datetime.fromisoformat(max(dead.values())) + _TICK)
        """From here on, all that is of the time asked for can be searched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The checkpoint that covers all of it, the stretch, and the rule, which has learned which queries answer.

    ``newer`` counts entries that were in the log by then and that the checkpoint does not cover.
    """

    checkpoint: Checkpoint
    stretch: Stretch | None
    chooser: Chooser
    newer: int = 0


def newest_checkpoint(directory: Path, verifier: Verifier) -> Checkpoint:
    """Return the newest checkpoint that witnesses have cosigned, or the published one where there are no witnesses.

    Raises:
        LogDamaged: there is none, or it is not signed by this log's key.
    """
    for name in (COSIGNED, CHECKPOINT):
        try:
            return verifier.checkpoint((directory / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (NoteInvalid, UnicodeDecodeError) as error:
            msg = f"{directory / name}: {error}: run `showcause audit verify`"
            raise LogDamaged(msg) from error
    msg = f"there is no checkpoint in {directory}: start the server once"
    raise LogDamaged(msg)


class Gathering:
    """Reads the log's directory without its lock."""

    def __init__(self, directory: Path, checkpoint: Checkpoint, progress: Callable[[int], None], *, newer: int = 0) -> None:
        """Read what ``checkpoint`` covers; ``progress`` is told of entries read, now and then. ``newer`` it does not cover."""
        self._directory = directory
        self._checkpoint = checkpoint
        self._progress = progress
        self._newer = newer

    def by_number(self, question: Question) -> Gathered:
        """Return what entries that were asked for by number need: nothing but the checkpoint."""
        return Gathered(checkpoint=self._checkpoint, stretch=None, chooser=Chooser(question), newer=self._newer)

    def spanned(self, question: Question, since: datetime | None, until: datetime | None) -> Gathered:
        """Walk the time asked for, and find its edges: one entry more at each end shows that the stretch reaches far enough.

        Raises:
            EpochUnsearchable: entries of that time are of an epoch whose index key is not here.
            LogDamaged, EntryUnreadable: the log cannot be read.
        """
        size, chooser = self._checkpoint.size, Chooser(question)
        begin = self._begin(since)
        beyond = stamp(until + SET_BACK) if until else ""
        inside: list[int] = []  # the first and the last
        before, after = begin, size
        dead: dict[str, str] = {}  # by epoch, its newest time
        for entry in self._decoded(begin, size):
            if question.within(entry.at):
                inside[1:] = [entry.index]
                chooser.learn(entry)
                if entry.epoch not in question.tokens:
                    dead[entry.epoch] = max(entry.at, dead.get(entry.epoch, ""))
            elif question.since and entry.at < question.since:
                before = entry.index if not inside else before
            elif beyond and entry.at >= beyond:
                after = entry.index + 1
                break
        if dead:
            raise EpochUnsearchable(dead)
        last = inside[-1] if inside else before
        stretch = self._reaching(question, before, last, after) if size else Stretch(first=0, end=0)
        return Gathered(checkpoint=self._checkpoint, stretch=stretch, chooser=chooser, newer=self._newer)

    def _reaching(self, question: Question, first: int, last: int, after: int) -> Stretch:
        """Return the stretch with its edges: up to the log's own ends, where the question has no other."""
        if not question.since:
            first = 0
        if not question.until:
            return Stretch(first=first, end=self._checkpoint.size)
        for entry in self._decoded(last, after):
            last = entry.index
            if entry.at >= question.until:
                break
        return Stretch(first=first, end=last + 1)

    def _begin(self, since: datetime | None) -> int:
        """Return where to begin: before the first segment that may hold an entry of the time asked for."""
        if since is None:
            return 0
        wanted = stamp(since - SET_BACK - timedelta(seconds=1))
        for segment, following in pairwise(segments_of(self._directory)):
            for entry in self._decoded(following.first, following.first + 1):
                if entry.at >= wanted:
                    return segment.first
        newest = segments_of(self._directory)[-1:]
        return newest[0].first if newest else 0

    def _decoded(self, start: int, end: int) -> Iterator[Entry]:
        for index, content in SegmentReader(self._directory).entries(start, min(end, self._checkpoint.size)):
            if index % STEP == 0:
                self._progress(STEP)
            yield decode(index, content)

    def stored(self, start: int, end: int) -> Iterator[Stored]:
        """Yield what is stored of a stretch.

        Raises:
            LogDamaged: entries are missing.
        """
        index = start
        for item in SegmentReader(self._directory).stored(start, min(end, self._checkpoint.size)):
            if index % STEP == 0:
                self._progress(STEP)
            index += 1
            yield item
        if index < end:
            msg = f"entry {index} is missing: run `showcause audit verify`"
            raise LogDamaged(msg, index)
