"""Where the records server is, and how long and how much is taken from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamOptions:
    """Seconds and bytes.

    ``url`` is an origin (``http://127.0.0.1:8001``), without path. ``ca``, ``certificate`` and ``key`` are PEM files for https.
    ``credential`` is a file whose one line is sent as ``Authorization``. At most ``connections`` exchanges are under way and
    ``queue`` inquiries wait for one. ``keepalive_seconds`` must be shorter than the records server's own, so that it does not
    close a connection just when we use it.
    """

    url: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    credential: Path | None = None
    connections: int = 64
    queue: int = 256
    queue_seconds: float = 2
    connect_seconds: float = 2
    first_byte_seconds: float = 10
    total_seconds: float = 20
    keepalive_seconds: float = 3
    reply_bytes: int = 8 << 20
