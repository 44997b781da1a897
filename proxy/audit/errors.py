"""Why the record could not be kept."""

from __future__ import annotations

from proxy.refusal import Refusal


class OwnLookups(Refusal):
    """Nobody asks the log about what they did themselves, nor about people so close to them."""


class AuditUnavailable(Refusal):
    """The entry is not confirmed durable, so nothing that depends on it may happen."""
