"""What is wrong with a bundle, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "missing", "extra", "altered", "malformed", "signature", "proof", "incomplete", "body", "time-stamp", "unproven"
]
"""``unproven`` is what only the manifest's hash, from elsewhere, can vouch for: no sign that anything was altered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be. ``path`` is the file in the bundle, ``index`` the entry, where there is one."""

    kind: Kind
    path: str
    message: str
    index: int | None = None
