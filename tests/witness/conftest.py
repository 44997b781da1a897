"""A log that can lie, a client written from the specification, and witnesses to lie to."""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.__main__ import run
from proxy.tlog.note import Signer
from proxy.witness.running import witnessing
from proxy.witness.settings import load_witness
from tests.tlog.conftest import Naive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from proxy.tlog.note import Checkpoint

ORIGIN = "log.example/node-1"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


@dataclass
class Author:
    """Whoever holds the log's real key: signs any history, with any proof."""

    signer: Signer = field(default_factory=lambda: Signer(ORIGIN, KEY))
    word: bytes = b"entry"

    def entries(self, size: int) -> list[bytes]:
        """Return the history."""
        return [self.word + b" %d" % number for number in range(size)]

    def checkpoint(self, size: int) -> Checkpoint:
        """Sign the history."""
        return self.signer.checkpoint(size, Naive(self.entries(size)).root())

    def proof(self, old: int, new: int) -> list[bytes]:
        """Return PROOF(old, D[new]) of RFC 6962 section 2.1.2, word by word."""
        tree = Naive(self.entries(new))

        def subproof(m: int, low: int, high: int, whole: bool) -> list[bytes]:
            if m == high - low:
                return [] if whole else [tree.root(low, high)]
            k = 1
            while k * 2 < high - low:
                k *= 2
            if m <= k:
                return [*subproof(m, low, low + k, whole), tree.root(low + k, high)]
            return [*subproof(m - k, low + k, high, False), tree.root(low, low + k)]

        return subproof(old, 0, new, True) if 0 < old < new else []

    def body(self, old: int, size: int, *, proof: Sequence[bytes] | None = None) -> bytes:
        """Return the body of add-checkpoint."""
        lines = self.proof(old, size) if proof is None else proof
        head = "".join(f"{base64.b64encode(each).decode()}\n" for each in lines)
        return f"old {old}\n{head}\n{self.checkpoint(size).text}".encode()


@dataclass(frozen=True)
class Answer:
    """What a witness said."""

    status: int
    body: str
    media_type: str


@dataclass
class Client:
    """Submits to one witness."""

    url: str
    session: aiohttp.ClientSession

    async def post(self, body: bytes, path: str = "/add-checkpoint") -> Answer:
        """Submit."""
        async with self.session.post(self.url + path, data=body) as response:
            return Answer(response.status, await response.text(), response.content_type)

    async def get(self, path: str) -> Answer:
        """Look."""
        async with self.session.get(self.url + path) as response:
            return Answer(response.status, await response.text(), response.content_type)


@dataclass
class Office:
    """A witness's folder."""

    folder: Path

    @property
    def config(self) -> Path:
        """Return its configuration."""
        return self.folder / "witness.yaml"

    @property
    def memory(self) -> Path:
        """Return what it remembers of the log."""
        return self.folder / "memory" / "logs" / sha256(ORIGIN.encode()).hexdigest()[:32]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Client]:
        """Run it in this process, on a port of its own."""
        async with witnessing(load_witness(self.config)) as door, aiohttp.ClientSession() as session:
            yield Client(door.url, session)


@pytest.fixture
def author() -> Author:
    """Return the log's operator."""
    return Author()


@pytest.fixture
def office(tmp_path: Path, author: Author) -> Office:
    """Make a witness by its own command."""
    folder = tmp_path / "witness"
    assert run(["witness", "init", "witness.example", "--folder", str(folder), "--log", author.signer.verifier.vkey]) == 0
    config = folder / "witness.yaml"
    config.write_text(config.read_text().replace("port: 8450", "port: 0"))
    return Office(folder)
