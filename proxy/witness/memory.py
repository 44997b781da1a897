"""What the witness remembers of each log, durable before anybody is told.

========================  ===========================================================================================
``logs/<id>/newest``      the newest checkpoint it signed, with its own line: replaced whole and synced before the reply
``logs/<id>/history``     one signed checkpoint a minute at most, the older ones too: the witness's own evidence
``logs/<id>/refused/``    submissions that the log's key has signed and that contradict what was signed before
``logs/<id>/keys/``       statements by which the log has changed its key
``lock``                  held by the one process that signs
========================  ===========================================================================================

``<id>`` begins the SHA-256 of the log's origin. A file ``newest`` that is missing where it was, or that does not hold, stops
the start: to begin anew from nothing would be to sign whatever comes.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from proxy.tlog.errors import LogBusy, LogDamaged, NoteInvalid
from proxy.tlog.files import make_directory, replace, sync_directory, write_all
from proxy.tlog.note import Checkpoint, Verifier, signatures_of
from proxy.tlog.rotation import Rotation, parse_rotation, with_rotations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from proxy.tlog.signing import PublicKey

MAX_REFUSED: Final = 256
_BEGUN: Final = "begun"
_CERTAIN: Final = "-root"


class Memory:
    """The folder, locked."""

    def __init__(self, folder: Path) -> None:
        """Take the lock of a folder that ``create`` has made.

        Raises:
            LogBusy: another witness holds it.
            LogDamaged: the folder is not a witness's.
        """
        self.folder = folder
        try:
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            msg = f"{folder} is not the memory of a witness ({error.strerror}): `showcause witness init` makes a new one"
            raise LogDamaged(msg) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            msg = f"another witness runs on {folder}: stop that one first"
            raise LogBusy(msg) from None

    @staticmethod
    def create(folder: Path) -> None:
        """Make an empty memory.

        Raises:
            OSError: it cannot be made, or is there already.
        """
        make_directory(folder)
        os.close(os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        sync_directory(folder)

    def close(self) -> None:
        """Release the lock; closing twice is harmless."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)


class Remembered:
    """One log's part of the memory. ``newest`` is the checkpoint with the witness's line, or None before the first."""

    def __init__(self, folder: Path, trusted: Sequence[Verifier], key: PublicKey, *, history_seconds: float) -> None:
        """Read what is remembered of the log of these keys.

        Raises:
            LogDamaged: what is there was altered, or is gone.
        """
        self.origin = trusted[0].name
        self.folder = folder / "logs" / sha256(self.origin.encode()).hexdigest()[:32]
        self._key = key
        self._trusted = tuple(trusted)
        self._history_seconds = history_seconds
        self._rotations = [_rotation_at(path) for path in sorted((self.folder / "keys").glob("*.note"))]
        try:
            self.verifier = with_rotations(self._trusted, self._rotations)
        except NoteInvalid as error:
            msg = f"{self.folder / 'keys'}: {error}; see deploy/witness.md, at `When the log changes its key`"
            raise LogDamaged(msg) from error
        self.newest: Checkpoint | None = None
        self.time = 0
        self._kept = 0
        self._read()

    @property
    def size(self) -> int:
        """Return how many entries the newest signed checkpoint covers."""
        return self.newest.size if self.newest is not None else 0

    def lines_of(self, checkpoint: Checkpoint) -> list[str]:
        """Return the lines under a checkpoint by the log's keys, retired ones too: of each the first, and only if it holds."""
        lines, found = signatures_of(checkpoint.text), []
        for verifier in (*self._trusted, *(each.new for each in self._rotations)):
            own = next((each for each in lines if (each.name, each.key_id) == (verifier.name, verifier.key_id)), None)
            if own is not None:
                with suppress(NoteInvalid):
                    verifier.key.verify(checkpoint.body, own.signature)
                    found.append(f"{own.line}\n")
        return found

    @property
    def refused(self) -> Sequence[Path]:
        """Return the submissions that contradict, oldest first."""
        return sorted((self.folder / "refused").glob("*"))

    def _read(self) -> None:
        try:
            text = (self.folder / "newest").read_text(encoding="utf-8")
        except FileNotFoundError:
            if (self.folder / _BEGUN).exists():
                self._damaged("is gone")
            return
        except UnicodeDecodeError:
            self._damaged("is not a checkpoint")
        try:
            self.newest = self.verifier.checkpoint(text)
            self.time = own_time(text, self._key)
        except NoteInvalid as error:
            self._damaged(f"does not hold: {error}")

    def _damaged(self, what: str) -> None:
        msg = (
            f"{self.folder / 'newest'}, the memory of {self.origin}, {what}. This witness must not sign for this log any more: "
            "keep the folder as evidence, and begin anew with `showcause witness init`, with a new key, told to every verifier"
        )
        raise LogDamaged(msg)

    def keep(self, checkpoint: Checkpoint, time: int) -> None:
        """Remember a checkpoint that bears the witness's line; durable on return.

        Raises:
            OSError: it is not; then nothing may be said.
        """
        if self.newest is None:
            make_directory(self.folder)
            replace(self.folder / _BEGUN, self.origin.encode() + b"\n", durable=True)
        replace(self.folder / "newest", checkpoint.text.encode(), durable=True)
        sync_directory(self.folder)
        self.newest, self.time = checkpoint, time
        if time - self._kept >= self._history_seconds:
            self._kept = time
            self._append(checkpoint.text)

    def _append(self, text: str) -> None:
        descriptor = os.open(self.folder / "history", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            write_all(descriptor, text.encode() + b"\n")
        finally:
            os.close(descriptor)

    def keep_refused(self, checkpoint: Checkpoint, body: bytes, time: int, *, certain: bool) -> None:
        """Keep a submission that the log has signed and that contradicts: somebody has signed two histories.

        Where that is not ``certain``, somebody may have sent a wrong proof for a genuine checkpoint. One of each checkpoint is
        kept, and each sort has its own room, so that nobody drives the certain ones out.

        Raises:
            OSError: it cannot be written.
        """
        folder = self.folder / "refused"
        make_directory(folder)
        sort = [path for path in folder.iterdir() if path.name.endswith(_CERTAIN) == certain]
        name = _named(checkpoint) + (_CERTAIN if certain else "")
        if len(sort) < MAX_REFUSED and not any(path.name.endswith(name) for path in sort):
            replace(folder / f"{time:012d}{name}", body, durable=True)
            sync_directory(folder)

    def clear(self, checkpoint: Checkpoint) -> None:
        """Suspect a checkpoint no more: it was proven to follow.

        Raises:
            OSError: what was kept cannot be removed.
        """
        for path in (self.folder / "refused").glob(f"*{_named(checkpoint)}"):
            path.unlink()

    def accept(self, rotation: Rotation) -> None:
        """Take a new key of the log by the statement of the old one; durable on return.

        Raises:
            NoteInvalid: the old key is not the one that signs now, or the new one would have to have signed already.
            OSError: it cannot be kept.
        """
        if any(each.text == rotation.text for each in self._rotations):
            return
        if rotation.old.vkey not in {each.vkey for each in self._trusted} | {each.new.vkey for each in self._rotations}:
            raise NoteInvalid("the old key of this statement is not one that this witness trusts")
        if rotation.size < self.size:
            msg = f"the statement would change the key at {rotation.size} entries, but {self.size} are cosigned already"
            raise NoteInvalid(msg)
        verifier = with_rotations(self._trusted, [*self._rotations, rotation])
        folder = self.folder / "keys"
        make_directory(folder)
        content = rotation.text.encode()  # its hash, since a key may be changed twice at one size
        replace(folder / f"{rotation.size:012d}-{sha256(content).hexdigest()[:16]}.note", content, durable=True)
        sync_directory(folder)
        self._rotations.append(rotation)
        self.verifier = verifier


def _named(checkpoint: Checkpoint) -> str:
    return f"-{sha256(checkpoint.body.encode()).hexdigest()[:16]}"


def _rotation_at(path: Path) -> Rotation:
    try:
        return parse_rotation(path.read_text("utf-8"))
    except (NoteInvalid, UnicodeDecodeError) as error:
        msg = (
            f"{path}, a statement by which the log has changed its key, is altered: without it a retired key would sign again; "
            "see deploy/witness.md, at `When the memory is damaged`"
        )
        raise LogDamaged(msg) from error


def own_time(text: str, key: PublicKey) -> int:
    """Return when a key has cosigned a checkpoint.

    Raises:
        NoteInvalid: it has not.
    """
    for signature in signatures_of(text):
        if signature.name == key.name and signature.key_id == key.key_id:
            return key.verify(text.rpartition("\n\n")[0] + "\n", signature.signature)
    msg = f"it is not cosigned by {key.name}"
    raise NoteInvalid(msg)
