"""Writing a bundle: into a folder nobody else can read and that does not have the bundle's name until it is whole.

What was written is verified, as its reader will, before it is recorded and before it appears. A crash leaves a folder whose
name begins with a dot and ends with ``.partial``; it can be deleted.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from proxy.audit.bundle.gathering import ExportRefused
from proxy.audit.bundle.layout import (
    CHECKPOINT,
    POLICIES,
    QUESTION,
    RANGE_FILE,
    RANGE_PROOF,
    body_at,
    earlier_at,
    encode_key,
    entry_at,
    key_at,
    proof_at,
    range_at,
)
from proxy.audit.bundle.question import MAX_ENTRIES, Asked
from proxy.audit.entry import decode
from proxy.audit.sealing import KeyGone
from proxy.clock import stamp
from proxy.tlog.errors import LogDamaged
from proxy.tlog.frames import encode_entries
from proxy.tlog.merkle import consistency_proof, inclusion_proof, leaf_hash, root_of_inclusion
from proxy.tlog.proof import Proof
from proxy.tlog.published import PublishedNodes
from proxy.tlog.span import span_proof

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from proxy.audit.bundle.gathering import Gathered, Gathering
    from proxy.audit.entry import Entry
    from proxy.audit.sealing import Sealer
    from proxy.tlog.note import Checkpoint
    from proxy.tlog.store import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Who takes what out of the log, and why. ``opens`` tells of which entries the body is disclosed.

    ``earlier`` are checkpoints that somebody kept; ``policy`` is the digest of the policy that is in force, ``policies`` its
    files by name.
    """

    exporter: str
    case: str
    statement: str
    at: datetime
    opens: Callable[[Entry], bool]
    earlier: Sequence[Checkpoint] = ()
    policy: str = ""
    policies: Mapping[str, bytes] = field(default_factory=dict)


class Sheaf:
    """A folder that is being filled; remembers the hash of every file."""

    def __init__(self, root: Path) -> None:
        """Fill the empty folder ``root``."""
        self.root = root
        self.hashes: dict[str, str] = {}
        self.bytes = 0

    def put(self, name: str, content: bytes) -> None:
        """Write one file.

        Raises:
            OSError: it could not be written.
        """
        path = self.root / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(content)
        self.hashes[name] = sha256(content).hexdigest()
        self.bytes += len(content)


class Evidence:
    """Everything below ``data/`` except the viewer."""

    def __init__(self, sheaf: Sheaf, gathering: Gathering, gathered: Gathered, sealer: Sealer, directory: Path) -> None:
        """Fill ``sheaf`` with what answers."""
        self._sheaf = sheaf
        self._gathering = gathering
        self._gathered = gathered
        self._sealer = sealer
        self._checkpoint = gathered.checkpoint
        self._nodes = PublishedNodes(directory, gathered.checkpoint.size)
        self._entries: list[int] = []
        self._disclosed: list[int] = []
        self._shredded: list[int] = []
        self._versions: set[str] = set()
        self.locked: list[int] = []

    def write(self, order: Order, numbers: Iterable[int] = ()) -> Asked:
        """Write it all, and return what ``question.json`` says. ``locked`` are then entries whose key is not here any more.

        Raises:
            ExportRefused: there are no entries, or too many.
            LogDamaged, EntryUnreadable, SealBroken: the log is not what was signed.
            OSError: something could not be written.
        """
        stretch = self._gathered.stretch
        self._sheaf.put(CHECKPOINT, self._checkpoint.text.encode())
        if stretch is None:
            for number in sorted(set(numbers)):
                self._number(number, order)
        else:
            self._range(stretch.first, stretch.end, order)
        for old in order.earlier:
            self._earlier(old)
        asked = self._asked(order)
        self._sheaf.put(QUESTION, asked.encode())
        return asked

    def _asked(self, order: Order) -> Asked:
        ruled = bool(order.policy) and any(order.policy.startswith(version) for version in self._versions)
        for name, content in order.policies.items() if ruled else ():
            self._sheaf.put(POLICIES + name, content)
        return Asked(
            origin=self._checkpoint.origin,
            question=self._gathered.chooser.question,
            exported_at=stamp(order.at),
            exporter=order.exporter,
            case=order.case,
            statement=order.statement,
            entries=tuple(self._entries),
            disclosed=tuple(self._disclosed),
            shredded=tuple(self._shredded),
            stretch=self._gathered.stretch,
            policies=tuple(sorted(order.policies)) if ruled else (),
            policy=order.policy if ruled else "",
        )

    def _number(self, number: int, order: Order) -> None:
        if number >= self._checkpoint.size:
            msg = f"the checkpoint covers {self._checkpoint.size} entries, not entry {number}: `audit tail` shows the newest"
            raise ExportRefused(msg)
        for stored in self._gathering.stored(number, number + 1):
            self._entry(stored, decode(*stored), order)

    def _range(self, first: int, end: int, order: Order) -> None:
        waiting: list[bytes] = []
        begin, length = first, 0
        for stored in self._gathering.stored(first, end):
            waiting.append(stored.entry)
            length += len(stored.entry) + 2
            if length >= RANGE_FILE:
                self._sheaf.put(range_at(begin), encode_entries(waiting))
                begin, length = stored.index + 1, 0
                waiting.clear()
            entry = decode(*stored)
            if self._gathered.chooser.answers(entry):
                self._entry(stored, entry, order)
        if waiting:
            self._sheaf.put(range_at(begin), encode_entries(waiting))
        self._sheaf.put(RANGE_PROOF, _lines(span_proof(self._nodes, first, end, self._checkpoint.size)))

    def _entry(self, stored: Stored, entry: Entry, order: Order) -> None:
        index = stored.index
        if len(self._entries) >= MAX_ENTRIES:
            msg = f"more than {MAX_ENTRIES} entries answer: ask for less, by --since and --until"
            raise ExportRefused(msg)
        self._entries.append(index)
        if isinstance(version := entry.facts.get("policy"), str) and version:
            self._versions.add(version)
        path = inclusion_proof(self._nodes, index, self._checkpoint.size)
        if root_of_inclusion(leaf_hash(stored.entry), index, self._checkpoint.size, path) != self._checkpoint.root:
            msg = f"entry {index} is not what was signed: run `showcause audit verify`"
            raise LogDamaged(msg, index)
        self._sheaf.put(entry_at(index), stored.entry)
        self._sheaf.put(proof_at(index), Proof(index=index, path=path, checkpoint=self._checkpoint.text).text.encode())
        if entry.body_hash:
            self._body(entry, order)

    def _body(self, entry: Entry, order: Order) -> None:
        index = entry.index
        if entry.body is None:
            self._shredded.append(index)
            return
        self._sheaf.put(body_at(index), entry.body)
        if not order.opens(entry):
            return
        try:
            key = entry.data_key(self._sealer)
        except KeyGone:
            self.locked.append(index)
            return
        self._sheaf.put(key_at(index), encode_key(key))
        self._disclosed.append(index)

    def _earlier(self, old: Checkpoint) -> None:
        if old.size > self._checkpoint.size:
            msg = f"a checkpoint that was kept covers {old.size} entries, the log has {self._checkpoint.size}: it was set back"
            raise LogDamaged(msg, self._checkpoint.size)
        where, proof_where = earlier_at(old.size)
        self._sheaf.put(where, old.text.encode())
        self._sheaf.put(proof_where, _lines(consistency_proof(self._nodes, old.size, self._checkpoint.size)))


def _lines(hashes: Iterable[bytes]) -> bytes:
    return b"".join(base64.b64encode(item) + b"\n" for item in hashes)
