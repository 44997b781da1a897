"""Verification of a bundle, with keys from elsewhere and nothing else: no log, no server, no configuration.

1. The outer form: every listed file is there and is what was listed, and nothing else is (``paper``).
2. The checkpoint is signed by the log's key, and cosigned as the witnesses' policy wants, if one is given.
3. Every entry is in the log at its index: its bytes, by its proof, lead to the checkpoint's root.
4. The range is every entry of its stretch (``proxy.tlog.span``), it reaches as far as the question, and no entry of it answers
   the question that is not in the bundle, nor the other way round.
5. Every body is the one whose hash its entry holds; each key opens its body; what has no body was shredded, as stated.
6. The log has only grown since every earlier checkpoint in the bundle.
7. In each epoch of the range an opened entry that carries the question's token names whom was asked about, or the manifest is
   the one that was exported: otherwise nothing says whose tokens these are.
8. The papers and the viewer are what an export writes of this evidence (``retelling``).
9. The manifest existed when the time-stamping authority says, if a certificate of one is given.

What went wrong in 1 is not held against anything again: one altered file is one finding.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from proxy.audit.bundle.finding import Finding, Kind
from proxy.audit.bundle.layout import (
    CHECKPOINT,
    DATA,
    MANIFEST,
    POLICIES,
    QUESTION,
    RANGE_PROOF,
    STAMP,
    VIEWER,
    body_at,
    decode_key,
    earlier_at,
    entry_at,
    first_of_range,
    key_at,
    proof_at,
    size_of_earlier,
)
from proxy.audit.bundle.paper import Paper, check_paper
from proxy.audit.bundle.question import Asked, QuestionInvalid, decode_asked
from proxy.audit.bundle.ranging import RangeCheck
from proxy.audit.bundle.retelling import check_retold
from proxy.audit.bundle.stamps import StampInvalid, stamped_at
from proxy.audit.entry import Entry, EntryUnreadable, decode
from proxy.audit.sealing import SealBroken
from proxy.digest import digest_of
from proxy.tlog.errors import NoteInvalid
from proxy.tlog.merkle import is_consistent, leaf_hash, root_of_inclusion
from proxy.tlog.proof import Proof, hashes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from proxy.audit.bundle.opening import Files
    from proxy.audit.bundle.question import Question
    from proxy.audit.bundle.trust import Trust
    from proxy.audit.event import Json
    from proxy.tlog.note import Checkpoint

_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "officer": ("operator", "person", "officer"), "terminal": ("terminal",), "case": ("case",)
}  # fmt: skip
"""Where an entry's body has whom it is about, by what was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What verification found. ``notes`` say what was not checked, for want of a key or since the bundle does not claim it.

    ``witnessed`` tells who has cosigned the checkpoint, and when (POSIX seconds); ``complete`` how many entries were looked
    through for others that answer the question, None where that could not be done; ``opened`` how many bodies were.
    """

    manifest: str
    asked: Asked | None
    checkpoint: Checkpoint | None
    witnessed: Mapping[str, int]
    stamped: datetime | None
    complete: int | None
    opened: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Tell whether there is no finding."""
        return not self.findings


def verify_bundle(files: Files, trust: Trust, *, manifest: str = "", progress: Callable[[int], None] | None = None) -> Report:
    """Verify a bundle.

    Args:
        files: the bundle.
        trust: keys from elsewhere.
        manifest: the SHA-256 of its manifest, as the export printed it and the log's entry ``exported`` states it, if known.
        progress: is told of each file.
    """
    return _Verification(files, trust, check_paper(files, progress or (lambda _count: None))).run(manifest)


@dataclass(slots=True)
class _Verification:
    _files: Files
    _trust: Trust
    _paper: Paper
    _findings: list[Finding] = field(default_factory=list)
    _notes: list[str] = field(default_factory=list)
    _witnessed: Mapping[str, int] = field(default_factory=dict)
    _complete: int | None = None
    _opened: int = 0
    _wanted: set[str] = field(default_factory=lambda: {VIEWER, QUESTION, CHECKPOINT, RANGE_PROOF})
    _asked: Asked | None = None
    _checkpoint: Checkpoint | None = None
    _epochs: frozenset[str] = frozenset()
    _shown: set[str] = field(default_factory=set)  # epochs in which an opened entry names whom was asked about

    def run(self, manifest: str) -> Report:
        self._findings += self._paper.findings
        if not manifest:
            self._notes.append(f"the hash of {MANIFEST} was not given: what is in no entry rests on the lists of this bundle")
        elif manifest.lower() != self._paper.manifest:
            message = f"{MANIFEST} is not the one that was exported: its SHA-256 is {self._paper.manifest}"
            self._find("altered", MANIFEST, message)
        self._asked, self._checkpoint = self._question(), self._signed()
        if self._asked is not None and self._checkpoint is not None:
            self._evidence(self._asked, self._checkpoint)
            if manifest.lower() != self._paper.manifest:
                self._whose(self._asked)
            if not self._paper.findings:
                self._findings += check_retold(self._files, self._asked, self._checkpoint, self._paper.manifest)
        return Report(
            manifest=self._paper.manifest,
            asked=self._asked,
            checkpoint=self._checkpoint,
            witnessed=self._witnessed,
            stamped=self._stamped(),
            complete=self._complete,
            opened=self._opened,
            findings=tuple(self._findings),
            notes=tuple(self._notes),
        )

    def _find(self, kind: Kind, path: str, message: str, index: int | None = None) -> None:
        self._findings.append(Finding(kind=kind, path=path, message=message, index=index))

    def _read(self, name: str) -> bytes | None:
        """Return a file that is what was listed; of what is missing altogether, say so."""
        if name in self._paper.sound:
            return self._files.read(name)
        if name not in self._files.sizes and not any(finding.path == name for finding in self._findings):
            self._find("missing", name, f"{name} is missing")
        return None

    def _question(self) -> Asked | None:
        content = self._read(QUESTION)
        if content is None:
            return None
        try:
            return decode_asked(content)
        except QuestionInvalid as error:
            self._find("malformed", QUESTION, f"{QUESTION}: {error}")
            return None

    def _signed(self) -> Checkpoint | None:
        content = self._read(CHECKPOINT)
        if content is None:
            return None
        try:
            checkpoint, self._witnessed = self._trust.checkpoint(content.decode())
        except (NoteInvalid, UnicodeDecodeError) as error:
            self._find("signature", CHECKPOINT, f"{CHECKPOINT}: {error}")
            return None
        if self._trust.witnesses is None:
            self._notes.append("no witness policy was given: only the log's own key vouches for the checkpoint")
        return checkpoint

    def _evidence(self, asked: Asked, checkpoint: Checkpoint) -> None:
        if asked.origin != checkpoint.origin:
            self._find("altered", QUESTION, f"{QUESTION} is about the log {asked.origin!r}, the checkpoint is of another")
        ranged = RangeCheck(self._files, self._paper.sound, asked, checkpoint)
        self._findings += ranged.run()
        self._complete = ranged.looked_through
        self._notes += ranged.notes
        self._epochs = ranged.epochs
        for index in asked.entries:
            self._wanted |= {entry_at(index), proof_at(index)}
            entry = self._entry(index, checkpoint, ranged.leaves.get(index))
            if entry is None:
                self._wanted |= {body_at(index), key_at(index)}
            else:
                self._body(entry, asked)
        self._earlier(checkpoint)
        self._strays(asked)

    def _entry(self, index: int, checkpoint: Checkpoint, in_range: bytes | None) -> Entry | None:
        """Return an entry that is in the log, or say that it, or its proof, is not what the log holds."""
        where, proof_where = entry_at(index), proof_at(index)
        content, proof = self._read(where), self._read(proof_where)
        if content is None:
            return None
        if in_range is not None and in_range != leaf_hash(content):
            self._find("proof", where, f"entry {index} is not what the log holds: the range has another", index)
            return None
        if proof is not None and (fault := _proof_fault(proof, content, index, checkpoint)):
            sure = in_range is not None
            path = proof_where if sure else where
            told = f"{proof_where} does not prove entry {index}" if sure else f"entry {index} is not proved"
            self._find("proof", path, f"{told}: {fault}", index)
            return None
        try:
            return decode(index, content)
        except EntryUnreadable as error:
            self._find("malformed", where, str(error), index)
            return None

    def _body(self, entry: Entry, asked: Asked) -> None:
        """Hold the body against the entry's hash, and the key, where the entry is disclosed, against the body."""
        index = entry.index
        if not entry.body_hash or index in asked.shredded:
            return
        self._wanted.add(body_at(index))
        body = self._read(body_at(index))
        if body is not None and sha256(body).hexdigest() != entry.body_hash:
            self._find("body", body_at(index), f"{body_at(index)} is not the body whose hash entry {index} holds", index)
            body = None
        if index not in asked.disclosed:
            return
        self._wanted.add(key_at(index))
        key = self._read(key_at(index))
        if body is None or key is None:
            return
        try:
            said = replace(entry, body=body).open(decode_key(key))
        except (SealBroken, ValueError) as error:
            self._find("body", key_at(index), f"{key_at(index)} does not open the body of entry {index}: {error}", index)
        else:
            self._opened += 1
            if asked.question.names(entry) and _names(said, asked.question):
                self._shown.add(entry.epoch)

    def _whose(self, asked: Asked) -> None:
        """Refuse tokens that could be anybody's: with another's, or nobody's, the entries that answer are left out."""
        if unshown := sorted(self._epochs - self._shown):
            message = (
                f"nothing shows that the tokens are those of {asked.question.by} {asked.question.value}: of epoch "
                f"{', '.join(unshown)} no opened entry names them. Give --manifest, as the export printed it"
            )
            self._find("unproven", QUESTION, message)

    def _strays(self, asked: Asked) -> None:
        """Name evidence that the question does not account for: it was put in together with a line of the manifest."""
        for name in sorted(self._paper.sound):
            elsewhere = not name.startswith(DATA) or name.startswith(POLICIES) or first_of_range(name) is not None
            if not elsewhere and name not in self._wanted:
                self._find("extra", name, f"{name} is of no entry that answers the question, or of nothing that is here")
        listed = {POLICIES + name for name in asked.policies}
        found = {name for name in self._files.sizes if name.startswith(POLICIES)}
        for name in sorted(found - listed):
            self._find("extra", name, f"{name} is no file of the policy that ruled")
        contents = {name: self._read(POLICIES + name) for name in asked.policies}
        sound = {name: content for name, content in contents.items() if content is not None}
        if asked.policies and len(sound) == len(contents) and digest_of(sound) != asked.policy:
            self._find("altered", POLICIES, f"the files in {POLICIES} are not the policy {asked.policy[:12]} that ruled")

    def _earlier(self, checkpoint: Checkpoint) -> None:
        named = {*self._paper.sound, *(finding.path for finding in self._findings)}
        sizes = sorted(size for name in named if (size := size_of_earlier(name)) is not None)
        for size in sizes:
            name, proof_where = earlier_at(size)
            self._wanted |= {name, proof_where}
            proof = self._read(proof_where) if name in self._paper.sound else None
            fault = None if proof is None else self._not_grown(self._files.read(name), proof, checkpoint, size)
            if fault:
                self._find("proof", name, f"{name}: {fault}")

    def _not_grown(self, content: bytes, proof: bytes, checkpoint: Checkpoint, size: int) -> str:
        try:
            old = self._trust.signed(content.decode())
            hashes = hashes_of(proof)
        except (NoteInvalid, UnicodeDecodeError) as error:
            return str(error)
        if old.size != size:
            return f"it covers {old.size} entries"
        if not is_consistent(old.size, checkpoint.size, old.root, checkpoint.root, hashes):
            return "the log did not merely grow since: two histories were signed"
        return ""

    def _stamped(self) -> datetime | None:
        present = STAMP in self._files.sizes
        if not self._trust.authorities:
            if present:
                self._notes.append("no certificate of a time-stamping authority was given: the time-stamp was not looked at")
            return None
        content, manifest = self._read(STAMP), self._read(MANIFEST)
        if content is None or manifest is None:
            return None
        try:
            return stamped_at(content, manifest, self._trust.authorities)
        except StampInvalid as error:
            self._find("time-stamp", STAMP, f"{STAMP}: {error}")
            return None


def _names(said: Mapping[str, Json], question: Question) -> bool:
    """Tell whether an opened body names whom was asked about: under a name for them, or by itself where there is none."""
    places = _PLACES.get(question.by)
    waiting: list[object] = [said] if places is None else [said.get(place) for place in places]
    while waiting:
        content = waiting.pop()
        if isinstance(content, dict | list):
            waiting += content.values() if isinstance(content, dict) else content
        elif content == question.value:
            return True
    return False


def _proof_fault(proof: bytes, content: bytes, index: int, checkpoint: Checkpoint) -> str:
    try:
        said = Proof.parse(proof.decode())
    except (NoteInvalid, UnicodeDecodeError) as error:
        return str(error)
    if said.checkpoint != checkpoint.text:
        return "its checkpoint is not the bundle's"
    if said.index != index:
        return f"it is of entry {said.index}"
    if root_of_inclusion(leaf_hash(content), index, checkpoint.size, said.path) != checkpoint.root:
        return "it leads to another root than the one that was signed"
    return ""
