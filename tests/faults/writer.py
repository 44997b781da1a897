"""Appends until told otherwise, and says what was acknowledged. Run by the fault tests in a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.clock import utc_now
from proxy.tlog.errors import LogPoisoned
from proxy.tlog.log import Log
from proxy.tlog.note import Signer


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
    """Return 0 when everything was written, 3 when the log was poisoned."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--tasks", type=int, default=16)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--limit", type=int, default=0)
    options = parser.parse_args()
    signer = Signer("log.example", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    log = Log(options.directory, signer=signer, clock=utc_now, segment_entries=256 if not options.limit else 65_536)
    if options.limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (options.limit, options.limit))
    await asyncio.gather(*(write(log, task, options.entries) for task in range(options.tasks)))
    await log.close()
    return 3 if log.poisoned else 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
