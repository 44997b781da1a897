"""Standard error, kept."""

from __future__ import annotations

import io
import json
from typing import Any


class Lines(io.RawIOBase):
    """What the operational logger writes, read again."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self.said: list[dict[str, Any]] = []

    def write(self, line: object) -> int:
        """Keep a line."""
        text = bytes(line)  # type: ignore[call-overload]
        self.said += [json.loads(each) for each in text.splitlines() if each]
        return len(text)
