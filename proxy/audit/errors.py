"""Why the record could not be kept."""

from __future__ import annotations

from proxy.refusal import Refusal


class OwnLookups(Refusal):
    """Nobody asks the log about what they did themselves, nor about people so close to them."""


class SoughtUnknown(Refusal):
    """Nobody here has ever heard of whom the log is asked about, and no entry names them: most likely a slip of the pen."""


class AuditUnavailable(Refusal):
    """The entry is not confirmed durable, so nothing that depends on it may happen."""
