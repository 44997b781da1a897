"""Appends until told otherwise, and says what was acknowledged. Run by the fault tests in a process of its own.

Exit codes: 0 all was written, 3 the log was poisoned, 4 it could not be opened.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.clock import utc_now
from proxy.tlog.errors import LogError, LogPoisoned
from proxy.tlog.note import Signer
from tests.faults.mutants import WRITERS

if TYPE_CHECKING:
    from proxy.tlog.log import Log


async def write(log: Log, task: int, entries: int) -> None:
    """Append entries one after the other; once refused, try three times more and end."""
    refused = 0
    for number in range(entries):
        payload = b"task-%d-entry-%d-" % (task, number) + b"x" * (number % 700)
        try:
            index = await log.append(payload)
        except LogPoisoned:
            os.write(1, b"refused\n")
            refused += 1
            if refused > 3:
                return
        else:
            os.write(1, b"%d %s\n" % (index, payload))


async def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--tasks", type=int, default=16)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--writer", choices=WRITERS, default="right")
    options = parser.parse_args()
    signer = Signer("log.example", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    size = 256 if not options.limit else 65_536
    try:
        log = WRITERS[options.writer](options.directory, signer=signer, clock=utc_now, segment_entries=size)
    except LogError:
        return 4
    if options.limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (options.limit, options.limit))
    await asyncio.gather(*(write(log, task, options.entries) for task in range(options.tasks)))
    await log.close()
    return 3 if log.poisoned else 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
