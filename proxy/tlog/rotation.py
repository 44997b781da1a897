r"""A log's key changes: the statement, signed by the old key and by the new one, and what each key may then sign.

The statement is a signed note::

    showcause/rotate-key/v1
    <origin>
    <size>
    <verifier key of the old key>
    <verifier key of the new key>

It stands in the log as an entry, the last of the first ``size``; the checkpoint of that size is signed by both keys. Up to it
the old key's signatures count, from it on the new key's: whoever steals a retired key signs nothing that anybody takes who
knows of the change. Who trusts one of the two keys comes to trust the other by the statement, in its range.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.tlog.errors import NoteInvalid
from proxy.tlog.files import make_directory, replace, sync_directory
from proxy.tlog.note import MAX_NOTE, Checkpoint, Verifier, parse_unverified, signatures_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from proxy.tlog.note import Signer

HEADER: Final = "showcause/rotate-key/v1"
ROTATIONS: Final = "rotations"
_SIZE: Final = re.compile(r"[1-9][0-9]{0,18}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """From the checkpoint of ``size`` entries on, ``new`` signs instead of ``old``. Both have said so."""

    origin: str
    size: int
    old: Verifier
    new: Verifier
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRange:
    """A key, and the sizes of the checkpoints that it may sign."""

    verifier: Verifier
    first: int = 0
    last: int | None = None

    def covers(self, size: int) -> bool:
        """Tell whether it may sign a checkpoint of this size."""
        return self.first <= size and (self.last is None or size <= self.last)


def state_rotation(size: int, old: Signer, new: Signer) -> Rotation:
    """Sign, with both keys, that the new one takes over at a size."""
    origin = old.verifier.name
    body = f"{HEADER}\n{origin}\n{size}\n{old.verifier.vkey}\n{new.verifier.vkey}\n"
    return parse_rotation(f"{body}\n{old.note(body)}{new.note(body)}")


def parse_rotation(text: str) -> Rotation:
    """Read a statement, once both signatures hold.

    Raises:
        NoteInvalid: it is malformed, or not signed by both keys.
    """
    body, gap, _ = text.rpartition("\n\n")
    lines = body.split("\n")
    if not gap or len(text) > MAX_NOTE or len(lines) != 5 or lines[0] != HEADER or not _SIZE.match(lines[2]):
        raise NoteInvalid("this is not the statement of a new key")
    origin, size = lines[1], int(lines[2])
    old, new = Verifier.parse(lines[3]), Verifier.parse(lines[4])
    if {old.name, new.name} != {origin} or old.key.material == new.key.material:
        raise NoteInvalid("the two keys of this statement are not two keys of its log")
    signatures = signatures_of(text)
    for verifier in (old, new):
        mine = [each for each in signatures if (each.name, each.key_id) == (origin, verifier.key_id)]
        if not mine:
            raise NoteInvalid("the statement of a new key is not signed by both keys")
        verifier.key.verify(body + "\n", mine[0].signature)
    return Rotation(origin=origin, size=size, old=old, new=new, text=text)


class LogKeys(Verifier):
    """All keys that a log has had, each in its range; in other respects the newest one's verifier."""

    def __init__(self, ranges: Sequence[KeyRange]) -> None:
        """Take the keys, oldest first.

        Raises:
            NoteInvalid: there is none, or they are of different logs.
        """
        if not ranges or len({each.verifier.name for each in ranges}) != 1:
            raise NoteInvalid("the keys of a log are one or more, all of the same origin")
        newest = ranges[-1].verifier
        super().__init__(newest.name, newest.key.material, newest.key.kind)
        self.ranges = tuple(ranges)

    def checkpoint(self, text: str) -> Checkpoint:
        """Return the checkpoint that ``text`` is, once it is signed by a key in whose range it lies.

        Raises:
            NoteInvalid: it is malformed, of another log, or signed by no key that may.
        """
        size = parse_unverified(text).size
        failure = NoteInvalid(f"no key of {self.name} may sign a checkpoint of {size} entries")
        for each in reversed(self.ranges):
            if each.covers(size):
                try:
                    return each.verifier.checkpoint(text)
                except NoteInvalid as error:
                    failure = error
        raise failure


def with_rotations(trusted: Iterable[Verifier], rotations: Iterable[Rotation]) -> Verifier:
    """Return what verifies a log's checkpoints, from the keys that are trusted and the statements that lead to others.

    Raises:
        NoteInvalid: two statements retire one key: somebody signs with a key that should be gone.
    """
    keys = {verifier.vkey: verifier for verifier in trusted}
    left = sorted(rotations, key=lambda rotation: rotation.size)
    taken: list[Rotation] = []
    while following := [each for each in left if each.old.vkey in keys or each.new.vkey in keys]:
        taken += following
        left = [each for each in left if each not in following]
        keys |= {verifier.vkey: verifier for each in following for verifier in (each.old, each.new)}
    ends = {each.old.vkey: each.size for each in taken}
    starts = {each.new.vkey: each.size for each in taken}
    if len(ends) != len(taken) or len(starts) != len(taken):
        raise NoteInvalid("two statements change the same key: somebody signs with a key that was retired")
    ranges = [KeyRange(verifier=key, first=starts.get(vkey, 0), last=ends.get(vkey)) for vkey, key in keys.items()]
    ranges.sort(key=lambda each: (each.first, each.last is None))
    return LogKeys(ranges) if len(ranges) > 1 else ranges[0].verifier


def rotations_of(directory: Path) -> list[Rotation]:
    """Return the statements in a log's folder whose signatures hold; a file that is none is passed over."""
    found = []
    for path in sorted((directory / ROTATIONS).glob("*.note")):
        try:
            found.append(parse_rotation(path.read_text(encoding="utf-8")))
        except (NoteInvalid, OSError, UnicodeDecodeError):
            continue  # without it the checkpoints of the old key are refused, and that is told
    return found


def keep_rotation(directory: Path, rotation: Rotation, seam: Checkpoint) -> None:
    """Put a statement, and the checkpoint that both keys have signed, into the log's folder, durably.

    Raises:
        OSError: it could not be written.
    """
    folder = directory / ROTATIONS
    make_directory(folder)
    replace(folder / f"{rotation.size:012d}.checkpoint", seam.text.encode(), durable=True)
    replace(folder / f"{rotation.size:012d}.note", rotation.text.encode(), durable=True)
    sync_directory(folder)
