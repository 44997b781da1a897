"""A log in a temporary directory, a naive RFC 6962 tree to compare with, and ways to damage things."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.clock import utc_now
from proxy.tlog.log import Log
from proxy.tlog.note import Signer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ORIGIN = "log.example/node-1"


@dataclass(frozen=True, slots=True)
class Naive:
    """RFC 6962 section 2.1, word by word; slow and plainly right."""

    entries: Sequence[bytes]

    def root(self, low: int = 0, high: int | None = None) -> bytes:
        """Return MTH(D[low:high])."""
        high = len(self.entries) if high is None else high
        if high == low:
            return sha256(b"").digest()
        if high - low == 1:
            return sha256(b"\x00" + self.entries[low]).digest()
        k = 1
        while k * 2 < high - low:
            k *= 2
        return sha256(b"\x01" + self.root(low, low + k) + self.root(low + k, high)).digest()

    def path(self, index: int, low: int, high: int) -> list[bytes]:
        """Return PATH(index, D[low:high])."""
        if high - low <= 1:
            return []
        k = 1
        while k * 2 < high - low:
            k *= 2
        if index < k:
            return [*self.path(index, low, low + k), self.root(low + k, high)]
        return [*self.path(index - k, low + k, high), self.root(low, low + k)]


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a test's log lies, and how to open it."""

    directory: Path
    signer: Signer

    def open(self, segment_entries: int = 512) -> Log:
        """Open the log."""
        return Log(self.directory, signer=self.signer, clock=utc_now, segment_entries=segment_entries)

    async def fill(self, entries: Sequence[bytes], *, batch: int = 7, segment_entries: int = 512) -> None:
        """Append in batches of up to ``batch`` and close in good order."""
        async with self.open(segment_entries) as log:
            for at in range(0, len(entries), batch):
                await asyncio.gather(*(log.append(entry) for entry in entries[at : at + batch]))

    def copy(self, target: Path) -> Bench:
        """Return a copy of the log elsewhere."""
        shutil.copytree(self.directory, target, dirs_exist_ok=True)
        return Bench(target, self.signer)

    def segment(self, first: int = 0) -> Path:
        """Return a segment file."""
        return self.directory / "segments" / f"{first:012d}.seg"

    def forget_promises(self) -> None:
        """Make the directory look as after a power cut: nothing published, nothing acknowledged."""
        (self.directory / "acknowledged").unlink(missing_ok=True)
        (self.directory / "checkpoint").unlink(missing_ok=True)
        shutil.rmtree(self.directory / "tile", ignore_errors=True)


@pytest.fixture
def signer() -> Signer:
    """Return a signer with a fixed key."""
    return Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


@pytest.fixture
def bench(tmp_path: Path, signer: Signer) -> Bench:
    """Return a place for one log."""
    return Bench(tmp_path / "log", signer)


@pytest.fixture(scope="session")
def naive() -> type[Naive]:
    """Return the reference tree."""
    return Naive
