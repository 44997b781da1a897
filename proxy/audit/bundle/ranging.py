"""Completeness: every leaf of the stretch that the question spans, looked through for the question's tokens.

What it rests on, and says so: that the tokens are those of whom was asked about (who holds the index key can tell; the bodies
that are disclosed name them), and that an entry's time is the log's clock's (the cosignatures around it bound it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.audit.bundle.finding import Finding, Kind
from proxy.audit.bundle.layout import QUESTION, RANGE_PROOF, entry_at, first_of_range, range_at
from proxy.audit.bundle.question import Chooser, edges_hold
from proxy.audit.entry import EntryUnreadable, decode
from proxy.tlog.errors import NoteInvalid
from proxy.tlog.frames import decode_bundle
from proxy.tlog.merkle import leaf_hash
from proxy.tlog.proof import hashes_of
from proxy.tlog.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from proxy.audit.bundle.opening import Files
    from proxy.audit.bundle.question import Asked, Stretch
    from proxy.audit.entry import Entry
    from proxy.tlog.note import Checkpoint


class _Broken(Exception):  # noqa: N818 -- it ends a walk, nobody sees it
    """The range ends here; the finding is told already."""


class RangeCheck:
    """One pass to the root and to learn which queries answer, one to tell of each entry whether it does."""

    def __init__(self, files: Files, sound: AbstractSet[str], asked: Asked, checkpoint: Checkpoint) -> None:
        """Take the bundle, the files of it that are what was listed, the question and the signed checkpoint."""
        self._files = files
        self._sound = sound
        self._asked = asked
        self._checkpoint = checkpoint
        self._names = sorted(name for name in files.sizes if first_of_range(name) is not None)
        self._findings: list[Finding] = []
        self.leaves: dict[int, bytes] = {}
        self.looked_through: int | None = None
        self.epochs: frozenset[str] = frozenset()
        self.notes: list[str] = []

    def run(self) -> list[Finding]:
        """Return what is wrong.

        ``leaves`` then holds the leaf hashes of the question's entries, proved by the range; ``epochs`` those of its time.
        """
        stretch = self._asked.stretch
        if stretch is None:
            for name in (*self._names, *({RANGE_PROOF} & self._files.sizes.keys())):
                self._find("extra", name, f"{name} is of no use to a question that spans no range")
            self.notes.append("entries were asked for by number: nothing is claimed of others")
            return self._findings
        try:
            chooser = self._proved(stretch)
            self._look_through(stretch, chooser)
        except _Broken:
            self.notes.append("whether entries are left out could not be looked at")
        return self._findings

    def _find(self, kind: Kind, path: str, message: str, index: int | None = None) -> None:
        self._findings.append(Finding(kind=kind, path=path, message=message, index=index))

    def _stop(self, kind: Kind, path: str, message: str, index: int | None = None) -> _Broken:
        self._find(kind, path, message, index)
        return _Broken()

    def _entries(self, stretch: Stretch) -> Iterator[tuple[str, int, bytes]]:
        """Yield file, index and bytes of every leaf of the range, each where the one before ended."""
        index = stretch.first
        for name in self._names:
            if name not in self._sound:
                raise _Broken  # it is named already
            if first_of_range(name) != index or index >= stretch.end:
                raise self._stop("altered", name, f"{name} does not go on where the range has come to, entry {index}")
            try:
                entries = decode_bundle(self._files.read(name))
            except ValueError:
                raise self._stop("malformed", name, f"{name} is no row of entries") from None
            for content in entries:
                yield name, index, content
                index += 1
        if index < stretch.end:
            raise self._stop("missing", range_at(index), f"the range lacks entries {index} to {stretch.end - 1}", index)
        if index > stretch.end:
            raise self._stop("altered", self._names[-1], f"the range has more entries than up to {stretch.end}")

    def _span(self, stretch: Stretch) -> Span:
        if RANGE_PROOF not in self._files.sizes:
            raise self._stop("missing", RANGE_PROOF, f"{RANGE_PROOF} is missing")
        if RANGE_PROOF not in self._sound:
            raise _Broken
        try:
            proof = hashes_of(self._files.read(RANGE_PROOF))
            return Span(stretch.first, stretch.end, self._checkpoint.size, proof)
        except (NoteInvalid, ValueError) as error:
            raise self._stop("proof", RANGE_PROOF, f"{RANGE_PROOF}: {error}") from None

    def _proved(self, stretch: Stretch) -> Chooser:
        span, chooser = self._span(stretch), Chooser(self._asked.question)
        wanted = set(self._asked.entries)
        times: list[str] = []
        leaves: dict[int, bytes] = {}
        for name, index, content in self._entries(stretch):
            leaf = leaf_hash(content)
            span.push(leaf)
            entry = self._decoded(name, index, content)
            chooser.learn(entry)
            times[1:] = [entry.at]
            if index in wanted:
                leaves[index] = leaf
        if span.root() != self._checkpoint.root:
            message = "the range is not what the log holds: an entry of it was altered, left out or put in"
            raise self._stop("proof", RANGE_PROOF, message)
        if not edges_hold(self._asked.question, times, stretch, self._checkpoint.size):
            raise self._stop("incomplete", QUESTION, "the range does not reach as far as the time asked for")
        until = self._asked.question.until
        if times and not (until and times[-1] >= until):
            self.notes.append(f"the range ends with the log's last entry, of {times[-1]}: nothing is claimed of later ones")
        self.leaves = leaves
        return chooser

    def _decoded(self, name: str, index: int, content: bytes) -> Entry:
        try:
            return decode(index, content)
        except EntryUnreadable as error:
            raise self._stop("malformed", name, str(error), index) from None

    def _look_through(self, stretch: Stretch, chooser: Chooser) -> None:
        wanted, count, epochs = set(self._asked.entries), 0, set[str]()
        for name, index, content in self._entries(stretch):
            entry = self._decoded(name, index, content)
            count += 1
            if self._asked.question.within(entry.at):
                epochs.add(entry.epoch)
            answers = chooser.answers(entry)
            if answers and index not in wanted:
                self._find("incomplete", entry_at(index), f"entry {index} answers the question and was left out", index)
            elif not answers and index in wanted:
                self._find("extra", entry_at(index), f"entry {index} does not answer the question", index)
        for index in sorted(number for number in wanted if not stretch.first <= number < stretch.end):
            self._find("extra", entry_at(index), f"entry {index} is outside the range", index)
        for epoch in sorted(epochs - self._asked.question.tokens.keys()):
            self._find("incomplete", QUESTION, f"entries of epoch {epoch} are in the range, and no token of it is given")
        self.looked_through, self.epochs = count, frozenset(epochs)
