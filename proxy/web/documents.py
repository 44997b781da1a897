"""The documents that the terminals' door serves about itself, each made once for a policy."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from proxy.web import forms, openapi

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.policy.service import PolicySet

KEPT: Final = 64
_ANY: Final = "*"


class Document(NamedTuple):
    """A body with its strong validator (RFC 9110 section 8.8.3)."""

    body: bytes
    media_type: str
    etag: str

    def unchanged(self, if_none_match: str | None) -> bool:
        """Tell whether a client has it already; the comparison is the weak one, as RFC 9110 section 13.1.2 has it."""
        held = {each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")}
        return bool(held & {self.etag, _ANY})


class Documents:
    """Makes each document when it is first asked for; a policy's next version makes them anew."""

    def __init__(self, policies: Callable[[], PolicySet]) -> None:
        """Take the policy that rules."""
        self._policies = policies
        self._made = lru_cache(maxsize=KEPT)(self._make)

    def purposes(self, role: str) -> Document:
        """Return the form of Query-Purpose for a role: up to a tenth of a second the first time, so ask in a thread."""
        return self._made(self._policies().version, role)

    def openapi(self) -> Document:
        """Return the OpenAPI document, the same for everybody."""
        return self._made(self._policies().version, None)

    def _make(self, version: str, role: str | None) -> Document:
        del version  # the key: what follows may read a newer policy, whose own key it then has to wait for
        policies = self._policies()
        made, media_type = (
            (openapi.document(policies), openapi.JSON) if role is None else (forms.form(policies, role), forms.MEDIA_TYPE)
        )
        body = orjson.dumps(made)
        return Document(body=body, media_type=media_type, etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"')
