"""What every room may say instead of an answer.

A ``Refusal`` carries facts, never HTTP: the one table in ``web/problems.py`` maps each class to a status and a
problem type (RFC 9457), and a test holds that table against every subclass. ``detail`` is read by the officer at the
terminal: it says what is wrong and what to do next, and never more about a subject than policy allows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORD_START: Final = re.compile(r"(?<=.)(?=[A-Z])")


class Refusal(Exception):  # noqa: N818 -- the domain's word; what it says is a decision, not a malfunction
    """A query ends here, for a reason that its sender may be told."""

    def __init__(self, detail: str, **extras: object) -> None:
        """Keep the sentence for the terminal and the problem's extension members."""
        super().__init__(detail)
        self.detail = detail
        self.extras: Mapping[str, object] = extras

    @classmethod
    def slug(cls) -> str:
        """Return the problem type's last segment, which is the class's name: ``PurposeMissing`` is ``purpose-missing``."""
        return _WORD_START.sub("-", cls.__name__).lower()
