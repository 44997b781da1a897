"""Why the record could not be kept."""

from __future__ import annotations

from proxy.refusal import Refusal


class AuditUnavailable(Refusal):
    """The entry is not confirmed durable, so nothing that depends on it may happen."""
