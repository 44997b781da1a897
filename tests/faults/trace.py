"""What a trace of a writer's system calls says about the order of its promises.

The rule: what is told on standard output was in a batch whose write took every byte, which an fdatasync that began afterwards
has confirmed, in a segment that was synced, named and whose directory was synced before. A batch whose sync has failed is lost,
whatever a later sync says: Linux reports a failed writeback once and then marks the pages clean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CALLS: Final = "trace=write,fdatasync,fsync,pwrite64,/^rename"
ARGUMENTS: Final = ("-f", "-y", "-qq", "-s", "1000000", "-e", CALLS)
ENTRY: Final = re.compile(r"task-\d+-entry-\d+-")
_CALL: Final = re.compile(r"(?P<pid>\d+) +(?P<name>\w+)\((?P<rest>.*)")
_RESUMED: Final = re.compile(r"(?P<pid>\d+) +<\.\.\. (?P<name>\w+) resumed>(?P<rest>.*)")
_RESULT: Final = re.compile(r"\) += (?P<result>-?\d+)")
_LENGTH: Final = re.compile(r", (?P<length>\d+)(?:, \d+)?\) += ")
_SEGMENT: Final = re.compile(r"/segments/\d+\.seg(?P<temporary>\.tmp)?[>\"]")


@dataclass(slots=True)
class Order:
    """Walks a trace; ``faults`` are the promises that nothing stood behind, ``told`` how many promises there were."""

    faults: list[str] = field(default_factory=list)
    told: int = 0
    failed: int = 0
    _begun: dict[str, str] = field(default_factory=dict)
    _written: set[str] = field(default_factory=set)
    _syncing: set[str] = field(default_factory=set)
    _durable: set[str] = field(default_factory=set)
    _born: list[str] = field(default_factory=list)

    def see(self, line: str) -> None:
        """Take the next line; strace shows the two ends of an interrupted call apart."""
        resumed = _RESUMED.match(line)
        if resumed is not None:
            self._end(resumed["name"], self._begun.pop(resumed["pid"], "") + resumed["rest"])
            return
        call = _CALL.match(line)
        if call is None:
            return
        self._begin(call["name"], call["rest"])
        if line.endswith("<unfinished ...>"):
            self._begun[call["pid"]] = call["rest"].removesuffix(" <unfinished ...>")
        else:
            self._end(call["name"], call["rest"])

    def _begin(self, name: str, rest: str) -> None:
        """What is told counts from its beginning; and a sync confirms only what was written before it began."""
        if name == "write" and rest.startswith("1<"):
            for entry in ENTRY.findall(rest):
                self.told += 1
                if entry not in self._durable:
                    self.faults.append(f"{entry} was told of and is not durable")
        elif name == "fdatasync":
            self._syncing = self._written.copy()

    def _end(self, name: str, rest: str) -> None:
        result = _RESULT.search(rest)
        succeeded = result is not None and int(result["result"]) >= 0
        self.failed += not succeeded
        segment = _SEGMENT.search(rest)
        if name.startswith("rename") and "/segments/" in rest:
            self._born.append("renamed")
        elif name == "fsync" and "/segments>" in rest and succeeded:
            self._born = []
        elif segment is None:
            return
        elif segment["temporary"]:
            self._born = ["written"] if name == "write" else [step for step in self._born if not succeeded or step != "written"]
        elif name == "write":
            self._write(rest, succeeded and _whole(rest))
        elif name == "fdatasync":
            self._durable |= self._syncing if succeeded else set()
            self._written -= self._syncing

    def _write(self, rest: str, whole: bool) -> None:
        if self._born:
            self.faults.append(f"a batch went into a segment that was {' and '.join(self._born)}, and not made durable")
            self._born = []
        if whole:
            self._written |= set(ENTRY.findall(rest))


def _whole(rest: str) -> bool:
    result, length = _RESULT.search(rest), _LENGTH.search(rest)
    return result is not None and length is not None and result["result"] == length["length"]


def order(trace: Path) -> Order:
    """Return what a trace says."""
    seen = Order()
    lines: Iterable[str] = trace.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines:
        seen.see(line)
    return seen
