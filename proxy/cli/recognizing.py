"""A verdict on each line of a file, by as many processes as there are processors, in the order of the lines.

Each is forked when the registry is loaded, reads the whole file and judges its share of it, piece by piece. It keeps nothing
open but its end of a pipe and the file, and touches nothing of the store. What it says goes through that pipe, and on no disk.
"""

from __future__ import annotations

import heapq
import marshal
import os
import signal
import sys
from itertools import groupby
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from proxy.cli.common import CommandFailed, progress
from proxy.cli.registering import reading
from proxy.registry.imports import read_lines
from proxy.registry.index import TooManyNames
from proxy.registry.lines import LineRefused, criteria
from proxy.registry.tabular import read_jsonl
from proxy.registry.workers import forked, processors

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from proxy.registry.protection import Protection
    from proxy.registry.service import Registry
    from proxy.settings import Settings

PIECE: Final = 64
"""So many lines of the file are judged by one process before the next ones are another's."""

SHARED_FROM: Final = 1 << 17
"""A file of so many bytes is worth more than one process."""


class _Ended(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """A process has ended before it was done."""


class Piece(NamedTuple):
    """What was said of some lines: ``read`` are the file's bytes up to there; ``understood``, whether every line was."""

    number: int
    read: int
    understood: bool
    verdicts: bytes


async def recognized(settings: Settings, file: Path) -> bool:
    """Print a verdict on each line; tell whether every line was understood.

    Raises:
        DocumentInvalid: the file cannot be read.
        CommandFailed: a process that helped has ended.
    """
    understood, done = True, 0
    size = _size(file)
    async with reading(settings) as registry:
        await registry.refresh()
        pieces = _shared(registry, file, processors()) if size >= SHARED_FROM else _pieces(registry, file, mine=0, of=1)
        with progress(f"recognizing {file.name}", size or None) as advance:
            for piece in pieces:
                understood &= piece.understood
                sys.stdout.write(piece.verdicts.decode())
                advance(max(0, piece.read - done))
                done = max(done, piece.read)
    sys.stdout.flush()
    return understood


def _size(file: Path) -> int:
    """Return how many bytes there are to be read; none of what is no file, as a pipe, which is read once only."""
    status = file.stat() if file.exists() else None
    return status.st_size if status is not None and S_ISREG(status.st_mode) else 0


def _shared(registry: Registry, file: Path, processes: int) -> Iterator[Piece]:
    """Yield every piece in its order, each by the process whose turn it is.

    Raises:
        DocumentInvalid: the file cannot be read.
        CommandFailed: one has ended before it was done.
    """
    children: list[int] = []
    pipes: list[socket.socket] = []
    try:
        for mine in range(processes):
            child, pipe = forked(_judging(registry, file, mine=mine, of=processes))
            children.append(child)
            pipes.append(pipe)
        yield from heapq.merge(*map(_said, pipes), key=lambda piece: piece.number)
    except _Ended:
        for _ in read_lines(file, apart=True):  # where it is the file's fault, this says what is wrong and where
            pass
        raise CommandFailed("a process that judged some of the lines has ended; ask again") from None
    finally:
        for pipe in pipes:
            pipe.close()
        for child in children:
            os.kill(child, signal.SIGKILL)  # it has nothing to lose
            os.waitpid(child, 0)


def _judging(registry: Registry, file: Path, *, mine: int, of: int) -> Callable[[int], None]:
    def judge(pipe: int) -> None:
        with open(pipe, "wb") as out:
            for piece in _pieces(registry, file, mine=mine, of=of):
                marshal.dump(tuple(piece), out)
                out.flush()
            marshal.dump(None, out)

    return judge


def _said(pipe: socket.socket) -> Iterator[Piece]:
    with pipe.makefile("rb") as said:
        while True:
            try:
                piece = marshal.load(said)  # noqa: S302 -- from a process of our own
            except (EOFError, ValueError, TypeError, OSError) as error:
                raise _Ended from error
            if piece is None:
                return
            yield Piece(*piece)


def _pieces(registry: Registry, file: Path, *, mine: int, of: int) -> Iterator[Piece]:
    """Yield what is said of the pieces whose turn is ``mine``, of so many processes."""
    read = 0

    def count(size: int) -> None:
        nonlocal read
        read += size

    for number, piece in groupby(
        read_jsonl(read_lines(file, count, apart=True), every=True), key=lambda line: line[0] // PIECE
    ):
        if number % of == mine:
            verdicts = [_verdict(registry, line, raw) for line, raw in piece]
            understood = not any("error" in verdict for verdict in verdicts)
            yield Piece(number, read, understood, b"".join(orjson.dumps(verdict) + b"\n" for verdict in verdicts))


def _verdict(registry: Registry, number: int, raw: Mapping[str, Any] | LineRefused) -> dict[str, object]:
    try:
        if isinstance(raw, LineRefused):
            raise raw
        fields = criteria(raw)
        found = registry.recognizer.protections(fields)
    except LineRefused as refused:
        return {"line": number, "error": str(refused)}
    except TooManyNames:
        return {"line": number, "error": "too many names in one object"}
    verdict: dict[str, object] = {"line": number} | _of(found)
    # A terminal's query by so little is refused as too broad; a record is judged by whatever it holds.
    return verdict | {"too_little": True} if registry.recognizer.asks_for_more(fields) else verdict


def _of(found: Sequence[Protection]) -> dict[str, object]:
    if not found:
        return {"recognized": False, "category": None, "entry": None, "matched": [], "score": 0.0}
    first, *others = sorted(found, key=lambda protection: (-protection.score, protection.entry))
    verdict: dict[str, object] = {"recognized": True, **first.explained()}
    return verdict | {"also": [each.explained() for each in others]} if others else verdict
