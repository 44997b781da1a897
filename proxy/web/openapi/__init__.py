"""The terminals' door as an OpenAPI 3.1 document, made of the route map, the purposes and the table of problems.

So it says what this server does and cannot fall behind: a route that is added to ``routes.yaml`` is in it, and a problem type
that a room invents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy import __version__
from proxy.web.openapi.delegations import delegations
from proxy.web.openapi.leaks import leaks
from proxy.web.openapi.locks import findings, locks
from proxy.web.openapi.log import log
from proxy.web.openapi.parts import JSON, headers, schemas
from proxy.web.openapi.passkeys import passkeys
from proxy.web.openapi.queries import prefer, purpose, queries
from proxy.web.openapi.rooms import STEP_UP, rooms

if TYPE_CHECKING:
    from proxy.policy.service import PolicySet

__all__ = ["JSON", "document"]


def document(policies: PolicySet) -> dict[str, Any]:
    """Return the document of a policy's routes."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Showcause, the terminals' door",
            "version": __version__,
            "description": "Queries of the records server, each with its purpose. Every refusal is RFC 9457 problem+json.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}, {"certificate": []}],
        "tags": [
            {"name": "queries", "description": "What routes.yaml has; nothing else is answered."},
            {"name": "escalations", "description": "What waits for a supervisor, or did."},
            {"name": "delegations", "description": "Who stands in for whom."},
            {"name": "notices", "description": "Queries that a role has to take note of."},
            {"name": "reviews", "description": "Answered queries that somebody else has to judge."},
            {"name": "findings", "description": "What a review found unjustified."},
            {"name": "locks", "description": "What is stopped at once, at every node."},
            {"name": "passkeys", "description": "What one confirms with."},
            {"name": "log", "description": "Questions to the log, at the console's door, for those who read it."},
            {"name": "documents", "description": "What a terminal is built by."},
        ],
        "paths": {
            **queries(policies),
            **rooms(),
            **delegations(),
            **locks(STEP_UP),
            **findings(),
            **passkeys(STEP_UP),
            **log(),
            **leaks(),
        },
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "A key of `showcause identity add`."},
                "certificate": {"type": "mutualTLS", "description": "A client certificate whose URI is enrolled."},
            },
            "parameters": {"Query-Purpose": purpose(policies), "Prefer": prefer(), "Step-Up": STEP_UP},
            "headers": headers(),
            "schemas": schemas(),
        },
    }
