"""What the witness answers to a submission (c2sp.org/tlog-witness), one log at a time.

1. The origin must be known (404) and the checkpoint signed by a key trusted for it (403).
2. ``old`` must be at most the checkpoint's size (400), and the size of what was signed last (409, with that size).
3. Of one size there is one root (409), and the proof must lead from the old root to the new (422).
4. The new checkpoint is remembered, durably, and only then signed for: of two histories this witness signs one, whatever
   happens between any two of these steps, and whoever asks in what order.

What is signed by the log and fails in 3 is kept: it shows that somebody with the log's key has written two histories.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.tlog.errors import NoteInvalid
from proxy.tlog.merkle import EMPTY_ROOT, is_consistent
from proxy.tlog.note import Checkpoint
from proxy.tlog.rotation import parse_rotation
from proxy.tlog.submission import Submission, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from proxy.clock import Clock
    from proxy.tlog.signing import PrivateKey
    from proxy.witness.memory import Remembered

PLAIN: Final = "text/plain; charset=utf-8"
SIZE: Final = "text/x.tlog.size"


class Said(NamedTuple):
    """An answer: HTTP status, body, and its media type."""

    status: int
    body: str
    media_type: str = PLAIN


class Witnessing:
    """Signs for the logs it knows."""

    def __init__(
        self,
        logs: Sequence[Remembered],
        keys: Sequence[PrivateKey],
        clock: Clock,
        *,
        tell: Callable[[str, Mapping[str, object]], None],
    ) -> None:
        """Take the memories and the witness's keys, one of each kind; ``tell`` is for the operator's eyes."""
        self._logs = {log.origin: log for log in logs}
        self._locks = {log.origin: asyncio.Lock() for log in logs}
        self._keys = tuple(keys)
        self._clock = clock
        self._tell = tell

    async def add_checkpoint(self, body: bytes) -> Said:
        """Answer one submission.

        Raises:
            OSError: it could not be remembered, so it is not signed; the next one may be.
        """
        try:
            submission = parse(body)
        except NoteInvalid as error:
            return Said(400, f"{error}\n")
        origin = submission.checkpoint.origin
        log = self._logs.get(origin)
        if log is None:
            return Said(404, f"this witness does not know {origin}: its operator adds logs\n")
        async with self._locks[origin]:  # what was compared must be what is replaced, by a key that is not retired meanwhile
            try:
                log.verifier.checkpoint(submission.checkpoint.text)
            except NoteInvalid as error:
                return Said(403, f"{error}\n")
            return await asyncio.to_thread(self._decide, log, submission, body)

    async def add_key(self, body: bytes) -> Said:
        """Take a log's new key by the statement of both its keys: not of the standard, whose way is the operator's."""
        try:
            rotation = parse_rotation(body.decode())
        except (NoteInvalid, UnicodeDecodeError) as error:
            return Said(400, f"{error}\n")
        log = self._logs.get(rotation.origin)
        if log is None:
            return Said(404, f"this witness does not know {rotation.origin}: its operator adds logs\n")
        async with self._locks[rotation.origin]:
            try:
                await asyncio.to_thread(log.accept, rotation)
            except NoteInvalid as error:
                self._tell("a statement of a new key was refused", {"origin": log.origin, "count": rotation.size})
                return Said(403, f"{error}\n")
        self._tell("the log has a new key", {"origin": log.origin, "count": rotation.size, "reason": rotation.new.vkey})
        return Said(200, "accepted\n")

    def _decide(self, log: Remembered, submission: Submission, body: bytes) -> Said:
        checkpoint = submission.checkpoint
        now = max(int(self._clock().timestamp()), log.time)  # a clock that is set back must not make later look earlier
        if submission.old > checkpoint.size:
            return Said(400, "the old size is larger than the checkpoint's\n")
        if submission.old != log.size:
            if submission.old == 0 and checkpoint.size < log.size:
                self._tell("an older checkpoint was submitted", {"origin": log.origin, "count": checkpoint.size})
            return Said(409, f"{log.size}\n", SIZE)
        root = log.newest.root if log.newest is not None else EMPTY_ROOT
        if submission.old == checkpoint.size and checkpoint.root != root:
            self._contradicted(log, checkpoint, body, now, certain=True)
            return Said(409, f"{log.size}\n", SIZE)
        if not is_consistent(submission.old, checkpoint.size, root, checkpoint.root, submission.proof):
            self._contradicted(log, checkpoint, body, now, certain=False)
            return Said(422, "the proof does not lead from what this witness has signed to this checkpoint\n")
        lines = [key.line(checkpoint.body, now) for key in self._keys]
        log.keep(_signed(log, checkpoint, lines), now)
        log.clear(checkpoint)
        return Said(200, "".join(lines))

    def _contradicted(self, log: Remembered, checkpoint: Checkpoint, body: bytes, now: int, *, certain: bool) -> None:
        log.keep_refused(checkpoint, body, now, certain=certain)
        self._tell("the log has signed what contradicts its past", {"origin": log.origin, "count": log.size})


def _signed(log: Remembered, checkpoint: Checkpoint, lines: list[str]) -> Checkpoint:
    """Return the checkpoint with the lines of the log's keys and ours alone: hostile ones must not fill the memory."""
    text = "".join((checkpoint.body, "\n", *log.lines_of(checkpoint), *lines))
    return Checkpoint(origin=checkpoint.origin, size=checkpoint.size, root=checkpoint.root, text=text)
