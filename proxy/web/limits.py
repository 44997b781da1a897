"""What a client may send to a door, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds for one door. Bytes and seconds.

    ``keepalive_seconds`` is also the time for a request's head and for a TLS handshake, ``body_seconds`` for its body;
    ``send_seconds`` is the time that a client has to take an answer that does not fit the network's buffers.
    """

    body_bytes: int = 65536
    header_bytes: int = 16384
    connections: int = 1024
    keepalive_seconds: float = 15
    body_seconds: float = 10
    send_seconds: float = 30
    drain_seconds: float = 20
