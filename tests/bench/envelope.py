"""What the envelope of an entry costs: microseconds to seal it, paired with the form before it, and bytes of entry and body.

``python -m tests.bench.envelope [--log FOLDER] [--rounds N]``. The two forms are encoded in turns within one run, so that
whatever else the machine does meets both. With ``--log``, the sizes are those of that log, kind by kind.
"""

from __future__ import annotations

import argparse
import base64
import os
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from proxy.audit.entry import decode, encode
from proxy.audit.event import Party
from proxy.audit.sealing import Sealer
from proxy.tlog.store import SegmentReader

if TYPE_CHECKING:
    from collections.abc import Callable

AT: Final = "2026-11-28T12:00:00.12Z"
DECIDED: Final[dict[str, Any]] = {
    "facts": {
        "forward": True, "outcome": "permit", "shown": "permit", "rule": "patrol-read", "policy": "0f3a6c1b2d4e",
        "action": "person.read", "route": "person", "purpose": "C", "permissible_use": None, "derived": False,
        "standing": "assigned", "category": "none", "relation": "none", "approval": "none", "role": "officer",
        "agency": "WA0000000", "recipient": False, "location": False, "root": None, "reuse": None,
        "destination": "http://127.0.0.1:9000", "criteria": ["person_id"], "roads": [], "met": 0, "notify": [],
        "bytes_in": 0, "methods": ["key"], "escalation": "",
    },
    "parties": [
        Party("officer", "badge-1234"), Party("terminal", "car-12"), Party("source", "10.1.2.3"), Party("case", "26-004217"),
        Party("person_id", "1001"),
    ],
    "sealed": {
        "operator": "badge-1234", "unit": "patrol-north", "terminal": "car-12", "source": "10.1.2.3", "case": "26-004217",
        "statement": "stopped for no plates, driver has no licence on him", "requestor": None, "recipient": None,
        "location": None, "method": "GET", "object": "/persons/1001", "criteria": {"person_id": ["1001"]}, "recognized": [],
        "partial": {}, "approved_by": [],
    },
}  # fmt: skip


def before(sealer: Sealer, *, kind: str, at: str, about: str, facts: Any, parties: Any, sealed: Any) -> bytes:
    """Return an entry of version 1: the ciphertext within it, under a key of the day."""
    tokens: dict[str, list[str]] = {}
    for party in parties:
        known = tokens.setdefault(party.kind, [])
        token = sealer.token(party.kind, party.value)
        if token not in known:
            known.append(token)
    closed = sealer.seal(sealed, use=f"entry/{at[:10]}", bound=(kind, about, at))
    return orjson.dumps(
        {
            "v": 1, "kind": kind, "at": at, "about": about, "facts": facts, "parties": tokens,
            "sealed": base64.b64encode(closed).decode(),
        }
    )  # fmt: skip


def cost(encoding: Callable[..., object], sealer: Sealer, count: int) -> float:
    """Return microseconds for one entry."""
    began = time.perf_counter()
    for number in range(count):
        encoding(sealer, kind="decided", at=AT, about=str(number), **DECIDED)
    return (time.perf_counter() - began) / count * 1e6


def sizes(folder: Path) -> dict[str, list[tuple[int, int]]]:
    """Return the sizes of entry and body for each kind."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for stored in SegmentReader(folder).stored():
        found[decode(*stored).kind].append((len(stored.entry), len(stored.body or b"")))
    return found


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--count", type=int, default=2000)
    options = parser.parse_args()
    sealer = Sealer(index_key=os.urandom(32), body_key=os.urandom(32))
    pairs = [(cost(before, sealer, options.count), cost(encode, sealer, options.count)) for _ in range(options.rounds)]
    old, new = (statistics.median(column) for column in zip(*pairs, strict=True))
    more = statistics.median(after - then for then, after in pairs)
    least = tuple(min(column) for column in zip(*pairs, strict=True))
    whole = before(sealer, kind="decided", at=AT, about="q" * 36, **DECIDED)
    entry, body = encode(sealer, kind="decided", at=AT, about="q" * 36, **DECIDED)
    lines = [
        f"sealing a decision: {old:.1f} us in one part, {new:.1f} us in two, {more:+.1f} us (median of {len(pairs)} pairs)",
        f"at best: {least[0]:.1f} and {least[1]:.1f} us",
        f"its size: {len(whole)} bytes in one part; {len(entry)} and a body of {len(body)} in two",
    ]
    for kind, found in sorted(sizes(options.log).items() if options.log is not None else ()):
        headers, bodies = (statistics.mean(column) for column in zip(*found, strict=True))
        lines.append(f"{kind:24} {len(found):8} entries of {headers:6.0f} bytes, bodies of {bodies:6.0f}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
