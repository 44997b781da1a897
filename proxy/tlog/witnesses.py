"""The log's side of witnessing: it shows its newest checkpoint to the witnesses of its policy, and keeps what they sign.

Rounds follow one another. A round takes the newest durable checkpoint, sends it to every witness with the proof that it
contains what that witness signed last, and ends once the quorum has signed. Whoever waits for an entry is told when a
checkpoint that covers it is cosigned, so one round serves all that have come since the one before.

========================  ===========================================================================================
``cosigned``              the newest cosigned checkpoint, at most a second old; nothing depends on its being there
``cosigned.history``      one a minute at most, a blank line apart: they bound the times of the entries (``audit verify``)
========================  ===========================================================================================

A witness that knows a larger size than the log has, or another root, has seen a future that is not here: an older copy of the
folder was put back, a second node writes under the same origin, or somebody with the key has written another history. Which
of them, nobody here can tell; so nothing more is released (``contradiction``).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp

from proxy.tlog.cosign import CosignedCheckpoint, cosignature_lines
from proxy.tlog.errors import LogDamaged, LogError, NoteInvalid
from proxy.tlog.files import replace
from proxy.tlog.note import Checkpoint, with_lines
from proxy.tlog.rotation import rotations_of
from proxy.tlog.store import COSIGNED, HISTORY
from proxy.tlog.submission import encode

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from proxy.clock import Clock
    from proxy.tlog.cosign import Witness, WitnessPolicy
    from proxy.tlog.log import Head, Log

TURN_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 0.25
HISTORY_SECONDS: Final = 60
MAX_REPLY: Final = 65_536
_TRIES: Final = 3
_ADVICE: Final = "If there is none, begin a new origin that names this one: `showcause audit new-origin --reason …`"


class Contradicted(LogError):  # noqa: N818 -- reads as a sentence where it is raised
    """A witness has signed what this log does not have. The message says what to do."""


class _Unwilling(Exception):  # noqa: N818 -- never leaves this file
    """A witness did not sign; the message says why."""


@dataclass(slots=True)
class _Correspondent:
    """What is known of one witness: the size it has signed, and why it did not sign last."""

    witness: Witness
    known: int
    busy: bool = False
    trouble: str = "not asked yet"


class Witnesses:
    """Asks the witnesses of a policy. Belongs to one event loop. ``contradiction`` says what a witness knows better, if any."""

    def __init__(
        self,
        log: Log,
        policy: WitnessPolicy,
        *,
        clock: Clock,
        monotonic: Callable[[], float],
        interval_seconds: float,
        reply_seconds: float,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Keep an open log and the policy; nobody is asked yet.

        Args:
            log: whose checkpoints are shown.
            policy: whom to ask (those with a URL), and how many are enough.
            clock: the time beside the log's second signature.
            monotonic: seconds.
            interval_seconds: the log is shown at least so often while it grows, though nobody waits.
            reply_seconds: a witness has so long.
            tls: for https; default: the system's authorities.

        Raises:
            NoteInvalid: the policy is about other logs, or names no witness that can be asked.
            Contradicted: the folder holds a cosigned checkpoint of more entries than are here.
        """
        policy.require(log.origin)
        self._log = log
        self._policy = policy
        self._clock = clock
        self._monotonic = monotonic
        self._interval = interval_seconds
        self._reply_seconds = reply_seconds
        self._tls = tls
        self.contradiction = ""
        self.newest: CosignedCheckpoint | None = self._kept()
        known = self.newest.size if self.newest is not None else 0
        self._asked = [_Correspondent(each, known) for each in policy.witnesses.values() if each.url]
        if policy.quorum == "none":
            raise NoteInvalid("the policy's quorum is none: nobody would have to sign; name a witness or a group")
        if not policy.satisfied([each.witness.name for each in self._asked]):
            raise NoteInvalid("the policy's quorum cannot be reached: give its witnesses their URLs")
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._wanted = asyncio.Event()
        self._covered_at = monotonic()
        self._shown_at = float("-inf")
        self._failed_at: float | None = None
        self._written: CosignedCheckpoint | None = self.newest
        self._written_at = float("-inf")
        self._history_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.Task[None] | None = None

    @property
    def size(self) -> int:
        """Return how many entries the newest cosigned checkpoint covers."""
        return self.newest.size if self.newest is not None else 0

    @property
    def unwitnessed(self) -> int:
        """Return how many entries no quorum has signed for yet."""
        return max(self._log.head.size - self.size, 0)

    @property
    def behind_seconds(self) -> float:
        """Return for how long, at most, the oldest of them has been waiting."""
        return self._monotonic() - self._covered_at if self.unwitnessed else 0.0

    @property
    def trouble(self) -> str:
        """Return in words why witnesses do not sign, or nothing."""
        return "; ".join(f"{each.witness.name}: {each.trouble}" for each in self._asked if each.trouble)

    def overdue(self, wait: float) -> bool:
        """Tell whether rounds have been without a quorum for so many seconds, and entries wait."""
        return bool(self.unwitnessed) and self._failed_at is not None and self._monotonic() - self._failed_at >= wait

    async def open(self) -> None:
        """Ask everybody once, and go on in the background. Witnesses that are silent do not stop the start.

        Raises:
            Contradicted: a witness knows more than is here, or another history.
        """
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._reply_seconds),
            connector=aiohttp.TCPConnector(ssl=self._tls if self._tls is not None else True, limit_per_host=2),
            trust_env=False,
            headers={"User-Agent": "showcause-log", "Content-Type": "text/plain; charset=utf-8"},
        )
        await self._round(whole=True)
        if self.contradiction:
            await self.close()
            raise Contradicted(self.contradiction)
        self._loop = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop asking; closing twice is harmless. What is cosigned by now is kept."""
        if self._loop is not None:
            self._loop.cancel()
            with suppress(asyncio.CancelledError):
                await self._loop
            self._loop = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None
        with suppress(OSError):
            await asyncio.to_thread(self._write, self._monotonic())

    async def covers(self, index: int, seconds: float) -> bool:
        """Wait until a cosigned checkpoint covers an entry, up to so many seconds; tell whether one does."""
        if self.size > index:
            return True
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((index, future))
        self._wanted.set()
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            self._waiting = [each for each in self._waiting if each[1] is not future]
            return self.size > index
        return True

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(TURN_SECONDS):
                    await self._wanted.wait()
            self._wanted.clear()
            now = self._monotonic()
            if not self.unwitnessed:
                self._covered_at = now
            due = bool(self.unwitnessed) and now - self._shown_at >= self._interval
            if (self._waiting or due) and not self.contradiction:
                await self._round()
                if any(self.size <= index for index, _ in self._waiting):
                    self._wanted.set()
                    if self.size < self._log.head.size and self.trouble:
                        await asyncio.sleep(RETRY_SECONDS)
            if now - self._written_at >= TURN_SECONDS and self.newest is not self._written:
                with suppress(OSError):
                    await asyncio.to_thread(self._write, now)

    async def _round(self, *, whole: bool = False) -> None:
        """Show the newest checkpoint to everybody who is not still being asked; ``whole`` waits for all, not for a quorum."""
        head, began = self._log.head, self._monotonic()
        self._shown_at = began
        checkpoint = self._log.published(head, int(self._clock().timestamp()))
        lines: dict[str, tuple[list[str], int]] = {}
        asked = {asyncio.create_task(self._ask(each, head, checkpoint, lines)) for each in self._asked if not each.busy}
        self._tasks |= asked
        while asked:
            done, asked = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            self._tasks -= done
            if not whole and self._policy.satisfied(lines):
                break
        for task in asked:
            task.add_done_callback(self._tasks.discard)
        if self._policy.satisfied(lines):
            self._take(checkpoint, lines, began)
        elif self._failed_at is None:
            self._failed_at = self._monotonic()

    def _take(self, checkpoint: Checkpoint, lines: dict[str, tuple[list[str], int]], began: float) -> None:
        added = [line for name in self._policy.witnesses if name in lines for line in lines[name][0]]
        times = {name: time for name, (_, time) in lines.items()}
        self.newest = CosignedCheckpoint(checkpoint=with_lines(checkpoint, added), times=times)
        self._covered_at, self._failed_at = began, None
        waiting, self._waiting = self._waiting, []
        for index, future in waiting:
            if index >= self.size:
                self._waiting.append((index, future))
            elif not future.done():
                future.set_result(None)

    async def _ask(
        self, to: _Correspondent, head: Head, checkpoint: Checkpoint, lines: dict[str, tuple[list[str], int]]
    ) -> None:
        to.busy = True
        try:
            lines[to.witness.name] = await self._signed(to, head, checkpoint)
            to.trouble = ""
        except _Unwilling as error:
            to.trouble = str(error)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            to.trouble = f"does not answer ({type(error).__name__})"
        except (NoteInvalid, LogDamaged, ValueError) as error:
            to.trouble = str(error)
        except Exception as error:  # noqa: BLE001 -- whatever one witness provokes, the others are asked and the loop goes on
            to.trouble = f"cannot be asked ({type(error).__name__})"
        finally:
            to.busy = False

    async def _signed(self, to: _Correspondent, head: Head, checkpoint: Checkpoint) -> tuple[list[str], int]:
        """Return a witness's lines under a checkpoint, and when it signed.

        Raises:
            _Unwilling, NoteInvalid, aiohttp.ClientError, OSError: it has not signed.
        """
        for _ in range(_TRIES):
            if to.known > head.size:
                msg = "is ahead of this checkpoint"
                raise _Unwilling(msg)
            proof = await asyncio.to_thread(self._log.prove_consistency, to.known, head.size)
            status, said = await self._post(to, "add-checkpoint", encode(to.known, proof, checkpoint.text))
            match status:
                case 200:
                    signed = cosignature_lines(said, checkpoint, to.witness.key)
                    to.known = head.size
                    return signed
                case 409:
                    self._conflict(to, head, said)
                case 403 if await self._tell_of_keys(to):
                    pass
                case 422:
                    self._contradict(to, "another history than this one, up to the size it knows")
                case _:
                    msg = f"says {status}: {said.strip()[:200]}"
                    raise _Unwilling(msg)
        raise _Unwilling("does not come to an end")

    def _conflict(self, to: _Correspondent, head: Head, said: str) -> None:
        """Take the size a witness knows from its refusal; ask again with that, or see that it knows what is not here."""
        known = int(said.strip()) if said.strip().isascii() and said.strip().isdigit() and len(said) < 20 else -1
        if known < 0:
            raise _Unwilling("says 409 without the size it knows")
        if known > self._log.head.size:
            self._contradict(to, f"{known} entries; here are {self._log.head.size}")
        if known == to.known:
            self._contradict(to, f"another root for {known} entries")
        to.known = known
        if known > head.size:
            raise _Unwilling("is ahead of this checkpoint")

    def _contradict(self, to: _Correspondent, what: str) -> None:
        self.contradiction = (
            f"the witness {to.witness.name} ({to.witness.key.name}) has signed for {self._log.origin} {what}. Either an older "
            "copy of the log's folder was put back, or another node writes under this origin, or somebody has the log's key. "
            f"Stop every node of this origin, keep {self._log.directory} as it is, and put the newest copy back. {_ADVICE}"
        )
        raise _Unwilling("has signed what is not here")

    async def _tell_of_keys(self, to: _Correspondent) -> bool:
        """Hand a witness the statements of this log's changes of key, if it has a door for that; tell whether it took one."""
        taken = False
        for rotation in rotations_of(self._log.directory):
            status, _ = await self._post(to, "rotate-key", rotation.text.encode())
            taken = taken or status == 200
        return taken

    async def _post(self, to: _Correspondent, path: str, body: bytes) -> tuple[int, str]:
        assert self._session is not None
        async with self._session.post(f"{to.witness.url.rstrip('/')}/{path}", data=body, allow_redirects=False) as response:
            content = b""
            async for part in response.content.iter_any():
                content += part
                if len(content) > MAX_REPLY:
                    raise _Unwilling("answers at too great a length")
            return response.status, content.decode("utf-8", "replace")

    def _kept(self) -> CosignedCheckpoint | None:
        try:
            kept = self._policy.check((self._log.directory / COSIGNED).read_text(encoding="utf-8"), self._log.verifier)
        except (OSError, NoteInvalid, UnicodeDecodeError):
            return None  # another policy since, or never any: the witnesses are asked anyway
        if kept.size > self._log.head.size:
            msg = (
                f"{self._log.directory / COSIGNED} is cosigned for {kept.size} entries, but {self._log.head.size} are here: "
                f"the segments are an older copy. Put the newest copy back. {_ADVICE}"
            )
            raise Contradicted(msg)
        return kept

    def _write(self, now: float) -> None:
        newest = self.newest
        if newest is None or newest is self._written:
            return
        replace(self._log.directory / COSIGNED, newest.text.encode(), durable=False)
        self._written, self._written_at = newest, now
        if not self._history_at or now - self._history_at >= HISTORY_SECONDS:
            self._history_at = now
            with (self._log.directory / HISTORY).open("ab") as file:
                file.write(newest.text.encode() + b"\n")
