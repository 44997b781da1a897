"""Which ordinary answers are looked at afterwards: drawn by lot, so that nobody can know beforehand or choose afterwards.

A query is drawn by HMAC-SHA256 of its id under a key derived from the body key. The officer has neither the key nor the id; the
server has no say in it, and whoever holds the key can draw again from the log. The key's commitment stands in the entry
``started``, the rate in each entry that took part, and what was drawn in the entry itself, before the answer leaves.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

SAMPLE: Final = "sample"
"""Why a review is owed that was drawn, and the fact that says from how many."""
_RANGE: Final = 1 << 64


class Lot:
    """Draws. Microseconds, no state."""

    def __init__(self, body_key: bytes) -> None:
        """Derive the key of its own."""
        self._key = hmac.digest(body_key, b"showcause sample", hashlib.sha256)

    def drawn(self, about: str, one_in: int) -> bool:
        """Tell whether a query is among the one in so many; never for 0."""
        if one_in <= 0:
            return False
        number = int.from_bytes(hmac.digest(self._key, about.encode(), hashlib.sha256)[:8])
        return number < _RANGE // one_in

    @property
    def commitment(self) -> str:
        """Return the hash of the key: another key would be another draw, and is seen to be."""
        return hashlib.sha256(b"showcause sample commitment" + self._key).hexdigest()
